"""Puts the parts together: the only module that names concrete ones."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import structlog

from genlock import collector, failpoint
from genlock.access.access import Access
from genlock.buyer import handed, paid_calls, price_list
from genlock.clock import Clock, SteadyClock, SystemClock
from genlock.engine.attempt import Limits
from genlock.engine.calls import Calls
from genlock.engine.engine import Engine
from genlock.engine.orphan import freeze_orphans
from genlock.engine.retry import RetryDefault
from genlock.errors import HomeTaken
from genlock.executors.embedded import Embedded
from genlock.executors.patrol import Recovery
from genlock.executors.resource import Resources
from genlock.log import keep_quiet
from genlock.media.launch import Launcher
from genlock.media.pool import RenderPool
from genlock.owner import succeed
from genlock.pairing import check_store, store_of
from genlock.pipelines.quote import Quotes
from genlock.pipelines.roster import Roster
from genlock.pipelines.script import script
from genlock.pipelines.video import Videos
from genlock.providers.registry import Providers
from genlock.rendering import render_pool
from genlock.settings import Settings, load_settings
from genlock.store.artifact import Freed, Store

if TYPE_CHECKING:
    from genlock.engine.declare import Pipeline
    from genlock.ledger.sql import SqlLedger
    from genlock.library.library import Library
    from genlock.schedules.planner import Planner

log = structlog.get_logger(__name__)

FIRST = 0.25  # seconds in which tasks that are ready begin before anything else is looked after
HASH = re.compile(r"\b[0-9a-f]{64}\b")


def pipelines() -> Mapping[str, Pipeline[..., Any]]:
    """The pipelines that come with genlock, by name."""
    from genlock.pipelines.campaign import campaign
    from genlock.pipelines.campaign_set import campaign_set

    return {each.name: each for each in (campaign, campaign_set, script)}


@dataclass
class Home:
    """A home that is open: the engine over its ledger, its store, and what runs its tasks.

    The rest is loaded when somebody asks for it: a job that goes on need not wait for it.
    """

    settings: Settings
    ledger: SqlLedger
    engine: Engine
    store: Store
    executor: Embedded | None
    recovery: Recovery
    pool: RenderPool
    quotes: Quotes
    closing: AsyncExitStack

    @cached_property
    def access(self) -> Access:
        """Users and tokens."""
        from genlock.ledger.access.sql import SqlAccess

        return Access(
            SqlAccess(self.ledger, alone=self.settings.database_url is None),
            self.engine.clock,
            admin_token=self.settings.admin_token,
            requests=self.settings.rate_requests,
            sign_ins=self.settings.rate_sign_ins,
        )

    @cached_property
    def videos(self) -> Videos:
        """Films, and what people say of them."""
        from genlock.ledger.library.review import SqlReviews

        return Videos(SqlReviews(self.ledger), self.engine)

    @cached_property
    def schedules(self) -> Planner:
        """Schedules to be looked at and changed. They fire while `scheduled` lasts, and not without."""
        from genlock.ledger.schedules.sql import SqlSchedules
        from genlock.pipelines.reference import opener_of
        from genlock.schedules.opening import planner_of

        engine = self.engine
        checks = {script.name: Roster(self.settings).check}
        opener = opener_of(engine.pipelines, lambda ids: self.library.paths(ids, None))
        return planner_of(self.settings, SqlSchedules(self.ledger, engine.clock), engine, checks, opener)

    @cached_property
    def library(self) -> Library:
        """Clients, campaigns and assets."""
        from genlock.ledger.library.sql import SqlLibrary
        from genlock.library.lending import Lending
        from genlock.library.opening import library_of, pool_of

        ledger, pool = self.ledger, pool_of(self.settings)
        self.closing.push_async_callback(pool.close)
        lending = Lending(ledger, ledger.reader, self.store)
        return library_of(self.settings, SqlLibrary(ledger), self.store, self.engine.clock, lending, pool)

    async def clean(self, *, older_than: timedelta | None = None, dry_run: bool = False) -> Freed:
        """Remove what no kept job reaches. Jobs finished longer than `older_than` ago are kept no more."""
        before = None if older_than is None else self.engine.clock.now() - older_than
        if before is not None and not dry_run:
            await self.engine.forget(before)
        keep: set[str] = set()
        async for text in self.engine.reader.texts(unless_finished_before=before):
            keep.update(HASH.findall(text))
        if not dry_run:
            await self.library.tidy(keep)
        return await self.store.clean(keep, dry_run=dry_run)


@asynccontextmanager
async def open_home(
    settings: Settings,
    *,
    clock: Clock | None = None,
    execute: bool = True,
    pool: RenderPool | None = None,
    more: Iterable[Pipeline[..., Any]] = (),
    tools: Mapping[Any, object] | None = None,
    launcher: Launcher | None = None,
) -> AsyncIterator[Home]:
    """Open a home that this process owns (see `genlock.owner`). `more` are pipelines of the user's own.

    `pool` are rendering processes that were started already, and end with the home; `launcher` starts them in
    another way.
    """
    check_store(settings)
    clock = SteadyClock(clock or SystemClock())
    _arm(settings.failpoint)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:  # whatever fails or is called off, the rest is closed all the same
        pool = await stack.enter_async_context(pool or render_pool(settings, launcher))
        _load()
        opening = clock.now()
        ledger = await _ledger(settings, clock)
        stack.push_async_callback(ledger.close)
        collector.settle()
        store = await store_of(settings, ledger)
        providers = Providers(settings, store, clock)
        stack.push_async_callback(providers.close)
        calls = paid_calls(settings, ledger, ledger.reader, store, clock, providers)
        stack.push_async_callback(calls.close, settings.grace.total_seconds())
        given = {**handed(settings, pool, store, clock, providers, used=execute), **(tools or {})}
        engine = _engine(settings, ledger, more, given, clock, calls)
        executor = await _executing(stack, engine, settings) if execute else None
        recovery = await _begin(settings, engine, executor, opening)
        quotes = price_list(providers, ledger.reader, clock)
        yield Home(settings, ledger, engine, store, executor, recovery, pool, quotes, stack)


async def _executing(stack: AsyncExitStack, engine: Engine, settings: Settings) -> Embedded:
    """What runs tasks, until the stack is closed."""
    executor = _executor(engine, settings)
    stack.push_async_callback(executor.stop, settings.grace)
    await stack.enter_async_context(_looked_after(engine))
    return executor


def scheduled(home: Home) -> AbstractAsyncContextManager[None]:
    """While this lasts, schedules fire, the main pipeline's among them. For a process that serves."""
    from genlock.schedules.opening import keep_time

    return keep_time(home.settings, home.schedules)


