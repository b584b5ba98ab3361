"""The ledger in a database: every verb is handed to the writer, and answered after its commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from genlock.clock import Clock
from genlock.ledger import attempt, birth, claiming, keeping, reopening, steering
from genlock.ledger.batch import Batch
from genlock.ledger.census import Census, Ear
from genlock.ledger.claiming import Wish
from genlock.ledger.database import open_reader, url_of
from genlock.ledger.migration import open_current
from genlock.ledger.moment import to_micros
from genlock.ledger.page import Success
from genlock.ledger.paying import SqlPayments
from genlock.ledger.records import (
    Advance,
    Claim,
    Failure,
    JobCreated,
    JobSpec,
    RedoPlan,
    Taker,
    TaskRef,
)
from genlock.ledger.views import SqlReader
from genlock.ledger.wording import named, plain, plain_or_none
from genlock.ledger.writer import NOTHING, Verb, Writer

_T = TypeVar("_T")
_READERS = 4
_FEW = 64  # nodes of a job that takes no longer to write than to hand over


class SqlLedger(SqlPayments):
    """`Ledger` over SQLite (PostgreSQL speaks the same statements). Opened by `open`."""

    def __init__(self, writer: Writer, reader: SqlReader) -> None:
        super().__init__(writer)
        self._reader = reader

    @classmethod
    async def open(cls, place: str | Path, clock: Clock) -> SqlLedger:
        """Open or create the ledger at a path or database URL, bringing its tables up to date.

        `SchemaTooNew` if a newer genlock wrote it, `LedgerError` if it is no ledger or unreachable.
        """
        url = url_of(place)
        engine = await asyncio.to_thread(open_current, url)
        reader = SqlReader(open_reader(url, _READERS), clock)
        return cls(Writer(engine, clock, reader.stir), reader)

    @property
    def reader(self) -> SqlReader:
        """The looking half, on connections of its own; woken at once by this ledger's commits."""
        return self._reader

    async def change(self, act: Callable[[Connection, int], _T]) -> _T:
        """One verb about what is no job: `act` writes on this connection, at this time in microseconds.

        It may be called several times, each time anew; what it raises undoes it, and reaches the caller.
        """
        return await self._do(lambda batch: act(batch.connection, batch.now))

    async def steer(self, act: Callable[[Batch], _T], *refs: TaskRef) -> _T:
        """As `change`, of a verb that touches tasks of jobs as well: those it is about are `refs`."""
        return await self._do(act, *refs)

    async def look(self, act: Callable[[Connection], _T]) -> _T:
        """What `act` finds about what is no job, on a connection that does not wait for the writer."""
        return await self._reader.look(act)

    async def bind_store(self, id: str, place: str, *, free: bool) -> tuple[str, str] | None:
        """Which store keeps the files that this ledger names, and where: this one if it is `free`, unless one
        does already.
        """
        return await self._do(lambda batch: keeping.bind_store(batch, id, place, free=free))

    async def census(self) -> Census:
        return await self._reader.census()

    def listen(self, ear: Ear) -> None:
        self._writer.listen(ear)

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
        await self._reader.close()

    async def create_job(self, spec: JobSpec, *, taker: Taker | None = None) -> JobCreated:
        after = NOTHING if len(spec.nodes) <= _FEW else None
        return await self._do(lambda batch: birth.create_job(batch, spec, taker), after=after)

    async def enlist(self, holder: str, lease: timedelta) -> None:
        def act(batch: Batch) -> None:
            self._writer.hold(holder, lease)
            self._writer.renew(batch)

        await self._do(act)

    async def retire(self, holder: str) -> Sequence[TaskRef]:
        def act(batch: Batch) -> list[TaskRef]:
            self._writer.let_go(holder)
            return claiming.retire(batch, holder)

        return await self._do(act)

    async def claim(
        self,
        holder: str,
        *,
        tasks: Sequence[TaskRef] | None = None,
        limit: int = 1,
        resources: Collection[str] | None = None,
        queues: Collection[str] | None = None,
    ) -> Sequence[Claim]:
        wish = Wish(
            holder,
            None if tasks is None else tuple(tasks),
            limit,
            None if resources is None else frozenset(resources),
            None if queues is None else frozenset(queues),
        )
        claims: Sequence[Claim] = await self._writer.submit(Verb(wish=wish, refs=wish.tasks or ()))
        return claims

    async def extend(self, claim: Claim, *, progress: float | None = None, note: str | None = None) -> None:
        said = plain_or_none(note)
        await self._show(claim, lambda batch: attempt.extend(batch, claim, progress, said))

    async def save(self, claim: Claim, name: str, value: str) -> str:
        kept = named(name, "the name")
        return await self._show(claim, lambda batch: attempt.save(batch, claim, kept, value))

    async def succeed(
        self,
        claim: Claim,
        output: str,
        *,
        input_hash: str | None = None,
        kept: bool = False,
        share: bool = False,
        claim_next: int = 0,
        resources: Collection[str] | None = None,
    ) -> Advance:
        task = claim.task
        refs = (TaskRef(task.job, task.node),)  # of a child its map: its own row is read if it has to be
        done = Success(claim, output, input_hash, kept, share, claim_next, resources)
        advance: Advance = await self._writer.submit(Verb(success=done, refs=refs, fenced=True))
        return advance

    async def spread(self, claim: Claim, page: Sequence[str], *, offset: int, last: bool) -> Advance:
        return await self._show(claim, lambda batch: birth.spread(batch, claim, page, offset, last))

    async def nest(self, claim: Claim, spec: JobSpec) -> Advance:
        return await self._show(claim, lambda batch: birth.nest(batch, claim, spec))

    async def park(
        self, claim: Claim, reason: str, *, signal: str | None = None, until: datetime | None = None
    ) -> Advance:
        said = plain(reason)
        named(signal or "", "the signal")
        return await self._show(claim, lambda batch: attempt.park(batch, claim, said, signal, until))

    async def snooze(self, claim: Claim, until: datetime) -> None:
        await self._show(claim, lambda batch: attempt.snooze(batch, claim, until))

    async def fail(self, claim: Claim, failure: Failure, *, retry_at: datetime | None) -> Advance:
        return await self._show(claim, lambda batch: attempt.fail(batch, claim, failure, retry_at))

    async def skip(self, claim: Claim, reason: str) -> Advance:
        return await self._show(claim, lambda batch: attempt.skip(batch, claim, plain(reason)))

    async def cancel(self, job: str, reason: str = "") -> Sequence[TaskRef]:
        return await self._do(lambda batch: steering.cancel(batch, job, plain(reason)))

    async def retry(self, job: str) -> Sequence[TaskRef]:
        jobs = await self._do(lambda batch: reopening.retry(batch, job))
        return await self._reader.claimable(jobs)

    async def redo(self, job: str, keys: Sequence[str]) -> RedoPlan:
        ahead = await self._reader.look_ahead(job, keys)
        return await self._do(lambda batch: reopening.redo(batch, job, keys, ahead))

    async def pause(self, job: str, reason: str = "") -> None:
        await self._do(lambda batch: steering.pause(batch, job, plain(reason)))

    async def resume(self, job: str) -> Sequence[TaskRef]:
        jobs = await self._do(lambda batch: steering.resume(batch, job))
        return await self._reader.claimable(jobs)

    async def signal(self, task: TaskRef, name: str, value: str) -> bool:
        kept = named(name, "the signal")
        return await self._do(lambda batch: steering.signal(batch, task, kept, value), task)

    async def reclaim(
        self, *, survivor: str | None = None, gone: str | None = None, limit: int = 5
    ) -> Sequence[TaskRef]:
        def act(batch: Batch) -> list[TaskRef]:
            self._writer.renew(batch)  # this process lives, whatever its clock has been set to
            return claiming.reclaim(batch, survivor, gone, limit)

        return await self._do(act)

    async def expire(self) -> Sequence[TaskRef]:
        return await self._do(steering.expire)

    async def set_deadline(self, job: str, deadline: timedelta | None) -> None:
        micros = None if deadline is None else int(deadline.total_seconds() * 1_000_000)
        await self._do(lambda batch: steering.set_deadline(batch, job, micros))

    async def forget(self, finished_before: datetime) -> Sequence[str]:
        return await self._do(lambda batch: keeping.forget(batch, to_micros(finished_before)))
