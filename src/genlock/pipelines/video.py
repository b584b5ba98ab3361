"""The films that jobs have made: looked at, approved or rejected, and one clip of them made again.

A film goes by the id of its job. Each time it is made anew is a revision; what is said is said of one
revision and of its bytes, and of the newest only.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel, Field

from genlock.engine.engine import Engine
from genlock.engine.lookup import find_job
from genlock.engine.views import RedoView, View
from genlock.errors import BadInput, Conflict, NotFound
from genlock.ledger.library.records import CAMPAIGN, CLIENT
from genlock.ledger.library.verdict import (
    FilmRow,
    Review,
    Reviews,
    Ruling,
    SoughtFilms,
    Standing,
)
from genlock.ledger.records import JobState
from genlock.pipelines.models import Film
from genlock.pipelines.quote import CLIPS
from genlock.pipelines.review import Approval, Opinion, gate_of
from genlock.store.artifact import Artifact

Part = Literal["film", "poster", "sheet"]
KEPT = 1024  # jobs that are known to have made no film yet


class ReviewView(View):
    """What a person said of a revision, and of which bytes."""

    revision: int
    verdict: Opinion
    sha256: str
    reason: str
    by: str
    at: datetime


class RevisionView(View):
    """One time that a film was made."""

    revision: int
    sha256: str = Field(description="of the film's bytes")
    size: int = Field(description="bytes")
    seconds: float
    frames: int
    review: ReviewView | None = Field(default=None, description="what was said of these bytes")


class VideoView(RevisionView):
    """A film as it stands. `report` is the film check with its numbers; `revisions` are all of it, the newest
    last, and are told of one film, not in lists.
    """

    id: str = Field(description="its job's")
    pipeline: str
    owner: str
    campaign_id: str | None = None
    client_id: str | None = None
    job_state: JobState
    standing: Standing
    media_type: str
    poster: str = Field(description="SHA-256 of the poster")
    sheet: str = Field(description="SHA-256 of the contact sheet")
    width: int
    height: int
    fps: int
    clips: int
    generated: list[dict[str, Any]] = Field(
        description="clips that a model generated, from 1, and which model"
    )
    left_out: list[dict[str, Any]]
    report: dict[str, Any]
    created_at: datetime
    finished_at: datetime | None
    revisions: list[RevisionView] = Field(default=[])


class Word(BaseModel):
    """What somebody says of a revision. `sha256`, if given, has to be that of its bytes."""

    revision: int
    by: str
    verdict: Opinion
    reason: str = ""
    sha256: str | None = None
    token: str | None = None


class VideoService(Protocol):
    """What can be asked about films, and said of them. A film's id may be abbreviated."""

    async def list(
        self, sought: SoughtFilms = SoughtFilms(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[VideoView]:
        """Newest first."""
        ...

    async def show(self, video: str) -> VideoView: ...

    async def say(self, video: str, word: Word) -> VideoView:
        """Approve or reject a revision. `Conflict` unless it is the newest and its job waits for a word."""
        ...

    async def redo_clip(self, video: str, revision: int, clip: int, *, dry_run: bool = False) -> RedoView:
        """Make one clip, counted from 1, anew, and the film with it: another revision, which waits again."""
        ...


class Videos:
    """`VideoService` of the process that owns the ledger."""

    def __init__(self, films: Reviews, engine: Engine) -> None:
        self._films, self._engine = films, engine
        self._without: OrderedDict[str, None] = OrderedDict()  # jobs that had made no film when looked at

    async def list(
        self, sought: SoughtFilms = SoughtFilms(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[VideoView]:
        return [present_video(row) for row in await self._films.films(sought, after=after, limit=limit)]

    async def show(self, video: str) -> VideoView:
        row = await self._row(video)
        earlier = [
            present_revision(number, _film(text), row) for number, text in await self._films.earlier(row.job)
        ]
        view = present_video(row)
        newest = present_revision(row.revision, _film(row.output), row)
        return view.model_copy(
            update={"revisions": [*(each for each in earlier if each.revision != row.revision), newest]}
        )

    async def of_job(self, job: str, *, done: bool) -> VideoView | None:
        """The film of a job by its whole id, if there is one. `done`: whether the stage is that keeps it;
        a job that had none before has none until then, and need not be looked at again.
        """
        if not done and job in self._without:
            return None
        try:
            await self._films.film(job)
        except NotFound:
            self._without[job] = None
            while len(self._without) > KEPT:
                self._without.popitem(last=False)
            return None
        self._without.pop(job, None)
        return await self.show(job)

    async def file(self, video: str, part: Part, revision: int | None = None) -> Artifact:
        """A film, its poster or its contact sheet; of the newest revision unless another is named."""
        row = await self._row(video)
        film = _film(row.output)
        if revision not in (None, row.revision):
            texts = dict(await self._films.earlier(row.job))
            if revision not in texts:
                raise NotFound(f"film {row.job} has no revision {revision}: the newest is {row.revision}")
            film = _film(texts[revision])
        return {"film": film.film, "poster": film.poster, "sheet": film.contact_sheet}[part]

    async def say(self, video: str, word: Word) -> VideoView:
        row = await self._row(video)
        if word.verdict is Opinion.REJECTED and not word.reason.strip():
            raise BadInput(f"say why film {row.job} is rejected: who makes it again has to know")
        if word.revision > row.revision:
            raise Conflict(f"film {row.job} has no revision {word.revision}: the newest is {row.revision}")
        film = await self.file(row.job, "film", word.revision)
        if word.sha256 not in (None, film.sha256):
            raise Conflict(
                f"revision {word.revision} of film {row.job} is {film.sha256[:12]} and not "
                f"{(word.sha256 or '')[:12]}: look at it again"
            )
        await asyncio.shield(self._rule(row.job, film.sha256, word))
        return await self.show(row.job)

    async def _rule(self, job: str, sha256: str, word: Word) -> None:
        said = Approval(
            verdict=word.verdict,
            sha256=sha256,
            revision=word.revision,
            by=word.by,
            at=self._engine.clock.now(),
            reason=word.reason,
        )
        await self._films.rule(
            Ruling(
                job=job,
                revision=word.revision,
                sha256=sha256,
                verdict=word.verdict.value,
                by=word.by,
                signal=gate_of(sha256),
                value=said.model_dump_json(),
                reason=word.reason,
                token=word.token,
            )
        )
        self._engine.ring()

    async def redo_clip(self, video: str, revision: int, clip: int, *, dry_run: bool = False) -> RedoView:
        row = await self._row(video)
        if row.standing is Standing.REMAKING or row.revision != revision:
            now = (
                "it is being made anew"
                if row.standing is Standing.REMAKING
                else f"the newest is {row.revision}"
            )
            raise Conflict(f"revision {revision} of film {row.job} is not to be changed: {now}")
        clips = _film(row.output).clips
        if not 1 <= clip <= clips:
            raise BadInput(f"film {row.job} has clips 1 to {clips}, and no clip {clip}")
        return await self._engine.redo(row.job, f"{CLIPS}/{clip - 1}", dry_run=dry_run)

    async def _row(self, video: str) -> FilmRow:
        try:
            return await self._films.film(video)
        except NotFound:
            return await self._films.film((await find_job(self._engine.reader, video)).id)


def present_video(row: FilmRow) -> VideoView:
    """A film as people see it."""
    film, labels = _film(row.output), json.loads(row.labels)
    newest = present_revision(row.revision, film, row)
    return VideoView(
        **newest.model_dump(exclude={"review"}),
        review=newest.review,
        id=row.job,
        pipeline=row.pipeline,
        owner=row.owner,
        campaign_id=_label(labels, CAMPAIGN),
        client_id=_label(labels, CLIENT),
        job_state=row.state,
        standing=row.standing,
        media_type=film.film.media_type,
        poster=film.poster.sha256,
        sheet=film.contact_sheet.sha256,
        width=film.width,
        height=film.height,
        fps=film.fps,
        clips=film.clips,
        generated=[each.model_dump(mode="json") for each in film.generated],
        left_out=[each.model_dump(mode="json") for each in film.left_out],
        report=film.report,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def present_revision(number: int, film: Film, row: FilmRow) -> RevisionView:
    """One revision of a film with what was said of its bytes, be it of an earlier revision with the same."""
    said = [each for each in row.reviews if each.sha256 == film.film.sha256 and each.revision <= number]
    return RevisionView(
        revision=number,
        sha256=film.film.sha256,
        size=film.film.size,
        seconds=film.seconds,
        frames=film.frames,
        review=_present_review(said[-1]) if said else None,
    )


def _present_review(review: Review) -> ReviewView:
    return ReviewView(
        revision=review.revision,
        verdict=Opinion(review.verdict),
        sha256=review.sha256,
        reason=review.reason,
        by=review.by,
        at=review.at,
    )


def _film(output: str) -> Film:
    return Film.model_validate_json(output)


def _label(labels: Mapping[str, Any], name: str) -> str | None:
    value = labels.get(name)
    return value if isinstance(value, str) else None
