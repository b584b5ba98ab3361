"""The commands as people run them: real processes on a real home, with a pipeline that only waits."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

DRIVER = '''
import asyncio, os, sys
from pathlib import Path
from pydantic import BaseModel
import genlock.bootstrap
from genlock import pipeline, stage, Permanent, Retry

class Order(BaseModel):
    """How many pieces of work, how long each takes, and where they are noted down."""
    count: int = 3
    pause: float = 0.05
    folder: str
    broken: int | None = None

class Piece(BaseModel):
    number: int
    order: Order

def note(order: Order, word: str) -> None:
    with open(Path(order.folder) / "done.txt", "a") as file:
        file.write(word + "\\n")

@stage
async def cut(order: Order) -> list[Piece]:
    note(order, "cut")
    return [Piece(number=n, order=order) for n in range(order.count)]

@stage(retry=Retry(attempts=1))
async def work(piece: Piece) -> int:
    await asyncio.sleep(piece.order.pause * (1 + piece.number))
    if piece.number == piece.order.broken and not (Path(piece.order.folder) / "mended").exists():
        raise Permanent("piece %d cannot be worked" % piece.number)
    note(piece.order, str(piece.number))
    return piece.number

@stage
async def glue(numbers: list[int], order: Order) -> int:
    note(order, "glue")
    return sum(numbers)

@pipeline
def slow(order: Order) -> int:
    """Works for a while."""
    return glue(work.map(cut(order)), order)

genlock.bootstrap.pipelines = lambda: {slow.name: slow}

from genlock.cli.main import main
main()
'''


class Shell:
    """Runs `genlock` on one home."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.driver = folder / "driver.py"
        self.driver.write_text(DRIVER)
        self.begun: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GENLOCK_", "PYTHONDONT"))}
        env |= {"GENLOCK_HOME": str(self.home)}
        child = subprocess.Popen(
            [sys.executable, str(self.driver), *words],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.begun.append(child)
        return child

    def __call__(self, *words: str, code: int = 0) -> str:
        child = self.start(*words)
        out, err = child.communicate(timeout=60)
        assert child.returncode == code, (out, err)
        return out if code == 0 else err

    def order(self, **fields: Any) -> list[str]:
        return [f"--set={k}={json.dumps(v)}" for k, v in ({"folder": str(self.folder)} | fields).items()]

    def done(self) -> list[str]:
        path = self.folder / "done.txt"
        return path.read_text().split() if path.exists() else []

    def committed(self) -> list[str]:
        """What the ledger holds as done, in the words of `done`: a body that ended may not be there yet."""
        with closing(sqlite3.connect(f"file:{self.home / 'ledger.db'}?mode=ro", uri=True)) as ledger:
            rows = ledger.execute("SELECT key FROM task WHERE state = 'done'").fetchall()
        return [key.rpartition("/")[2] for (key,) in rows]

    def show(self, job: str = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("jobs", "show", job or self.newest(), "--json"))
        return found

    def newest(self) -> str:
        return str(json.loads(self("jobs", "list", "--json"))[0]["id"])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    for child in shell.begun:
        if child.poll() is None:
            child.kill()
        child.communicate()


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def test_a_pipeline_that_is_not_there_is_answered_with_those_that_are(shell: Shell) -> None:
    assert "there is no pipeline 'nosuch'. Pipelines are: slow" in shell("run", "nosuch", code=3)


def test_a_run_says_its_id_first_then_how_it_goes_and_what_came_out(shell: Shell) -> None:
    out = shell("run", "slow", *shell.order())
    lines = out.splitlines()
    assert lines[0].startswith("job ")
    job = lines[0].removeprefix("job ").partition(":")[0]
    assert any(line.startswith("work 3/3 done") for line in lines)
    assert lines[-2].startswith(f"slow {job} completed in ")
    assert lines[-1].split() == ["result", "3"]
    assert "\x1b" not in out
    assert shell.done() == ["cut", "0", "1", "2", "glue"]
    assert shell.show()["state"] == "completed"
    assert [task["key"] for task in shell.show(job[:12])["tasks"]][:2] == ["cut", "work"]
    assert job in shell("jobs")
    assert "task.done" in shell("jobs", "events", job)


def test_a_failed_job_says_which_task_and_why_and_goes_on_after_a_retry(shell: Shell) -> None:
    said = shell("run", "slow", *shell.order(broken=1), code=1)
    assert "work/1 failed: piece 1 cannot be worked" in said
    job = shell.newest()
    assert f"genlock jobs retry {job}" in said
    assert "Permanent" in shell("jobs", "show", job)
    (shell.folder / "mended").touch()
    assert shell("jobs", "retry", job).startswith(f"{job} running")
    shell("resume", job)
    assert sorted(shell.done()) == sorted(["cut", "0", "2", "1", "glue"])
    assert shell("resume") == ""
    assert shell("resume", job).splitlines()[-1].split() == ["result", "3"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "slow"], 2, "folder"),
        (["run", "slwo"], 3, "there is no pipeline 'slwo'"),
        (["run", "slow", "--cuont=1"], 2, "--cuont"),
        (["jobs", "list", "--status=happy"], 2, "there is no state 'happy'"),
        (["jobs", "show", "none"], 3, "there is no job 'none'"),
        (["resume", "none"], 3, "there is no job 'none'"),
        (["graph", "none"], 3, "there is no job 'none'"),
    ],
)
def test_errors_are_a_sentence_and_an_exit_code(shell: Shell, words: list[str], code: int, said: str) -> None:
    err = shell(*words, code=code)
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_the_job_and_resume_redoes_nothing(shell: Shell, number: int) -> None:
    child = shell.start("run", "slow", *shell.order(count=4, pause=0.5))
    until(lambda: "0" in shell.done())
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 128 + number
    job = err.split()[0]
    assert f"Go on with: genlock resume {job}" in err
    assert f"genlock resume {job}" in shell_error(shell, "jobs", "show", job)
    shell("resume")
    assert sorted(shell.done()) == sorted(["cut", "0", "1", "2", "3", "glue"])


