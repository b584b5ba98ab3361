"""What the engine costs beside the bare writing of its rows, and beside other engines doing the same work.

python benchmarks/engine.py                          # everything of genlock, medians of 5 rounds, a table
python benchmarks/engine.py --peers                  # beside DBOS, Luigi and Huey, which it installs
python benchmarks/engine.py --only fanout --sizes 10000 --rounds 1
python benchmarks/engine.py --small --json           # few of everything; one JSON object on stdout
python benchmarks/engine.py --out figures.json       # the object into a file, the table on the screen

Everything is measured on a new home on a disk, with synchronous=FULL, in a process of its own (`trial.py`
and `floor.py` say what exactly), once a round, so that a slow minute of the machine is shared by all.

`fanout`: a job of so many tasks that do nothing and one that gathers them. `peak_mb`: the most memory that
process had. `floor_ratio`: tasks a second, by those of the same rows written in bulk right before or after.
`chain_ms_per_stage`: jobs of ten stages each, one after another, by the number of stages. `raw_commit_ms`: a
commit of one row in that disk and minute. `resume_10000_ms`: a job of 10,000 tasks was killed when all
were done and the last stage had begun; from opening the ledger to that stage's first line. `wait_1000x1s_s`:
a job of 1,000 tasks that wait a second each. `peers`: the same work done by others (`contest.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from report import ROOT, publish, surroundings

PACKAGES = ("genlock", "SQLAlchemy", "pydantic")
PARTS = ("fanout", "chain", "resume", "wait")
STAGES = 10  # of a chain, as in trial.py
PATIENCE = 900.0  # seconds one measurement may take
Found = dict[str, Any]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """How many of everything."""

    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    chains: int = 100
    commits: int = 500
    finished: int = 10_000
    waits: int = 1_000


SMALL = Counts(sizes=(20, 300), chains=2, commits=20, finished=100, waits=20)


class Bench:
    """Runs the scripts of one benchmark on homes of their own, which are gone afterwards."""

    def __init__(self, folder: Path, counts: Counts, parts: Sequence[str]) -> None:
        self._folder, self.counts, self.parts = folder, counts, parts
        self.rounds: dict[str, list[Found]] = defaultdict(list)

    def round(self, number: int) -> None:
        """Everything once. What is held against each other is measured one right after the other, and
        every other round the other way round."""
        if "fanout" in self.parts:
            for size in self.counts.sizes:
                pair = [("trial", size), ("floor", size)]
                for script, count in pair if number % 2 else reversed(pair):
                    self._keep(f"{script} {size}", self._run(script, "fanout", count))
        if "chain" in self.parts:
            self._keep("commit", self._run("floor", "commit", self.counts.commits))
            self._keep("chain", self._run("trial", "chain", self.counts.chains))
        if "resume" in self.parts:
            self._keep("resume", self._resume())
        if "wait" in self.parts:
            self._keep("wait", self._run("trial", "wait", self.counts.waits))

    def seconds(self, name: str) -> float:
        """The middle of all rounds."""
        return median(found["seconds"] for found in self.rounds[name])

    def _keep(self, name: str, found: Found) -> None:
        self.rounds[name].append(found)

    def _run(self, script: str, what: str, count: int) -> Found:
        with self._home() as home:
            return run(script, what, count, home)

    def _resume(self) -> Found:
        """On a copy of what the kill left, which is the same in every round."""
        left = self._folder / "left"
        if not left.exists():
            leave(self.counts.finished, left)
        with self._home() as home:
            shutil.copytree(left, home)
            return run("trial", "resume", self.counts.finished, home)

    @contextmanager
    def _home(self) -> Iterator[Path]:
        home = self._folder / "home"
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


def run(script: str, what: str, count: int, home: Path) -> Found:
    """What a measurement says that has a process of its own."""
    command = command_of(script, what, count, home)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode:
        raise SystemExit(f"{script} {what} {count}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    found: Found = json.loads(done.stdout)
    return found


def leave(count: int, home: Path) -> None:
    """Kill a job in its last stage, all its tasks being done."""
    with subprocess.Popen(
        command_of("trial", "leave", count, home),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        os.killpg(process.pid, signal.SIGKILL)
    if not said or json.loads(said)["sum"] != count * (count - 1) // 2:
        raise SystemExit(f"a job of {count} tasks did not come to its last stage")


def command_of(script: str, what: str, count: int, home: Path) -> list[str]:
    path = Path(__file__).with_name(f"{script}.py")
    return [sys.executable, str(path), what, str(count), str(home)]


def main() -> int:
    """Exit code 0 if all was measured, whatever came of it."""
    given = arguments()
    table = sys.stderr if given.json else sys.stdout
    counts = SMALL if given.small else Counts()
    if given.sizes:
        counts = Counts(**{**vars(counts), "sizes": tuple(given.sizes)})
    load = os.getloadavg()[0]
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="genlock-engine-", dir=given.folder) as folder:
        bench = Bench(Path(folder), counts, given.only or PARTS)
        for number in range(given.rounds):
            bench.round(number)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
    figures = figures_of(bench)
    report = {
        **figures,
        "rounds": given.rounds,
        "load": {"before": round(load, 2), "after": round(os.getloadavg()[0], 2)},
        **surroundings(PACKAGES),
    }
    show(bench, figures, table)
    publish(report, as_json=given.json, out=given.out)
    return 0


def figures_of(bench: Bench) -> Figures:
    """Medians over the rounds; ratios are the medians of each round's own."""
    counts, figures = bench.counts, Figures()
    if "fanout" in bench.parts:
        figures["fanout"] = {str(size): fanout_of(bench, size) for size in counts.sizes}
    if "chain" in bench.parts:
        stages = counts.chains * STAGES
        figures["chain_ms_per_stage"] = round(bench.seconds("chain") / stages * 1e3, 3)
        figures["raw_commit_ms"] = round(bench.seconds("commit") / counts.commits * 1e3, 3)
    if "resume" in bench.parts:
        figures[f"resume_{counts.finished}_ms"] = round(bench.seconds("resume") * 1e3, 1)
    if "wait" in bench.parts:
        figures[f"wait_{counts.waits}x1s_s"] = round(bench.seconds("wait"), 3)
    return figures


