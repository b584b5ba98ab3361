"""Parts of a film made side by side, through real rendering children into a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from genlock.clock import SystemClock
from genlock.errors import Parked, RenderRefused, StoreError
from genlock.media.film.mux import count_frames
from genlock.media.film.plan import plan_shots
from genlock.media.film.segment import Segment, body, segments
from genlock.media.pool import RenderPool
from genlock.media.request import ImportPicture
from genlock.pipelines.models import Tally
from genlock.pipelines.studio import Studio
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing import FakeTask


@dataclass
class Set:
    """A studio with the transitions of a film to be made in it."""

    studio: Studio
    joints: list[Segment]
    sources: dict[str, Artifact]


@pytest.fixture
async def scene(tmp_path: Path, photo) -> AsyncIterator[Set]:
    async with RenderPool(2, memory=2 * 1024**3) as pool:
        studio = Studio(pool, LocalStore(tmp_path / "store"), SystemClock(), reserve=0.0)
        pictures, sources = [], {}
        for path in photo("dandelion", "two-dogs", "wall-clock", "forest-stream"):
            to = tmp_path / path.name
            made = await pool.run("import_picture", ImportPicture(path=path, to=to))
            pictures.append(made.picture)
            sources[made.picture.sha256] = await studio.keep(to, "image/jpeg")
        pairs = [(pictures[first], pictures[last]) for first, last in ((0, 1), (2, 3), (0, 2), (1, 3))]
        plan = plan_shots(pairs, size=(320, 180), seconds_per_clip=1.5)
        yield Set(studio, [each for each in segments(plan) if each.kind == "transition"], sources)


async def test_segments_are_made_side_by_side_and_their_progress_is_one(scene: Set) -> None:
    task, most = FakeTask(), 0
    making = asyncio.create_task(scene.studio.segments(scene.joints, scene.sources, task, share=(0.2, 0.8)))
    while not making.done():
        most = max(most, scene.studio.pool.busy)
        await asyncio.sleep(0.002)
    made = await making
    assert most == 2
    assert list(made) == [joint.name for joint in scene.joints]
    shown = [progress for progress, _ in task.reports]
    assert shown == sorted(shown)
    assert 0.2 <= shown[0] < shown[-1] == pytest.approx(0.8)
    again = FakeTask()
    known = await scene.studio.segments([*scene.joints, scene.joints[0]], scene.sources, again)
    assert {name: one.artifact for name, one in known.items()} == {
        name: one.artifact for name, one in made.items()
    }
    assert {one.parts for one in made.values()} == {Tally(rendered=1)}
    assert {one.parts for one in known.values()} == {Tally(found=1)}


async def test_when_one_segment_cannot_be_made_the_others_are_given_up(scene: Set, tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    sources = scene.sources | {scene.joints[1].sources[0]: await scene.studio.keep(text, "image/jpeg")}
    with pytest.raises(ExceptionGroup) as raised:
        await scene.studio.segments(scene.joints, sources, FakeTask())
    assert raised.group_contains(RenderRefused, match="no working copy of a picture")
    assert scene.studio.pool.busy == 0


async def test_a_picture_that_is_gone_is_missed_before_anything_is_rendered(scene: Set) -> None:
    lost = scene.joints[1].sources[0]
    sources = scene.sources | {lost: Artifact(sha256="0" * 64, size=1, media_type="image/jpeg")}
    with pytest.raises(StoreError, match="missing"):
        await scene.studio.segments(scene.joints, sources, FakeTask())
    assert scene.studio.pool.busy == 0


async def test_a_full_disk_parks_the_task_whichever_segment_finds_out(scene: Set) -> None:
    studio = Studio(scene.studio.pool, scene.studio.store, SystemClock(), reserve=0.999999)
    with pytest.raises(BaseExceptionGroup) as raised:
        await studio.segments(scene.joints, scene.sources, FakeTask())
    assert raised.group_contains(Parked, match="disk nearly full")


async def test_a_long_segment_is_made_in_parts_and_a_part_that_is_known_is_not_made_again(scene: Set) -> None:
    """Two clips that begin alike share their first part, whatever they end on."""
    studio, task = scene.studio, FakeTask()
    made: list[str] = []
    run = studio.pool.run

    async def counted(operation: str, *given, **more):  # type: ignore[no-untyped-def]
        made.append(operation)
        return await run(operation, *given, **more)

    studio.pool.run = counted  # type: ignore[method-assign]
    first, second, third = (segment.layers[0].pictures[0] for segment in scene.joints)
    clips = [
        body(plan_shots([(first, last)], size=(160, 90), seconds_per_clip=5).shots[0])
        for last in (second, third)
    ]
    whole = (await studio.segments([clips[0]], scene.sources, task))[clips[0].name]
    assert made == ["render_segment"] * 2 + ["join"]
    assert count_frames(await studio.store.path(whole.artifact)) == clips[0].frames == 150
    assert whole.parts == Tally(rendered=2)
    made.clear()
    other = (await studio.segments([clips[1]], scene.sources, task))[clips[1].name]
    assert made == ["render_segment", "join"]
    assert other.parts == Tally(rendered=1, found=1)
