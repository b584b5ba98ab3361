"""Several processes on one home while real clips are rendered."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from disk import files

SCENES = ("dandelion", "summit-sunset", "wall-clock", "two-dogs")
LONG = ("--pairs", 3, "--resolution", "720p", "--clip-duration", 10, "--transitions", "cut")
SHORT = ("--pairs", 2, "--resolution", "180p", "--clip-duration", 1)


@pytest.fixture
def run(genlock: Any, photo: Any) -> Any:
    """Starts `genlock run`, which tells its events."""

    def start(job: str, *words: object) -> Any:
        film = genlock.folder / f"{job}.mp4"
        return genlock.start(
            "run", "campaign", *photo(*SCENES), "-o", film, "--job-id", job, "--json", *words
        )

    return start


def rendering(process: Any) -> bool:
    """Whether a clip has frames already: its child process is deep in its work."""
    return any(
        event["kind"] == "task.progress" and (event["task"] or "").startswith("video_generation/")
        for event in process.events()
    )


def test_a_film_being_made_is_shown_and_cancelled_from_a_second_process(genlock: Any, run: Any) -> None:
    maker = run("film", *LONG)
    assert maker.until(lambda: rendering(maker))
    shown = genlock.answer("jobs", "show", "film")
    assert (shown["state"], shown["stage"]) == ("running", "video_generation")
    assert any(task["state"] == "running" and task["progress"] for task in shown["tasks"])
    assert len(maker.relatives()) > 1, "it renders in children"
    cancelling = genlock.start("jobs", "cancel", "film", "--reason", "wrong photos")
    assert cancelling.wait() == 0
    assert maker.wait(10) == 1  # long before its clips would be done
    assert maker.survivors() == []
    assert "cancelled" in cancelling.out
    assert not (genlock.folder / "film.mp4").exists()
    assert [path for path in files(genlock.home / "work") if path.suffix == ".mp4"] == []
    states = {task["state"] for task in genlock.answer("jobs", "show", "film")["tasks"]}
    assert "running" not in states
    assert "for good" in genlock("resume", "film", code=3)


def test_two_runs_at_once_on_one_home_both_finish(genlock: Any, run: Any, player: Any) -> None:
    makers = [run("one", *SHORT), run("two", *SHORT, "--seed", 7)]
    assert [maker.wait() for maker in makers] == [0, 0], [maker.err for maker in makers]
    for job in ("one", "two"):
        shown = genlock.answer("jobs", "show", job)
        assert shown["state"] == "completed"
        assert player(genlock.folder / f"{job}.mp4").frames == shown["result"]["frames"]
        events = genlock.events(job)
        done = [event["task"] for event in events if event["kind"] == "task.done"]
        assert len(done) == len(set(done)), "what one of them had finished the other did not do again"
        assert {"task.failed", "task.reclaimed"} & {event["kind"] for event in events} == set()


def test_a_run_beside_a_server_is_rendered_by_the_server(genlock: Any, run: Any) -> None:
    server = genlock.start("serve")
    assert server.until((genlock.home / "genlock.sock").exists)
    maker = run("film", *SHORT)
    assert maker.wait() == 0
    assert (genlock.folder / "film.mp4").is_file()
    holders = {e["data"]["holder"] for e in maker.events() if e["kind"] == "task.claimed"}
    assert {holder.partition("-")[0] for holder in holders} == {str(server.pid)}
    server.signal(signal.SIGTERM)
    assert server.wait(10) == 0
    assert server.survivors() == []


def test_a_run_takes_over_from_a_server_that_was_killed(genlock: Any, run: Any, player: Any) -> None:
    server = genlock.start("serve")
    assert server.until((genlock.home / "genlock.sock").exists)
    maker = run("film", "--pairs", 3, "--resolution", "360p", "--clip-duration", 4)
    assert maker.until_event("task.done", "video_generation/0")
    server.kill()
    assert maker.wait() == 0, maker.err
    assert "going on without it" in maker.err
    assert server.survivors() == []
    events = maker.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), (
        "none was missed or told twice"
    )
    done = [event["task"] for event in events if event["kind"] == "task.done"]
    assert len(done) == len(set(done))
    first = next(n for n, e in enumerate(events) if e["kind"] == "task.done" and e["task"].endswith("/0"))
    assert "video_generation/0" not in {e["task"] for e in events[first + 1 :]}
    result = json.loads(maker.lines[-1])["job"]["result"]
    assert player(genlock.folder / "film.mp4").frames == result["frames"]


def test_a_client_that_is_interrupted_leaves_its_film_to_the_server(genlock: Any, run: Any) -> None:
    server = genlock.start("serve")
    assert server.until((genlock.home / "genlock.sock").exists)
    maker = run("film", *SHORT)
    assert maker.until_event("task.done", "asset_collection")
    maker.signal(signal.SIGINT)
    assert maker.wait(5) == 130
    assert "goes on without this command" in maker.err
    film: Path = genlock.folder / "film.mp4"
    assert server.until(film.exists)
    genlock("resume")
    assert genlock.answer("jobs", "show", "film")["state"] == "completed"
