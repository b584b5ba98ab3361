"""`genlock check`: any film, or the film of a job against its plan."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from films import GOOD, make

FAILED, REFUSED, ABSENT = 1, 2, 3
TINY = ("--pairs", 2, "--resolution", "180p", "--clip-duration", 1)


def lines(said: str) -> list[str]:
    return [line.rstrip() for line in said.splitlines()]


def test_a_film_from_anywhere_is_held_against_the_rules(genlock: Any) -> None:
    film = make(genlock.folder / "from elsewhere.mp4")
    first, *findings, last = lines(genlock("check", "from elsewhere.mp4"))
    assert first == str(film)
    assert last == "25 of 25 passed"
    assert all(line.startswith("✓ ") for line in findings)
    assert any(line.split() == ["✓", "frames", "150"] for line in findings)
    answer = genlock.answer("check", film)
    assert answer["passed"]
    assert len(answer["findings"]) == 25
    assert not genlock.home.exists(), "no home is needed to look at a film"


def test_what_is_wrong_is_marked_and_the_exit_code_says_so(genlock: Any) -> None:
    make(genlock.folder / "film.mp4", replace(GOOD, frozen=range(60, 100), gain=0.5))
    command = genlock.start("check", "film.mp4")
    assert command.wait() == FAILED
    said = lines(command.out)
    at = next(number for number, line in enumerate(said) if line.startswith("✗ freeze"))
    assert said[at].endswith("1.37 s from 1.97 s")
    assert said[at + 1].strip() == "wanted: 1 s at most, unless planned"
    assert any(line.startswith("✗ loudness") for line in said)
    assert "23 of 25 passed; not: freeze, loudness" in said
    assert said[-1] == "What was planned is not known: --job ID holds the film against a job's plan."


def test_a_film_without_sound_is_right_if_that_is_said(genlock: Any) -> None:
    make(genlock.folder / "mute.mp4", replace(GOOD, sound=False))
    genlock("check", "mute.mp4", "--skip-audio")
    assert genlock.start("check", "mute.mp4").wait() == FAILED


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\nfilm.mp4\n", b"<html>payment required</html>"])
def test_what_is_no_film_is_said_to_be_none(genlock: Any, content: bytes) -> None:
    (genlock.folder / "film.mp4").write_bytes(content)
    command = genlock.start("check", "film.mp4")
    assert command.wait() == FAILED
    assert "✗ file  no film that can be read" in command.out
    assert "0 of 1 passed; not: file" in command.out


def test_a_command_that_names_no_film_is_refused(genlock: Any) -> None:
    assert "say which film" in genlock("check", code=REFUSED)
    assert "nowhere.mp4 is not there" in genlock("check", "nowhere.mp4", code=REFUSED)
    assert "is no file" in genlock("check", ".", code=REFUSED)
    assert "nobody" in genlock("check", "--job", "nobody", code=ABSENT)


def test_the_film_of_a_job_is_held_against_its_plan(genlock: Any, photo: Any) -> None:
    photos = photo("two-dogs", "two-dogs-near", "wall-clock", "dandelion")
    genlock("run", "campaign", *photos, "-o", "film.mp4", "--job-id", "one", *TINY)
    genlock("run", "campaign", *photos, "--skip-audio", "--job-id", "mute", "--seed", 2, *TINY)
    assert lines(genlock("check", "--job", "one"))[-1].endswith("25 of 25 passed")
    assert genlock.answer("check", "film.mp4", "--job", "one")["passed"]
    assert genlock.answer("check", "--job", "mute")["passed"]
    shutil.copy(make(genlock.folder / "other.mp4"), genlock.folder / "film.mp4")
    command = genlock.start("check", "film.mp4", "--job", "one", "--json")
    assert command.wait() == FAILED
    assert '"name": "frames"' in command.out
    assert Path(genlock.folder / "film.mp4").exists()
