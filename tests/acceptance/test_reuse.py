"""A finished order with one photo changed: what that photo is not seen in is not rendered again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance

SCENES = ("dandelion", "summit-sunset", "wall-clock", "two-dogs", "forest-stream", "paint-brushes")
ORDER = ("--pairs", 3, "--resolution", "180p", "--clip-duration", 5, "--transitions", "dissolve")
CHANGED = "wall-clock.jpg"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for path in photo(*SCENES):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def genlock(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Any]:
    """A home with two films: the second one's order differs in one photo."""
    from command import Command

    with Command(tmp_path_factory.mktemp("reuse")) as command:
        command.said = [command("run", "campaign", photos, "-o", "one.mp4", "--job-id", "one", *ORDER)]
        path = photos / CHANGED
        with Image.open(path) as image:
            ImageEnhance.Brightness(image).enhance(1.03).save(path, quality=95)
        command.said.append(command("run", "campaign", photos, "-o", "two.mp4", "--job-id", "two", *ORDER))
        yield command


def shown(genlock: Any, job: str) -> list[tuple[str, str]]:
    """The names of the photos of each clip."""
    return [
        (brief["first"]["name"], brief["last"]["name"])
        for brief in genlock.outputs(job)["sub_job_creation"]["briefs"]
    ]


def test_only_what_the_photo_is_seen_in_is_rendered_again(genlock: Any) -> None:
    clips = shown(genlock, "two")
    assert clips == shown(genlock, "one"), "a little more light makes no other pairs"
    (touched,) = [number for number, clip in enumerate(clips) if CHANGED in clip]
    before, after = (genlock.outputs(job)["video_combination"]["pieces"] for job in ("one", "two"))
    bodies = [number for number, piece in enumerate(after) if piece["kind"] == "body"]
    place = bodies[touched]
    may_change = range(place - 1, place + 2)  # the clip, and the transitions on both sides
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert old["segment"] == new["segment"] or number in may_change
        assert (old["artifact"] == new["artifact"]) == (old["segment"] == new["segment"])


def test_it_is_said_how_much_was_known(genlock: Any) -> None:
    first, second = genlock.said
    assert "known from before" not in first
    told = re.search(r"(\d+) of (\d+) rendered, (\d+) known from before", second)
    assert told is not None, second
    rendered, parts, known = map(int, told.groups())
    assert rendered + known == parts
    assert genlock.outputs("two")["video_storage"]["parts"] == {"rendered": rendered, "found": known}
    # Two clips of two parts each, and the half of the third in which its other photo is seen alone.
    assert known >= 5
    assert rendered <= 3


def test_the_same_order_again_renders_nothing(genlock: Any, photos: Path) -> None:
    said = genlock("run", "campaign", photos, "-o", "three.mp4", "--job-id", "three", *ORDER)
    assert re.search(r"0 of \d+ rendered", said)
    assert (genlock.folder / "three.mp4").read_bytes() == (genlock.folder / "two.mp4").read_bytes()