def _load() -> None:
    """The modules that open a ledger, which take longer to load than it takes to open."""
    import genlock.ledger.copying
    import genlock.ledger.sql  # noqa: F401


async def _ledger(settings: Settings, clock: SteadyClock) -> SqlLedger:
    """The home's ledger. What it has written already is not in its future, whatever clocks say by now."""
    from genlock.ledger.copying import MARK
    from genlock.ledger.sql import SqlLedger

    for left in settings.home.glob(f"{settings.database.name}{MARK}*"):  # of a backup that was killed
        left.unlink(missing_ok=True)
    ledger = await SqlLedger.open(settings.database_url or settings.database, clock)
    latest = await ledger.reader.latest()
    if latest is not None:
        clock.catch_up(latest)
    return ledger


def _engine(
    settings: Settings,
    ledger: SqlLedger,
    more: Iterable[Pipeline[..., Any]],
    tools: Mapping[Any, object],
    clock: Clock,
    calls: Calls,
) -> Engine:
    return Engine(
        ledger,
        ledger.reader,
        [*pipelines().values(), *more],
        tools,
        clock=clock,
        work=settings.work,
        deadline=settings.deadline,
        limits=_limits(settings),
        calls=calls,
    )


@asynccontextmanager
async def _looked_after(engine: Engine) -> AsyncIterator[None]:
    """While this lasts, calls that no task will come back to are brought to an end."""
    if engine.aftercare is None:
        yield
        return
    task = asyncio.create_task(engine.aftercare.run(FIRST), name="genlock-aftercare")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _arm(order: str | None) -> None:
    failpoint.arm(order)
    if order is not None:
        log.warning("a failpoint is set: this is a proof, and no work", action="failpoint", failpoint=order)


def _limits(settings: Settings) -> Limits:
    retry = RetryDefault(settings.attempts, settings.backoff, settings.backoff_cap)
    return Limits(settings.attempt_timeout, retry)


@asynccontextmanager
async def open_engine(
    pipelines: Iterable[Pipeline[..., Any]] = (),
    *,
    tools: Mapping[Any, object] | None = None,
    **settings: Any,
) -> AsyncIterator[Engine]:
    """An engine of your own that runs these pipelines, beside those that come with genlock.

    `tools` are what `provided()` hands out, by annotation. Settings come from the environment unless named
    here (`home=…`). `HomeTaken` if another process owns the home: ask that one, or use another home.
    """
    from genlock.owner import PROGRAM, Ownership, owner_of

    loaded = load_settings(**settings)
    keep_quiet(loaded.log_level)
    ownership = Ownership.take(loaded, command=PROGRAM)
    if ownership is None:
        raise HomeTaken(f"{owner_of(loaded) or 'another process'} owns {loaded.home}")
    with ownership:
        async with open_home(loaded, more=pipelines, tools=tools) as home:
            yield home.engine


async def _begin(
    settings: Settings, engine: Engine, executor: Embedded | None, opening: datetime
) -> Recovery:
    """Begin to run tasks. What a killed owner's bodies had in their work folders is of no use to anybody.

    How soon a home goes on is read from its log: the line written here, and the first claim behind it.
    """
    if executor is None:
        return Recovery((), (), 0.0)
    await asyncio.to_thread(shutil.rmtree, settings.work, ignore_errors=True)
    for job in await freeze_orphans(engine.ledger, engine.reader, opening - settings.orphaned_after):
        log.warning("a job that was left long ago asks before it spends again", action="freeze", job=job)
    recovery = await executor.start()
    await engine.wake_fitting()
    await engine.reconsider()
    log.info(
        "home opened",
        action="open",
        opening_at=opening.isoformat(),
        orphans=len(recovery.tasks),
        freed_in=round(recovery.seconds, 4),
    )
    return recovery


def _executor(engine: Engine, settings: Settings) -> Embedded:
    holder, sole = f"{os.getpid()}-{secrets.token_hex(4)}", settings.database_url is None
    return Embedded(
        engine,
        Resources({"cpu": settings.cpu}),
        holder=holder,
        concurrency=settings.concurrency,
        reclaims=settings.reclaims,
        sole=sole,
        before=None if sole else succeed(settings, holder),
    )