def fanout_of(bench: Bench, size: int) -> Figures:
    ours, floor = bench.rounds[f"trial {size}"], bench.rounds[f"floor {size}"]
    seconds = bench.seconds(f"trial {size}")
    ratios = [bare["seconds"] / whole["seconds"] for whole, bare in zip(ours, floor, strict=True)]
    return {
        "tasks_per_s": round(size / seconds),
        "us_per_task": round(seconds / size * 1e6, 1),
        "peak_mb": round(max(found["peak_mb"] for found in ours), 1),
        "floor_ratio": round(median(ratios), 3),
    }


def show(bench: Bench, figures: Mapping[str, Any], table: TextIO) -> None:
    """The figures for people."""
    if "fanout" in figures:
        print("CPU of event loop, writer and readers in µs a task, and the floor beside it:", file=table)
        print(
            f"{'fan-out':>8}{'tasks/s':>9}{'µs':>9}{'loop':>7}{'writer':>7}{'readers':>8}", end="", file=table
        )
        print(f"{'MB':>7}{'floor/s':>9}{'ratio':>7}", file=table)
    for size, one in figures.get("fanout", {}).items():
        count, ours = int(size), bench.rounds[f"trial {size}"]
        cpu = {name: median(f["cpu_s"][name] for f in ours) / count * 1e6 for name in ours[0]["cpu_s"]}
        print(f"{count:>8,}{one['tasks_per_s']:>9,}{one['us_per_task']:>9,}", end="", file=table)
        print(f"{cpu['loop']:>7.0f}{cpu['writer']:>7.0f}{cpu['readers']:>8.0f}", end="", file=table)
        floor = count / bench.seconds(f"floor {size}")
        print(f"{one['peak_mb']:>7}{floor:>9,.0f}{one['floor_ratio']:>7}", file=table)
    for name, value in figures.items():
        if not isinstance(value, dict):
            print(f"{name:<26} {value}", file=table)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, or these")
    parser.add_argument("--sizes", type=int, nargs="+", help="of the fan-outs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="few of everything")
    parser.add_argument("--folder", type=Path, default=ROOT / "out", help="on the disk to be measured")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--out", type=Path, help="write the JSON object to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
