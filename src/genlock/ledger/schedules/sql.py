"""`ScheduleLedger` in a database, on SQLite and PostgreSQL alike.

The row of a schedule is the lock of all its firings: every verb that writes one has locked it before, so
what it reads of them stays true. Verbs refuse before they change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, literal, select, tuple_

from genlock.clock import Clock
from genlock.errors import NotFound
from genlock.ledger.database import tell_time
from genlock.ledger.moment import from_micros, to_micros
from genlock.ledger.schedules import definition, fire
from genlock.ledger.schedules.protocol import ScheduleLedger
from genlock.ledger.schedules.records import (
    Agenda,
    Due,
    FiringRow,
    FiringState,
    ScheduleRow,
    ScheduleSpec,
    Timing,
)
from genlock.ledger.schedules.row import firing_row, outcome_of, schedule_row
from genlock.ledger.schedules.schema import IS_ACTIVE, IS_OPEN, firing, schedule
from genlock.ledger.schema import job
from genlock.ledger.sql import SqlLedger

AT_ONCE = 100  # schedules or firings looked at in one go


class SqlSchedules(ScheduleLedger):
    """The schedules of a ledger, by its writer and its reader."""

    def __init__(self, ledger: SqlLedger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock

    # Looking

    async def schedule(self, id: str) -> ScheduleRow:
        row = await self._ledger.look(lambda connection: definition.find(connection, id, lock=False))
        if row is None:
            raise NotFound(f"there is no schedule {id!r}")
        return row

    async def schedules(
        self, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[ScheduleRow]:
        def look(connection: Connection) -> list[ScheduleRow]:
            found = select(schedule).order_by(schedule.c.created_at, schedule.c.id).limit(limit)
            if owner is not None:
                found = found.where(schedule.c.owner == owner)
            if after is not None:
                last = definition.find(connection, after, lock=False)
                if last is None:
                    return []
                place = tuple_(schedule.c.created_at, schedule.c.id)
                found = found.where(place > tuple_(literal(to_micros(last.created_at)), literal(after)))
            return [schedule_row(row) for row in connection.execute(found)]

        return await self._ledger.look(look)

    async def firings(
        self, schedule: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[FiringRow]:
        found = (
            select(firing, job.c.state.label("job_state"), job.c.error_message, job.c.finished_at)
            .outerjoin(job, job.c.id == firing.c.job)
            .where(firing.c.schedule == schedule)
            .order_by(firing.c.due_at.desc())
            .limit(limit)
        )
        if after is not None:
            found = found.where(firing.c.due_at < to_micros(after))
        return await self._ledger.look(
            lambda connection: [_as_it_is(row) for row in connection.execute(found)]
        )

    async def agenda(self) -> Agenda:
        def look(connection: Connection) -> Agenda:
            now = tell_time(connection.engine, self._clock)(connection)
            due = select(schedule).where(IS_ACTIVE, schedule.c.next_at <= now)
            first = select(func.min(schedule.c.next_at)).where(IS_ACTIVE, schedule.c.next_at > now)
            rows = connection.execute(due.order_by(schedule.c.next_at).limit(AT_ONCE)).all()
            next_at = connection.execute(first).scalar()
            kinds = connection.execute(fire.open_kinds()).one()
            return Agenda(
                now=from_micros(now),
                due=tuple(map(schedule_row, rows)),
                due_in=None if next_at is None else timedelta(microseconds=next_at - now),
                open=bool(kinds.open),
                ended=bool(kinds.ended),
                queued=bool(kinds.queued),
                unstarted=bool(kinds.unstarted),
            )

        return await self._ledger.look(look)

    async def unstarted(self) -> Sequence[tuple[ScheduleRow, FiringRow]]:
        of_started = (firing.c.state == FiringState.STARTED.value, firing.c.job.is_(None))
        found = select(firing).where(IS_OPEN, *of_started).order_by(firing.c.due_at).limit(AT_ONCE)

        def look(connection: Connection) -> list[tuple[ScheduleRow, FiringRow]]:
            firings = [firing_row(row) for row in connection.execute(found)]
            named = select(schedule).where(schedule.c.id.in_({each.schedule for each in firings}))
            rows = {row.id: schedule_row(row) for row in connection.execute(named)} if firings else {}
            return [(rows[each.schedule], each) for each in firings]

        return await self._ledger.look(look)

    # Writing

    async def add(self, spec: ScheduleSpec, timing: Timing) -> ScheduleRow:
        return await self._ledger.change(lambda c, now: definition.add(c, now, spec, timing))

    async def register(self, spec: ScheduleSpec, timing: Timing, *, unfit: str | None = None) -> ScheduleRow:
        return await self._ledger.change(lambda c, now: definition.register(c, now, spec, timing, unfit))

    async def alter(self, spec: ScheduleSpec, timing: Timing | None) -> ScheduleRow:
        return await self._ledger.change(lambda c, now: definition.alter(c, now, spec, timing))

    async def remove(self, id: str) -> None:
        await self._ledger.change(lambda c, _: definition.remove(c, id))

    async def pause(self, id: str, reason: str = "") -> ScheduleRow:
        return await self._ledger.change(lambda c, now: definition.pause(c, now, id, reason))

    async def resume(self, id: str, timing: Timing) -> ScheduleRow:
        return await self._ledger.change(lambda c, now: definition.resume(c, now, id, timing))

    async def fire(
        self, id: str, seen: datetime, dues: Sequence[Due], next_at: datetime | None
    ) -> Sequence[FiringRow]:
        return await self._ledger.change(lambda c, now: fire.fire(c, now, id, seen, dues, next_at))

    async def trigger(self, id: str) -> FiringRow:
        return await self._ledger.change(lambda c, now: fire.trigger(c, now, id))

    async def promote(self) -> Sequence[FiringRow]:
        return await self._ledger.change(lambda c, _: fire.promote(c))

    async def begin(self, schedule: str, due_at: datetime, job: str) -> None:
        await self._ledger.change(lambda c, _: fire.begin(c, schedule, due_at, job))

    async def refuse(self, schedule: str, due_at: datetime, reason: str) -> ScheduleRow | None:
        return await self._ledger.change(lambda c, now: fire.refuse(c, now, schedule, due_at, reason))

    async def settle(self) -> Sequence[tuple[ScheduleRow, FiringRow]]:
        return await self._ledger.change(fire.settle)


def _as_it_is(row: Any) -> FiringRow:
    """A firing with what its job came to, if that has ended and is not written down yet."""
    found = firing_row(row)
    if found.state is not FiringState.STARTED or row.finished_at is None:
        return found
    state, reason = outcome_of(row.job_state, row.error_message)
    return replace(found, state=state, reason=reason, ended_at=from_micros(row.finished_at))
