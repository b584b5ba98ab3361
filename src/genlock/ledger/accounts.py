"""Looking at money in a database: the part of `SqlReader` that is about paid calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from genlock.errors import NotFound
from genlock.ledger import schema
from genlock.ledger.call import COLUMNS, LIVE_COUNT, call_row
from genlock.ledger.costing import OCCASIONS, costs, fitting
from genlock.ledger.draft import FINISHED
from genlock.ledger.moment import from_micros, to_micros_or_none
from genlock.ledger.reading import Reading
from genlock.ledger.records import JobState, TaskRef
from genlock.ledger.spending import BudgetRow, By, CallFilter, CallRow, CallState, Cost, Delivery

_UNFINISHED = sorted(state.value for state in JobState if not state.finished)
_call, _task, _job = schema.call.c, schema.task.c, schema.job.c
_budget, _delivery = schema.budget.c, schema.delivery.c

_OF_TASK = (
    select(*COLUMNS)
    .where(_call.job == bindparam("of_job"), _call.task == bindparam("of_task"))
    .order_by(_call.intended_at.desc(), _call.key.desc())
)
ASKED_OFTEN = (_OF_TASK, OCCASIONS)


class SqlAccounts:
    """`PaymentsReader` by these connections."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def latest(self) -> datetime | None:
        """The latest time in any job that is not over, or of the newest one's beginning: the ledger's own
        time is no earlier than that.
        """
        newest = select(func.max(_job.created_at)).scalar_subquery()
        open_jobs = select(func.max(_job.updated_at)).where(_job.state.in_(_UNFINISHED)).scalar_subquery()
        [row] = await self._reading.rows(select(newest, open_jobs))
        known = [at for at in row if at is not None]
        return from_micros(max(known)) if known else None

    async def call(self, key: str) -> CallRow:
        rows = await self._reading.rows(select(*COLUMNS).where(_call.key == key))
        if not rows:
            raise NotFound(f"there is no call {key!r}")
        return call_row(rows[0])

    async def calls(
        self, where: CallFilter = CallFilter(), *, after: str | None = None, limit: int = 1000
    ) -> Sequence[CallRow]:
        place = tuple_(_call.intended_at, _call.key)
        found = select(*COLUMNS).where(*fitting(where)).order_by(_call.intended_at.desc(), _call.key.desc())
        if after is not None:
            rows = await self._reading.rows(select(_call.intended_at).where(_call.key == after))
            if not rows:
                return []
            found = found.where(place < tuple_(literal(rows[0][0]), literal(after)))
        return [call_row(row) for row in await self._reading.rows(found.limit(limit))]

    async def calls_of(self, task: TaskRef) -> Sequence[CallRow]:
        return [
            call_row(row) for row in await self._reading.rows(_OF_TASK, of_job=task.job, of_task=task.key)
        ]

    async def calls_left(self, *, limit: int = 100) -> Sequence[CallRow]:
        of_task = and_(_task.job == _call.job, _task.key == _call.task)
        found = (
            select(*COLUMNS)
            .join(schema.job, _job.id == _call.job)
            .outerjoin(schema.task, of_task)
            .where(schema.IS_OPEN, _given_up())
            .order_by(case((_call.state == CallState.DOUBT.value, 1), else_=0), _call.intended_at, _call.key)
        )
        return [call_row(row) for row in await self._reading.rows(found.limit(limit))]

    async def live_calls(self, vendor: str) -> int:
        rows = await self._reading.rows(LIVE_COUNT, of_vendor=vendor)
        return int(rows[0][0])

    async def deliveries(self, *, key: str | None = None, handle: str | None = None) -> Sequence[Delivery]:
        named = [
            column == name
            for column, name in ((_delivery.key, key), (_delivery.handle, handle))
            if name is not None
        ]
        if not named:
            return []
        rows = await self._reading.rows(select(schema.delivery).where(or_(*named)).order_by(_delivery.seq))
        return [Delivery(row.vendor, row.id, row.body, row.key, row.handle) for row in rows]

    async def budgets(self, scopes: Collection[str] | None = None) -> Sequence[BudgetRow]:
        found = select(schema.budget).order_by(_budget.scope)
        if scopes is not None:
            found = found.where(_budget.scope.in_(list(scopes)))
        return [BudgetRow(*row) for row in await self._reading.rows(found)]

    async def costs(
        self,
        by: By,
        where: CallFilter = CallFilter(),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Cost]:
        span = (to_micros_or_none(since), to_micros_or_none(until))
        paid = kept = True
        if where.job is not None:
            [[paid, kept]] = await self._reading.rows(OCCASIONS, job_id=where.job)
        if not paid and not kept:
            return []
        return await self._reading.read(
            lambda connection: costs(connection, by, where, span, paid=bool(paid), kept=bool(kept))
        )


def _given_up() -> ColumnElement[bool]:
    """Whether nobody will come back to a call: its task has finished, runs anew, or is gone."""
    return or_(
        _task.id.is_(None),
        _task.state.in_(sorted(FINISHED)),
        _task.revision != _call.revision,
        _job.finished_at.is_not(None),
    )
