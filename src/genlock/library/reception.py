"""Taking pictures in: each is looked at in a process of its own before anything is kept of it.

The file is kept as it came. What may be shown of it, and as what, follows from what looking at it found,
never from what its name or its sender said.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from genlock.errors import BadPicture, DiskFull, RenderCrashed, RenderRefused
from genlock.media.pool import RenderPool
from genlock.media.request import Portrayal, PortrayPicture
from genlock.store.artifact import Artifact, Store

# What a file is served as, by what it was found to be. None of them can carry a script.
MEDIA_TYPES: Mapping[str, str] = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "JPEG2000": "image/jp2",
}
SMALL = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that has come: where it lies for now, what it is called, and where it was fetched from."""

    path: Path
    name: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """An arrival that has been looked at; `small` is where its small picture lies for now."""

    arrival: Arrival
    look: Portrayal
    small: Path

    @property
    def sha256(self) -> str:
        return self.look.report.sha256

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.look.report.format]


class Reception:
    """Looks at arrivals in the processes of `pool`, of at most `pixels` pixels, and puts them into `store`.

    `folder` is for what is under way, and is empty whenever nothing is. `reserve` is the share of the disk
    that is left free: below it nothing is taken in.
    """

    def __init__(self, pool: RenderPool, store: Store, folder: Path, *, pixels: int, reserve: float) -> None:
        self.pool, self.store, self.pixels = pool, store, pixels
        self._folder, self._reserve = folder, reserve

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Path]:
        """A folder for one request's files, gone when it has ended. `DiskFull` if there is no room."""
        self.need_room()
        folder = await asyncio.to_thread(self._open)
        try:
            yield folder
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    def _open(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._folder))

    def need_room(self) -> None:
        """`DiskFull` while the disk is nearly full."""
        free = self.store.free_share()
        if free < self._reserve:
            raise DiskFull(f"the disk is nearly full ({free:.1%} is free): no pictures are taken in for now")

    async def look(self, arrivals: Sequence[Arrival]) -> list[Received | BadPicture]:
        """What each of them is, or why it cannot be used, in their order. Nothing is kept yet."""
        try:
            async with asyncio.TaskGroup() as group:
                looking = [group.create_task(self._look(arrival)) for arrival in arrivals]
        except ExceptionGroup as several:  # what ends one ends them all, and is told by itself
            raise several.exceptions[0] from several
        return [each.result() for each in looking]

    async def _look(self, arrival: Arrival) -> Received | BadPicture:
        small = arrival.path.with_suffix(".small")
        request = PortrayPicture(path=arrival.path, to=small, name=arrival.name, pixels=self.pixels)
        try:
            return Received(arrival, await self._portrayed(request), small)
        except BadPicture as error:
            return error

    async def _portrayed(self, request: PortrayPicture) -> Portrayal:
        """A picture that ends the process which decodes it gets a second chance, and no third."""
        try:
            return await self._asked(request)
        except RenderCrashed:
            if self.pool.closed:
                raise
        try:
            return await self._asked(request)
        except RenderCrashed as error:
            if self.pool.closed:
                raise
            raise BadPicture(
                f"{request.name} ends every process that decodes it; save it again with another program"
            ) from error

    async def _asked(self, request: PortrayPicture) -> Portrayal:
        try:
            return await self.pool.run("portray_picture", request)
        except RenderRefused as error:
            raise BadPicture(f"{request.name} cannot be used: {error}") from error

    async def keep(self, received: Received) -> tuple[Artifact, Artifact]:
        """The file as it came and its small picture, in the store."""
        picture = await self.store.put(received.arrival.path, received.media_type, move=True)
        return picture, await self.store.put(received.small, SMALL, move=True)
