"""A campaign that is killed or interrupted: what `genlock resume` finds, and what it does again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

SCENES = ("dandelion", "summit-sunset", "wall-clock", "two-dogs", "forest-stream", "paint-brushes")
ORDER = ("--pairs", 4, "--resolution", "360p", "--clip-duration", 3)
KILLS = 4
SEED = 20


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> tuple[Any, Any]:
    """The same order undisturbed and killed at random moments: what came of it, and what was found after."""
    from ordeal import Ordeal, moments

    ordeal = Ordeal(tmp_path_factory.mktemp("ordeal"), [*photo(*SCENES), *ORDER], kills=KILLS)
    peace, pace, length = ordeal.in_peace()
    fire = ordeal.under_fire(moments(pace, length, KILLS, Random(SEED)), print)
    return peace, fire


def test_a_campaign_killed_at_random_moments_finishes_when_resumed(ordeal: Any) -> None:
    peace, fire = ordeal
    assert fire.kills >= KILLS // 2  # moments are drawn beforehand; a quicker run has ended at the last ones
    assert fire.outcome.frames == peace.frames
    assert fire.outcome.pieces == peace.pieces, "the same segments, to the last byte"
    assert fire.outcome.film == peace.film
    assert fire.outcome.passed, fire.outcome.checks


def test_nothing_that_was_done_before_a_kill_is_lost_or_done_again(ordeal: Any) -> None:
    _, fire = ordeal
    assert fire.lost == []
    assert fire.repeated == []
    done = Counter(event["task"] for event in fire.events if event["kind"] == "task.done")
    assert set(done.values()) == {1}
    clips = {task for task in done if task.startswith("video_generation/")}
    assert clips == {f"video_generation/{n}" for n in range(4)}


def test_how_soon_a_resumed_campaign_starts_its_first_task_is_found_in_its_log(ordeal: Any) -> None:
    """How soon is a benchmark's to say (`benchmarks/crash.py`): a busy machine is no fault of the code."""
    _, fire = ordeal
    assert len(fire.recovered_ms) >= fire.kills - 1
    assert all(0 < each < 60_000 for each in fire.recovered_ms)


def test_no_process_of_a_killed_campaign_is_left(ordeal: Any) -> None:
    _, fire = ordeal
    assert fire.survivors == []


def test_what_is_lost_or_done_again_would_be_noticed(ordeal: Any) -> None:
    """The counting itself: a history with a hole, and one in which a finished task is claimed again."""
    _, fire = ordeal
    done = next(event for event in fire.events if event["kind"] == "task.done")
    holed = replace(fire, events=[event for event in fire.events if event is not done])
    assert holed.lost == [f"task.done {done['task']} ({done['seq']})"]
    again = replace(
        fire, events=[*fire.events, {**done, "kind": "task.claimed"}], rendered_again=["segment x"]
    )
    assert again.repeated == [f"task.claimed {done['task']}", "segment x"]


@pytest.fixture
def maker(genlock: Any, photo: Any) -> Any:
    """A campaign that is rendering clips."""
    words = ("--pairs", 3, "--resolution", "540p", "--clip-duration", 4)
    film = genlock.folder / "film.mp4"
    process = genlock.start(
        "run", "campaign", *photo(*SCENES[:4]), "-o", film, "--job-id", "film", "--json", *words
    )
    assert process.until_event("task.done", "video_generation/0")
    assert len(process.relatives()) > 1
    return process


def claimed(genlock: Any) -> list[str]:
    return [event["task"] for event in genlock.events("film") if event["kind"] == "task.claimed"]


def finish(genlock: Any) -> list[str]:
    """Go on with the film to its end; the tasks that were claimed for that."""
    before = claimed(genlock)
    genlock("resume")
    assert (genlock.folder / "film.mp4").is_file()
    shown = genlock.answer("jobs", "show", "film")
    assert shown["state"] == "completed"
    assert all(finding["passed"] for finding in shown["result"]["report"]["findings"])
    return claimed(genlock)[len(before) :]


def test_children_and_scratch_of_a_parent_killed_alone_are_soon_gone(genlock: Any, maker: Any) -> None:
    os.kill(maker.pid, signal.SIGKILL)
    assert maker.wait() == -signal.SIGKILL
    assert maker.survivors() == []
    work: Path = genlock.home / "work"
    work.mkdir(exist_ok=True)
    (work / "left-behind.mp4").touch()  # the kill may have come between two segments, with nothing left
    assert "video_generation/0" not in finish(genlock)
    assert list(work.rglob("*")) == []


def test_ctrl_c_leaves_a_job_that_resume_continues_and_then_there_is_nothing_left_to_resume(
    genlock: Any, maker: Any
) -> None:
    os.killpg(maker.pid, signal.SIGINT)  # as a terminal does: parent and children alike
    assert maker.wait(15) == 130
    assert maker.survivors() == []
    assert "genlock resume film" in maker.err
    assert "video_generation/0" not in finish(genlock)
    assert {event["kind"] for event in genlock.events("film")} & {"task.failed", "task.reclaimed"} == set()

    again = genlock.start("resume")
    assert again.wait() == 0
    assert "nothing to resume" in again.out + again.err
    assert genlock.start("resume", "film").wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_terminated_gives_its_tasks_back(genlock: Any, maker: Any, number: int) -> None:
    maker.signal(number)
    assert maker.wait(15) == 128 + number
    assert maker.survivors() == []
    shown = genlock.answer("jobs", "show", "film")
    assert shown["state"] == "running"
    states = {task["key"]: task["state"] for task in shown["tasks"]}
    assert "running" not in states.values()
    assert states["video_generation/0"] == "done"


def test_a_clip_made_again_survives_a_kill_like_any_other(genlock: Any, maker: Any) -> None:
    assert maker.wait() == 0
    first, last = genlock.outputs("film"), maker.events()[-1]["seq"]
    genlock("jobs", "redo", "film", "video_generation/1")
    resuming = genlock.start("resume", "film", "--json")
    assert resuming.until(
        lambda: any(
            (event["kind"], event["task"]) == ("task.progress", "video_generation/1") and event["seq"] > last
            for event in resuming.events()
        )
    )
    resuming.kill()
    assert resuming.survivors() == []
    again = finish(genlock)
    downstream = ["video_combination", "audio_merging", "film_check", "video_storage"]
    assert again == ["video_generation/1", *downstream]
    second = genlock.outputs("film")
    assert {key for key in first if first[key] != second[key]} == {"video_generation/1", *downstream}
