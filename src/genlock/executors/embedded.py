"""The default executor: claims ready tasks and runs them on this process's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import structlog

from genlock.engine.engine import Engine
from genlock.engine.graph import resources_text
from genlock.engine.seat import Next
from genlock.errors import ClaimLost, LedgerError, NotFound
from genlock.executors.patrol import Recovery, patrol
from genlock.executors.resource import Resources, Share
from genlock.ledger.records import Claim, Taker, TaskRef, TaskState

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=9)
PAGE = 256  # tasks claimed in one go: while they run, the next ones are claimed
LOOK_EVERY = 0.05  # seconds between two looks at what comes due, while bodies come and go
LONGEST_WAIT = 30.0  # seconds until the ledger is looked at again although nobody rang
TROUBLE = 1.0  # seconds between two tries to reach a ledger that does not answer
STOPPED_WITHIN = 10.0  # seconds a cancelled body may take before it is left behind
TAKEN_AWAY = (TaskState.BLOCKED, TaskState.READY, TaskState.CANCELLED)


class Place(Share):
    """A `Seat` in this process: a share of its resources, and what may follow with them."""

    __slots__ = ("_follow",)

    def __init__(
        self, resources: Resources, text: str, freed: Callable[[], None], follow: Callable[[str], Next]
    ) -> None:
        super().__init__(resources, text, freed)
        self._follow = follow

    def next(self) -> Next:
        return self._follow(self._text)


class Body(NamedTuple):
    """A task that runs here."""

    claim: Claim
    task: asyncio.Task[bool]
    place: Place


class Embedded:
    """Runs what is ready, as many at once as `concurrency` and the resources allow.

    `sole` says that no other process can be running tasks of this ledger (one owner on SQLite): then
    whatever is found running at the start belonged to a dead one, and is taken back at once. Otherwise this
    one goes on patrol; `before` is a holder that is known to be dead, and need not be waited for.
    """

    def __init__(
        self,
        engine: Engine,
        resources: Resources,
        *,
        holder: str,
        concurrency: int = 1024,
        reclaims: int = 5,
        sole: bool = True,
        before: str | None = None,
    ) -> None:
        self._engine, self._resources, self._holder = engine, resources, holder
        self._concurrency, self._reclaims, self._sole, self._before = concurrency, reclaims, sole, before
        self._kinds = _resource_kinds(engine)
        self._next_kinds: dict[str, Next] = {}  # by the kind of the task that ends
        self._waiting: tuple[str, ...] = ()  # kinds that are waited for, as of the last look
        self._due: timedelta | None = None  # from the last look on
        self._looked = float("-inf")
        self._told = self._stale = False  # somebody said that there is more to do; bodies may have made some
        self._short = False  # of places or resources for what waits
        self._turn = self._reserved = 0
        self._bodies: dict[str, Body] = {}  # by the token of their claim
        self._bell = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._patrol: asyncio.Task[None] | None = None
        engine.attach(self)

    async def start(self) -> Recovery:
        """Free what a dead process held, and begin."""
        clock, ledger = self._engine.clock, self._engine.ledger
        began = clock.monotonic()
        survivor = self._holder if self._sole else None
        _, freed = await asyncio.gather(  # one after the other, and in one commit
            ledger.enlist(self._holder, LEASE),
            ledger.reclaim(survivor=survivor, gone=self._before, limit=self._reclaims),
        )
        self._loop = asyncio.create_task(self._carry(), name="genlock-embedded")
        if not self._sole:
            rounds = patrol(self._engine, self.stop_lost, reclaims=self._reclaims)
            self._patrol = asyncio.create_task(rounds, name="genlock-patrol")
        jobs = tuple(dict.fromkeys(ref.job for ref in freed))
        return Recovery(jobs, tuple(freed), clock.monotonic() - began)

    async def stop(self, grace: timedelta = timedelta(0)) -> None:
        """Claim nothing more, let bodies finish for `grace`, end the rest; what they held is ready again."""
        try:
            ending = [each for each in (self._loop, self._patrol) if each is not None]
            self._loop = self._patrol = None
            for each in ending:
                each.cancel()
            if ending:
                await asyncio.wait(ending)
            if self._bodies and grace > timedelta(0):
                running = [body.task for body in self._bodies.values()]
                await asyncio.wait(running, timeout=grace.total_seconds())
        finally:
            await self._end(self._bodies.values())
            await self._engine.ledger.retire(self._holder)

    async def stop_tasks(self, refs: Collection[TaskRef]) -> None:
        """End these bodies here: their claims are gone. Those this process does not run are ignored."""
        await self._end([body for body in self._bodies.values() if body.claim.task in refs])

    async def stop_lost(self) -> None:
        """End the bodies whose claims turn out to be gone, whatever took them away."""
        bodies = list(self._bodies.values())
        held = await self._engine.reader.held(self._holder) if bodies else {}
        doubtful = [body for body in bodies if held.get(body.claim.task) != _turn(body.claim)]
        await self._end([body for body in doubtful if not await self._stands(body.claim)])

    async def _stands(self, claim: Claim) -> bool:
        """Whether a claim still holds, or its own attempt has ended it: then the rest is the attempt's."""
        try:
            row = await self._engine.reader.task(claim.task)
        except NotFound:
            return False
        if row.state is TaskState.RUNNING:
            return (row.holder, row.revision, row.attempt) == (claim.holder, claim.revision, claim.attempt)
        return row.state not in TAKEN_AWAY

    async def _end(self, bodies: Collection[Body]) -> None:
        """Tell bodies to stop, and wait for them."""
        if tasks := self._tell(bodies):
            await asyncio.wait(tasks, timeout=STOPPED_WITHIN)

    def _tell(self, bodies: Collection[Body]) -> list[asyncio.Task[bool]]:
        tasks = [body.task for body in bodies]
        for task in tasks:
            self._engine.attempts.bodies.stop(task)
            asyncio.get_running_loop().call_later(STOPPED_WITHIN, _complain, task)
        return tasks

    @property
    def resources(self) -> Resources:
        """What there is, and what of it is taken."""
        return self._resources

    @property
    def busy(self) -> int:
        """How many bodies run here now."""
        return len(self._bodies)

    def ring(self) -> None:
        """Somebody has changed what there is to do."""
        self._told = True
        self._bell.set()

    def expect(self, due: timedelta | None) -> None:
        """Something comes due so long from now: nobody has to be woken who wakes up before."""
        if due is not None and due.total_seconds() <= LONGEST_WAIT:
            self.ring()

    def reserve(self, resources: Iterable[str]) -> Taker | None:
        """Keep a place free for a task that is being written; none while stopping, or if others wait."""
        if self._loop is None or self._short:
            return None
        for kind in resources:
            if self._fits(kind) > 0:
                self._resources.take(kind)
                self._reserved += 1
                return Taker(self._holder, kind)
        return None

    def fill(self, taker: Taker, claims: Collection[Claim]) -> None:
        """Give the place to what was claimed. If this was stopped meanwhile, what it claimed goes back to
        the others with all that it holds.
        """
        self._resources.give(taker.resources)
        self._reserved -= 1
        if self._loop is not None:
            self._begin(claims)
        if not claims:
            self._bell.set()

    async def _carry(self) -> None:
        while True:
            self._bell.clear()
            try:
                if self._told or self._engine.clock.monotonic() - self._looked >= LOOK_EVERY:
                    await self._look()
                while await self._claim():
                    pass
                await self._rest()
            except Exception:
                log.exception("tasks cannot be claimed; trying again", action="claim")
                await self._engine.clock.sleep(TROUBLE)

    async def _look(self) -> None:
        """See which kinds of tasks wait, and what comes due when; what is due already happens now.

        In this order: what comes due after it was looked for is waited for, what did before is claimed now.
        """
        self._told, self._looked, self._stale = False, self._engine.clock.monotonic(), False
        reader = self._engine.reader
        kinds, self._due = await reader.outlook()
        if self._due is not None and self._due <= timedelta(0):
            await self._expire()
            kinds, self._due = await reader.outlook()
        if kinds != self._waiting:
            self._waiting = kinds
            self._kinds.update(kinds)
            self._next_kinds.clear()

    async def _expire(self) -> None:
        """Deadlines take claims away: whatever ran under one is ended here too, without waiting for it."""
        freed = frozenset(await self._engine.ledger.expire())
        self._tell([body for body in self._bodies.values() if body.claim.task in freed])

    async def _rest(self) -> None:
        """Until the bell rings, or it is time to look again."""
        since = self._engine.clock.monotonic() - self._looked
        wait = LOOK_EVERY - since if self._stale else LONGEST_WAIT
        if self._due is not None:
            wait = min(wait, self._due.total_seconds() - since)
        with suppress(TimeoutError):
            # wait_for of Python 3.11 may swallow a cancellation
            async with asyncio.timeout(max(0.001, wait)):
                await self._bell.wait()
        self._told = self._told or not self._bell.is_set()

    async def _claim(self) -> bool:
        """Take what fits, a kind of resource at a time; True if there may be more."""
        more = self._short = False
        for kind in self._turns():
            limit = min(self._fits(kind), PAGE)
            if limit <= 0:
                self._short = True
            else:
                claims = await self._engine.ledger.claim(self._holder, limit=limit, resources=[kind])
                self._begin(claims)
                more = more or len(claims) == limit
        return more

    def _turns(self) -> Sequence[str]:
        """The kinds that wait, each time beginning with another, so that none takes all places for itself.

        The ledger names them: jobs keep the graphs they were started with, whatever the code says.
        """
        self._turn += 1
        first = self._turn % max(len(self._waiting), 1)
        return [*self._waiting[first:], *self._waiting[:first]]

    def _fits(self, kind: str) -> int:
        free = self._concurrency - len(self._bodies) - self._reserved
        room = self._resources.room(kind)
        return free if room is None else min(free, room)

    def _begin(self, claims: Collection[Claim]) -> None:
        """Without a pause after the claim is known: nobody can look for the body and not find it."""
        for claim in claims:
            place = Place(self._resources, claim.resources, self._freed, self._next)
            task = asyncio.create_task(self._one(claim, place), name=str(claim.task))
            self._bodies[claim.token] = Body(claim, task, place)
            task.add_done_callback(partial(self._ended, claim))

    def _ended(self, claim: Claim, body: asyncio.Task[bool]) -> None:
        """In a callback: a task that is cancelled before its first line never comes to its `finally`.

        Nobody is called for nothing: a chain of stages needs no other hand.
        """
        self._bodies.pop(claim.token).place.give()
        if self._short or body.cancelled() or body.exception() or not body.result():
            self._stale = True
            self._bell.set()

    def _freed(self) -> None:
        """A body lends what it has: whoever waits for it is claimed."""
        if self._short:
            self._stale = True
            self._bell.set()

    async def _one(self, claim: Claim, place: Place) -> bool:
        """Run a task, and then what it made ready and fits. True if nothing else can have come of it: a
        task that is to be tried again, or waits, comes due in its time.
        """
        try:
            advance = await self._engine.attempts.run(claim, place)
            self._begin(advance.claimed)
            if len(advance.ready) > len(advance.claimed):
                self.ring()
            return any(advance)
        except asyncio.CancelledError:
            log.info("attempt ended", action="cancelled", task=str(claim.task))
            raise
        except Exception:
            log.exception("an attempt could not be recorded", action="attempt", task=str(claim.task))
            await self._release(claim)
            return False

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
        """What could start with what a task of this kind gives back; nothing while stopping.

        Other resources may seem free, but are promised to the claims that are being written now.
        """
        if self._loop is None or self._resources.is_awaited(mine):
            return Next()
        if mine not in self._next_kinds:
            covered = frozenset(kind for kind in self._kinds if self._resources.covers(mine, kind))
            self._next_kinds[mine] = Next(1, covered)
        return self._next_kinds[mine]


def _turn(claim: Claim) -> tuple[int, int]:
    return claim.revision, claim.attempt


def _complain(task: asyncio.Task[bool]) -> None:
    if not task.done():
        log.error("a body does not stop although it was cancelled", action="stop", task=task.get_name())


def _resource_kinds(engine: Engine) -> set[str]:
    pipelines = engine.jobs.pipelines.values()
    return {resources_text(node.resources) for one in pipelines for node in one.graph.nodes.values()}