def shell_error(shell: Shell, *words: str) -> str:
    child = shell.start(*words)
    return child.communicate(timeout=60)[1]


def test_a_killed_run_goes_on_where_it_was(shell: Shell) -> None:
    child = shell.start("run", "slow", *shell.order(count=4, pause=0.5))
    until(lambda: "1" in shell.done())
    child.kill()
    child.communicate()
    kept = shell.committed()
    assert {"cut", "0"} <= set(kept)  # that was half a second before the end of 1
    shell("resume")
    assert set(shell.done()) == {"cut", "0", "1", "2", "3", "glue"}
    assert [shell.done().count(word) for word in kept] == [1] * len(kept)


def test_a_run_is_shown_and_cancelled_from_a_second_terminal(shell: Shell) -> None:
    child = shell.start("run", "slow", *shell.order(count=3, pause=10))
    until(lambda: "cut" in shell.done())
    found = shell.show()
    assert (found["state"], found["stage"]) == ("running", "work")
    assert shell("jobs", "cancel", found["id"], "--reason=enough") == f"{found['id']} cancelled\n"
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert f"{found['id']} cancelled" in out


def test_two_runs_on_one_home_both_finish(shell: Shell) -> None:
    one = shell.start("run", "slow", *shell.order(count=2, pause=0.5))
    until(lambda: "cut" in shell.done())
    two = shell.start("run", "slow", *shell.order(count=4, pause=0.6))
    assert "completed" in one.communicate(timeout=60)[0]
    out, err = two.communicate(timeout=60)
    assert two.returncode == 0, err
    assert out.splitlines()[-1].split() == ["result", "6"]


def test_a_run_beside_a_server_outlives_the_server(shell: Shell) -> None:
    server = shell.start("serve")
    assert server.stderr is not None
    until(lambda: (shell.home / "genlock.sock").exists())
    child = shell.start("run", "slow", *shell.order(count=6, pause=0.3))
    assert first_line(child).startswith("job ")
    until(lambda: "1" in shell.done())
    assert "genlock serve" in (shell.home / "lock").read_text()
    server.kill()
    server.communicate()
    kept = shell.committed()
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert "going on without it" in err
    assert out.splitlines()[-1].split() == ["result", "15"]
    assert set(shell.done()) == {"cut", "0", "1", "2", "3", "4", "5", "glue"}
    assert [shell.done().count(task) for task in kept] == [1] * len(kept)


