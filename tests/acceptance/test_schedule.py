"""Schedules in the hands of a real server: they fire, survive it, and are steered beside it."""

from __future__ import annotations

import re
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

MAIN = "main_pipeline_v2"


@pytest.fixture
def serve(genlock: Any) -> Any:
    """Starts `genlock serve` with these settings on any port, and waits until it answers."""

    def start(*, answers: bool = True, **settings: object) -> Any:
        for name in [name for name in genlock.env if name == "GENLOCK_FAILPOINT"]:
            del genlock.env[name]
        genlock.env.update({f"GENLOCK_{name.upper()}": str(value) for name, value in settings.items()})
        process = genlock.start("serve", "--port", 0)
        if answers:
            assert process.until(lambda: "Listening on" in process.err), process.err
        return process

    return start


@pytest.fixture
def script(genlock: Any) -> Path:
    """A script called `daily`, named in the settings."""
    path: Path = genlock.folder / "daily.sh"
    path.write_text("#!/bin/sh\necho one film\n")
    path.chmod(0o755)
    genlock.env["GENLOCK_SCRIPTS"] = f"daily={path}"
    return path


def shown(genlock: Any, id: str = MAIN) -> Any:
    return genlock.answer("schedules", "show", id)


def test_a_server_runs_the_main_pipeline_and_says_so(genlock: Any, serve: Any, script: Path) -> None:
    server = serve(main_every="1s", main_pipeline="script:daily")
    assert server.until(lambda: server.err.count("Main Video Pipeline completed successfully") >= 2)
    for line in (
        "Main pipeline job registered successfully: main_pipeline_v2 (runs every 1 second)",
        "Running Main Video Pipeline",
        "Running script daily",
        "Output: one film",
        "script daily completed successfully",
    ):
        assert line in server.err
    table = genlock("schedules").splitlines()
    assert table[0].split("  ")[0] == "JOB ID"
    assert re.split(r"\s{2,}", table[1])[:5] == [
        MAIN,
        "Main Video Pipeline",
        "1s",
        "system",
        "main_pipeline",
    ]
    genlock("schedules", "pause", MAIN, "--reason", "enough")
    view = shown(genlock)
    assert (view["state"], view["reason"], view["nextAt"]) == ("paused", "enough", None)
    done = [each for each in view["firings"] if each["state"] == "succeeded"]
    assert len({each["job"] for each in done}) == len(done) >= 2
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0
    assert server.survivors() == []


def test_a_script_that_fails_is_told_in_the_log_and_in_the_history(
    genlock: Any, serve: Any, script: Path
) -> None:
    script.write_text("#!/bin/sh\necho broken >&2\nexit 7\n")
    server = serve(main_every="1s", main_pipeline="script:daily")
    assert server.until(lambda: "Main Video Pipeline is paused" in server.err)
    for line in ("script daily failed with code 7", "Error: broken", "Main Video Pipeline failed"):
        assert line in server.err
    view = shown(genlock)
    assert (view["state"], view["failures"]) == ("paused", 5)
    assert "failed with code 7" in view["firings"][0]["reason"]


def test_a_schedule_survives_its_server_with_its_next_run(genlock: Any, serve: Any, script: Path) -> None:
    first = serve(main_pipeline="script:daily")
    planned = shown(genlock)["nextAt"]
    genlock("schedules", "create", "script:daily", "--cron", "30 2 * * 0", "--id", "weekly")
    weekly = shown(genlock, "weekly")
    assert datetime.fromisoformat(weekly["nextAt"]).strftime("%a %H:%M") == "Sun 02:30"
    first.kill()
    second = serve()
    assert shown(genlock)["nextAt"] == planned
    assert shown(genlock, "weekly") == weekly
    assert "runs every 5 hours" in second.err


def test_what_the_main_pipeline_needs_is_said_and_it_runs_once_it_is_there(
    genlock: Any, serve: Any, script: Path
) -> None:
    server = serve(main_pipeline="script:nothing")
    assert "GENLOCK_MAIN_PIPELINE" in server.err
    refusal = genlock("schedules", "trigger", MAIN, code=3)
    assert "there is no script 'nothing'" in refusal
    assert "GENLOCK_MAIN_PIPELINE" in refusal
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0
    server = serve(main_pipeline="script:daily")
    assert shown(genlock)["state"] == "active"
    assert "started" in genlock("schedules", "trigger", MAIN)
    assert server.until(lambda: "Main Video Pipeline completed successfully" in server.err)
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0
    serve(main_every="off")
    assert genlock("schedules") == "No schedules.\n"


@pytest.mark.parametrize("point", ["fire:1:before", "fire:1:after"])
def test_a_server_that_is_killed_between_firing_and_starting_starts_one_job(
    genlock: Any, serve: Any, script: Path, point: str
) -> None:
    server = serve(main_pipeline="script:daily", main_every="2s", failpoint=point)
    assert server.wait() == -signal.SIGKILL
    serve(main_every="5h")
    server = genlock.begun[-1]
    assert server.until(lambda: "Main Video Pipeline completed successfully" in server.err)
    genlock("schedules", "pause", MAIN)
    firings = shown(genlock)["firings"]  # the one at which it died, and perhaps one that it missed then
    assert firings[-1]["state"] == "succeeded"
    assert len(firings) <= 2
    started = [each["job"] for each in firings if each["job"]]
    assert [job["id"] for job in genlock.answer("jobs", "list")] == started


def test_a_script_dies_with_the_server_that_is_killed(genlock: Any, serve: Any, script: Path) -> None:
    mark = genlock.folder / "pid"
    script.write_text(f"#!/bin/sh\nsetsid sh -c 'echo $$ > {mark}; exec sleep 600' &\nsleep 600\n")
    server = serve(main_pipeline="script:daily", main_every="1s")
    assert server.until(lambda: mark.exists() and mark.read_text().endswith("\n"))
    stray = Path("/proc", mark.read_text().strip(), "stat")
    assert stray.exists()
    server.signal(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    end = time.monotonic() + 20
    while running(stray):
        assert time.monotonic() < end, "it outlived the server"
        time.sleep(0.01)


def running(stat: Path) -> bool:
    """Whether a process is there and has not ended, by its file in /proc."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_jobs_of_schedules_are_not_started_by_other_commands(genlock: Any, script: Path) -> None:
    genlock("schedules", "create", "script:daily", "--every", "1s", "--id", "often")
    assert "completed" in genlock("run", "script", "--name", "daily", "--json")
    assert shown(genlock, "often")["firings"] == []
