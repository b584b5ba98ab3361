"""Where stages get their media work done: render processes on one side, the store on the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from genlock.clock import Clock
from genlock.engine.task import Task
from genlock.errors import Parked, RenderRefused
from genlock.media.film.footage import FootageReport, LookAtFootage
from genlock.media.film.part import parts
from genlock.media.film.segment import Segment
from genlock.media.operation import Request
from genlock.media.pool import RenderPool
from genlock.media.request import JoinSegments, Part, ProbeMedia, RenderSegment
from genlock.pipelines.models import Tally
from genlock.store.artifact import Artifact, Store

R = TypeVar("R", bound=BaseModel)

SHELF = re.compile(r"/shelf/([0-9a-f]{64})/[^/]+$")  # as `genlock.library.shelf` has its links
LOOK_AGAIN = timedelta(minutes=1)
Share = tuple[float, float]  # of a task's progress, from where to where
Report = Callable[[float, str | None], Awaitable[None]]
WHOLE: Share = (0.0, 1.0)


class Made(NamedTuple):
    """A segment's file, and what had to be rendered for it."""

    artifact: Artifact
    parts: Tally


class Studio:
    """Makes films' parts and keeps them: what is in the store under its name is not made again.

    `reserve` is the share of the disk that is left free: below it tasks park until there is room.
    """

    def __init__(self, pool: RenderPool, store: Store, clock: Clock, *, reserve: float = 0.05) -> None:
        self.pool, self.store = pool, store
        self._clock, self._reserve = clock, reserve

    async def run(self, operation: str, request: Request[R], task: Task, *, share: Share = WHOLE) -> R:
        """Do a media operation in a rendering process; its progress becomes this share of the task's."""
        report = _report_of(task, share)
        return await self.pool.run(operation, request, progress=report)

    async def segments(
        self, wanted: Iterable[Segment], sources: Mapping[str, Artifact], task: Task, *, share: Share = WHOLE
    ) -> dict[str, Made]:
        """The files of several segments by their names: found in the store, or rendered side by side from
        pictures by their hashes.

        When one of them cannot be made the others are given up. The task's progress is that of all of them.
        What a task renders shows the same pictures, so one child does it that remembers them, if it can.
        """
        wanted = list(wanted)
        missing = [segment for segment in wanted if await self.store.find(segment.name) is None]
        needed = dict.fromkeys(sha256 for segment in missing for sha256 in segment.sources)
        paths = dict(zip(needed, await self.paths(sources[sha256] for sha256 in needed), strict=True))
        return await self._segments(wanted, paths, task, _report_of(task, share))

    async def _segments(
        self, wanted: Iterable[Segment], sources: Mapping[str, Path], task: Task, report: Report
    ) -> dict[str, Made]:
        # What is asked for last is short, so that at the end all processes are done at nearly the same time.
        different = {segment.name: segment for segment in wanted}.values()
        longest_first = sorted(different, key=lambda segment: -segment.frames)
        found = [await self.store.find(segment.name) for segment in longest_first]
        reports = _divided(report, len(found))
        async with asyncio.TaskGroup() as group:
            making = {
                segment.name: group.create_task(self._segment(segment, artifact, sources, task, report))
                for segment, artifact, report in zip(longest_first, found, reports, strict=True)
            }
        return {name: made.result() for name, made in making.items()}

    async def _segment(
        self,
        segment: Segment,
        artifact: Artifact | None,
        sources: Mapping[str, Path],
        task: Task,
        report: Report,
    ) -> Made:
        pieces = parts(segment)
        tally = Tally(found=len(pieces))
        if artifact is None:
            self.need_room()
            to = task.workdir / f"{segment.name[:16]}.mp4"
            if len(pieces) > 1:
                tally = await self._assemble(pieces, sources, task, report, to)
            else:
                tally = await self._render(segment, sources, task, report, to)
            artifact = await self.store.put(to, "video/mp4", move=True)
            await self.store.bind(segment.name, artifact)
        await report(1.0, None)
        return Made(artifact, tally)

    async def _render(
        self, segment: Segment, sources: Mapping[str, Path], task: Task, report: Report, to: Path
    ) -> Tally:
        seen = {sha256: sources[sha256] for sha256 in segment.sources}
        request = RenderSegment(segment=segment, sources=seen, to=to)
        await self.pool.run("render_segment", request, progress=report, about=task.key)
        return Tally(rendered=1)

    async def _assemble(
        self, pieces: list[Segment], sources: Mapping[str, Path], task: Task, report: Report, to: Path
    ) -> Tally:
        """Make a segment's parts, as many at once as there are children for, and join them."""
        made = await self._segments(pieces, sources, task, report)
        paths = await self.paths(made[piece.name].artifact for piece in pieces)
        found = [Part(path=path, frames=piece.frames) for path, piece in zip(paths, pieces, strict=True)]
        request = JoinSegments(parts=found, fps=pieces[0].fps, to=to)
        await self.pool.run("join", request, about=task.key)
        return sum((each.parts for each in made.values()), Tally())

    async def look(self, footage: Artifact) -> FootageReport:
        """What a film file is, all of it decoded. `RenderRefused` if it cannot be shown, with the reason."""
        path = await self.store.path(footage)
        return await self.pool.run("look_at_footage", LookAtFootage(path=path, name="the footage"))

    async def verify(self, path: Path, media_type: str) -> Mapping[str, Any]:
        """What a bought file is, for `genlock.paid.Verify`. `RenderRefused` if it cannot be played."""
        kind = media_type.partition("/")[0]
        if kind == "video":
            seen = await self.pool.run("look_at_footage", LookAtFootage(path=path, name="the footage"))
            return {"footage": seen.model_dump(mode="json")}
        if kind == "audio":
            heard = await self.pool.run("probe", ProbeMedia(path=path))
            if heard.audio is None or heard.audio.seconds <= 0:
                raise RenderRefused("the sound that was bought has no sound in it")
            return {"sound": heard.audio.model_dump(mode="json")}
        return {}

    async def keep(self, path: Path, media_type: str) -> Artifact:
        """Take a file that was just made into the store."""
        return await self.store.put(path, media_type, move=True)

    async def paths(self, artifacts: Iterable[Artifact]) -> list[Path]:
        """Local files of these artifacts, in order."""
        return list(await asyncio.gather(*(self.store.path(artifact) for artifact in artifacts)))

    async def opened(self, path: Path) -> Path:
        """The file that an order names. A picture of the library is the one of this store, by the hash in its
        path: whichever home wrote the order, and wherever that is now.
        """
        found = SHELF.search(path.as_posix())
        return (await self.store.called(found[1]) if found else None) or path

    def need_room(self) -> None:
        """Park the task while the disk is nearly full: half a film is of no use to anybody."""
        free = self.store.free_share()
        if free < self._reserve:
            raise Parked(
                f"disk nearly full: {free:.1%} is free, and {self._reserve:.0%} is left to others; goes on "
                "when there is room",
                until=self._clock.now() + LOOK_AGAIN,
            )


def _report_of(task: Task, share: Share) -> Report:
    """What an operation reports, as this share of the task's progress."""
    low, high = share

    async def report(fraction: float, note: str | None) -> None:
        await task.report(low + (high - low) * fraction, note)

    return report


def _divided(report: Report, count: int) -> list[Report]:
    """For things that go on side by side: what each reports, is reported on as the progress of all."""
    done = [0.0] * count

    def report_of(number: int) -> Report:
        async def part(fraction: float, note: str | None) -> None:
            done[number] = max(done[number], fraction)
            await report(sum(done) / count, note)

        return part

    return [report_of(number) for number in range(count)]
