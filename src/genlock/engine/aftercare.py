"""Calls nobody comes back to: of jobs that were cancelled or ran out of time, of clips that were redone.

Their providers are asked to stop, and looked at until it is known what they cost. What comes late is
recorded as cost and revives nothing; only a job that ran out of time may still want it, and gets it when
it is retried.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from genlock.engine.answer import failed
from genlock.engine.calls import Calls
from genlock.errors import (
    BadInput,
    Conflict,
    Doubtful,
    GenlockError,
    NotFound,
    Permanent,
    Transient,
    Unsupported,
)
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import TaskState
from genlock.ledger.spending import CallRow, CallState, Settlement
from genlock.paid import Adapter, Broke, Made, Policy, Working

log = structlog.get_logger(__name__)

IDLE, BUSY = 60.0, 5.0  # seconds between two rounds


@dataclass(frozen=True)
class Aftercare:
    """Looks after such calls, a round every few seconds while there are any. `ring` it when more may be."""

    calls: Calls
    reader: LedgerReader
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        self.bell.set()

    async def run(self, after: float = 0.0) -> None:
        """Until it is cancelled, beginning `after` so many seconds: what is ready may begin first."""
        await asyncio.sleep(after)
        while True:
            self.bell.clear()
            left = 0
            try:
                left = await self.round()
            except GenlockError as error:
                log.warning(
                    "calls cannot be looked after; trying again", action="aftercare", error=str(error)
                )
            with suppress(TimeoutError):
                async with asyncio.timeout(BUSY if left else IDLE):
                    await self.bell.wait()

    async def round(self) -> int:
        """One look at each of these calls; how many are left open."""
        left = 0
        for row in await self.reader.calls_left():
            if self.calls.is_sending(row.key):
                left += 1
            else:
                left += not await self._attend(row)
        return left

    async def _attend(self, row: CallRow) -> bool:
        """Whether the call is closed now, or left to a person."""
        try:
            adapter = self.calls.adapters(row.adapter)
            if row.state is CallState.INTENDED:
                return await self._trace(adapter, row)
            if row.state is CallState.ACCEPTED:
                return await self._end(adapter, row)
        except (Transient, Permanent, BadInput, Conflict) as error:  # also a key that is refused by now
            log.info("a call is looked at again later", action="aftercare", call=row.key, error=str(error))
            return False
        return True  # in doubt: a person's

    async def _trace(self, adapter: Adapter[Any], row: CallRow) -> bool:
        """It may have been sent. Nobody wants it any more, so it is only looked for, never sent."""
        ledger = self.calls.ledger
        if self.calls.until_certain(adapter, row) > 0:
            return False
        if adapter.policy is Policy.BLIND:
            await ledger.doubt(row.key, row.sends, "the process ended while the request was under way")
            return True
        handle = None
        if adapter.policy is not Policy.REPEATABLE:
            try:
                handle = await self.calls.find(adapter, row)
            except Doubtful as error:
                await ledger.doubt(row.key, row.sends, str(error))
                return True
        if handle is None:
            await ledger.release(row.key, row.sends, "the provider does not have it")
            return True
        return await self._end(adapter, await ledger.accept(row.key, row.sends, handle))

    async def _end(self, adapter: Adapter[Any], row: CallRow) -> bool:
        assert row.handle is not None
        ledger = self.calls.ledger
        if not row.cancel_asked:
            with suppress(Unsupported, NotFound):
                await adapter.cancel(row.handle)
            await ledger.ask_cancel(row.key)
        try:
            outcome = await adapter.look(row.handle)
        except NotFound as error:
            await ledger.doubt(row.key, row.sends, f"the provider knows nothing of {row.handle}: {error}")
            return True
        match outcome:
            case Working():
                return False
            case Broke():
                await ledger.settle(row.key, failed(row, outcome))
            case Made():
                result = await self._late(adapter, row, outcome)
                await ledger.settle(row.key, Settlement(True, outcome.cost, outcome.cost is None, result))
        return True

    async def _late(self, adapter: Adapter[Any], row: CallRow, made: Made) -> str | None:
        """What came late is kept for a job that may be retried, and for no other."""
        task = await self.reader.task(row.task)
        if task.state is TaskState.CANCELLED or task.revision != row.revision:
            return None
        return await self.calls.keeper.fetch(adapter, row, made, None)
