"""What was accepted and is being made: when it starts, when it ends and how, by the vendors' time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """How far a job is. The last five are final."""

    QUEUED = "queued"
    WORKING = "working"
    MADE = "made"
    FAILED = "failed"
    CENSORED = "censored"
    CANCELLED = "cancelled"  # while it was worked on
    ABORTED = "aborted"  # before that


FINAL = frozenset({Phase.MADE, Phase.FAILED, Phase.CENSORED, Phase.CANCELLED, Phase.ABORTED})


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to be made: a `film` or `music` of so many seconds, or a `voice` that speaks `text`.

    `size` is in pixels, `pictures` are the hashes of the first and the last if they are there, `format` is
    what the file ends in.
    """

    kind: str
    format: str
    seconds: float = 0.0
    seed: int = 0
    size: tuple[int, int] = (160, 90)
    sound: bool = False
    pictures: tuple[str | None, str | None] = (None, None)
    text: str = ""
    rate: int = 44100
    speed: float = 1.0


@dataclass(slots=True)
class Job:
    """One accepted request. Times are seconds since 1970; `queue` and `work` are how long it waits at least,
    and is worked on; `polls` how many looks it takes besides; `ends_as` what becomes of it.
    """

    vendor: str
    id: str
    model: str
    key: str | None
    at: float
    number: int
    body: Mapping[str, Any] = field(repr=False)
    piece: Piece | None = None
    queue: float = 0.0
    work: float = 1.0
    polls: int = 0
    ends_as: Phase = Phase.MADE
    listed_at: float = 0.0
    webhook: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    phase: Phase = Phase.QUEUED
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def final(self) -> bool:
        return self.phase in FINAL

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def progress(self) -> dict[str, Any]:
        """What changes of it, as JSON; `Job.read` takes it over what was written at first."""
        names = ("id", "phase", "started_at", "ended_at", "facts", "piece")
        return {name: value for name, value in asdict(replace(self, body={})).items() if name in names}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Job:
        """From `written`."""
        job = cls(**content)
        job.phase, job.ends_as = Phase(job.phase), Phase(job.ends_as)
        if content["piece"] is not None:
            piece = Piece(**content["piece"])
            first, last = piece.pictures
            job.piece = replace(piece, size=(piece.size[0], piece.size[1]), pictures=(first, last))
        return job


_Event = tuple[float, int, Job]  # when, in which order at one moment, whose


class Yard:
    """All jobs of one vendor. `slots` is how many are worked on at once; None: as many as there are."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots
        self._jobs: dict[str, Job] = {}
        self._starts: list[_Event] = []  # heaps; what was cancelled or hastened meanwhile is passed over
        self._ends: list[_Event] = []
        self._working = 0
        self._freed = 0.0  # when a slot was given back last

    def add(self, job: Job) -> None:
        """Accept it, or take it over from an earlier process."""
        self._jobs[job.id] = job
        if job.phase is Phase.QUEUED:
            heapq.heappush(self._starts, (job.at + job.queue, job.number, job))
        elif job.phase is Phase.WORKING:
            self._working += 1
            self._expect_end(job)

    def get(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def __iter__(self) -> Iterator[Job]:
        """In the order in which they were accepted."""
        return iter(self._jobs.values())

    @property
    def full(self) -> bool:
        """Whether whoever comes now has to wait for a slot."""
        return self.slots is not None and self._working >= self.slots

    def settle(self, now: float) -> list[Job]:
        """Let time pass until now: what changed, in order, each as it was right after the change."""
        changed: list[Job] = []
        while (event := self._next()) is not None and event[0] <= now:
            at, job = event
            if job.phase is Phase.QUEUED:
                job.phase, job.started_at = Phase.WORKING, at
                self._working += 1
                self._expect_end(job)
            else:
                self._end(job, at, job.ends_as)
            changed.append(replace(job))
        return changed

    def due(self) -> float | None:
        """When something happens next by itself; None: nothing will."""
        event = self._next()
        return None if event is None else event[0]

    def look(self, job: Job) -> None:
        """Somebody asked how it is going."""
        if job.phase is Phase.WORKING and job.polls > 0:
            job.polls -= 1
            self._expect_end(job)

    def hasten(self, job: Job, now: float) -> None:
        """Let it be done now."""
        started_at = job.started_at or now
        self._end(job, now, job.ends_as)
        job.started_at = started_at

    def cancel(self, job: Job, now: float) -> bool:
        """Stop it; False if it was over."""
        if job.final:
            return False
        self._end(job, now, Phase.CANCELLED if job.phase is Phase.WORKING else Phase.ABORTED)
        return True

    def clear(self) -> None:
        """Forget all."""
        for kept in (self._jobs, self._starts, self._ends):
            kept.clear()
        self._working, self._freed = 0, 0.0

    def _expect_end(self, job: Job) -> None:
        if job.polls == 0 and job.started_at is not None:
            heapq.heappush(self._ends, (job.started_at + job.work, job.number, job))

    def _end(self, job: Job, at: float, phase: Phase) -> None:
        if job.phase is Phase.WORKING:
            self._working -= 1
            self._freed = at
        job.phase, job.ended_at = phase, at

    def _next(self) -> tuple[float, Job] | None:
        """The next change and its time: an end comes before a start at the same moment."""
        end = _first(self._ends, Phase.WORKING)
        start = None if self.full else _first(self._starts, Phase.QUEUED)
        if start is None:
            return None if end is None else (end[0], end[2])
        starts_at = start[0] if self.slots is None else max(start[0], self._freed)
        return (starts_at, start[2]) if end is None or starts_at < end[0] else (end[0], end[2])


def _first(heap: list[_Event], phase: Phase) -> _Event | None:
    """The first event whose job is still in the phase that it ends."""
    while heap and heap[0][2].phase is not phase:
        heapq.heappop(heap)
    return heap[0] if heap else None
