"""Whose turn it is when there is more to do than there are hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

H = TypeVar("H")


@dataclass(slots=True, eq=False)
class Slot(Generic[H]):
    """A place for one hand, be there one or not. `about` is what it was last used for."""

    hand: H | None = None
    about: str | None = None


@dataclass(slots=True, eq=False)
class _Waiter(Generic[H]):
    about: str | None
    turn: asyncio.Future[Slot[H]]


class Slots(Generic[H]):
    """So many slots, given out in the order in which they are asked for.

    But a slot that becomes free goes to the first who asks for it `about` the same thing again, if anybody
    does: there is something in its hand's memory that the next one would have to fetch. Nobody is passed
    over for longer than others ask about one and the same thing, and no slot ever waits.
    """

    def __init__(self, count: int) -> None:
        self.all: list[Slot[H]] = [Slot() for _ in range(count)]
        self._free = list(self.all)  # what was used last comes last
        self._waiting: list[_Waiter[H]] = []
        self._full = asyncio.Event()

    @property
    def free(self) -> list[Slot[H]]:
        """Those that nobody uses now."""
        return list(self._free)

    @asynccontextmanager
    async def one(self, about: str | None = None) -> AsyncIterator[Slot[H]]:
        """A slot for as long as the block lasts."""
        slot = self._taken(about) if self._free else await self._waited(about)
        slot.about = about
        try:
            yield slot
        finally:
            self._give_back(slot)

    async def unused(self) -> None:
        """Return when nobody uses a slot."""
        while len(self._free) < len(self.all):
            self._full.clear()
            await self._full.wait()

    def _taken(self, about: str | None) -> Slot[H]:
        """What was used for the same, or else what was used last."""
        same = [slot for slot in self._free if about is not None and slot.about == about]
        slot = (same or self._free)[-1]
        self._free.remove(slot)
        return slot

    async def _waited(self, about: str | None) -> Slot[H]:
        waiter = _Waiter[H](about, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.turn.cancelled():  # it was given one in the moment in which it was called off
                self._give_back(waiter.turn.result())
            raise

    def _give_back(self, slot: Slot[H]) -> None:
        waiting = [one for one in self._waiting if not one.turn.done()]  # the others were called off
        same = [one for one in waiting if slot.about is not None and one.about == slot.about]
        if chosen := (same or waiting)[:1]:
            self._waiting.remove(chosen[0])
            chosen[0].turn.set_result(slot)
        else:
            self._free.append(slot)
            self._full.set()
