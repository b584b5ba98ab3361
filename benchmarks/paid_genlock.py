"""Paid calls as genlock tasks over Replicate, eight at once. The same command goes on after a kill."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from genlock import open_engine, pipeline, provided, stage
from genlock.errors import NotFound
from genlock.providers.faces import VideoModel
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore

MODEL = "replicate:google/veo-3.1"
JOB = "shots"
PICTURE = Path(__file__).parent.parent / "examples" / "photos"
AS_THE_OTHERS = f"""
[models."{MODEL}"]
limit = 8  # at once
poll = 0.05  # seconds to the first look
"""


@stage
async def number(count: int, picture: Artifact) -> list[tuple[int, Artifact]]:
    return [(each, picture) for each in range(count)]


@stage
async def shoot(shot: tuple[int, Artifact], *, video: VideoModel = provided()) -> Artifact:
    bought = await video.clip(shot[1], prompt=f"shot {shot[0]}", seconds=4)
    return bought.clip


@stage
async def gather(clips: list[Artifact]) -> int:
    return len(clips)


@pipeline
def shots(count: int, picture: Artifact) -> int:
    return gather(shoot.map(number(count, picture)))


async def main(count: int, place: str, url: str, key: str) -> int:
    home = Path(place)
    (home / "models.toml").write_text(AS_THE_OTHERS)
    picture = await LocalStore(home / "store").put(min(PICTURE.glob("*.jpg")), "image/jpeg")
    settings = {"home": home, "video": MODEL, "replicate_url": url, "replicate_key": key}
    async with open_engine([shots], **settings) as engine:
        with suppress(NotFound):
            await engine.show(JOB)
            return await engine.result(shots, JOB)
        await engine.start("shots", {"count": count, "picture": picture.model_dump()}, id=JOB)
        return await engine.result(shots, JOB)


if __name__ == "__main__":
    count, place, url, key = sys.argv[1:]
    raise SystemExit(0 if asyncio.run(main(int(count), place, url, key)) == int(count) else 1)
