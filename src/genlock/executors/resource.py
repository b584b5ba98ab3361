"""What one process has to give to task bodies, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager


def parse(text: str) -> dict[str, int]:
    """`"cpu=1,gpu=2"` as numbers by name."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: int(count) for name, _, count in pairs}


class Resources:
    """Counted resources of this process. One nobody declared has room for one, as in Luigi."""

    def __init__(self, capacity: Mapping[str, int]) -> None:
        self._capacity = dict(capacity)
        self._used: dict[str, int] = {}
        self._freed = asyncio.Condition()

    def room(self, text: str) -> int | None:
        """How many tasks with these needs could start now; None if they need nothing."""
        needs = parse(text)
        return min((self._free(n) // max(c, 1) for n, c in needs.items()), default=None)

    @asynccontextmanager
    async def hold(self, text: str) -> AsyncIterator[None]:
        """Wait until there is room, and take it for as long as the block runs."""
        needs = {name: min(count, self._of(name)) for name, count in parse(text).items()}
        async with self._freed:
            await self._freed.wait_for(lambda: all(self._free(n) >= c for n, c in needs.items()))
            self._add(needs, 1)
        try:
            yield
        finally:
            self._add(needs, -1)
            await asyncio.shield(self._tell())

    async def _tell(self) -> None:
        async with self._freed:
            self._freed.notify_all()

    def _of(self, name: str) -> int:
        return self._capacity.get(name, 1)

    def _free(self, name: str) -> int:
        return self._of(name) - self._used.get(name, 0)

    def _add(self, needs: Mapping[str, int], sign: int) -> None:
        for name, count in needs.items():
            self._used[name] = self._used.get(name, 0) + sign * count
