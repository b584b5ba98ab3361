"""A clock that moves when it is told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Stands still at `start` until `advance`, which wakes whoever sleeps on it in order.

    With `patient=False` a sleep moves the clock by itself, so nothing ever waits.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), *, patient: bool = True) -> None:
        self._start = self._now = start
        self._patient = patient
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def adjust(self, at: datetime) -> datetime:  # noqa: ARG002 - it stands still, whatever others show
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        until = self._now + timedelta(seconds=seconds)
        if not self._patient:
            self._now = max(self._now, until)
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (until, next(self._order), future))
        await future

    def advance(self, span: timedelta | float) -> None:
        """Move on by a span (or seconds) and wake the sleepers whose time has come."""
        self._now += span if isinstance(span, timedelta) else timedelta(seconds=span)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
