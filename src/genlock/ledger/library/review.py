"""Films and what people say of them, in the ledger's database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)

from genlock.errors import Conflict, NotFound
from genlock.ledger import schema
from genlock.ledger.access.schema import audit
from genlock.ledger.batch import Batch
from genlock.ledger.draft import DONE, SKIPPED
from genlock.ledger.library.records import CAMPAIGN
from genlock.ledger.library.schema import review
from genlock.ledger.library.verdict import FILM, GATE, FilmRow, Review, Ruling, SoughtFilms, Standing
from genlock.ledger.moment import from_micros, from_micros_or_none
from genlock.ledger.records import JobState, TaskRef, page_lost
from genlock.ledger.sql import SqlLedger
from genlock.ledger.steering import signal
from genlock.ledger.wording import plain

_job, _old = schema.job.c, schema.revision.c
_film_row, _gate_row = schema.task.alias("film"), schema.task.alias("gate")
_film, _gate = _film_row.c, _gate_row.c
_KEPT = and_(_old.task == _film.id, _old.state == DONE, _old.output.is_not(None))
_STANDING = case(
    (_film.state != DONE, literal(Standing.REMAKING.value)),
    (or_(_gate.id.is_(None), _gate.state == SKIPPED), literal(Standing.UNASKED.value)),
    (_gate.state == DONE, literal(Standing.APPROVED.value)),
    (_gate.state == "failed", literal(Standing.REJECTED.value)),
    (_gate.state == "cancelled", literal(Standing.WITHDRAWN.value)),
    else_=literal(Standing.WAITING.value),
)


class SqlReviews:
    """`Reviews` on a ledger's connections."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger

    async def rule(self, ruling: Ruling) -> Review:
        refs = [TaskRef(ruling.job, name) for name in (FILM, GATE)]
        return await self._ledger.steer(lambda batch: _rule(batch, ruling, *refs), *refs)

    async def film(self, job: str) -> FilmRow:
        def act(link: Connection) -> FilmRow:
            row = link.execute(self._films().where(_job.id == job)).first()
            if row is None:
                raise NotFound(f"job {job!r} has made no film, or none yet")
            said = link.execute(select(review).where(review.c.job == job).order_by(review.c.revision))
            return _film_of(row, [_review_of(each) for each in said])

        return await self._ledger.look(act)

    async def films(
        self, sought: SoughtFilms = SoughtFilms(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[FilmRow]:
        found = self._films().where(*_sought(sought))
        found = found.order_by(_job.created_at.desc(), _job.id.desc()).limit(limit)

        def act(link: Connection) -> list[FilmRow]:
            page = found
            if after is not None:
                last = link.execute(select(_job.created_at).where(_job.id == after)).scalar()
                if last is None:
                    raise page_lost(after)
                page = found.where(tuple_(_job.created_at, _job.id) < tuple_(last, after))
            return [_film_of(row) for row in link.execute(page)]

        return await self._ledger.look(act)

    async def earlier(self, job: str) -> Sequence[tuple[int, str]]:
        found = (
            select(_old.revision, _old.output)
            .join(_film_row, _KEPT)
            .where(_film.job == job, _film.key == FILM)
            .order_by(_old.revision)
        )
        return await self._ledger.look(lambda link: [(row[0], row[1]) for row in link.execute(found)])

    def _films(self) -> Select[Any]:
        """Jobs whose film stage is done, or was before it was begun anew."""
        newest = select(func.max(_old.revision)).where(_KEPT).correlate(_film_row).scalar_subquery()
        before = (
            select(_old.output)
            .where(_old.task == _film.id, _old.revision == newest)
            .correlate(_film_row)
            .scalar_subquery()
        )
        is_made = _film.state == DONE
        return (
            select(
                *(_job.id, _job.pipeline, _job.owner, _job.state, _job.labels, _job.created_at),
                *(_job.parent_job, _job.parent_key, _film.finished_at),
                case((is_made, _film.revision), else_=newest).label("revision"),
                case((is_made, _film.output), else_=before).label("output"),
                _STANDING.label("standing"),
            )
            .select_from(schema.job)
            .join(_film_row, and_(_film.job == _job.id, _film.key == FILM))
            .outerjoin(_gate_row, and_(_gate.job == _job.id, _gate.key == GATE))
            .where(or_(is_made, newest.is_not(None)))
        )


def _sought(sought: SoughtFilms) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if sought.owner is not None:
        found.append(_job.owner == sought.owner)
    if sought.campaign is not None:  # labels are written without spaces
        label = f'"{CAMPAIGN}":{json.dumps(sought.campaign, ensure_ascii=False)}'
        found.append(_job.labels.contains(label, autoescape=True))
    if sought.pipeline is not None:
        found.append(_job.pipeline == sought.pipeline)
    if sought.standing is not None:
        found.append(_STANDING.in_((sought.standing.value,)))
    return found


def _rule(batch: Batch, ruling: Ruling, film_ref: TaskRef, gate_ref: TaskRef) -> Review:
    """The job is locked, so what is checked here stays true until the commit."""
    film, gate = batch.task(film_ref), batch.find(gate_ref)
    said = _said_before(batch, ruling)
    if said is not None:
        return said
    if film.state != DONE or film.revision != ruling.revision:
        newest = f"it is being made anew, as revision {film.revision}"
        now = f"the newest is revision {film.revision}" if film.state == DONE else newest
        raise Conflict(f"revision {ruling.revision} of film {ruling.job} is not to be decided about: {now}")
    if gate is None or gate.state == SKIPPED:
        raise Conflict(f"film {ruling.job} was ordered without a review, so it waits for nobody's word")
    if gate.finished or not signal(batch, gate_ref, ruling.signal, ruling.value):
        raise Conflict(
            f"nobody waits for a word about film {ruling.job} any more: its review is {gate.state}"
        )
    _record(batch, ruling, gate_ref)
    return _review(ruling, batch.now)


def _said_before(batch: Batch, ruling: Ruling) -> Review | None:
    """The same word again is no second one; another one is too late."""
    which = (review.c.job == ruling.job, review.c.revision == ruling.revision)
    rows = batch.select(select(review).where(*which))
    if not rows:
        return None
    said = _review_of(rows[0])
    if (said.verdict, said.by, said.sha256) == (ruling.verdict, ruling.by, ruling.sha256):
        return said
    raise Conflict(f"revision {said.revision} of film {said.job} was {said.verdict} by {said.by} already")


def _record(batch: Batch, ruling: Ruling, gate: TaskRef) -> None:
    reason = plain(ruling.reason)
    told = {"revision": ruling.revision, "sha256": ruling.sha256, "reason": reason}
    batch.log(batch.job(ruling.job), f"film.{ruling.verdict}", gate.key, by=plain(ruling.by), **told)
    batch.flush()
    row = {"job": ruling.job, "revision": ruling.revision, "sha256": ruling.sha256, "reason": reason}
    batch.connection.execute(
        insert(review).values(**row, verdict=ruling.verdict, by=plain(ruling.by), at=batch.now)
    )
    deed = {"user": plain(ruling.by), "token": ruling.token, "action": f"video.{ruling.verdict}"}
    said = json.dumps(told, ensure_ascii=False, sort_keys=True)
    batch.connection.execute(
        insert(audit).values(**deed, target=f"video:{ruling.job}", data=said, at=batch.now)
    )


def _review(ruling: Ruling, now: int) -> Review:
    return Review(
        ruling.job,
        ruling.revision,
        ruling.sha256,
        ruling.verdict,
        plain(ruling.reason),
        plain(ruling.by),
        from_micros(now),
    )


def _review_of(row: Any) -> Review:
    return Review(**{**row._asdict(), "at": from_micros(row.at)})


def _film_of(row: Any, reviews: Sequence[Review] = ()) -> FilmRow:
    return FilmRow(
        job=row.id,
        pipeline=row.pipeline,
        owner=row.owner,
        state=JobState(row.state),
        labels=row.labels,
        parent=TaskRef(row.parent_job, row.parent_key) if row.parent_job else None,
        created_at=from_micros(row.created_at),
        finished_at=from_micros_or_none(row.finished_at),
        revision=row.revision,
        output=row.output,
        standing=Standing(row.standing),
        reviews=reviews,
    )
