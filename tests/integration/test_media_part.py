"""Segments cut into parts: together they show what the whole would, frame by frame."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest

from genlock.media.film.frames import Easel, render_segment
from genlock.media.film.layer import Morph
from genlock.media.film.link import Link, LinkPictures
from genlock.media.film.motion import Picture
from genlock.media.film.mux import join
from genlock.media.film.part import parts
from genlock.media.film.plan import plan_shots
from genlock.media.film.relation import link_pictures
from genlock.media.film.segment import Encoding, Segment, body
from genlock.media.photo.picture import import_picture
from genlock.media.pool import RenderPool
from genlock.media.request import ImportPicture, JoinSegments, Part, RenderSegment

SHORT = Encoding(gop_seconds=0.5)
Pictures = tuple[list[Picture], dict[str, Path]]


def quiet(fraction: float, note: str | None = None) -> None: ...


def taken_in(folder: Path, photos: list[Path]) -> Pictures:
    made = [import_picture(ImportPicture(path=path, to=folder / path.name), quiet) for path in photos]
    return [one.picture for one in made], {one.picture.sha256: one.path for one in made}


@pytest.fixture
def strangers(tmp_path: Path, photo) -> Pictures:
    return taken_in(tmp_path, photo("two-dogs", "wall-clock"))


@pytest.fixture
def kin(tmp_path: Path, photo) -> Pictures:
    return taken_in(tmp_path, photo("fig-in-bowl", "fig-in-bowl-near"))


def clip(pictures: list[Picture], link: Link, seconds: float = 2.3) -> Segment:
    first, last = pictures
    plan = plan_shots([(first, last)], size=(320, 180), seconds_per_clip=seconds, links=[link])
    return body(plan.shots[0], SHORT)


def kinship(pictures: list[Picture], sources: dict[str, Path]) -> Link:
    first, last = (picture.sha256 for picture in pictures)
    return link_pictures(LinkPictures(pictures=sources, steps=[(first, last)]), quiet).links[0]


def worst_difference(segment: Segment, sources: dict[str, Path]) -> float:
    """The largest mean difference of a part's frame to the same frame of the whole, in levels."""
    whole, at, worst = Easel(segment, sources), 0, 0.0
    for part in parts(segment):
        easel = Easel(part, sources)
        for number in range(part.frames):
            pairs = zip(whole.draw(at + number).planes, easel.draw(number).planes, strict=True)
            worst = max(worst, *(float(np.abs(one.astype(float) - other).mean()) for one, other in pairs))
        at += part.frames
    assert at == segment.frames
    return worst


def test_parts_are_groups_of_pictures_and_know_only_what_is_seen_in_them(strangers: Pictures) -> None:
    pictures, _ = strangers
    segment = clip(pictures, Link())
    cut = parts(segment)
    first, last = (picture.sha256 for picture in pictures)
    assert [part.frames for part in cut] == [15, 15, 15, 15, 9]
    assert cut[0].sources == [first]
    assert cut[-1].sources == [last]
    assert [first, last] in [part.sources for part in cut]
    assert parts(cut[0]) == [cut[0]]


def test_parts_of_a_clip_show_what_the_clip_shows(strangers: Pictures) -> None:
    pictures, sources = strangers
    assert worst_difference(clip(pictures, Link()), sources) < 1.0


def test_parts_of_a_morph_show_what_the_morph_shows(kin: Pictures) -> None:
    pictures, sources = kin
    segment = clip(pictures, kinship(pictures, sources))
    assert isinstance(segment.layers[0], Morph)
    assert worst_difference(segment, sources) < 1.5


def test_a_part_is_named_after_what_it_shows_and_no_other_picture(strangers: Pictures) -> None:
    pictures, _ = strangers
    first, last = pictures
    other = last.model_copy(update={"sha256": "0" * 64})
    before, after = (parts(clip([first, one], Link())) for one in (last, other))
    same = [one.name == two.name for one, two in zip(before, after, strict=True)]
    assert same[0]
    assert not same[-1]


def test_joined_parts_are_one_segment(strangers: Pictures, tmp_path: Path) -> None:
    pictures, sources = strangers
    segment, made = clip(pictures, Link()), []
    for number, part in enumerate(parts(segment)):
        to = tmp_path / f"{number}.mp4"
        render_segment(RenderSegment(segment=part, sources=sources, to=to), quiet)
        made.append(Part(path=to, frames=part.frames))
    joined = join(JoinSegments(parts=made, fps=30, to=tmp_path / "whole.mp4"), quiet)
    assert joined.encoded_again is None
    assert joined.frames == segment.frames
    with av.open(str(joined.path)) as film:
        keys = [number for number, frame in enumerate(film.decode(video=0)) if frame.key_frame]
    assert keys == [0, 15, 30, 45, 60]


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use now."""
    (line,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_child_that_renders_part_after_part_needs_no_more_memory(
    strangers: Pictures, tmp_path: Path
) -> None:
    pictures, sources = strangers
    wanted = parts(clip(pictures, Link(), seconds=5))
    async with RenderPool(1) as pool:
        used = []
        for _ in range(3):
            for number, part in enumerate(wanted):
                request = RenderSegment(segment=part, sources=sources, to=tmp_path / f"{number}.mp4")
                await pool.run("render_segment", request)
            (pid,) = pool.pids
            used.append(resident(pid))
    assert len(wanted) >= 9
    assert used[2] - used[0] < 24 * 2**20, used
