"""What was accepted and is being made: when it starts, when it ends and how, by the vendors' time."""

from __future__ import annotations

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


class Yard:
    """All jobs of one vendor. `slots` is how many are worked on at once; None: as many as there are."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots
        self._freed = 0.0  # when a slot was given back last
        self._jobs: dict[str, Job] = {}
        self._active: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Accept it, or take it over from an earlier process."""
        self._jobs[job.id] = job
        if not job.final:
            self._active[job.id] = job

    def get(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def __iter__(self) -> Iterator[Job]:
        """In the order in which they were accepted."""
        return iter(self._jobs.values())

    def working(self) -> int:
        """How many are worked on now."""
        return sum(job.phase is Phase.WORKING for job in self._active.values())

    def settle(self, now: float) -> list[Job]:
        """Let time pass until now: what changed, in order, each as it was right after the change."""
        changed: list[Job] = []
        while (event := self._next()) is not None and event[0] <= now:
            at, job = event
            if job.phase is Phase.QUEUED:
                job.phase, job.started_at = Phase.WORKING, at
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

    def hasten(self, job: Job, now: float) -> None:
        """Let it be done now."""
        job.started_at = job.started_at or now
        self._end(job, now, job.ends_as)

    def cancel(self, job: Job, now: float) -> bool:
        """Stop it; False if it was over."""
        if job.final:
            return False
        self._end(job, now, Phase.CANCELLED if job.phase is Phase.WORKING else Phase.ABORTED)
        return True

    def clear(self) -> None:
        """Forget all."""
        self._jobs.clear()
        self._active.clear()

    def _end(self, job: Job, at: float, phase: Phase) -> None:
        job.phase, job.ended_at = phase, at
        self._active.pop(job.id, None)
        self._freed = at

    def _next(self) -> tuple[float, Job] | None:
        """The next change and its time: an end comes before a start at the same moment."""
        ends = [
            ((job.started_at or job.at) + job.work, job)
            for job in self._active.values()
            if job.phase is Phase.WORKING and job.polls == 0
        ]
        events = [min(ends, key=lambda event: event[0])] if ends else []
        waiting = next((job for job in self._active.values() if job.phase is Phase.QUEUED), None)
        if waiting is not None and (self.slots is None or self.working() < self.slots):
            freed = self._freed if self.slots is not None else 0.0
            events.append((max(waiting.at + waiting.queue, freed), waiting))
        return min(events, key=lambda event: event[0]) if events else None
