"""The process that may die: carries the job of a home, and answers for people where they are needed."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from genlock import failpoint
from genlock.bootstrap import Home, open_home, pipelines
from genlock.engine.views import EventView, JobView
from genlock.errors import BadInput, LedgerError
from genlock.ledger.records import JobState
from genlock.owner import Ownership
from genlock.settings import Settings, load_settings
from genlock.testing.proof.charge import charges_in
from genlock.testing.proof.database import stop_at_once
from genlock.testing.proof.haste import MACHINE, HastyClock, HastyLoop, Pace
from genlock.testing.proof.order import HELD, JOB, Order, Subject, Told
from genlock.testing.proof.person import NAME, Person, Unanswered
from genlock.testing.proof.renderer import Borrowed
from genlock.testing.proof.sight import Sight

if TYPE_CHECKING:
    from genlock.engine.declare import Pipeline

HOURS = timedelta(hours=5)
TRIES = 20  # of a job that failed because a person gave a call up
OTHER = "another process"
LOOK = 3.0  # seconds between two looks at the job


def carry(order: Order) -> int:
    """Open the home, carry its job to its end and write down what came of it; the exit code."""
    _log_to(order)
    settings = load_settings(**order.settings, home=order.home, failpoint=order.failpoint)
    pace = Pace(order.speed)
    clock = HastyClock(pace, order.start)
    ownership = Ownership.take(settings, command=NAME)
    while ownership is None and order.wait_for_home:
        time.sleep(0.001)
        ownership = Ownership.take(settings, command=NAME)
    if ownership is None:
        return HELD
    with ownership, asyncio.Runner(loop_factory=lambda: HastyLoop(pace)) as runner:
        told = runner.run(_Carrier(order, settings, clock).run())
    part = order.told.with_suffix(".part")
    part.write_text(told.model_dump_json(), encoding="utf-8")
    part.rename(order.told)
    return 0


def _log_to(order: Order) -> None:
    order.folder.mkdir(parents=True, exist_ok=True)
    log = (order.folder / "log.txt").open("a", encoding="utf-8", buffering=1)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(log),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    sys.stdout = sys.stderr = log


def pipeline_of(subject: Subject) -> Pipeline[..., Any]:
    """The pipeline that is proved. `BadInput` if there is none by this name."""
    from genlock.engine.declare import Pipeline

    if ":" not in subject.pipeline:
        found: object = pipelines().get(subject.pipeline)
    else:
        found = attribute(subject.pipeline)
    if not isinstance(found, Pipeline):
        there = ", ".join(sorted(pipelines()))
        raise BadInput(f"{subject.pipeline!r} is no pipeline; there are {there}, or say module:pipeline")
    return found


def tools_of(subject: Subject) -> Mapping[Any, object]:
    """What the subject's own function provides."""
    if subject.tools is None:
        return {}
    made: Mapping[Any, object] = attribute(subject.tools)()
    return made


def attribute(path: str) -> Any:
    """`module:attribute`, imported. `BadInput` if that cannot be done."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"{path!r} cannot be imported: {error}") from error


@dataclass
class _Carrier:
    """One process's part of the job."""

    order: Order
    settings: Settings
    clock: HastyClock
    struck: bool = False
    _home: Home | None = None
    _asides: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> Told:
        pipeline = pipeline_of(self.order.subject)
        own = [] if pipeline.name in pipelines() else [pipeline]
        self._loop = asyncio.get_running_loop()
        self._prepare_blow()
        opened = MACHINE.monotonic()
        tools = tools_of(self.order.subject)
        place = self.order.renderer
        borrowed = None if place is None else Borrowed(place)
        async with open_home(
            self.settings, clock=self.clock, more=own, tools=tools, launcher=borrowed
        ) as home:
            self._home = home
            await home.engine.start(pipeline.name, self.order.subject.params, id=JOB)
            person = Person(self.order, home)
            try:
                job = await self._to_end(home, person)
            except Unanswered as error:
                return Told(state=JobState.WAITING, error=str(error))
            return Told(
                state=job.state,
                result=job.result,
                error=job.error.message if job.error else None,
                recovery_ms=await self._recovery(home, opened),
                struck=self.struck,
            )

    async def _to_end(self, home: Home, person: Person) -> JobView:
        """Follow the job, let a person do what is to be done, and try it again if a call was given up."""
        for _ in range(TRIES):
            await self._until_over(home, person)
            job = await home.engine.show(JOB)
            if job.state is not JobState.FAILED or not await person.gave_up():
                break
            await home.engine.retry(JOB)
        return job

    async def _until_over(self, home: Home, person: Person) -> None:
        """Look at it now and then, and not at every event: what waits for a person can wait."""
        while True:
            try:
                if (await home.engine.reader.job(JOB)).state.finished:
                    return
                await person.attend()
            except LedgerError:
                if self.order.server is None:
                    raise  # a file does not go away; of a server people try again
            await self.clock.sleep(LOOK)

    async def _events(self, home: Home) -> list[EventView]:
        found: list[EventView] = []
        while page := await home.engine.events(JOB, after=len(found)):
            found += page
        return found

    # -- the blow ---------------------------------------------------------------------------------------

    def _prepare_blow(self) -> None:
        if self.order.blow != "die":
            failpoint.instead(self._strike)

    def _strike(self) -> None:
        """In whatever thread comes to the point."""
        self.struck = True
        if self.order.blow == "lose":
            self._loop.call_soon_threadsafe(self._begin_losing)
        elif self.order.blow == "restart":
            self._stop_server()
        elif self.order.blow == "ahead":
            self.clock.jump(HOURS)
        else:
            self.clock.jump(-HOURS)

    def _stop_server(self) -> None:
        """Write down what is in it, and then let it end as by a crash. Somebody will start it again."""
        assert self.settings.database_url is not None
        assert self.order.server is not None
        seen = asdict(Sight.of_server(self.settings.database_url))
        charges = charges_in(self.order.book) if self.order.book else ()
        self.order.seen.write_text(json.dumps({"sight": seen, "charges": [asdict(each) for each in charges]}))
        stop_at_once(self.order.server)

    def _begin_losing(self) -> None:
        task = asyncio.ensure_future(self._lose())
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _lose(self) -> None:
        """All that runs here is taken away, as if this process had been thought dead; its bodies go on."""
        if self._home is not None and self._home.executor is not None:  # else nothing runs here yet
            await self._home.engine.ledger.reclaim(survivor=OTHER)
            self._home.executor.ring()

    # -- how soon it went on ----------------------------------------------------------------------------

    async def _recovery(self, home: Home, opened: float) -> float | None:
        """Milliseconds from opening the home to the first claim after it, if tasks were found cut short.

        Whatever another process wrote has a time that this one's clock never showed.
        """
        if not home.recovery.tasks:
            return None
        for event in await self._events(home):
            if event.kind == "task.claimed" and (at := self.clock.machine_time(event.at)) is not None:
                return (at - opened) * 1000
        return None
