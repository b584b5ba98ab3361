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
commit of one row on that disk in that minute. `resume_10000_ms`: a job of 10,000 tasks was killed when all
were done and the last stage had begun; from opening the ledger to that stage's first line. `wait_1000x1s_s`:
a job of 1,000 tasks that wait a second each. `peers`: the same work done by others (`contest.py`), and
`missing`: why a figure of theirs is null.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bars import show
from platformdirs import user_cache_path
from report import ROOT, publish, surroundings
from stopwatch import Found, Unmeasured, leave, run

if TYPE_CHECKING:
    from contest import Contest

PACKAGES = ("genlock", "SQLAlchemy", "pydantic")
PARTS = ("fanout", "chain", "resume", "wait")
STAGES = 10  # of a chain, as in trial.py
PATIENCE = 900.0  # seconds one measurement may take
MEMORY = ("tmpfs", "ramfs")  # no disks: a commit costs nothing there
Figures = dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """How many of everything; `compared` tasks are the fan-out of the peers."""

    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    chains: int = 100
    commits: int = 500
    finished: int = 10_000
    waits: int = 1_000
    compared: int = 1_000


SMALL = Counts(sizes=(20, 300), chains=2, commits=20, finished=100, waits=20, compared=50)


class Bench:
    """Runs the scripts of one benchmark on homes of their own, which are gone afterwards."""

    def __init__(self, folder: Path, counts: Counts, parts: Sequence[str]) -> None:
        self._folder, self.counts, self.parts = folder, counts, parts
        self.rounds: dict[str, list[Found]] = defaultdict(list)

    def round(self, number: int) -> None:
        """Everything once. What is held against each other is measured one right after the other, and
        every other round the other way round.
        """
        for part in self.parts:
            print(f"  {part}", file=sys.stderr, flush=True)
            for name, script, count in self._steps(part)[:: 1 if number % 2 else -1]:
                self.rounds[name].append(self._measure(script, part, count))

    def seconds(self, name: str) -> float:
        """The middle of all rounds."""
        return float(median(found["seconds"] for found in self.rounds[name]))

    def _steps(self, part: str) -> list[tuple[str, str, int]]:
        """What a part consists of: a name for what is found, the script, and how many."""
        counts = self.counts
        match part:
            case "fanout":
                return [(f"{one} {n}", one, n) for n in counts.sizes for one in ("trial", "floor")]
            case "chain":
                return [("chain", "trial", counts.chains), ("commit", "floor", counts.commits)]
            case "resume":
                return [("resume", "trial", counts.finished)]
            case _:
                return [("wait", "trial", counts.waits)]

    def _measure(self, script: str, part: str, count: int) -> Found:
        left = self._left(count) if part == "resume" else None
        with self._home(left) as home:
            what = "commit" if (script, part) == ("floor", "chain") else part
            return run(command_of(script, what, count, home), PATIENCE)

    def _left(self, count: int) -> Path:
        """What a kill leaves of a job whose tasks are all done, the last stage having begun."""
        left = self._folder / "left"
        if not left.exists():
            said = leave(command_of("trial", "leave", count, left), PATIENCE)
            if said["sum"] != count * (count - 1) // 2:
                raise Unmeasured(f"{count} tasks came to {said['sum']}")
        return left

    @contextmanager
    def _home(self, copy_of: Path | None) -> Iterator[Path]:
        home = self._folder / "home"
        if copy_of is not None:
            shutil.copytree(copy_of, home)
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


def command_of(script: str, what: str, count: int, home: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name(f"{script}.py")), what, str(count), str(home)]


def main() -> int:
    """Exit code 0 if all of genlock was measured, whatever came of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs in sessions of its own ends as well
    given = arguments()
    counts = SMALL if given.small else Counts()
    if given.sizes:
        counts = replace(counts, sizes=tuple(given.sizes))
    load = os.getloadavg()[0]
    given.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engine-", dir=given.folder)))
        bench = Bench(folder, counts, given.only or PARTS)
        contest = stack.enter_context(contest_of(given, counts, folder)) if given.peers else None
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
            bench.round(number)
            if contest is not None:
                contest.round()
    report = {
        **figures_of(bench),
        **peers_of(contest),
        "rounds": given.rounds,
        "load": {"before": round(load, 2), "after": round(os.getloadavg()[0], 2)},
        **surroundings(PACKAGES),
    }
    report["versions"] |= contest.versions if contest is not None else {}
    report["machine"]["filesystem"] = filesystem(given.folder)
    show(report, details_of(bench), sys.stderr if given.json else sys.stdout)
    publish(report, as_json=given.json, out=given.out)
    return 0


def contest_of(given: argparse.Namespace, counts: Counts, folder: Path) -> Contest:
    """Only now: it needs what the tests need."""
    from contest import Contest, Load

    load = Load(counts.compared, counts.chains, counts.finished)
    return Contest(folder, given.peers_dir, load, given.limit)


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


def details_of(bench: Bench) -> dict[str, dict[str, float]]:
    """What the table says beside the figures: the floor's speed, and CPU microseconds a task by thread."""
    details = {}
    for size in bench.counts.sizes if "fanout" in bench.parts else ():
        ours = bench.rounds[f"trial {size}"]
        cpu = {name: median(found["cpu_s"][name] for found in ours) / size * 1e6 for name in ours[0]["cpu_s"]}
        details[str(size)] = {**cpu, "floor": size / bench.seconds(f"floor {size}")}
    return details


def peers_of(contest: Contest | None) -> Figures:
    if contest is None:
        return {"peers": {}}
    missing = {name: dict(why) for name, why in contest.missing.items() if why}
    return {"peers": contest.figures(), **({"missing": missing} if missing else {})}


def filesystem(folder: Path) -> str:
    """What kind the disk is of on which a folder lies; Linux only."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    at = folder.resolve()
    found: Mapping[Path, str] = {
        Path(words[1]): words[2] for line in mounts.read_text().splitlines() if (words := line.split())
    }
    return found[next(place for place in (at, *at.parents) if place in found)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, or these")
    parser.add_argument("--sizes", type=int, nargs="+", help="of the fan-outs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="few of everything")
    parser.add_argument("--folder", type=Path, default=ROOT / "out", help="on the disk to be measured")
    parser.add_argument("--peers", action="store_true", help="measure the others too")
    parser.add_argument(
        "--peers-dir",
        type=Path,
        default=user_cache_path("genlock", appauthor=False) / "peers",
        help="where they are installed",
    )
    parser.add_argument("--limit", type=float, default=180.0, help="seconds a peer may take for one figure")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--out", type=Path, help="write the JSON object to this file")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if filesystem(given.folder) in MEMORY and not given.small:
        parser.error(f"{given.folder} is kept in memory: name a --folder on a disk")
    return given


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unmeasured as why:
        sys.exit(f"genlock could not be measured: {why}")
