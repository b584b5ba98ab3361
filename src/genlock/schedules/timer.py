"""Fires schedules when they are due, and follows what comes of it.

The truth is in the ledger: nothing is remembered here, so a timer that is killed, started late or run
beside others on the same ledger does what is left to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog

from genlock.errors import BadInput, LedgerError
from genlock.failpoint import around
from genlock.ledger.schedules.protocol import ScheduleLedger
from genlock.ledger.schedules.records import FiringRow, FiringState, ScheduleRow
from genlock.schedules.planner import Planner
from genlock.schedules.policy import MOST, dues_of
from genlock.schedules.rhythm import latest, rhythm_of
from genlock.schedules.starter import Starter, tell_pause

log = structlog.get_logger(__name__)

LONGEST_WAIT = 30.0  # seconds until a look although nothing is due: a clock may have been set ahead
SHARED_WAIT = 2.0  # ... where other processes write the same ledger
OPEN_WAIT = 1.0  # ... while jobs of schedules run
SHORTEST_WAIT = 0.005
TROUBLE = 2.0  # seconds between two tries to reach a ledger that does not answer


class Timer:
    """One a process that serves. `ring` it when schedules have changed in this process."""

    def __init__(self, ledger: ScheduleLedger, starter: Starter, *, shared: bool = False) -> None:
        self._ledger, self._starter, self._shared = ledger, starter, shared
        self._bell = asyncio.Event()

    def ring(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._bell.clear()
            wait = TROUBLE
            try:
                wait = await self.round()
            except LedgerError as error:
                log.warning("schedules cannot be looked at; trying again", action="timer", error=str(error))
            except Exception:
                log.exception("a fault in the timer of schedules; going on", action="timer")
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._bell.wait()

    async def round(self) -> float:
        """Do what is due now; how many seconds until there may be more."""
        agenda = await self._ledger.agenda()
        if agenda.ended:
            for row, firing in await self._ledger.settle():
                _tell(row, firing)
        for row in agenda.due:
            await self._fire(row, agenda.now)
        if agenda.queued:
            await self._ledger.promote()
        if agenda.due or agenda.queued or agenda.unstarted:
            for row, firing in await self._ledger.unstarted():
                await self._starter.start(row, firing)
        if agenda.due or agenda.ended:
            return SHORTEST_WAIT  # what follows from it is seen at once
        wait = OPEN_WAIT if agenda.open else SHARED_WAIT if self._shared else LONGEST_WAIT
        return wait if agenda.due_in is None else max(SHORTEST_WAIT, min(wait, agenda.due_in.total_seconds()))

    async def _fire(self, row: ScheduleRow, now: datetime) -> None:
        assert row.next_at is not None
        spec = row.spec
        try:
            rhythm = rhythm_of(spec.kind, spec.expression, spec.zone, row.anchor_at)
            times = latest(rhythm, row.next_at, now, MOST)
        except BadInput as error:  # a time zone that this machine does not know
            await self._give_up(row, str(error))
            return
        dues, next_at = dues_of(times, now, spec.missed), rhythm.after(now)
        with around("fire"):
            fired = await self._ledger.fire(row.id, row.next_at, dues, next_at)
        for firing in fired:
            if firing.state is not FiringState.STARTED:
                log.info(
                    f"{spec.name} is not run: {firing.reason or 'it waits for the run before it'}",
                    action="fire",
                    schedule=row.id,
                )

    async def _give_up(self, row: ScheduleRow, reason: str) -> None:
        await self._ledger.pause(row.id, reason)
        log.error(f"{row.spec.name} is paused: {reason}", action="pause", schedule=row.id)


@asynccontextmanager
async def ticking(planner: Planner, *, shared: bool = False) -> AsyncIterator[Timer]:
    """While this lasts, a timer fires what is planned; it wakes up for what changes there."""
    timer = Timer(planner.ledger, planner.starter, shared=shared)
    planner.ring = timer.ring
    task = asyncio.create_task(timer.run(), name="genlock-timer")
    try:
        yield timer
    finally:
        task.cancel()
        await asyncio.wait([task])


def _tell(row: ScheduleRow, firing: FiringRow) -> None:
    """Say what came of a run."""
    about = {"action": "settle", "schedule": row.id, "job": firing.job}
    if firing.state is FiringState.SUCCEEDED:
        log.info(f"{row.spec.name} completed successfully", **about)
    elif firing.state is FiringState.CANCELLED:
        log.info(f"{row.spec.name} was called off: {firing.reason}", **about)
    else:
        log.error(f"{row.spec.name} failed", **about)
        log.error(f"Error: {firing.reason}", **about)
        tell_pause(row)
