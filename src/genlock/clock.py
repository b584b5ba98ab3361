"""Time, handed in: nothing else in the package asks the operating system what time it is."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SLACK = timedelta(milliseconds=1)  # by which two clocks of one machine may differ without one being set


class Clock(Protocol):
    """What time it is, and how to wait."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC; may jump when the machine's clock is set."""
        ...

    def adjust(self, at: datetime) -> datetime:
        """What this clock shows when another machine's, which is right, shows `at`: that, unless this clock
        is set apart from the time of day on purpose, in a test.
        """
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring how long something took."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds of this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def adjust(self, at: datetime) -> datetime:
        return at

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SteadyClock:
    """Another clock that goes on as time passes when it is set back, and follows when it is set forward.

    Whatever is due in ten seconds would otherwise come due when people's clocks have caught up with it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # the ledger's thread looks at it too
        self._shown = self._base = clock.now()
        self._since = clock.monotonic()

    def now(self) -> datetime:
        with self._lock:
            wall, seconds = self._clock.now(), self._clock.monotonic()
            steady = self._base + timedelta(seconds=seconds - self._since)
            if steady - wall <= SLACK:
                self._base, self._since, steady = wall, seconds, wall
            self._shown = max(self._shown, steady)
            return self._shown

    def catch_up(self, at: datetime) -> None:
        """Go on from no earlier than this, which was seen when this clock or the one before it was ahead."""
        if self.now() >= at:
            return
        with self._lock:
            self._shown = self._base = at
            self._since = self._clock.monotonic()

    def adjust(self, at: datetime) -> datetime:
        return self._clock.adjust(at)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
