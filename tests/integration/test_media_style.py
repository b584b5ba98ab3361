"""Calm, bold and cinematic differ in what can be seen and heard, by numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.media.film.encode import Plane
from genlock.media.film.grade import NEUTRAL, Grade
from genlock.media.film.motion import Picture
from genlock.media.film.plan import FilmPlan, plan_shots
from genlock.media.film.segment import segments
from genlock.media.film.source import load_part
from genlock.media.film.style import STYLES
from genlock.media.music.compose import compose
from genlock.media.music.mood import MOODS
from genlock.media.music.tune import ComposeMusic
from genlock.media.sound import stream as sound

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"
NAMES = ("autumn-meadow", "forest-stream", "summit-sunset", "wall-clock")
STYLE_NAMES = ("calm", "bold", "cinematic")


def quiet(fraction: float, note: str | None = None) -> None: ...


def planes(name: str, grade: Grade) -> tuple[Plane, Plane, Plane]:
    path = PHOTOS / f"{name}.jpg"
    height, width = cv2.imread(str(path)).shape[:2]
    picture = Picture(sha256="0" * 64, width=width, height=height)
    return load_part(path, picture, (0, 0, width, height), 6.0, grade).planes


def contrast(name: str, grade: Grade) -> float:
    return float(planes(name, grade)[0].std())


def colour(name: str, grade: Grade) -> float:
    _, blue, red = (plane.astype(float) - 128 for plane in planes(name, grade))
    return float(np.hypot(blue, red).mean())


def film(style: str) -> FilmPlan:
    pairs = [
        (
            Picture(sha256=f"{2 * n:064x}", width=1600, height=1067),
            Picture(sha256=f"{2 * n + 1:064x}", width=1600, height=1067),
        )
        for n in range(6)
    ]
    chosen = STYLES[style]
    return plan_shots(
        pairs, size=(320, 180), style=chosen, seconds_per_clip=chosen.seconds, tempo=MOODS[style].tempo
    )  # fmt: skip


def test_bold_has_more_contrast_and_colour_than_calm_and_cinematic_less() -> None:
    for measure, more in ((contrast, 1.06), (colour, 1.12)):
        calm, bold, cinematic = (
            np.mean([measure(name, STYLES[style].grade) for name in NAMES]) for style in STYLE_NAMES
        )
        assert bold > calm * more
        assert cinematic < calm / 1.04


def test_cinematic_lifts_black_and_tints_shadows_and_lights_apart() -> None:
    levels = np.tile(np.arange(16, 236, dtype=np.uint8), (4, 1))
    grade = STYLES["cinematic"].grade
    assert grade.luma()[16] >= 22
    assert grade.luma()[235] == 235
    blue, red = (np.array(grade.tint(number))[levels[0]] - 128 for number in (0, 1))
    shadows, lights = slice(40, 70), slice(150, 180)
    assert blue[shadows].mean() > 1.5
    assert red[shadows].mean() < -1.5
    assert blue[lights].mean() < -1.5
    assert red[lights].mean() > 1.5
    assert (blue[0], red[0], blue[-1], red[-1]) == (0, 0, 0, 0)


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_grades_keep_the_order_of_light(style: str) -> None:
    steps = np.diff(STYLES[style].grade.luma()[16:236])
    assert steps.min() >= 0
    assert np.max(steps) <= 2


def test_no_grade_changes_nothing() -> None:
    for graded, plain in zip(
        planes("wall-clock", Grade(blur=0.0)), planes("wall-clock", NEUTRAL), strict=True
    ):
        assert np.array_equal(graded, plain)
    assert Grade().luma()[16:236] == list(range(16, 236))


def test_the_grade_is_part_of_a_segments_name() -> None:
    plan = film("calm")
    changed = plan.shots[0].model_copy(update={"grade": Grade(saturation=0.5)})
    other = plan.model_copy(update={"shots": [changed, *plan.shots[1:]]})
    assert segments(plan)[0].name != segments(other)[0].name


def test_the_pace_of_cutting_differs() -> None:
    rates = {style: len(film(style).cuts) / film(style).duration for style in STYLE_NAMES}
    assert rates["bold"] > 1.3 * rates["calm"] > 1.3 * rates["cinematic"]


def test_bold_cuts_hard_now_and_then_and_cinematic_dissolves_for_longest() -> None:
    kinds = {style: [joint.kind for joint in film(style).transitions] for style in STYLE_NAMES}
    frames = {style: max(joint.frames for joint in film(style).transitions) for style in STYLE_NAMES}
    assert kinds["bold"].count("cut") == 2
    assert "cut" not in kinds["calm"] + kinds["cinematic"]
    assert frames["bold"] < frames["calm"] < frames["cinematic"]


def heard(style: str, folder: Path) -> tuple[float, float]:
    """Where the middle of the sound's spectrum is, in Hz, and how many notes begin in a second."""
    path = folder / f"{style}.wav"
    compose(ComposeMusic(path=path, frames=720, fps=30, mood=style, seed=3), quiet)  # type: ignore[arg-type]
    mono = np.concatenate(list(sound.read(path)), axis=1).astype(float).mean(axis=0)
    frames = mono[: len(mono) // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    power: NDArray[np.float64] = np.abs(np.fft.rfft(frames)) ** 2
    centre = float((power.sum(0) * np.fft.rfftfreq(2048, 1 / 48_000)).sum() / power.sum())
    level = np.log(power.sum(axis=1) + 1e-3)
    rises = np.clip(np.diff(level), 0, None)
    return centre, float(rises.mean())


def test_the_music_differs_in_tempo_brightness_and_drive(tmp_path: Path) -> None:
    tempos = [MOODS[style].tempo for style in ("cinematic", "calm", "bold")]
    assert all(later > 1.08 * earlier for earlier, later in pairwise(tempos))
    sounds = {style: heard(style, tmp_path) for style in STYLE_NAMES}
    assert sounds["bold"][0] > 1.3 * sounds["calm"][0]
    assert sounds["bold"][1] > 1.3 * sounds["cinematic"][1]
