"""Looking at the ledger in a database: jobs, tasks, their history, and what is to be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Integer, bindparam, case, func, select, tuple_

from genlock.clock import Clock
from genlock.errors import NotFound
from genlock.ledger import schema
from genlock.ledger.accounts import ASKED_OFTEN, SqlAccounts
from genlock.ledger.bell import Bell, Newest
from genlock.ledger.census import Census
from genlock.ledger.copying import copy_beside
from genlock.ledger.counting import take
from genlock.ledger.database import tell_time
from genlock.ledger.keeping import doomed, sources
from genlock.ledger.moment import from_micros, to_micros
from genlock.ledger.reading import Reading
from genlock.ledger.records import (
    Event,
    JobFilter,
    JobRow,
    NodeCount,
    Outlook,
    RedoPlan,
    TaskRef,
    TaskRow,
    TaskState,
    page_lost,
)
from genlock.ledger.redo import Redo, look_ahead
from genlock.ledger.row import job_row, task_row

_T = TypeVar("_T")
_job, _task = schema.job.c, schema.task.c
_PAGE = 2000
_STATES = {state.value: state for state in TaskState}  # calling the enum takes four times as long
_NOT_TOLD = {"live", "abroad", "deadline_left", "parked", "failed", "unswept"}
_JOB_COLUMNS = [column for column in schema.job.columns if column.name not in _NOT_TOLD]
# Made once: what is asked all the time is not put together anew each time.
_JOB = select(*_JOB_COLUMNS).where(_job.id == bindparam("job_id"))
_HOW_FAR = select(_job.id, _job.last_event, _job.finished_at)
_NEWEST = _HOW_FAR.where(_job.id.in_(bindparam("jobs", expanding=True)))
_NEWEST_OF = _HOW_FAR.where(_job.id == bindparam("job_id"))
_OUTPUT = select(_task.state, _task.output).where(
    _task.job == bindparam("job_id"), _task.key == bindparam("task_key")
)
_SHARED = select(schema.shared.c.output).where(schema.shared.c.input_hash == bindparam("input_hash"))
_BY_KEY = (_JOB, _NEWEST_OF, _OUTPUT, _SHARED)

_TASK_COLUMNS = [column for column in schema.task.columns if column.name not in ("item", "kept_output")]

_OUTPUTS = (
    select(_task.idx, _task.state, _task.output)
    .where(
        _task.job == bindparam("job_id"),
        _task.position == bindparam("position"),
        _task.idx > bindparam("last"),
    )
    .order_by(_task.idx)
    .limit(_PAGE)
)
_EVENTS = (
    select(schema.event)
    .where(schema.event.c.job == bindparam("job_id"), schema.event.c.seq > bindparam("after"))
    .order_by(schema.event.c.seq)
    .limit(bindparam("most", type_=Integer))
)
_PARKED_DUE = select(func.min(_task.due_at)).where(schema.IS_PARKED, _task.job.not_in(schema.held_back()))
_DEADLINE = select(func.min(_job.deadline_at)).where(schema.HAS_DEADLINE)
_LANE = (
    select(_task.queue, _task.resources)
    .where(
        schema.IS_READY,
        tuple_(_task.queue, _task.resources) > tuple_(bindparam("queue"), bindparam("resources")),
    )
    .order_by(_task.queue, _task.resources)
    .limit(1)
)
_FIRST_DUE = select(func.min(_task.due_at)).where(
    schema.IS_READY,
    _task.queue == bindparam("queue"),
    _task.resources == bindparam("resources"),
    _task.due_at > bindparam("now"),
    _task.job.not_in(schema.held_back()),
)


class SqlReader(SqlAccounts):
    """`LedgerReader` over SQLite or PostgreSQL."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        super().__init__(Reading(engine, (_OUTPUTS, _EVENTS, *ASKED_OFTEN), _BY_KEY))
        self._tell_time = tell_time(engine, clock)
        self._bell = Bell(self._newest)

    async def close(self) -> None:
        await self._reading.close()

    def stir(self, jobs: Mapping[str, bool]) -> None:
        """Wake who waits for these jobs; may be called from any thread."""
        self._bell.ring(jobs)

    async def look(self, act: Callable[[Connection], _T]) -> _T:
        """What `act` finds about what is no job; its statements see the same moment."""
        return await self._reading.read(act)

    async def census(self) -> Census:
        """See `genlock.ledger.census.Watched`."""
        return await self._reading.read(lambda connection: take(connection, self._tell_time(connection)))

    async def job(self, job: str) -> JobRow:
        rows = await self._reading.rows(_JOB, job_id=job)
        if not rows:
            raise NotFound(f"there is no job {job!r}")
        return job_row(rows[0])

    async def jobs(
        self, where: JobFilter = JobFilter(), *, after: str | None = None, limit: int = 100
    ) -> Sequence[JobRow]:
        found = select(*_JOB_COLUMNS).order_by(_job.created_at.desc(), _job.id.desc()).limit(limit)
        if after is not None:
            last = await self._reading.rows(select(_job.created_at).where(_job.id == after))
            if not last:
                raise page_lost(after)
            found = found.where(tuple_(_job.created_at, _job.id) < tuple_(last[0].created_at, after))
        if where.states:
            found = found.where(_job.state.in_([state.value for state in where.states]))
        if where.pipeline is not None:
            found = found.where(_job.pipeline == where.pipeline)
        if where.owner is not None:
            found = found.where(_job.owner == where.owner)
        if not where.children:
            found = found.where(_job.parent_job.is_(None))
        return [job_row(row) for row in await self._reading.rows(found)]

    async def task(self, ref: TaskRef) -> TaskRow:
        return task_row(await self._one(ref, *_TASK_COLUMNS))

    async def _one(self, ref: TaskRef, *columns: Any) -> Any:
        rows = await self._reading.rows(select(*columns).where(_task.job == ref.job, _task.key == ref.key))
        return rows[0] if rows else await self._missing(ref)

    async def _missing(self, ref: TaskRef) -> NoReturn:
        await self.job(ref.job)
        raise NotFound(f"job {ref.job!r} has no task {ref.key!r}")

    async def tasks(
        self,
        job: str,
        *,
        node: str | None = None,
        states: Collection[TaskState] | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[TaskRow]:
        place = tuple_(_task.position, _task.idx)
        found = select(*_TASK_COLUMNS).where(_task.job == job)
        if node is not None:
            position = select(_task.position).where(_task.job == job, _task.key == node)
            found = found.where(_task.position == position.scalar_subquery())
        if states is not None:
            found = found.where(_task.state.in_([state.value for state in states]))
        if after is not None:
            rows = await self._reading.rows(
                select(_task.position, _task.idx).where(_task.job == job, _task.key == after)
            )
            if not rows:
                return []
            found = found.where(place > tuple_(rows[0].position, rows[0].idx))
        rows = await self._reading.rows(found.order_by(_task.position, _task.idx).limit(limit))
        return [task_row(row) for row in rows]

    async def nodes(self, job: str) -> Sequence[TaskRow]:
        found = select(*_TASK_COLUMNS).where(_task.job == job, _task.idx < 0).order_by(_task.position)
        return [task_row(row) for row in await self._reading.rows(found)]

    async def counts(self, job: str) -> Sequence[NodeCount]:
        is_child = case((_task.idx >= 0, 1), else_=0)
        rows = await self._reading.rows(
            select(_task.node, _task.state, is_child, func.count())
            .where(_task.job == job)
            .group_by(_task.position, _task.node, is_child, _task.state)
            .order_by(_task.position)
        )
        spread = {node for node, _, child, _ in rows if child}
        return [
            NodeCount(node, TaskState(state), count)
            for node, state, child, count in rows
            if child or node not in spread
        ]

    async def output(self, ref: TaskRef) -> tuple[TaskState, str | None]:
        rows = await self._reading.rows(_OUTPUT, job_id=ref.job, task_key=ref.key)
        row = rows[0] if rows else await self._missing(ref)
        return TaskState(row.state), row.output

    async def outputs(self, job: str, node: str) -> AsyncIterator[Sequence[tuple[TaskState, str | None]]]:
        position = await self._one(TaskRef(job, node), _task.position)
        last = -1
        while rows := await self._reading.tuples(_OUTPUTS, job_id=job, position=position[0], last=last):
            yield [(_STATES[state], output) for _, state, output in rows]
            last = rows[-1][0]

    async def notes(self, ref: TaskRef) -> dict[str, str]:
        row, note = await self._one(ref, _task.id, _task.revision), schema.note.c
        rows = await self._reading.rows(
            select(note.name, note.value)
            .where(note.task == row.id, note.revision == row.revision)
            .order_by(note.name)
        )
        return {name: value for name, value in rows}  # noqa: C416 - rows are no pairs to mypy

    async def revisions(self, ref: TaskRef) -> Sequence[tuple[int, TaskState, str | None]]:
        row, old = await self._one(ref, _task.id), schema.revision.c
        rows = await self._reading.rows(
            select(old.revision, old.state, old.output).where(old.task == row.id).order_by(old.revision)
        )
        return [(number, TaskState(state), output) for number, state, output in rows]

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        rows = await self._reading.rows(_EVENTS, job_id=job, after=after, most=limit)
        return [Event(row.job, row.seq, from_micros(row.at), row.kind, row.task, row.data) for row in rows]

    async def changed(self, job: str, after: int, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._bell.wait(job, after)
        except TimeoutError:
            return (await self.job(job)).last_event > after
        await self.job(job)
        return True

    async def ended(self, job: str, timeout: float) -> JobRow:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._bell.wait(job, None)
        return await self.job(job)

    async def _newest(self, jobs: Collection[str]) -> dict[str, Newest]:
        ids = list(jobs)
        if len(ids) == 1:
            rows = await self._reading.rows(_NEWEST_OF, job_id=ids[0])
        else:
            rows = await self._reading.rows(_NEWEST, jobs=ids)
        return {row.id: (row.last_event, row.finished_at is not None) for row in rows}

    async def held(self, holder: str) -> Mapping[TaskRef, tuple[int, int]]:
        columns = (_task.job, _task.key, _task.revision, _task.attempt)
        running = select(*columns).where(schema.IS_RUNNING, _task.holder == holder)
        rows = await self._reading.read(lambda connection: connection.execute(running).fetchall())
        return {TaskRef(row.job, row.key): (row.revision, row.attempt) for row in rows}

    async def ready_count(self) -> int:
        def look(connection: Connection) -> int:
            now = self._tell_time(connection)
            ready = select(func.count()).where(schema.IS_READY, _task.due_at <= now, _not_held_back())
            return connection.execute(ready).scalar_one()

        return await self._reading.read(look)

    async def claimable(self, jobs: Sequence[str]) -> list[TaskRef]:
        """What can be claimed in these jobs this instant, the longest-ready of each job first."""

        def look(connection: Connection) -> list[TaskRef]:
            now = self._tell_time(connection)
            due = (_task.state == TaskState.READY.value, _task.held == 0, _task.due_at <= now)
            found = select(_task.key).order_by(_task.due_at, _task.id)
            return [
                TaskRef(job, key)
                for job in jobs
                for key in connection.scalars(found.where(_task.job == job, *due))
            ]

        return await self._reading.read(look)

    async def outlook(self) -> Outlook:
        def look(connection: Connection) -> Outlook:
            now, lanes = self._tell_time(connection), list(_lanes(connection))
            later = [_first_due(connection, *lane, now) for lane in lanes]
            parked, deadline = connection.scalar(_PARKED_DUE), connection.scalar(_DEADLINE)
            due = min((at for at in [*later, parked, deadline] if at is not None), default=None)
            left = None if due is None else timedelta(microseconds=due - now)
            return Outlook(tuple(sorted({lane[1] for lane in lanes})), left)

        return await self._reading.read(look)

    async def awaiting(self, prefix: str) -> Sequence[tuple[TaskRef, str]]:
        named = _task.signal.startswith(prefix, autoescape=True)
        found = select(_task.job, _task.key, _task.signal).where(schema.IS_PARKED, named).order_by(_task.id)
        return [(TaskRef(job, key), signal) for job, key, signal in await self._reading.rows(found)]

    async def children(self, job: str) -> Sequence[JobRow]:
        rows = await self._reading.rows(select(*_JOB_COLUMNS).where(_job.parent_job == job).order_by(_job.id))
        return [job_row(row) for row in rows]

    async def plan_redo(self, job: str, keys: Sequence[str]) -> RedoPlan:
        return (await self.look_ahead(job, keys)).plan

    async def look_ahead(self, job: str, keys: Sequence[str]) -> Redo:
        """The whole of what a redo would do, for the writer."""
        return await self._reading.read(lambda connection: look_ahead(connection, job, keys))

    async def shared(self, input_hash: str) -> str | None:
        rows = await self._reading.rows(_SHARED, input_hash=input_hash)
        return str(rows[0].output) if rows else None

    async def copy(self) -> str:
        return str(await self._reading.read(copy_beside))

    async def texts(self, *, unless_finished_before: datetime | None = None) -> AsyncIterator[str]:
        left_out = None if unless_finished_before is None else doomed(to_micros(unless_finished_before))
        for source in sources():
            last: Any = None
            while rows := await self._reading.rows(source.page(last, left_out, _PAGE)):
                for row in rows:
                    for text in source.texts(row):
                        yield text
                last = source.place(rows[-1])


def _not_held_back() -> ColumnElement[bool]:
    return _task.job.not_in(schema.held_back())


def _lanes(connection: Connection) -> Iterator[tuple[str, str]]:
    """Every pair of queue and resources that has tasks to claim, now or later: one step in the index each."""
    lane = ("", "")
    while row := connection.execute(_LANE, {"queue": lane[0], "resources": lane[1]}).first():
        lane = (row.queue, row.resources)
        yield lane


def _first_due(connection: Connection, queue: str, resources: str, now: int) -> int | None:
    due: int | None = connection.scalar(_FIRST_DUE, {"queue": queue, "resources": resources, "now": now})
    return due
