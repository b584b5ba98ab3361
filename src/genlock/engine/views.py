"""What people and programs are shown of jobs: one set of shapes for the API, the CLI and Python."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from genlock.ledger.records import JobState, TaskState
from genlock.ledger.spending import CallState

FITTING = "code that fits: "  # how `waits_for` begins for a task that today's code cannot do


class View(BaseModel):
    """Snake case in Python, camel case on the wire; both are accepted."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class ErrorView(View):
    """Why a task or a job failed."""

    kind: str
    message: str
    task: str | None = None


class StageView(View):
    """One stage of a job: how many of its tasks stand where. `progress` is 0..1."""

    name: str
    mapped: bool
    state: TaskState
    total: int
    counts: dict[TaskState, int]
    progress: float
    note: str | None = None


class CostView(View):
    """What the calls of one group came to. `micros` holds the same amounts in millionths of `currency`."""

    group: str
    currency: str
    calls: int
    spent: str
    reserved: str
    doubt: str
    risk: str
    saved_by_resume: str
    saved_by_reuse: str
    micros: dict[str, int]


class JobView(View):
    """A job as people see it. `completed_stages` counts done and skipped stages."""

    id: str
    pipeline: str
    state: JobState
    stage: str | None = Field(description="the first stage that is not finished")
    stages: list[StageView]
    completed_stages: int
    total_stages: int
    progress: float
    owner: str
    executor: str
    parent: str | None = None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    error: ErrorView | None
    labels: dict[str, Any]
    result: Any = Field(default=None, description="the pipeline's result as JSON, once completed")
    cost: CostView | None = Field(default=None, description="of its paid calls; null if it made none")
    last_event: int


class TaskView(View):
    """One task. `waits_for` says what a parked task is parked for."""

    key: str
    stage: str
    state: TaskState
    attempt: int
    tries: int
    reclaims: int
    revision: int
    progress: float | None
    note: str | None
    waits_for: str | None
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    holder: str | None
    error: ErrorView | None
    reason: str | None
    child_job: str | None = None
    output: Any = None


class EventView(View):
    """One line of a job's history."""

    job: str
    seq: int
    at: datetime
    kind: str
    task: str | None
    data: dict[str, Any]


class RedoView(View):
    """What a redo runs again, what may turn out unchanged, and what is kept: task keys."""

    job: str
    redone: list[str]
    maybe: list[str]
    kept: list[str]
    dry_run: bool


class GraphView(View):
    """A job's or pipeline's graph: `nodes` and `edges` as data, and drawn as Mermaid and SVG.

    `declared` tells, by the name of each stage, how it was declared when the job was started.
    """

    pipeline: str
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    result: dict[str, Any] = {}
    declared: dict[str, dict[str, str]] = {}
    mermaid: str
    svg: str


class CallView(View):
    """A paid call. Amounts are text in whole units, such as `$0.50`; `provider_id` is what a person needs to
    look it up there. `risk` is the part of `spent` nobody can know of.
    """

    key: str
    job: str
    task: str
    name: str
    number: int
    state: CallState
    adapter: str
    vendor: str
    policy: str
    provider_id: str | None
    estimate: str
    reserved: str
    spent: str
    risk: str
    computed: bool
    sends: int
    reason: str | None
    intended_at: datetime
    sent_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None
    decided_by: str | None


class BudgetView(View):
    """A scope of spending. `cap` None: what the settings say. `frozen`: why nothing may be spent there."""

    scope: str
    currency: str
    cap: str | None
    spent: str
    reserved: str
    frozen: str | None = None
