"""Rendering processes with a home's limits, and a head start for them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from genlock.media.launch import Launcher
from genlock.media.pool import RenderPool
from genlock.settings import Settings

T = TypeVar("T")


def render_pool(settings: Settings, launcher: Launcher | None = None) -> RenderPool:
    """Rendering processes with this home's limits; `launcher` starts them in another way."""
    return RenderPool(
        workers=settings.cpu,
        memory=settings.child_memory_mb << 20,
        stall=settings.child_stall.total_seconds(),
        launcher=launcher,
    )


class HeadStart:
    """What rendering processes need is loaded while this process still loads its own modules.

    Both take a third of a second, which is a fiftieth of a short film. The processes belong to an event loop,
    so what shall use `pool` must run in that one: by `run`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pool = render_pool(settings)
        self._runner = asyncio.Runner()
        self._runner.run(self.pool.prepare())

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """As `asyncio.run`, and may be called again."""
        return self._runner.run(main)

    def close(self) -> None:
        """End the processes, if nobody has done so, and the loop."""
        with self._runner:
            self._runner.run(self.pool.close())
