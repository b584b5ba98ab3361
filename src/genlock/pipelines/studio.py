"""Where stages get their media work done: render processes on one side, the store on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from genlock.clock import Clock
from genlock.engine.task import Task
from genlock.errors import Parked
from genlock.media.film.segment import Segment
from genlock.media.operation import Request
from genlock.media.pool import RenderPool
from genlock.media.request import RenderSegment
from genlock.store.artifact import Artifact, Store

R = TypeVar("R", bound=BaseModel)

LOOK_AGAIN = timedelta(minutes=1)


class Studio:
    """Makes films' parts and keeps them: what is in the store under its name is not made again.

    `reserve` is the share of the disk that is left free: below it tasks park until there is room.
    """

    def __init__(self, pool: RenderPool, store: Store, clock: Clock, *, reserve: float = 0.05) -> None:
        self.pool, self.store = pool, store
        self._clock, self._reserve = clock, reserve

    async def run(
        self, operation: str, request: Request[R], task: Task, *, share: tuple[float, float] = (0.0, 1.0)
    ) -> R:
        """Do a media operation in a rendering process; its progress becomes this share of the task's."""
        low, high = share

        async def report(fraction: float, note: str | None) -> None:
            await task.report(low + (high - low) * fraction, note)

        return await self.pool.run(operation, request, progress=report)

    async def segment(
        self,
        segment: Segment,
        sources: Iterable[Artifact],
        task: Task,
        *,
        share: tuple[float, float] = (0.0, 1.0),
    ) -> Artifact:
        """A segment's file: found by its name, or rendered from these pictures."""
        found = await self.store.find(segment.name)
        if found is not None:
            return found
        self.need_room()
        to = task.workdir / f"{segment.name[:16]}.mp4"
        paths = {artifact.sha256: await self.store.path(artifact) for artifact in sources}
        request = RenderSegment(segment=segment, sources=paths, to=to)
        await self.run("render_segment", request, task, share=share)
        artifact = await self.store.put(to, "video/mp4", move=True)
        await self.store.bind(segment.name, artifact)
        return artifact

    async def keep(self, path: Path, media_type: str) -> Artifact:
        """Take a file that was just made into the store."""
        return await self.store.put(path, media_type, move=True)

    async def paths(self, artifacts: Iterable[Artifact]) -> list[Path]:
        """Local files of these artifacts, in order."""
        return list(await asyncio.gather(*(self.store.path(artifact) for artifact in artifacts)))

    def need_room(self) -> None:
        """Park the task while the disk is nearly full: half a film is of no use to anybody."""
        free = self.store.free_share()
        if free < self._reserve:
            raise Parked(
                f"only {free:.1%} of the disk is free, and {self._reserve:.0%} is left to others: goes on "
                "when there is room",
                until=self._clock.now() + LOOK_AGAIN,
            )
