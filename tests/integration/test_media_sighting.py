"""A film whose frames were watched while they were drawn is checked without decoding all of them again."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from genlock.media.check import sighting
from genlock.media.check.film import check
from genlock.media.check.planned import planned
from genlock.media.check.report import CheckReport, Finding
from genlock.media.check.sighting import Group, Lookout, Sighting, groups_of
from genlock.media.check.watch import luma_of
from genlock.media.film.encode import Encoder
from genlock.media.film.frames import render_segment
from genlock.media.film.layer import Layer
from genlock.media.film.link import Link
from genlock.media.film.motion import Move, Picture, View
from genlock.media.film.mux import join, mux
from genlock.media.film.plan import FilmPlan, plan_shots
from genlock.media.film.segment import Encoding, Segment, segments
from genlock.media.photo.picture import import_picture
from genlock.media.request import ImportPicture, JoinSegments, MuxFilm, Part, RenderSegment

SIZE = (320, 180)


def quiet(fraction: float, note: str | None = None) -> None: ...


@pytest.fixture
def pictures(tmp_path: Path, photo) -> dict[Path, Picture]:
    made = [
        import_picture(ImportPicture(path=path, to=tmp_path / path.name), quiet)
        for path in photo("two-dogs", "wall-clock", "lamp-and-bird")
    ]
    return {one.path: one.picture for one in made}


@pytest.fixture
def plan(pictures: dict[Path, Picture]) -> FilmPlan:
    one, two, three = pictures.values()
    return plan_shots([(one, two), (two, three)], size=SIZE, seconds_per_clip=2, links=[Link()] * 3)


def joined(wanted: list[Segment], pictures: dict[Path, Picture], folder: Path) -> Path:
    sources = {picture.sha256: path for path, picture in pictures.items()}
    made = []
    for number, segment in enumerate(wanted):
        to = folder / f"{number}.mp4"
        render_segment(RenderSegment(segment=segment, sources=sources, to=to), quiet)
        made.append(Part(path=to, frames=segment.frames))
    to = folder / "cut.mp4"
    join(JoinSegments(parts=made, fps=30, to=to), quiet)
    return to


@pytest.fixture
def cut(plan: FilmPlan, pictures: dict[Path, Picture], tmp_path: Path) -> Path:
    return joined(segments(plan), pictures, tmp_path)


def print_of(cut: Path) -> Path:
    film = cut.with_name("film.mp4")
    mux(MuxFilm(video=cut, fps=30, to=film), quiet)
    return film


def finding(report: CheckReport, name: str) -> Finding:
    return next(found for found in report.findings if found.name == name)


def checked(film: Path, plan: FilmPlan, witness: Path) -> CheckReport:
    return check(planned(film, plan, has_audio=False, witness=witness), quiet)


def test_a_film_with_the_packets_that_were_watched_is_decoded_at_its_key_frames(
    cut: Path, plan: FilmPlan
) -> None:
    report = checked(print_of(cut), plan, cut)
    assert report.passed, report.sentence()
    keys = len(groups_of(cut))
    assert f"all {keys} key frames" in finding(report, "decoding").got
    assert f"all {plan.total_frames} frames" in finding(report, "decoding").got


def test_both_ways_of_checking_find_the_same(cut: Path, plan: FilmPlan) -> None:
    film = print_of(cut)
    whole = check(planned(film, plan, has_audio=False), quiet)
    known = checked(film, plan, cut)
    assert [(one.name, one.passed) for one in whole.findings] == [
        (one.name, one.passed) for one in known.findings
    ]
    assert finding(whole, "frames") == finding(known, "frames")
    assert finding(whole, "decoding").got.startswith("every frame")


def test_another_film_than_the_one_that_was_watched_is_watched(cut: Path, plan: FilmPlan) -> None:
    film = cut.with_name("again.mp4")
    with av.open(str(cut)) as source, Encoder(film, SIZE, 30, Encoding(crf=24)) as encoder:
        for frame in source.decode(video=0):
            encoder.write(frame)
    assert finding(checked(film, plan, cut), "decoding").got.startswith("every frame")


def test_a_damaged_packet_is_found(cut: Path, plan: FilmPlan) -> None:
    film = print_of(cut)
    with av.open(str(film)) as source:
        packet = [packet for packet in source.demux(video=0) if packet.size > 600][-1]
        place = packet.pos + packet.size // 2
    data = bytearray(film.read_bytes())
    data[place : place + 64] = bytes(64)
    film.write_bytes(data)
    assert not finding(checked(film, plan, cut), "decoding").got.startswith("all")


def test_what_is_shown_must_be_what_was_drawn(cut: Path, plan: FilmPlan) -> None:
    seen = sighting.read(cut)
    assert seen is not None
    wrong = [*seen.groups[:-1], seen.groups[-1].model_copy(update={"opens": seen.groups[0].opens})]
    bare, lying = print_of(cut), cut.with_name("lying.mp4")
    shutil.copy(bare, lying)
    sighting.sign(lying, seen.model_copy(update={"groups": wrong}))
    report = checked(bare, plan, lying)
    assert "does not show what was drawn" in finding(report, "decoding").got
    assert not report.passed


def test_a_camera_that_stops_is_found_by_those_who_draw(
    pictures: dict[Path, Picture], tmp_path: Path
) -> None:
    """Stillness goes on from one segment to the next: neither of them is still for too long."""
    picture = next(iter(pictures.values()))
    rest = View(x=0.5, y=0.5, zoom=1.1)
    layer = Layer(picture=picture, move=Move(start=rest, end=rest), move_start=0, move_frames=20)
    still = Segment(kind="body", width=SIZE[0], height=SIZE[1], fps=30, frames=20, layers=[layer])
    cut = joined([still, still], pictures, tmp_path)
    seen = sighting.read(cut)
    assert seen is not None
    assert seen.still == [(0, 40)]
    assert seen.black == []


@pytest.mark.parametrize(("pixels", "found"), [(1.0, [7]), (0.002, [])])
def test_a_frame_that_is_drawn_twice_is_noted_where_that_can_be_seen(
    pixels: float, found: list[int], tmp_path: Path
) -> None:
    """A card's picture moves by hundredths of a pixel, and two of its frames are often the same."""
    wave = np.arange(SIZE[0]) / 9
    places = [number - (number == 7) for number in range(12)]
    lookout, film = Lookout(), tmp_path / "film.mp4"
    with Encoder(film, SIZE, 30, Encoding()) as encoder:
        for place in places:
            line = np.rint(128 + 80 * np.sin(wave + place * pixels / 9)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(
                np.vstack([np.tile(line, (SIZE[1], 1)), np.full((SIZE[1] // 2, SIZE[0]), 128, np.uint8)]),
                "yuv420p",
            )
            lookout.see(luma_of(frame))
            encoder.write(frame)
    assert lookout.sighting(film).repeats == found


def test_a_film_without_a_sighting_is_watched(cut: Path, plan: FilmPlan) -> None:
    film = print_of(cut)
    assert sighting.read(film) is None
    assert finding(checked(film, plan, film), "decoding").got.startswith("every frame")


def watched(frames: int, **seen: object) -> Sighting:
    plain = "AAAA"
    groups = [Group(frames=frames, packets="", opens=plain)]
    found = {"black": [], "still": [], "repeats": [], **seen}
    return Sighting(shape=(1, 3), groups=groups, closes=plain, **found)  # type: ignore[arg-type]


def test_sightings_one_after_the_other_are_one() -> None:
    both = watched(10, black=[(0, 2), (8, 10)], repeats=[5]).then(watched(6, black=[(0, 3)], repeats=[1]))
    assert both.frames == 16
    assert both.black == [(0, 2), (8, 13)]
    assert both.repeats == [5, 11]
    assert watched(10, still=[(4, 10)]).then(watched(6, still=[(0, 6)])).still == [(4, 16)]
    assert watched(10, still=[(4, 10)]).then(watched(6)).still == [(4, 11)]
    assert watched(10).then(watched(6, still=[(0, 6)])).still == [(9, 16)]
