"""The rows of the in-memory ledger: a task, a job, and what one verb has made possible so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genlock.ledger.moment import to_micros
from genlock.ledger.records import (
    Advance,
    Claim,
    Event,
    Failure,
    JobSpec,
    JobState,
    Kept,
    NodeSpec,
    TaskRef,
    TaskState,
)


@dataclass
class Task:
    """One task; `opened` says that a mapped task's children are complete and were let go."""

    ref: TaskRef
    spec: NodeSpec
    state: TaskState = TaskState.BLOCKED
    item: str | None = None
    attempt: int = 0
    tries: int = 0
    reclaims: int = 0
    revision: int = 1
    token: str | None = None
    holder: str | None = None
    due_at: datetime | None = None
    signal: str | None = None
    parked_for: str | None = None
    progress: float | None = None
    progress_note: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    input_hash: str | None = None
    output: str | None = None
    error: Failure | None = None
    reason: str | None = None
    kept: Kept | None = None
    written: int = 0
    opened: bool = False
    child_job: str | None = None
    notes: dict[str, str] = field(default_factory=dict)
    history: list[tuple[int, TaskState, str | None]] = field(default_factory=list)

    @property
    def is_map(self) -> bool:
        return self.spec.mapped and self.ref.index is None

    def hides(self, job: Job) -> bool:
        """A map's own row stands for nothing once there are children."""
        return self.is_map and bool(job.maps[self.ref.node])

    def claim(self, epoch: int) -> Claim:
        """The claim that its holder has on it."""
        return Claim(
            self.ref,
            self.token or "",
            self.holder or "",
            self.attempt,
            self.tries,
            self.reclaims,
            self.revision,
            self.item,
            self.kept,
            self.written,
            self.spec.resources,
            epoch,
            0 if self.started_at is None else to_micros(self.started_at),
        )


@dataclass
class Job:
    """One job: `nodes` by name in graph order, `maps` the children of mapped nodes by index."""

    spec: JobSpec
    parent: TaskRef | None
    created_at: datetime
    updated_at: datetime
    state: JobState = JobState.PENDING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: timedelta | None = None
    deadline_at: datetime | None = None
    deadline_left: timedelta | None = None  # while it stands still
    abroad: bool = False  # nothing can be done here until a provider is through
    error: Failure | None = None
    failed_task: str | None = None
    nodes: dict[str, Task] = field(default_factory=dict)
    maps: dict[str, list[Task]] = field(default_factory=lambda: defaultdict(list))
    edges: dict[tuple[str, str], bool] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def tasks(self) -> Iterator[Task]:
        """In graph order, children behind their parent."""
        for node in self.nodes.values():
            yield node
            yield from self.maps[node.ref.node] if node.is_map else ()

    def ups(self, node: str) -> Iterator[tuple[Task, bool]]:
        return ((self.nodes[up], optional) for (up, down), optional in self.edges.items() if down == node)

    def downs(self, node: str) -> Iterator[tuple[Task, bool]]:
        return ((self.nodes[down], optional) for (up, down), optional in self.edges.items() if up == node)

    def satisfied(self, node: str) -> bool:
        return all(
            up.state is TaskState.DONE or (up.state is TaskState.SKIPPED and optional)
            for up, optional in self.ups(node)
        )


@dataclass
class Change:
    """What a verb has made possible so far."""

    ready: list[TaskRef] = field(default_factory=list)
    claimed: list[Claim] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    freed: list[TaskRef] = field(default_factory=list)

    def advance(self) -> Advance:
        return Advance(tuple(self.ready), tuple(self.claimed), tuple(self.finished))
