"""What goes into the ledger and what comes out: plain frozen values, JSON as text.

The ledger knows rows, edges and opaque JSON. It knows no stages, no types and no providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from genlock.errors import BadInput
from genlock.ledger.wording import named, plain

FIRST = datetime.fromtimestamp(0, UTC)  # due since then is what goes before all that has not begun


class TaskState(StrEnum):
    """Where a task stands; the transitions are drawn in ARCHITECTURE.md."""

    BLOCKED = "blocked"  # an upstream is not finished
    READY = "ready"  # blocked -> ready when the last upstream is done; due at `due_at`
    RUNNING = "running"  # ready -> running by claim
    SPREAD = "spread"  # running -> spread by spread or nest: its children decide
    PARKED = "parked"  # running -> parked: waits for a signal or a time, holds no worker
    DONE = "done"  # running -> done by succeed; spread -> done when its children are
    FAILED = "failed"  # running -> failed with no attempts left; spread -> failed
    SKIPPED = "skipped"  # `when` was false, the body said Skip, or an upstream it needs was skipped
    CANCELLED = "cancelled"  # anything unfinished -> cancelled, for good

    @property
    def finished(self) -> bool:
        return self in _FINISHED_TASKS


_FINISHED_TASKS = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED})


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"  # nothing was claimed yet
    RUNNING = "running"
    PAUSED = "paused"  # nothing new is claimed; running tasks finish
    WAITING = "waiting"  # only tasks that wait for people, or for a time, are left
    COMPLETED = "completed"
    FAILED = "failed"  # a task failed for good and nothing else can go on, or the deadline passed
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in _FINISHED_JOBS

    @property
    def claimable(self) -> bool:
        return self in CLAIMABLE_JOBS


_FINISHED_JOBS = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
CLAIMABLE_JOBS = frozenset({JobState.PENDING, JobState.RUNNING, JobState.WAITING})


@dataclass(frozen=True, slots=True, order=True)
class TaskRef:
    """One task: the job's id and the task's key, `node` or `node/index` for a child of a map."""

    job: str
    key: str

    @property
    def node(self) -> str:
        return self.key.partition("/")[0]

    @property
    def index(self) -> int | None:
        _, slash, index = self.key.partition("/")
        return int(index) if slash else None

    def child(self, index: int) -> TaskRef:
        return TaskRef(self.job, f"{self.node}/{index}")

    def __str__(self) -> str:
        return f"{self.job}/{self.key}"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One stage placed in a job's graph.

    `resources` is canonical text such as "cpu=1" (empty for none): executors claim by it.
    `need` is how many children of a mapped node must succeed (None: all).
    `skipped` places the row as skipped at once, because its `when` is already known to be false.
    """

    name: str
    mapped: bool = False
    need: int | None = None
    queue: str = "default"
    resources: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """`downstream` takes a value of `upstream`; `optional` if it can do with None when that is skipped."""

    upstream: str
    downstream: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to be created. `graph`, `input` and `labels` are JSON text the ledger keeps as it is."""

    id: str
    pipeline: str
    graph: str
    input: str
    nodes: Sequence[NodeSpec]
    edges: Sequence[EdgeSpec]
    owner: str = "local"
    executor: str = "embedded"
    dedup: str | None = None
    deadline: timedelta | None = None
    labels: str = "{}"

    def __post_init__(self) -> None:
        for what, name in (("the id", self.id), ("the owner", self.owner), ("the key", self.dedup or "")):
            named(name, what)


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier revision of a task came to: reused when the inputs hash the same."""

    input_hash: str
    output: str


