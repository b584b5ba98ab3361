"""Firings: written once, started, and what came of them. Each function is a verb's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from genlock.errors import Conflict
from genlock.ledger.moment import from_micros, to_micros, to_micros_or_none
from genlock.ledger.schedules import definition
from genlock.ledger.schedules.records import (
    KEPT,
    MOST_QUEUED,
    Due,
    FiringKind,
    FiringRow,
    FiringState,
    Overlap,
    ScheduleRow,
    ScheduleState,
)
from genlock.ledger.schedules.row import firing_row, outcome_of
from genlock.ledger.schedules.schema import IS_OPEN, firing, schedule
from genlock.ledger.schema import job
from genlock.ledger.wording import plain, plain_or_none

AT_ONCE = 200  # firings settled or promoted in one transaction
PRUNE_EVERY = 50  # firings above what is kept

_STARTED = FiringState.STARTED.value
_with_job = firing.outerjoin(job, job.c.id == firing.c.job)
_HAS_ENDED = or_(job.c.id.is_(None), job.c.finished_at.is_not(None))  # of firings that have a job


def open_kinds() -> Select[int, int, int, int]:
    """How many firings are open, in all and of each kind that something is to be done about."""
    started, queued = firing.c.state == _STARTED, firing.c.state == FiringState.QUEUED.value

    def count(which: ColumnElement[bool], name: str) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((which, 1), else_=0)), 0).label(name)

    return (
        select(
            func.count().label("open"),
            count(and_(started, firing.c.job.is_not(None), _HAS_ENDED), "ended"),
            count(queued, "queued"),
            count(and_(started, firing.c.job.is_(None)), "unstarted"),
        )
        .select_from(_with_job)
        .where(IS_OPEN)
    )


def fire(
    connection: Connection, now: int, id: str, seen: datetime, dues: Sequence[Due], next_at: datetime | None
) -> list[FiringRow]:
    """Write due times down as fired and move the next one on, unless somebody was first."""
    row = definition.find(connection, id)
    if row is None or row.state is not ScheduleState.ACTIVE or row.next_at != seen:
        return []
    moved = {"next_at": to_micros_or_none(next_at)}
    connection.execute(update(schedule).where(schedule.c.id == id).values(**moved))
    written = [_fire(connection, now, row, due) for due in dues if not _exists(connection, id, due.at)]
    _prune(connection, id)
    return written


def trigger(connection: Connection, now: int, id: str) -> FiringRow:
    """Fire at a person's wish."""
    row = definition.get(connection, id)
    if row.is_unfit:
        raise Conflict(f"schedule {id!r} {row.reason}")
    if row.spec.overlap is Overlap.SKIP and (busy := _busy_with(connection, id)):
        raise Conflict(f"schedule {id!r} has a run that has not finished ({busy}), and its overlap is `skip`")
    due = now
    while _exists(connection, id, from_micros(due)):
        due += 1
    return _fire(connection, now, row, Due(from_micros(due), FiringKind.MANUAL))


def promote(connection: Connection) -> list[FiringRow]:
    """queued -> started for the oldest of each schedule that has no unfinished job."""
    oldest = (
        select(firing.c.schedule, func.min(firing.c.due_at).label("due_at"))
        .where(IS_OPEN, firing.c.state == FiringState.QUEUED.value)
        .group_by(firing.c.schedule)
        .order_by(firing.c.schedule)
        .limit(AT_ONCE)
    )
    promoted = []
    for which, due_at in connection.execute(oldest).all():
        row = definition.find(connection, which)
        if row is None or _busy_with(connection, which):
            continue
        mine = and_(firing.c.schedule == which, firing.c.due_at == due_at)
        queued = firing.c.state == FiringState.QUEUED.value
        changed = connection.execute(update(firing).where(mine, queued).values(state=_STARTED))
        if changed.rowcount:
            promoted.append(firing_row(connection.execute(select(firing).where(mine)).one()))
    return promoted


def begin(connection: Connection, id: str, due_at: datetime, of: str) -> None:
    """Note which job a firing has."""
    connection.execute(
        update(firing)
        .where(firing.c.schedule == id, firing.c.due_at == to_micros(due_at), firing.c.job.is_(None))
        .values(job=of)
    )


def refuse(connection: Connection, now: int, id: str, due_at: datetime, reason: str) -> ScheduleRow | None:
    """started -> failed: its job could not be created."""
    row = definition.find(connection, id)
    if row is None:
        return None
    waiting = (firing.c.state == _STARTED, firing.c.job.is_(None))
    failed = {"state": FiringState.FAILED.value, "reason": plain(reason), "ended_at": now}
    changed = connection.execute(
        update(firing)
        .where(firing.c.schedule == id, firing.c.due_at == to_micros(due_at), *waiting)
        .values(**failed)
    )
    if not changed.rowcount:
        return None
    definition.count_failure(connection, now, row, None, plain(reason))
    return definition.get(connection, id)


