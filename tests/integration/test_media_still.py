"""Films of pictures that hardly change as a camera passes over them, checked against their plans."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from genlock.media.check.film import check
from genlock.media.check.planned import planned
from genlock.media.check.report import CheckFilm, CheckReport, Finding, Span
from genlock.media.check.watch import Watch, longest
from genlock.media.film.encode import Encoder
from genlock.media.film.frames import Easel
from genlock.media.film.mux import mux
from genlock.media.film.plan import FilmPlan, plan_shots
from genlock.media.film.segment import Encoding, body
from genlock.media.film.style import Style
from genlock.media.photo.picture import import_picture
from genlock.media.request import ImportedPicture, ImportPicture, MuxFilm

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"
SMALL, LARGE = (320, 180), (1280, 720)


def quiet(fraction: float, note: str | None = None) -> None: ...


def gradient(low: int, high: int) -> np.ndarray:
    """A clear sky: brighter from top to bottom."""
    rows = np.linspace(low, high, 1200)[:, None, None] * np.array([0.8, 0.9, 1.0])
    return np.broadcast_to(np.round(rows), (1200, 1800, 3)).astype(np.uint8)


def photo(name: str) -> np.ndarray:
    read = cv2.imread(str(PHOTOS / f"{name}.jpg"))
    assert read is not None
    return np.ascontiguousarray(cv2.resize(read, (1200, 800), interpolation=cv2.INTER_AREA)[:, :, ::-1])


def fog() -> np.ndarray:
    soft = cv2.GaussianBlur(photo("forest-stream"), (0, 0), 12)
    return (soft * 0.2 + 150).astype(np.uint8)


PICTURES = {
    "a wide gradient": lambda: gradient(20, 250),
    "a sky": lambda: gradient(140, 200),
    "fog": fog,
    "one colour": lambda: np.full((800, 1200, 3), (90, 120, 60), np.uint8),
    "a photograph": lambda: photo("two-dogs"),
}


def taken_in(folder: Path, image: np.ndarray) -> ImportedPicture:
    path = folder / "photo.png"
    Image.fromarray(image).save(path)
    return import_picture(ImportPicture(path=path, to=folder / "copy.jpg"), quiet)


def film_of(
    folder: Path, found: ImportedPicture, plan: FilmPlan, *, frozen: range = range(0), crf: int = 19
) -> Path:
    """The plan's only clip; in the frames `frozen` the camera stands still, and goes on where it stopped."""
    segment = body(plan.shots[0])
    easel = Easel(segment, {found.picture.sha256: found.path})
    raw, film = folder / "raw.mp4", folder / "film.mp4"
    with Encoder(raw, segment.size, segment.fps, Encoding(crf=crf)) as encoder:
        for number in range(segment.frames):
            held = min(max(0, number - frozen.start), len(frozen))
            encoder.write(easel.draw(number - held).buffer)
    mux(MuxFilm(video=raw, fps=segment.fps, to=film), quiet)
    return film


def one_clip(
    found: ImportedPicture, *, size: tuple[int, int] = SMALL, seconds: float = 6.0, seed: int = 1
) -> FilmPlan:
    pair = (found.picture, found.picture)
    return plan_shots(
        [pair], size=size, seconds_per_clip=seconds, seed=seed, style=Style(name="slow", pace=0.8)
    )


def strictly(film: Path, plan: FilmPlan) -> CheckReport:
    """The check of somebody who planned for no hold."""
    return check(
        CheckFilm(path=film, width=plan.width, height=plan.height, frames=plan.total_frames, has_audio=False),
        quiet,
    )


def freeze(report: CheckReport) -> Finding:
    return next(finding for finding in report.findings if finding.name == "freeze")


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(("size", "seconds"), [(SMALL, 6.0), (SMALL, 60.0), ((180, 320), 6.0), (LARGE, 4.0)])
def test_a_planned_film_of_any_picture_passes(
    tmp_path: Path, name: str, size: tuple[int, int], seconds: float
) -> None:
    found = taken_in(tmp_path, PICTURES[name]())
    plan = one_clip(found, size=size, seconds=seconds)
    report = check(planned(film_of(tmp_path, found, plan), plan, has_audio=False), quiet)
    assert report.passed, report.sentence()


@pytest.mark.parametrize("seed", [1, 3])  # moves that change more than coding noise does, if not by much
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_camera_that_moves_over_a_gradient_is_seen_to_move(
    tmp_path: Path, size: tuple[int, int], seed: int
) -> None:
    found = taken_in(tmp_path, PICTURES["a wide gradient"]())
    plan = one_clip(found, size=size, seed=seed)
    assert freeze(strictly(film_of(tmp_path, found, plan), plan)).passed


@pytest.mark.parametrize(
    ("name", "crf"),
    [("a photograph", 19), ("a photograph", 23), ("a wide gradient", 19), ("fog", 19), ("fog", 23)],
)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_freeze_little_over_a_second_is_found(
    tmp_path: Path, size: tuple[int, int], name: str, crf: int
) -> None:
    found = taken_in(tmp_path, PICTURES[name]())
    plan = one_clip(found, size=size)
    film = film_of(tmp_path, found, plan, frozen=range(50, 84), crf=crf)
    finding = freeze(strictly(film, plan))
    assert not finding.passed
    assert 1.1 <= float(finding.got.split()[0]) < 1.8


def test_a_freeze_that_begins_in_a_slow_movement_is_found_in_one_piece() -> None:
    bars = np.tile(np.repeat(np.array([100, 164] * 20, np.uint8), 8), (180, 1))
    watch = Watch()
    for level in [0, 1, 2, *[3] * 27, *[4] * 30]:  # it moves, freezes, and a key frame is coded otherwise
        watch.see(bars + np.uint8(level))
    assert longest([(float(start), float(end)) for start, end in watch.record.still], []) == (4, 60)


def test_a_photograph_needs_no_hold_and_a_freeze_in_its_film_fails(tmp_path: Path) -> None:
    found = taken_in(tmp_path, PICTURES["a photograph"]())
    plan = one_clip(found)
    film = film_of(tmp_path, found, plan, frozen=range(100, 150))
    request = planned(film, plan, has_audio=False)
    assert request.holds == []
    assert not freeze(check(request, quiet)).passed


def test_one_colour_is_a_hold_by_plan_alone_and_people_are_told(tmp_path: Path) -> None:
    found = taken_in(tmp_path, PICTURES["one colour"]())
    assert "there is hardly anything to see in it: its clip will look still" in found.report.notes
    plan = one_clip(found)
    film = film_of(tmp_path, found, plan)
    assert not freeze(strictly(film, plan)).passed
    request = planned(film, plan, has_audio=False)
    assert request.holds == [Span(start=0, end=plan.total_frames)]
    assert check(request, quiet).passed


def test_a_picture_of_the_night_may_be_black(tmp_path: Path) -> None:
    night = np.full((800, 1200, 3), 6, np.uint8)
    night[380:390, 600:610] = 250
    found = taken_in(tmp_path, night)
    plan = one_clip(found)
    film = film_of(tmp_path, found, plan)
    assert "black" in {finding.name for finding in strictly(film, plan).failures}
    report = check(planned(film, plan, has_audio=False), quiet)
    assert report.passed, report.sentence()
