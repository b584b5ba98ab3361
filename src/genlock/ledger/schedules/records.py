"""What is written of schedules and their firings, and what is read: plain frozen values, JSON as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

UNFIT = "cannot run: "  # how the reason begins for which a built-in schedule is paused until it can run
MOST_QUEUED = 100  # firings of one schedule that may wait for the run before them
KEPT = 1000  # firings of one schedule that its history remembers


class Kind(StrEnum):
    """How a schedule says when it is due."""

    CRON = "cron"  # the expression has five fields, read in the schedule's zone
    INTERVAL = "interval"  # the expression is seconds, counted from the anchor


class Missed(StrEnum):
    """What becomes of runs that came due while nobody could start them."""

    SKIP = "skip"
    ONCE = "once"  # one run stands for all of them
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a run that comes due while another of the same schedule has not finished."""

    SKIP = "skip"
    QUEUE = "queue"  # it begins when the other has ended
    ALLOW = "allow"


class ScheduleState(StrEnum):
    """Whether a schedule fires."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a person, or by itself; `reason` says why


class FiringKind(StrEnum):
    """Why a firing is there."""

    DUE = "due"
    MISSED = "missed"  # it stands for what came due while nobody could start it
    MANUAL = "manual"  # a person asked for it


class FiringState(StrEnum):
    """What came of a firing."""

    QUEUED = "queued"  # waits for the run before it; -> started, or -> skipped when the schedule is paused
    STARTED = "started"  # its job is about to be created, or has not finished
    SKIPPED = "skipped"  # nothing was started; `reason` says why
    SUCCEEDED = "succeeded"  # started -> succeeded when its job has completed
    FAILED = "failed"  # started -> failed when its job has failed, or could not be created
    CANCELLED = "cancelled"  # started -> cancelled when its job was cancelled or deleted


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """What a schedule does, and when. `params` is JSON, `cap` money as people write it.

    `patience` is after how many failures in a row it pauses itself; 0: never.
    """

    id: str
    name: str
    owner: str
    workflow: str
    pipeline: str
    params: str
    kind: Kind
    expression: str
    zone: str
    missed: Missed = Missed.ONCE
    overlap: Overlap = Overlap.SKIP
    cap: str | None = None
    patience: int = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """From when intervals are counted, and when it is due next; never again if that is None."""

    anchor_at: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule as it stands. `next_at` is None while it is paused; `failures` are those in a row."""

    spec: ScheduleSpec
    state: ScheduleState
    reason: str | None
    failures: int
    anchor_at: datetime
    next_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def is_unfit(self) -> bool:
        """Whether it is paused because what it is to run does not exist."""
        return self.state is ScheduleState.PAUSED and (self.reason or "").startswith(UNFIT)


@dataclass(frozen=True, slots=True)
class Due:
    """A due time to be written down as fired; with `skip` nothing is started, for that reason."""

    at: datetime
    kind: FiringKind = FiringKind.DUE
    skip: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FiringRow:
    """One firing. `due_at` is when it was due, for a manual one when it was asked for."""

    schedule: str
    due_at: datetime
    kind: FiringKind
    state: FiringState
    job: str | None
    reason: str | None
    fired_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Agenda:
    """What there is to do by the ledger's clock: schedules that are `due`, how long until the next is, and
    whether there are firings that are `open`, whose job has `ended`, that are `queued` or `unstarted`.
    """

    now: datetime
    due: tuple[ScheduleRow, ...] = ()
    due_in: timedelta | None = None
    open: bool = False
    ended: bool = False
    queued: bool = False
    unstarted: bool = False
