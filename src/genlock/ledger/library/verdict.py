"""What people say of films, and how films stand: records, and the two faces that write and look.

A film is what one stage of a job has made, the *film* stage; the *gate* is a stage behind it that waits for
a person. Its revision is that of the film stage's task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from genlock.ledger.records import JobState, TaskRef

FILM, GATE = "video_storage", "review"  # what those stages are called in every pipeline that makes films


class Standing(StrEnum):
    """Where a film stands with the people who look at it."""

    WAITING = "waiting"  # its job waits for a person's word
    APPROVED = "approved"
    REJECTED = "rejected"
    UNASKED = "unasked"  # nobody was to be asked: it was finished without
    REMAKING = "remaking"  # another revision of it is being made
    WITHDRAWN = "withdrawn"  # its job was cancelled before anything was said


@dataclass(frozen=True, slots=True)
class Ruling:
    """A word about one revision of a film. `signal` and `value` (JSON) are what its gate waits for."""

    job: str
    revision: int
    sha256: str
    verdict: str
    by: str
    signal: str
    value: str
    reason: str = ""
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What was said of a revision of a film, by whom, and of which bytes."""

    job: str
    revision: int
    sha256: str
    verdict: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FilmRow:
    """A film and its job. `output` is what its stage came to, as JSON: of the newest revision that came to
    anything, which is `revision`. `labels` are the job's, as JSON.
    """

    job: str
    pipeline: str
    owner: str
    state: JobState
    labels: str
    parent: TaskRef | None
    created_at: datetime
    finished_at: datetime | None
    revision: int
    output: str
    standing: Standing
    reviews: Sequence[Review] = ()


@dataclass(frozen=True, slots=True)
class SoughtFilms:
    """Which films are listed; None means any. `campaign` is what their jobs' labels say."""

    owner: str | None = None
    campaign: str | None = None
    pipeline: str | None = None
    standing: Standing | None = None


class ReviewsWriter(Protocol):
    """The writing half."""

    async def rule(self, ruling: Ruling) -> Review:
        """Write down what a person says, tell the gate, and record the deed: one transaction.

        `Conflict` if this revision is not the newest, its job does not wait for a word, or another word was
        said of it. The same word by the same person again changes nothing.
        """
        ...


class ReviewsReader(Protocol):
    """The looking half."""

    async def film(self, job: str) -> FilmRow:
        """`NotFound` if this job has not made a film."""
        ...

    async def films(
        self, sought: SoughtFilms = SoughtFilms(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[FilmRow]:
        """Newest first; `after` is the job of the last one of the page before. Without their reviews."""
        ...

    async def earlier(self, job: str) -> Sequence[tuple[int, str]]:
        """Revisions of the film before the newest: number and output, in their order."""
        ...


class Reviews(ReviewsWriter, ReviewsReader, Protocol):
    """Both halves."""
