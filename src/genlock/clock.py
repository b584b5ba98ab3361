"""Time, handed in: nothing else in the package asks the operating system what time it is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


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