class Claim(NamedTuple):
    """The right to run a task once. `token` is the fence that every write must show.

    `attempt` counts claims of this revision from 1; `tries` counts failures so far, which alone
    use up Retry.attempts; `revision` is 1 and one more for each redo; `item` is the JSON of a mapped
    child's own item; `kept` is there after a redo; `children` counts the rows that an interrupted
    spread has written already; `resources` is what the task asks of its process, as in its `NodeSpec`;
    `epoch` is the revision of the node (of the map, for a child): what is upstream of tasks of one
    node does not change while its epoch stays, for a redo there blocks the node under a new revision;
    `began` is when it was given, in microseconds since 1970 by the ledger's clock.
    """

    task: TaskRef
    token: str
    holder: str
    attempt: int
    tries: int
    reclaims: int
    revision: int
    item: str | None = None
    kept: Kept | None = None
    children: int = 0
    resources: str = ""
    epoch: int = 1
    began: int = 0


class Advance(NamedTuple):
    """What one verb made possible: tasks now ready, those of them already claimed, jobs now finished."""

    ready: tuple[TaskRef, ...] = ()
    claimed: tuple[Claim, ...] = ()
    finished: tuple[str, ...] = ()


class Taker(NamedTuple):
    """Who would run the first task of a new job at once, if it asks for these resources."""

    holder: str
    resources: str


@dataclass(frozen=True, slots=True)
class JobCreated:
    """`created` is False when the id or the dedup key was there before; then nothing was changed, and
    `created_at` is None. `claimed` are those of `ready` that were claimed in the same commit.
    """

    id: str
    created: bool
    ready: tuple[TaskRef, ...] = ()
    created_at: datetime | None = None
    claimed: tuple[Claim, ...] = ()


class Outlook(NamedTuple):
    """What there is to claim: the `resources` that tasks waiting for it ask for, now or later, each once.

    `due_in` is how long until a task that is not due yet, a parked task or a deadline comes due, by the
    ledger's clock; not above zero for what is due already and `expire` has not seen yet.
    """

    kinds: tuple[str, ...]
    due_in: timedelta | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job failed: the error's class name, its message, and a trace for logs."""

    kind: str
    message: str
    trace: str = ""

    def __post_init__(self) -> None:
        for part in ("kind", "message", "trace"):
            object.__setattr__(self, part, plain(getattr(self, part)))


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands; `last_event` is the number of its newest event."""

    id: str
    pipeline: str
    state: JobState
    graph: str
    input: str
    labels: str
    owner: str
    executor: str
    parent: TaskRef | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline: timedelta | None
    deadline_at: datetime | None
    error: Failure | None
    failed_task: str | None
    last_event: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as it stands; `output` is None unless done (and for spread maps: read their children)."""

    ref: TaskRef
    state: TaskState
    attempt: int
    tries: int
    reclaims: int
    revision: int
    queue: str
    resources: str
    holder: str | None
    due_at: datetime | None
    parked_for: str | None
    progress: float | None
    progress_note: str | None
    started_at: datetime | None
    finished_at: datetime | None
    input_hash: str | None
    output: str | None
    error: Failure | None
    reason: str | None
    mapped: bool
    need: int | None
    children: int
    child_job: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a job's history: numbered from 1 without gaps. `data` is JSON text."""

    job: str
    seq: int
    at: datetime
    kind: str
    task: str | None = None
    data: str = "{}"


@dataclass(frozen=True, slots=True)
class RedoPlan:
    """What a redo would run again and what it keeps: task keys. `maybe` are downstream tasks that
    become done without running if their inputs come out the same."""

    redone: tuple[str, ...]
    maybe: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeCount:
    """How many tasks of a node are in a state (map children counted; their parent row is not)."""

    node: str
    state: TaskState
    count: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; empty means any. `children` includes nested jobs."""

    states: frozenset[JobState] = field(default_factory=frozenset)
    pipeline: str | None = None
    owner: str | None = None
    children: bool = False


def page_lost(after: str) -> BadInput:
    """What is said to whoever goes on with a list behind an entry that is gone: its place is not known."""
    return BadInput(
        f"nothing here is called {after!r} (any more), so the list cannot go on behind it: begin anew"
    )
