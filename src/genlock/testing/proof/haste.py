"""Time that runs ahead: an event loop and a clock in which waiting takes a fraction of what it says.

While the loop waits, seconds pass `speed` times as fast as on the wall, up to whatever is waited for and no
further; while it works they pass as always. So a settle window of two minutes is over in a moment, and a
machine that is busy elsewhere lets no time-out strike: whatever has arrived is seen before time goes on.
"""

from __future__ import annotations

import asyncio
import selectors
from datetime import datetime, timedelta
from typing import Any

from genlock.clock import SystemClock

BEGIN = 1000.0  # a monotonic clock never shows 0
LITTLE = 1e-6  # seconds by which what has arrived comes before what comes due
KEPT = 20_000  # readings that are remembered
MACHINE = SystemClock()  # what all of it is measured against


class Pace:
    """Seconds since some moment, for the loop and all threads of its process. They never go backwards."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._state = (BEGIN, MACHINE.monotonic(), 1.0, float("inf"))

    def now(self) -> float:
        """Seconds so far."""
        return self._at(MACHINE.monotonic())

    def begin_wait(self, seconds: float | None) -> None:
        """The loop waits for so long, or until something happens."""
        real = MACHINE.monotonic()
        now = self._at(real)
        most = float("inf") if seconds is None else max(now, now + seconds - LITTLE)
        self._state = (now, real, self.speed, most)

    def end_wait(self, *, passed: float | None) -> None:
        """The loop goes on, because so many seconds are over, or because something has happened."""
        real = MACHINE.monotonic()
        now = self._at(real) if passed is None else self._state[0] + passed
        self._state = (now, real, 1.0, float("inf"))

    def _at(self, machine: float) -> float:
        since, real, rate, most = self._state
        return min(since + (machine - real) * rate, most)


class _Selector(selectors.DefaultSelector):
    """Waits for a fraction of the time, and tells the pace."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        self._pace.begin_wait(timeout)
        found = super().select(None if timeout is None else timeout / self._pace.speed)
        self._pace.end_wait(passed=None if found else timeout)
        return found


class HastyLoop(asyncio.SelectorEventLoop):
    """An event loop by this pace."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        super().__init__(_Selector(pace))

    def time(self) -> float:
        return self._pace.now()


class HastyClock:
    """A clock by this pace, which showed `start` when the pace began. `jump` sets it, as people set clocks.

    It remembers when on the machine's own clock it showed what, so that recorded times can be measured.
    """

    def __init__(self, pace: Pace, start: datetime) -> None:
        self._pace = pace
        self._start = start - timedelta(seconds=pace.now())
        self._readings: dict[datetime, float] = {}

    def now(self) -> datetime:
        shown = self._start + timedelta(seconds=self._pace.now())
        if len(self._readings) < KEPT:
            self._readings.setdefault(shown, MACHINE.monotonic())
        return shown

    def adjust(self, at: datetime) -> datetime:
        return at + (self.now() - MACHINE.now())

    def monotonic(self) -> float:
        return self._pace.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jump(self, by: timedelta) -> None:
        """From now on show another time of day."""
        self._start += by

    def machine_time(self, shown: datetime) -> float | None:
        """The machine's monotonic seconds when it first showed this; None if it never did."""
        return self._readings.get(shown)
