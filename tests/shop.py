"""Small pipelines that buy clips, for the proof: one as it should be, others wrong on purpose."""

from __future__ import annotations

import os
import struct
import zlib
from itertools import pairwise

from pydantic import BaseModel

from genlock import Permanent, Task, pipeline, provided, stage
from genlock.pipelines.studio import Studio
from genlock.providers.faces import VideoModel
from genlock.store.artifact import Artifact


class Shot(BaseModel):
    first: Artifact
    last: Artifact


class Clip(BaseModel):
    clip: Artifact


def png(shade: int) -> bytes:
    """A grey picture of 16 × 9."""
    rows = b"".join(b"\0" + bytes([shade] * 16) for _ in range(9))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 16, 9, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@stage
async def shots(count: int, *, studio: Studio = provided(), task: Task = provided()) -> list[Shot]:
    pictures = []
    for number in range(count + 1):
        path = task.workdir / f"{number}.png"
        path.write_bytes(png(10 + 20 * number))
        pictures.append(await studio.keep(path, "image/png"))
    return [Shot(first=a, last=b) for a, b in pairwise(pictures)]


@stage
async def buy(shot: Shot, *, video: VideoModel = provided()) -> Clip:
    made = await video.clip(shot.first, shot.last, prompt="a slow move", seconds=5)
    return Clip(clip=made.clip)


@stage
async def cut(clips: list[Clip]) -> list[str]:
    return [clip.clip.sha256 for clip in clips]


@pipeline
def reel(count: int) -> list[str]:
    return cut(buy.map(shots(count)))


@stage
async def buy_anew(shot: Shot, *, video: VideoModel = provided()) -> Clip:
    """Wrong: what a call is called must not depend on the process that makes it."""
    made = await video.clip(
        shot.first, shot.last, prompt="a slow move", seconds=5, name=f"clip-{os.getpid()}"
    )
    return Clip(clip=made.clip)


@pipeline
def careless(count: int) -> list[str]:
    return cut(buy_anew.map(shots(count)))


@stage
async def approve(clip: Clip, *, task: Task = provided()) -> Clip:
    """A person looks at it first."""
    if await task.event("approve") != "yes":
        raise Permanent("nobody likes it")
    return clip


@pipeline
def approved(count: int) -> list[str]:
    return cut(approve.map(buy.map(shots(count))))


@pipeline
def around(count: int) -> list[str]:
    """The same as a job in a job."""
    return approved(count)


@stage
async def refuse(count: int) -> int:
    raise Permanent(f"nobody makes {count} clips")


@pipeline
def hopeless(count: int) -> int:
    return refuse(count)
