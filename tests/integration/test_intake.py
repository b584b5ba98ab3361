"""Taking in an order's photos, through real rendering processes into a real store."""

from __future__ import annotations

import itertools
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genlock.clock import SystemClock
from genlock.errors import BadInput, BadPicture, NoRenderer, Parked, RenderCrashed
from genlock.media.operation import MODULES
from genlock.media.photo.source import to_text
from genlock.media.pool import RenderPool
from genlock.pipelines.campaign import collect_assets
from genlock.pipelines.intake import LISTED
from genlock.pipelines.models import CampaignOrder, Intake
from genlock.pipelines.studio import Studio
from genlock.store.local import LocalStore
from genlock.testing import FakeTask

CRASHING = """
import os
from dataclasses import replace

from genlock.media import operation
from genlock.media.photo import picture

real = operation._REGISTERED["import_picture"]

def act(request, progress):
    if "deadly" in request.name or ("moody" in request.name and not request.to.with_suffix(".once").exists()):
        request.to.with_suffix(".once").touch()
        os.abort()
    if "odd" in request.name:
        raise ZeroDivisionError("no such thing")
    return real.act(request, progress)

operation._REGISTERED["import_picture"] = replace(real, act=act)
"""

Open = Callable[..., AbstractAsyncContextManager[Studio]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_studio(*, reserve: float = 0.0, modules: Any = MODULES) -> AsyncIterator[Studio]:
        async with RenderPool(2, modules=modules) as pool:
            yield Studio(pool, LocalStore(tmp_path / "store"), SystemClock(), reserve=reserve)

    return open_studio


def colours(folder: Path, *names: str) -> list[str]:
    """A picture of its own under each name."""
    for number, name in enumerate(names):
        Image.new("RGB", (96, 64), (10 + 7 * number % 240, number // 30 % 250, 90)).save(folder / name, "PNG")
    return [to_text(folder / name) for name in names]


async def take(studio: Studio, photos: list[str], task: FakeTask, *, skip_bad: bool = False) -> Intake:
    found: Intake = await collect_assets.body(photos, skip_bad, studio=studio, task=task)
    return found


async def test_a_photo_that_its_decoder_dies_of_is_named_and_the_others_are_kept(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)
    photos = colours(tmp_path, "a.png", "deadly.png", "moody.png", "odd.png", "b.png")
    async with opened(modules={"import_picture": "crashing"}) as studio:
        with pytest.raises(BadPicture) as caught:
            await take(studio, photos, FakeTask())
        head, *lines, _ = str(caught.value).splitlines()
        assert head == "2 of 5 photos cannot be used:"
        assert lines[0].startswith("deadly.png ends every process that decodes it (import_picture: the rend")
        assert "killed by signal 6); save it again with another program" in lines[0]
        assert lines[1] == "odd.png cannot be used: import_picture failed: ZeroDivisionError: no such thing"
        found = await take(studio, photos, FakeTask(), skip_bad=True)
    assert [asset.name for asset in found.assets] == ["a.png", "moody.png", "b.png"]
    assert [Path(each.photo).name for each in found.left_out] == ["deadly.png", "odd.png"]


async def test_a_pool_that_closes_is_no_fault_of_the_photo(opened: Open, tmp_path: Path) -> None:
    photos = colours(tmp_path, "a.png", "b.png")
    async with opened() as studio:
        await studio.pool.close()
        with pytest.raises(ExceptionGroup) as caught:
            await take(studio, photos, FakeTask(), skip_bad=True)
    assert {type(each) for each in caught.value.exceptions} == {RenderCrashed}


async def test_that_nothing_can_be_rendered_is_no_fault_of_the_photo_either(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = colours(tmp_path, "a.png", "b.png")
    async with opened() as studio:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ExceptionGroup) as caught:
            await take(studio, photos, FakeTask(), skip_bad=True)
        assert {type(each) for each in caught.value.exceptions} == {NoRenderer}
        monkeypatch.undo()
        assert len((await take(studio, photos, FakeTask())).assets) == 2


async def test_what_was_taken_in_is_not_taken_in_again_unless_the_file_has_changed(
    opened: Open, tmp_path: Path
) -> None:
    photos = colours(tmp_path, "a.png", "b.png", "c.png")
    async with opened() as studio:
        (tmp_path / "c.png").write_text("?")
        first = FakeTask()
        with pytest.raises(BadPicture, match="1 of 3 photos cannot be used"):
            await take(studio, photos, first)
        assert len(first.notes) == 2
        Image.new("RGB", (96, 64), (250, 250, 0)).save(tmp_path / "c.png")
        Image.new("RGB", (96, 64), (0, 250, 250)).save(tmp_path / "b.png")
        again = FakeTask(notes=dict(first.notes))
        found = await take(studio, photos, again)
    assert [name in again.notes for name in first.notes] == [True, True]
    assert len(again.notes) == 4, "one is known, one has changed, one was mended"
    assert [asset.name for asset in found.assets] == ["a.png", "b.png", "c.png"]
    assert len({asset.artifact.sha256 for asset in found.assets}) == 3


async def test_a_list_that_is_too_long_says_how_many_more_there_are(opened: Open, tmp_path: Path) -> None:
    photos = [str(tmp_path / f"nowhere {number:03}.jpg") for number in range(300)]
    async with opened() as studio:
        with pytest.raises(BadPicture) as caught:
            await take(studio, photos, FakeTask())
        head, *lines, advice = str(caught.value).splitlines()
        assert head == "300 of 300 photos cannot be used:"
        assert lines[0] == "nowhere 000.jpg is not there: there is no such file"
        assert lines[-1] == f"and {300 - len(lines) + 1} more"
        assert "--skip-bad" in advice
        assert len(str(caught.value)) < LISTED + 300
        with pytest.raises(BadPicture, match=r"none of 300 photos can be used, and a film needs two:"):
            await take(studio, photos, FakeTask(), skip_bad=True)


async def test_a_full_disk_parks_with_a_sentence_before_anything_is_written(
    opened: Open, tmp_path: Path
) -> None:
    photos = colours(tmp_path, "a.png", "b.png")
    async with opened(reserve=0.9999999) as studio:
        with pytest.raises(BaseExceptionGroup) as caught:
            await take(studio, photos, FakeTask())
        assert studio.pool.pids == []
    parked = caught.value.exceptions[0]
    assert isinstance(parked, Parked)
    said = str(parked)
    assert said.startswith("disk nearly full: ")
    assert said.endswith("% is free, and 100% is left to others; goes on when there is room")


async def test_a_name_that_is_no_text_is_read_all_the_same(opened: Open, tmp_path: Path) -> None:
    names = ("plain.png", os.fsdecode(b"caf\xe9 \xff.png"))
    async with opened() as studio:
        found = await take(studio, colours(tmp_path, *names), FakeTask())
    assert [asset.name for asset in found.assets] == ["plain.png", r"caf\xe9 \xff.png"]
    assert found.model_dump_json()


async def test_many_photos_take_hardly_more_memory_than_their_list_and_show_how_far_they_are(
    opened: Open, tmp_path: Path
) -> None:
    originals = colours(tmp_path, *(f"original {number}.png" for number in range(3)))
    (tmp_path / "many").mkdir()
    photos = []
    for number, original in zip(range(600), itertools.cycle(originals), strict=False):
        os.link(original, tmp_path / "many" / f"{number}.png")
        photos.append(str(tmp_path / "many" / f"{number}.png"))
    task = FakeTask()
    async with opened() as studio:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = await take(studio, photos, task)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert [asset.name for asset in found.assets] == [f"{number}.png" for number in range(600)]
    assert grown < 40 * 1024, f"{grown} KiB for 600 photos"
    shown = [progress for progress, _ in task.reports]
    assert shown == sorted(shown)
    assert task.reports[-1] == (1.0, "600 of 600 photos")


def test_more_than_ten_thousand_are_refused_with_the_number() -> None:
    with pytest.raises(ValueError, match="from two to 10000 photos, and 10001 were given"):
        CampaignOrder(photos=[f"/p/{number}.jpg" for number in range(10_001)])


async def test_photos_that_are_all_the_same_make_no_film(opened: Open, tmp_path: Path) -> None:
    (one,) = colours(tmp_path, "one.png")
    os.link(one, tmp_path / "other.png")
    async with opened() as studio:
        with pytest.raises(BadInput, match="the 2 photos are all the same picture"):
            await take(studio, [one, str(tmp_path / "other.png")], FakeTask())
