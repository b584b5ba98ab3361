"""The vendors' own time: runs beside the machine's, as fast as is asked for, and can be put forward."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from genlock.clock import Clock, SystemClock


class Timeline:
    """Seconds since 1970. `scale` is how many of them pass in one of the machine's; 0 stands still.

    Used in the server's event loop alone: moving it wakes whoever waits there for a time.
    """

    def __init__(self, clock: Clock | None = None, *, scale: float = 1.0) -> None:
        self._clock = clock or SystemClock()
        self._scale = scale
        self._from = self._clock.now().timestamp()
        self._since = self._clock.monotonic()
        self._moved = asyncio.Event()

    @property
    def scale(self) -> float:
        return self._scale

    def now(self) -> float:
        return self._from + (self._clock.monotonic() - self._since) * self._scale

    def set(self, *, at: float | None = None, scale: float | None = None) -> None:
        """Go on from another time, or at another pace."""
        self._from = self.now() if at is None else at
        self._since = self._clock.monotonic()
        if scale is not None:
            self._scale = scale
        self.stir()

    def stir(self) -> None:
        """Let everybody who waits look again."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def reach(self, at: float | None) -> None:
        """Return when it is this late, or when time was moved or `stir` called; never if None and neither."""
        moved = self._moved
        left = None if at is None else at - self.now()
        if left is not None and left <= 0:
            return
        patience = None if left is None or self._scale <= 0 else left / self._scale
        try:
            async with asyncio.timeout(patience):
                await moved.wait()
        except TimeoutError:
            return

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds of this timeline, however it is moved meanwhile."""
        until = self.now() + seconds
        while self.now() < until:
            await self.reach(until)


def iso(at: float) -> str:
    """A time as vendors write it: `2026-11-22T05:08:29.123Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> float:
    """Seconds since 1970 from a time in ISO 8601; without a zone it is UTC. `ValueError` if it is none."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
