"""The default executor: claims ready tasks and runs them on this process's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from genlock.engine.attempt import Next
from genlock.engine.engine import Engine
from genlock.engine.graph import resources_text
from genlock.errors import ClaimLost, LedgerError
from genlock.executors.resource import Resources
from genlock.ledger.records import Advance, Claim, TaskRef

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=9)
LONGEST_WAIT = 30.0  # seconds until the ledger is looked at again although nobody rang
TROUBLE = 1.0  # seconds between two tries to reach a ledger that does not answer
STOPPED_WITHIN = 10.0  # seconds a cancelled body may take before it is left behind


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found running under a dead owner at the start, and how long it took to free it."""

    jobs: tuple[str, ...]
    tasks: tuple[TaskRef, ...]
    seconds: float


class Embedded:
    """Runs what is ready, as many at once as `concurrency` and the resources allow.

    `sole` says that no other process can be running tasks of this ledger (one owner on SQLite): then
    whatever is found running at the start belonged to a dead one, and is taken back at once.
    """

    def __init__(
        self,
        engine: Engine,
        resources: Resources,
        *,
        holder: str,
        concurrency: int = 256,
        reclaims: int = 5,
        sole: bool = True,
    ) -> None:
        self._engine, self._resources, self._holder = engine, resources, holder
        self._concurrency, self._reclaims, self._sole = concurrency, reclaims, sole
        self._kinds = _resource_kinds(engine)
        self._running: dict[TaskRef, asyncio.Task[None]] = {}
        self._bell = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        engine.attach(ring=self._bell.set, stop=self.stop_tasks)

    async def start(self) -> Recovery:
        """Free what a dead process held, and begin."""
        clock, ledger = self._engine.clock, self._engine.ledger
        began = clock.monotonic()
        await ledger.enlist(self._holder, LEASE)
        survivor = self._holder if self._sole else None
        freed = await ledger.reclaim(survivor=survivor, limit=self._reclaims)
        self._loop = asyncio.create_task(self._carry(), name="genlock-embedded")
        jobs = tuple(dict.fromkeys(ref.job for ref in freed))
        return Recovery(jobs, tuple(freed), clock.monotonic() - began)

    async def stop(self, grace: timedelta = timedelta(0)) -> None:
        """Claim nothing more, let bodies finish for `grace`, end the rest; what they held is ready again."""
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        if self._running and grace > timedelta(0):
            await asyncio.wait(list(self._running.values()), timeout=grace.total_seconds())
        await self.stop_tasks(list(self._running))
        await self._engine.ledger.retire(self._holder)

    async def stop_tasks(self, refs: Sequence[TaskRef]) -> None:
        """End these bodies here: their claims are gone. Those this process does not run are ignored."""
        tasks = [self._running[ref] for ref in refs if ref in self._running]
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=STOPPED_WITHIN)
            for task in stuck:
                log.error(
                    "a body does not stop although it was cancelled", action="stop", task=task.get_name()
                )

    @property
    def busy(self) -> int:
        """How many bodies run here now."""
        return len(self._running)

    async def _carry(self) -> None:
        while True:
            self._bell.clear()
            try:
                await self._expire()
                while await self._claim():
                    pass
                await self._rest()
            except Exception:
                log.exception("tasks cannot be claimed; trying again", action="claim")
                await self._engine.clock.sleep(TROUBLE)

    async def _expire(self) -> None:
        """Deadlines take claims away: whatever ran under one is ended here too."""
        freed = await self._engine.ledger.expire()
        await self.stop_tasks(freed)

    async def _rest(self) -> None:
        due = await self._engine.reader.next_due()
        wait = LONGEST_WAIT
        if due is not None:
            wait = min(wait, max(0.001, (due - self._engine.clock.now()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):  # wait_for of Python 3.11 may swallow a cancellation
                await self._bell.wait()

    async def _claim(self) -> bool:
        """Take what fits, a kind of resource at a time; True if there may be more."""
        more = False
        for kind in self._kinds:
            limit = self._fits(kind)
            if limit > 0:
                claims = await self._engine.ledger.claim(self._holder, limit=limit, resources=[kind])
                self._begin(claims)
                more = more or len(claims) == limit
        return more

    def _fits(self, kind: str) -> int:
        free = self._concurrency - len(self._running)
        room = self._resources.room(kind)
        return free if room is None else min(free, room)

    def _begin(self, claims: Collection[Claim]) -> None:
        for claim in claims:
            task = asyncio.create_task(self._one(claim), name=str(claim.task))
            self._running[claim.task] = task

    async def _one(self, claim: Claim) -> None:
        """Run a task, and then what it made ready and fits: a chain of stages needs no other hand."""
        me = asyncio.current_task()
        try:
            row_kind = await self._engine.resources_of(claim.task)
            async with self._resources.hold(row_kind):
                advance = await self._engine.attempts.run(claim, lambda: self._next(row_kind))
            self._follow(advance)
        except asyncio.CancelledError:
            log.info("attempt ended", action="cancelled", task=str(claim.task))
        except Exception:
            log.exception("an attempt could not be recorded", action="attempt", task=str(claim.task))
            await self._release(claim)
        finally:
            if self._running.get(claim.task) is me:
                del self._running[claim.task]
            self._bell.set()

    async def _release(self, claim: Claim) -> None:
        """Give a claim back whose outcome could not be written, as soon as the ledger takes writes again."""
        while True:
            await self._engine.clock.sleep(TROUBLE)
            try:
                await self._engine.ledger.snooze(claim, self._engine.clock.now())
            except ClaimLost:
                return
            except LedgerError as error:
                log.warning("a claim cannot be given back yet", task=str(claim.task), error=str(error))
            else:
                return

    def _next(self, mine: str) -> Next:
        """What could start when a task of this kind gives back what it holds; nothing while stopping."""
        if self._loop is None:
            return Next()
        return Next(1, frozenset(k for k in self._kinds if k == mine or self._fits(k) > 0))

    def _follow(self, advance: Advance) -> None:
        self._begin(advance.claimed)
        if len(advance.ready) > len(advance.claimed):
            self._bell.set()


def _resource_kinds(engine: Engine) -> tuple[str, ...]:
    kinds = {""}
    for pipeline in engine.jobs.pipelines.values():
        kinds |= {resources_text(node.resources) for node in pipeline.graph.nodes.values()}
    return tuple(sorted(kinds))
