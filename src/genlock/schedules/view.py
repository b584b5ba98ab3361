"""What people and programs are shown of schedules, and what they send: one set of shapes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from genlock.engine.views import View
from genlock.ledger.schedules.records import (
    FiringKind,
    FiringRow,
    FiringState,
    Kind,
    Missed,
    Overlap,
    ScheduleRow,
    ScheduleState,
)
from genlock.span import short_span

ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"


class ScheduleView(View):
    """A schedule as people see it. `schedule` is `5h` or a cron expression."""

    id: str
    name: str
    owner: str
    workflow: str
    pipeline: str
    params: dict[str, Any]
    kind: Kind
    schedule: str
    zone: str
    missed: Missed
    overlap: Overlap
    cap: str | None
    patience: int = Field(description="failures in a row after which it pauses itself; 0: never")
    failures: int = Field(description="runs in a row that failed until now")
    state: ScheduleState
    reason: str | None = Field(description="why it is paused")
    next_at: datetime | None = Field(description="when it is due next; null while it is paused")
    created_at: datetime
    updated_at: datetime


class FiringView(View):
    """One run of a schedule, or why there was none. `due_at` is when it was due, or asked for."""

    schedule: str
    due_at: datetime
    kind: FiringKind
    state: FiringState
    job: str | None
    reason: str | None
    fired_at: datetime
    ended_at: datetime | None


class Plan(View):
    """A schedule to be: what it starts, and when, by either `cron` or `every`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, examples=["Every five hours"])
    pipeline: str = Field(
        min_length=1,
        max_length=200,
        description="what it starts, such as `campaign` or `script:nightly`",
        examples=["script:nightly"],
    )
    params: dict[str, Any] = Field(default={}, description="the pipeline's inputs by name")
    cron: str | None = Field(
        default=None, min_length=1, max_length=200, description="five fields, as in `0 */5 * * *`"
    )
    every: str | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        description="`5h`, `90m`, `PT5H` or seconds",
        examples=["5h"],
    )
    zone: str = Field(default="UTC", min_length=1, max_length=64, description="IANA time zone of `cron`")
    missed: Missed = Field(default=Missed.ONCE, description="what becomes of runs that nobody could start")
    overlap: Overlap = Field(
        default=Overlap.SKIP, description="what becomes of a run while another is at work"
    )
    cap: str | None = Field(
        default=None, max_length=40, description="the most that all its jobs may spend: `25.00`"
    )
    patience: int = Field(default=5, ge=0, le=1000, description="failures in a row that pause it; 0: never")
    workflow: str | None = Field(
        default=None, min_length=1, max_length=200, description="what it belongs to; the pipeline's name"
    )

    @model_validator(mode="after")
    def _one(self) -> Plan:
        if (self.cron is None) == (self.every is None):
            msg = "say when it is due: either `cron` or `every`"
            raise ValueError(msg)
        return self


class PlanChange(View):
    """What is to be different about a schedule; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=200)
    pipeline: str | None = Field(default=None, min_length=1, max_length=200)
    params: dict[str, Any] | None = None
    cron: str | None = Field(default=None, min_length=1, max_length=200)
    every: str | None = Field(default=None, min_length=1, max_length=40)
    zone: str | None = Field(default=None, min_length=1, max_length=64)
    missed: Missed | None = None
    overlap: Overlap | None = None
    cap: str | None = Field(default=None, max_length=40, description="null: no cap of its own")
    patience: int | None = Field(default=None, ge=0, le=1000)
    workflow: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _at_most_one(self) -> PlanChange:
        if self.cron is not None and self.every is not None:
            msg = "say when it is due by either `cron` or `every`, not both"
            raise ValueError(msg)
        return self

    def applied(self, plan: Plan) -> Plan:
        """The plan with these changes."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        said = {name: value for name, value in said.items() if value is not None or name == "cap"}
        if "cron" in said:
            said["every"] = None
        elif "every" in said:
            said["cron"] = None
        return plan.model_copy(update=said)


def present_schedule(row: ScheduleRow) -> ScheduleView:
    """A row for people."""
    spec = row.spec
    return ScheduleView(
        id=spec.id,
        name=spec.name,
        owner=spec.owner,
        workflow=spec.workflow,
        pipeline=spec.pipeline,
        params=json.loads(spec.params),
        kind=spec.kind,
        schedule=said_when(spec.kind, spec.expression),
        zone=spec.zone,
        missed=spec.missed,
        overlap=spec.overlap,
        cap=spec.cap,
        patience=spec.patience,
        failures=row.failures,
        state=row.state,
        reason=row.reason,
        next_at=row.next_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def said_when(kind: Kind, expression: str) -> str:
    """`5h` for an interval, the expression for cron."""
    return short_span(timedelta(seconds=int(expression))) if kind is Kind.INTERVAL else expression


def present_firing(row: FiringRow) -> FiringView:
    """A row for people."""
    return FiringView(
        schedule=row.schedule,
        due_at=row.due_at,
        kind=row.kind,
        state=row.state,
        job=row.job,
        reason=row.reason,
        fired_at=row.fired_at,
        ended_at=row.ended_at,
    )