def test_interrupting_a_client_leaves_the_job_to_the_server(shell: Shell) -> None:
    server = shell.start("serve")
    until(lambda: (shell.home / "genlock.sock").exists())
    child = shell.start("run", "slow", *shell.order(count=2, pause=0.7))
    until(lambda: "cut" in shell.done())
    child.send_signal(signal.SIGINT)
    assert "goes on without this command" in child.communicate(timeout=60)[1]
    until(lambda: "glue" in shell.done())
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=60)
    assert server.returncode == 0


def test_a_server_says_what_it_found_and_that_it_goes(shell: Shell) -> None:
    shell("run", "slow", "--detach", *shell.order())
    server = shell.start("serve")
    until(lambda: "glue" in shell.done())
    until(lambda: (shell.home / "genlock.sock").exists())
    refused = shell("serve", code=4)
    assert "owns" in refused
    assert str(server.pid) in refused
    assert "uses" in shell("clean", code=4)
    server.send_signal(signal.SIGTERM)
    err = server.communicate(timeout=60)[1]
    assert server.returncode == 0
    said = ["Checking for orphaned jobs from previous shutdown...", "Found 1 orphaned jobs, resuming"]
    said += ["Recovering job ", "Shutting down - pipelines will recover on restart"]
    assert [part in err for part in said] == [True] * 4
    again = shell.start("serve")
    until(lambda: (shell.home / "genlock.sock").exists())
    again.send_signal(signal.SIGTERM)
    assert "No orphaned jobs found" in again.communicate(timeout=60)[1]
    assert not (shell.home / "genlock.sock").exists()


def test_a_redo_is_previewed_then_done(shell: Shell) -> None:
    shell("run", "slow", *shell.order())
    job = shell.newest()
    plan = shell("jobs", "redo", job, "work/1", "--dry-run")
    assert [line.split() for line in plan.splitlines()] == [
        ["would", "run", "again", "work/1"],
        ["only", "if", "changed", "glue"],
        ["kept", "cut,", "work/0,2"],
    ]
    shell("jobs", "redo", job, "work/1")
    shell("resume")
    assert shell.done()[5:] == ["1"]  # the same number again, so nothing to glue anew


def test_a_paused_job_starts_nothing_until_it_is_resumed(shell: Shell) -> None:
    job = shell("run", "slow", "--detach", *shell.order()).strip()
    assert shell("jobs", "pause", job) == f"{job} paused\n"
    shell("resume")
    assert shell.done() == []
    shell("resume", job)
    assert "glue" in shell.done()


def test_the_same_job_id_is_started_once(shell: Shell) -> None:
    for _ in range(2):
        shell("run", "slow", "--job-id", "mine", *shell.order())
    assert shell.done() == ["cut", "0", "1", "2", "glue"]


def test_progress_as_json_is_one_object_a_line(shell: Shell) -> None:
    lines = [json.loads(line) for line in shell("run", "slow", "--json", *shell.order()).splitlines()]
    assert lines[0]["job"]["state"] in ("pending", "running")  # its first task may have begun with it
    assert lines[-1]["job"]["result"] == 3
    assert [line["event"]["seq"] for line in lines[1:-1]] == list(range(1, len(lines) - 1))


def test_a_pipeline_is_drawn_without_a_home(shell: Shell) -> None:
    assert "work" in shell("graph", "slow")
    assert json.loads(shell("graph", "slow", "--format", "json"))["pipeline"] == "slow"
    shell("graph", "slow", "-o", str(shell.folder / "graph.svg"))
    assert (shell.folder / "graph.svg").read_text().startswith("<svg")
    assert not shell.home.exists()


def test_a_clean_home_stays_as_it_is(shell: Shell) -> None:
    shell("run", "slow", *shell.order())
    assert shell("clean", "--dry-run") == "Would free 0 bytes in 0 files.\n"
    assert shell("clean") == "Freed 0 bytes in 0 files.\n"
