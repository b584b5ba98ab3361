"""From photos to a film in one command: the film that comes out, as a player finds it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

SCENES = ("dandelion", "forest-stream", "summit-sunset", "wall-clock", "two-dogs", "paint-brushes")
SMALL = ("--resolution", "180p", "--clip-duration", 2)


@dataclass(frozen=True)
class Made:
    """A film that a command has made, the job it came from, and what a player finds in it."""

    genlock: Any
    job: str
    path: Path
    said: str
    result: dict[str, Any]
    outputs: dict[str, Any]
    playback: Any
    photos: list[Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, photo: Any, player: Any) -> Iterator[Callable[..., Made]]:
    from command import Command

    begun = []

    def run(*words: object, names: tuple[str, ...] = SCENES) -> Made:
        genlock = Command(tmp_path_factory.mktemp("film"))
        begun.append(genlock)
        path, photos = genlock.folder / "film.mp4", photo(*names)
        said = genlock("run", "campaign", *photos, "-o", path, "--job-id", "film", *words)
        shown = genlock.answer("jobs", "show", "film")
        outputs = {task["key"]: task["output"] for task in shown["tasks"]}
        return Made(genlock, "film", path, said, shown["result"], outputs, player(path), photos)

    yield run
    for genlock in begun:
        genlock.end()


@pytest.fixture(scope="module")
def full(make: Callable[..., Made]) -> Made:
    """A film as it comes without asking for anything but its length: 1080p."""
    return make("--pairs", 2, "--clip-duration", 2, names=SCENES[:4])


@pytest.fixture(scope="module")
def small(make: Callable[..., Made]) -> Made:
    return make("--pairs", 4, *SMALL)


def test_the_film_has_every_planned_frame_and_no_other(full: Made, small: Made) -> None:
    for made in (full, small):
        plan = made.outputs["sub_job_creation"]["plan"]
        shared = sum(joint["frames"] for joint in plan["transitions"])
        planned = sum(shot["frames"] for shot in plan["shots"]) - shared
        assert made.playback.frames == planned == made.result["frames"]
        assert sum(piece["frames"] for piece in made.outputs["video_combination"]["pieces"]) == planned
        assert (made.playback.start, made.playback.steps) == (0, {Fraction(1, 30)})


def test_the_film_is_what_players_and_browsers_expect(full: Made) -> None:
    film = full.playback
    assert film.size == (1920, 1080)
    assert film.codec == ("h264", "High", "yuv420p")
    assert film.aspect == 1
    assert film.colour == (1, 1, 1, 1)  # BT.709 primaries, transfer and matrix, limited range
    assert film.tracks == ("video", "audio")
    assert film.sound == ("aac", "LC", 48_000, "stereo")
    assert film.boxes.index("moov") < film.boxes.index("mdat")


def test_music_is_heard_to_the_end_and_is_as_loud_as_published_films_are(full: Made, small: Made) -> None:
    for made in (full, small):
        film = made.playback
        seconds = film.frames / 30
        assert film.loudness == pytest.approx(-14, abs=1)
        assert abs(film.samples.shape[1] / 48_000 - seconds) <= 1 / 30
        heard = [film.level(begin / 2, begin / 2 + 0.5) for begin in range(int(seconds * 2))]
        assert min(heard[:-1]) > -40, heard
        assert film.level(-1, 0) > -40


def test_clips_come_in_the_order_that_was_chosen(small: Made, scenes: Any) -> None:
    chosen = [(pair["first"]["name"], pair["last"]["name"]) for pair in small.outputs["image_pair_selection"]]
    assert len(chosen) == small.result["clips"] == 4
    assert scenes(small.playback, small.outputs["sub_job_creation"], small.photos) == chosen


def test_each_pair_is_explained_and_no_picture_follows_itself(small: Made) -> None:
    pairs = small.outputs["image_pair_selection"]
    for pair in pairs:
        assert 0 < pair["score"] <= 1
        assert len(pair["reason"].split()) >= 4
        assert set(pair["criteria"]) == {
            "visual_continuity",
            "thematic_coherence",
            "brand_consistency",
            "transition_potential",
        }
    names = [pair[side]["name"] for pair in pairs for side in ("first", "last")]
    assert all(first != last for first, last in zip(names[::2], names[1::2], strict=True))
    assert len({path.name for path in small.photos} & set(names)) >= 5


def test_photos_are_moved_over_and_never_stretched(full: Made) -> None:
    shots = full.outputs["sub_job_creation"]["plan"]["shots"]
    pairs = full.outputs["image_pair_selection"]
    at = 0
    for shot, pair in zip(shots, pairs, strict=True):
        frame = full.playback.frame(at + (shot["lead"] + shot["blend_start"]) // 2)
        photo = next(path for path in full.photos if path.name == pair["first"]["name"])
        across, down = scales(np.asarray(cv2.imread(str(photo)), np.uint8), frame)
        assert across / down == pytest.approx(1, abs=0.005)
        at += shot["frames"] - shot["tail"]


def scales(photo: NDArray[np.uint8], frame: NDArray[np.uint8]) -> tuple[float, float]:
    """How many pixels of the frame a pixel of the photo fills, across and down, by matching points."""
    finder = cv2.SIFT_create(2000)
    (points, marks), (seen, prints) = (finder.detectAndCompute(image, None) for image in (photo, frame))
    matches = [
        best
        for best, second in cv2.BFMatcher().knnMatch(marks, prints, k=2)
        if best.distance < 0.75 * second.distance
    ]
    assert len(matches) >= 20
    here = np.float32([points[match.queryIdx].pt for match in matches])
    there = np.float32([seen[match.trainIdx].pt for match in matches])
    matrix, kept = cv2.estimateAffine2D(here, there, ransacReprojThreshold=2)
    assert kept.sum() >= 20
    assert abs(matrix[0, 1]) + abs(matrix[1, 0]) < 0.01, "neither turned nor slanted"
    return float(matrix[0, 0]), float(matrix[1, 1])


def test_the_check_of_the_film_passed_and_is_kept_with_its_numbers(full: Made) -> None:
    findings = full.result["report"]["findings"]
    assert len(findings) >= 20
    assert [finding for finding in findings if not finding["passed"]] == []
    assert f"{len(findings)} of {len(findings)} passed" in full.said


def test_poster_and_contact_sheet_are_kept_beside_the_film(full: Made) -> None:
    objects = full.genlock.home / "store" / "objects"
    for name, kind in (("film", "video/mp4"), ("poster", "image/jpeg"), ("contact_sheet", "image/jpeg")):
        kept = full.result[name]
        data = (objects / kept["sha256"][:2] / kept["sha256"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (kept["sha256"], kept["size"])
        assert kept["media_type"] == kind
    assert hashlib.sha256(full.path.read_bytes()).hexdigest() == full.result["film"]["sha256"]
    sheet = full.result["contact_sheet"]["sha256"]
    image = cv2.imread(str(objects / sheet[:2] / sheet))
    assert image is not None
    assert image.shape[1] >= 800


def test_the_command_says_where_the_film_is_and_how_long(full: Made) -> None:
    lines = [line.split(maxsplit=1) for line in full.said.splitlines()]
    told = {line[0]: line[1] for line in lines if len(line) == 2}
    assert told["film"] == str(full.path)
    assert f"{full.result['frames']} frames, 1920×1080 at 30/s, 2 clips" in told["length"]
    assert not list(full.path.parent.glob(".film*")), "no unfinished copy is left"


@pytest.mark.parametrize(
    ("aspect", "size", "words"), [("9:16", (180, 320), ("--skip-audio",)), ("1:1", (180, 180), ())]
)
def test_other_shapes_are_whole_films_too(
    make: Callable[..., Made], aspect: str, size: tuple[int, int], words: tuple[str, ...]
) -> None:
    made = make("--pairs", 2, "--aspect", aspect, *words, *SMALL, names=SCENES[:3])
    assert made.playback.size == size
    assert made.playback.aspect == 1
    assert made.playback.frames == made.result["frames"]
    silent = bool(words)
    assert made.playback.tracks == (("video",) if silent else ("video", "audio"))
    assert (made.outputs["audio_generation"] is None) == silent
    assert all(finding["passed"] for finding in made.result["report"]["findings"])
    assert ("audio_generation skipped" in made.said) == silent


def test_progress_is_told_as_it_happens_and_in_order(small: Made) -> None:
    events = small.genlock.events(small.job)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    times = [event["at"] for event in events]
    assert times == sorted(times)
    done = [event["task"] for event in events if event["kind"] == "task.done"]
    assert len(done) == len(set(done))
    assert events[-1]["kind"] == "job.completed"
