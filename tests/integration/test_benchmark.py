"""The benchmark of the engine, with few of everything: what it says, and that its floor is an honest one."""

from __future__ import annotations

import ast
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
PEERS = [BENCHMARKS / "peer" / f"on_{package}.py" for package in ("dbos", "huey", "luigi")]
COUNT = 300  # tasks; more than one transaction of the floor ends


def python(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_benchmark_says_every_figure_as_json_and_as_a_table(tmp_path: Path) -> None:
    out = tmp_path / "figures" / "engine.json"
    words = ("--small", "--rounds", 1, "--json", "--folder", tmp_path, "--out", out)
    done = python(BENCHMARKS / "engine.py", *words)
    report = json.loads(done.stdout)
    assert json.loads(out.read_text()) == report
    assert list(report["fanout"]) == ["20", "300"]
    for one in report["fanout"].values():
        assert list(one) == ["tasks_per_s", "us_per_task", "peak_mb", "floor_ratio"]
        assert all(value > 0 for value in one.values())
        assert one["us_per_task"] == pytest.approx(1e6 / one["tasks_per_s"], rel=0.05)
    names = ("chain_ms_per_stage", "raw_commit_ms", "resume_100_ms", "wait_20x1s_s")
    assert all(report[name] > 0 for name in names)
    assert report["wait_20x1s_s"] >= 1.0
    assert report["peers"] == {}
    assert {"machine", "versions", "commit", "load", "rounds"} <= report.keys()
    assert "a sequential stage, in raw commits" in done.stderr
    assert list(tmp_path.iterdir()) == [out.parent], "its homes are gone"


def test_a_part_can_be_measured_alone(tmp_path: Path) -> None:
    words = ("--only", "fanout", "--sizes", 10, "--rounds", 1, "--small", "--json", "--folder", tmp_path)
    report = json.loads(python(BENCHMARKS / "engine.py", *words).stdout)
    assert list(report["fanout"]) == ["10"]
    assert "chain_ms_per_stage" not in report


def test_the_floor_writes_what_the_engine_writes(tmp_path: Path) -> None:
    """The same columns filled in the same number of rows, the same flags and counters, the same events."""
    for script in ("trial", "floor"):
        python(BENCHMARKS / f"{script}.py", "fanout", COUNT, tmp_path / script)
    assert written(tmp_path / "floor") == written(tmp_path / "trial")


def written(home: Path) -> dict[str, Any]:
    """What is in a ledger, apart from what differs from one run to the next: names, times, hashes."""
    connection = sqlite3.connect(home / "ledger.db")
    found: dict[str, Any] = {
        "events": connection.execute("SELECT kind, count(*), count(task) FROM event GROUP BY 1").fetchall(),
        "seq": connection.execute("SELECT max(seq) = count(*) FROM event").fetchall(),
        "edges": connection.execute("SELECT upstream, downstream, optional FROM edge").fetchall(),
        "outputs": connection.execute("SELECT key, item, output FROM task ORDER BY key").fetchall(),
    }
    for table in ("job", "task"):
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            filled = connection.execute(f"SELECT count({column}) FROM {table}").fetchone()
            small = f"SELECT {column}, count(*) FROM {table} WHERE {column} < 1000000 GROUP BY 1"
            numbers = connection.execute(small).fetchall() if kind == "INTEGER" else None
            found[f"{table}.{column}"] = filled, numbers
    connection.close()
    return found


@pytest.mark.parametrize("path", PEERS, ids=lambda path: path.stem)
def test_the_script_of_a_peer_can_do_all_that_is_compared(path: Path) -> None:
    """Without the peer: it is installed by the benchmark, in an environment of its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    compile(tree, path, "exec")
    drives = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "drive"
    ]
    package, trials = drives[0].args
    assert path.stem == f"on_{ast.literal_eval(package)}"
    assert isinstance(trials, ast.Dict)
    assert [ast.literal_eval(key) for key in trials.keys if key] == ["fanout", "chain", "leave", "resume"]


def test_each_peer_has_a_script() -> None:
    import contest

    assert sorted({peer.script for peer in contest.PEERS}) == PEERS


def test_what_is_not_finished_in_time_is_no_figure_and_is_ended() -> None:
    from stopwatch import Unmeasured, leave, run

    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(Unmeasured, match="not finished after 1 s"):
        run(sleep, 1)
    with pytest.raises(Unmeasured, match="had not begun after 1 s"):
        leave(sleep, 1)
    with pytest.raises(Unmeasured, match="exit code 1: it came to 3"):
        run([sys.executable, "-c", "raise SystemExit('it came to 3')"], 60)
    said = leave([sys.executable, "-c", "import time; print('{\"sum\": 3}', flush=True); time.sleep(60)"], 60)
    assert said == {"sum": 3}


def test_a_child_that_a_measurement_forgot_neither_holds_it_up_nor_outlives_it(tmp_path: Path) -> None:
    from stopwatch import run

    mark = tmp_path / "pid"
    forgetful = (
        "import os, time, pathlib, sys\n"
        "if os.fork() == 0:\n"
        f"    pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        f"while not (os.path.exists({str(mark)!r}) and os.path.getsize({str(mark)!r})): time.sleep(0.01)\n"
        "print('{\"seconds\": 1.5}')\n"
    )
    assert run([sys.executable, "-c", forgetful], 30) == {"seconds": 1.5}
    assert ends(int(mark.read_text()))


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone before long; a zombie only waits to be counted."""
    status, deadline = Path(f"/proc/{pid}/stat"), time.monotonic() + 10
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_the_table_says_which_bars_are_reached() -> None:
    from bars import lines

    fast = {"tasks_per_s": 10_000, "us_per_task": 100.0, "peak_mb": 90.0, "floor_ratio": 0.45}
    report = {
        "fanout": {"1000": fast, "10000": fast, "100000": {**fast, "us_per_task": 130.0}},
        "chain_ms_per_stage": 0.9,
        "raw_commit_ms": 0.3,
        "peers": {"dbos-sqlite": {"fanout_1000_tasks_per_s": 400.0}, "luigi": {"resume_10000_ms": None}},
        "missing": {"luigi": {"resume_10000_ms": "not finished after 180 s"}},
        "load": {"before": 1.0, "after": 1.0},
        "rounds": 5,
    }
    told = {line[:46].strip(): line[46:].split() for line in lines(report, {})}
    assert told["fan-out of 10,000, by the floor"] == ["0.45", "≥", "0.4", "reached"]
    assert told["... by DBOS, of 1,000"] == ["25", "≥", "20", "reached"]
    assert told["a task of 100,000, by one of 1,000"] == ["1.3", "≤", "1.2", "MISSED"]
    assert told["a sequential stage, in raw commits"][-1] == "reached"
    assert told["luigi resume_10000_ms"] == ["–", "not", "finished", "after", "180", "s"]
    assert "resuming 10,000 finished tasks, in ms" not in told, "what was not measured is not judged"