def settle(connection: Connection, now: int) -> list[tuple[ScheduleRow, FiringRow]]:
    """What came of jobs that have ended."""
    found = (
        select(firing.c.schedule, firing.c.due_at, job.c.state, job.c.error_message, job.c.finished_at)
        .select_from(_with_job)
        .where(IS_OPEN, firing.c.state == _STARTED, firing.c.job.is_not(None), _HAS_ENDED)
        .order_by(firing.c.schedule, job.c.finished_at, firing.c.due_at)
        .limit(AT_ONCE)
    )
    settled = []
    for which, due_at, state, error, finished_at in connection.execute(found).all():
        row = definition.find(connection, which)
        mine = and_(firing.c.schedule == which, firing.c.due_at == due_at)
        outcome, reason = outcome_of(state, error)
        ended = {"state": outcome.value, "reason": plain_or_none(reason), "ended_at": finished_at or now}
        changed = connection.execute(update(firing).where(mine, firing.c.state == _STARTED).values(**ended))
        if row is not None and changed.rowcount:
            after = firing_row(connection.execute(select(firing).where(mine)).one())
            settled.append((_count(connection, now, row, after), after))
    return settled


def _count(connection: Connection, now: int, row: ScheduleRow, after: FiringRow) -> ScheduleRow:
    if after.state is FiringState.FAILED:
        definition.count_failure(connection, now, row, after.job, after.reason or "it did not say why")
    elif after.state is FiringState.SUCCEEDED:
        definition.forget_failures(connection, row)
    return definition.get(connection, row.id)


def _fire(connection: Connection, now: int, row: ScheduleRow, due: Due) -> FiringRow:
    """Write a firing that is not there yet; whether it starts follows from what has not finished."""
    state, reason = _beginning(connection, row, due)
    skipped = state is FiringState.SKIPPED
    written = FiringRow(
        schedule=row.id,
        due_at=due.at,
        kind=due.kind,
        state=state,
        job=None,
        reason=reason,
        fired_at=from_micros(now),
        ended_at=from_micros(now) if skipped else None,
    )
    connection.execute(
        insert(firing).values(
            schedule=row.id,
            due_at=to_micros(due.at),
            kind=due.kind.value,
            state=state.value,
            reason=plain_or_none(reason),
            fired_at=now,
            ended_at=now if skipped else None,
        )
    )
    return written


def _beginning(connection: Connection, row: ScheduleRow, due: Due) -> tuple[FiringState, str | None]:
    if due.skip is not None:
        return FiringState.SKIPPED, due.skip
    busy = None if row.spec.overlap is Overlap.ALLOW else _busy_with(connection, row.id)
    if busy is None:
        return FiringState.STARTED, due.reason
    if row.spec.overlap is Overlap.SKIP:
        return FiringState.SKIPPED, f"the run before it had not finished ({busy})"
    queued = select(func.count()).where(
        firing.c.schedule == row.id, firing.c.state == FiringState.QUEUED.value, IS_OPEN
    )
    if connection.execute(queued).scalar_one() >= MOST_QUEUED:
        return FiringState.SKIPPED, f"{MOST_QUEUED} runs were waiting already"
    return FiringState.QUEUED, due.reason


def _busy_with(connection: Connection, id: str) -> str | None:
    """The job of the schedule that has not finished, or a word for one that is about to be created."""
    found = (
        select(firing.c.job)
        .select_from(_with_job)
        .where(IS_OPEN, firing.c.schedule == id, firing.c.state == _STARTED)
        .where(or_(firing.c.job.is_(None), job.c.finished_at.is_(None)))
        .limit(1)
    )
    row = connection.execute(found).first()
    return None if row is None else row.job or "its job is being created"


def _exists(connection: Connection, id: str, due_at: datetime) -> bool:
    found = select(firing.c.due_at).where(firing.c.schedule == id, firing.c.due_at == to_micros(due_at))
    return connection.execute(found).first() is not None


def _prune(connection: Connection, id: str) -> None:
    """Forget the oldest firings, some at a time; never one that is open."""
    mine = firing.c.schedule == id
    newest = select(firing.c.due_at).where(mine).order_by(firing.c.due_at.desc())
    if connection.execute(newest.offset(KEPT + PRUNE_EVERY).limit(1)).first() is None:
        return
    last_kept = connection.execute(newest.offset(KEPT).limit(1)).scalar_one()
    closed = firing.c.state.not_in([FiringState.QUEUED.value, _STARTED])
    connection.execute(delete(firing).where(mine, firing.c.due_at <= last_kept, closed))
