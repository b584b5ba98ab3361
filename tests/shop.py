"""Small pipelines that buy clips, for the proof: one as it should be, and two that are wrong on purpose."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from genlock import Task, pipeline, provided, stage
from genlock.pipelines.studio import Studio
from genlock.providers.faces import VideoModel
from genlock.store.artifact import Artifact


class Shot(BaseModel):
    first: Artifact
    last: Artifact


class Clip(BaseModel):
    clip: Artifact
    take: int = 0


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


class Counter:
    """What a careless body counts its takes with: a file that no kill takes back."""

    def __init__(self, path: Path) -> None:
        self.path = path


@stage
async def buy_again(shot: Shot, *, video: VideoModel = provided(), task: Task = provided()) -> Clip:
    """Wrong: a name that changes with the attempt is another call each time."""
    made = await video.clip(
        shot.first, shot.last, prompt="a slow move", seconds=5, name=f"take-{task.attempt}"
    )
    return Clip(clip=made.clip, take=task.attempt)


@pipeline
def careless(count: int) -> list[str]:
    return cut(buy_again.map(shots(count)))


def no_tools() -> Mapping[Any, object]:
    return {}
