"""Films whose clips are bought: real commands, and vendors that are real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from genlock.testing.simulator import Simulator

SCENES = ("dandelion", "two-dogs", "wall-clock", "forest-stream")
MODEL = "replicate:google/veo-3.1"
JOB = "film"


@pytest.fixture(scope="module")
def vendors() -> Iterator[Simulator]:
    with Simulator(work=0.2, width=160, frames=None, fps=24) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> list[Path]:
    """Small copies: they are quickly taken in."""
    folder = tmp_path_factory.mktemp("photos")
    for path in photo(*SCENES):
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        cv2.imwrite(str(folder / path.name), cv2.resize(image, None, fx=0.3, fy=0.3))
    return sorted(folder.iterdir())


@pytest.fixture
def buyer(genlock: Any, vendors: Simulator) -> Any:
    """A home with an account at the vendor."""
    vendors.reset()
    genlock.env["REPLICATE_API_TOKEN"] = vendors.key("replicate")
    genlock.env["GENLOCK_REPLICATE_URL"] = vendors.address("replicate")
    return genlock


def bought(genlock: Any, job: str = JOB) -> list[dict[str, Any]]:
    """What was bought for each clip of a film."""
    return [
        clip["bought"]
        for key, clip in sorted(genlock.outputs(job).items())
        if key.startswith("video_generation/")
    ]


def test_a_film_is_bought_clip_by_clip_and_one_that_is_made_again_is_bought_again(
    buyer: Any, vendors: Simulator, photos: list[Path], player: Any, scenes: Any
) -> None:
    order = ("--pairs", 2, "--resolution", "90p", "--clip-duration", 3.6, "--title", "Scenes")
    said = buyer("run", "campaign", *photos, "-o", "film.mp4", "--job-id", JOB, "--video", MODEL, *order)
    result, outputs = buyer.answer("jobs", "show", JOB)["result"], buyer.outputs(JOB)
    assert f"2 of 2 clips by {MODEL}" in said
    playback = player(buyer.folder / "film.mp4")
    assert playback.frames == result["frames"] == outputs["video_combination"]["frames"]
    assert all(finding["passed"] for finding in result["report"]["findings"])
    chosen = [(pair["first"]["name"], pair["last"]["name"]) for pair in outputs["image_pair_selection"]]
    assert ends(playback, outputs["sub_job_creation"], photos, scenes) == chosen
    assert [each["made_by"] for each in result["generated"]] == [MODEL, MODEL]
    assert [each["cost"] for each in bought(buyer)] == ["$0.80", "$0.80"]
    assert [charge.key is not None for charge in vendors.charges()] == [True, True]

    before, old = bought(buyer), player(buyer.folder / "film.mp4")
    vendors.tune(fps=25)  # another take: these vendors make the same of the same pictures
    buyer("jobs", "redo", JOB, "video_generation/1")
    buyer("resume")
    vendors.tune(fps=24)
    after = bought(buyer)
    assert len(vendors.charges()) == 3, "one clip was bought again, and nothing else"
    assert len(vendors.charges_by_key()) == 3
    assert after[0] == before[0]
    assert after[1]["footage"] != before[1]["footage"]
    assert player(buyer.folder / "film.mp4").frames == old.frames
    pieces = buyer.outputs(JOB)["video_combination"]["pieces"]
    was = outputs["video_combination"]["pieces"]
    changed = [one["kind"] for one, other in zip(was, pieces, strict=True) if one != other]
    assert changed.count("body") == 1

    again = buyer("run", "campaign", *photos, "-o", "same.mp4", "--job-id", "same", "--video", MODEL, *order)
    assert f"2 of 2 clips by {MODEL}" in again
    assert len(vendors.charges()) == 3, "the same order shows what was bought before"
    assert [each["shared"] for each in bought(buyer, "same")] == [True, True]


def ends(playback: Any, storyboard: Any, photos: list[Path], scenes: Any) -> list[tuple[str, str]]:
    """The photos that each clip begins and ends on."""
    plan = {"shots": []}
    for shot in storyboard["plan"]["shots"]:
        early, late = shot["lead"] + 8, shot["frames"] - shot["tail"] - 8
        told = {"blend_start": early, "blend_frames": late - early}
        plan["shots"].append({**shot, **told})
    found: list[tuple[str, str]] = scenes(playback, {"plan": plan}, photos)
    return found


def test_several_shapes_buy_the_footage_of_a_shape_once(
    buyer: Any, vendors: Simulator, photos: list[Path], player: Any
) -> None:
    """The model makes wide and upright footage: the square film shows that of the wide one."""
    buyer.env["GENLOCK_VIDEO"] = MODEL
    buyer(
        *("run", "campaign_set", *photos[:2], "-o", "film.mp4", "--job-id", JOB, "--pairs", 1),
        *("--resolution", "90p", "--clip-duration", 3.6, "--aspect", "1:1,16:9,9:16", "--skip-audio"),
    )
    films = buyer.answer("jobs", "show", JOB)["result"]["films"]
    assert [(film["width"], film["height"]) for film in films] == [(90, 90), (160, 90), (90, 160)]
    assert len(vendors.charges()) == 2
    square, wide, upright = (film["generated"][0]["footage"]["sha256"] for film in films)
    assert square == wide != upright
    for name in ("1x1", "16x9", "9x16"):
        assert player(buyer.folder / f"film-{name}.mp4").frames == films[0]["frames"]


def test_twelve_frames_a_clip_are_enough_for_a_proof(
    buyer: Any, vendors: Simulator, photos: list[Path], player: Any
) -> None:
    vendors.tune(frames=12, fps=24)
    try:
        buyer(
            *("run", "campaign", *photos, "-o", "film.mp4", "--job-id", JOB, "--pairs", 2, "--video", MODEL),
            *("--resolution", "90p", "--clip-duration", 0.4, "--transitions", "cut", "--skip-audio"),
        )
    finally:
        vendors.tune(frames=None)
    assert player(buyer.folder / "film.mp4").frames == 24
    assert len(vendors.charges()) == 2


def test_footage_that_is_no_film_fails_its_clip_and_what_no_model_can_make_is_not_asked_for(
    buyer: Any, vendors: Simulator, photos: list[Path]
) -> None:
    order = ("--pairs", 1, "--resolution", "90p", "--skip-audio")
    said = buyer(
        *("run", "campaign", *photos[:2], "-o", "no.mp4", "--job-id", "long", "--video", MODEL),
        *("--clip-duration", 10, *order),
        code=1,
    )
    assert "makes 4, 6, 8 s, and clip 0 lasts 10" in said
    assert "no longer than 8.8 s" in said
    said = buyer(
        *(
            "run",
            "campaign",
            *photos[:2],
            "-o",
            "no.mp4",
            "--job-id",
            "none",
            "--video",
            "replicate:none/such",
        ),
        *order,
        code=1,
    )
    assert "none/such is not among the video models" in said
    assert vendors.charges() == []
