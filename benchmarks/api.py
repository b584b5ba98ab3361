"""Hundreds of clients read a job's status and hundreds more its events, while campaigns render beside them.

python benchmarks/api.py                       # a minute, a table
python benchmarks/api.py --seconds 600 --json  # ten minutes, one JSON object

Reads alternate, some seconds each, with reads of a bare FastAPI route that looks up one SQLite row, on the
same server with the same settings. Streams stay open and campaigns go on rendering in both.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, quantiles
from typing import Any

from bars import Bar
from command import Command
from report import ROOT, publish, surroundings

PACKAGES = ("genlock", "fastapi", "uvicorn", "starlette", "h11", "SQLAlchemy")
WITHIN = 60.0  # seconds in which a server listens
WARM = 0.25  # share of the time in which memory is not looked at yet
LOOK = 0.5  # seconds between two looks at it
SHOWN = 20  # of those looks


def main() -> int:
    """Exit code 0 if no event was lost."""
    given = arguments()
    table = sys.stderr if given.json else sys.stdout
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="genlock-api-", dir=given.folder) as folder:
        found, memory = measure(given, Path(folder))
    report = {**figures(given, found, memory), **surroundings(PACKAGES)}
    report["load"] = {"before": round(before, 2), "after": round(os.getloadavg()[0], 2)}
    for name in ("read_p50_ms", "read_p99_ms", "bare_p50_ms", "bare_p99_ms", "requests_per_s", "streams"):
        print(f"{name:<46}{report[name]:>10,.1f}", file=table)
    for name in ("events", "events_lost", "events_doubled", "streams_broken", "mb_per_min", "mb"):
        print(f"{name:<46}{report[name]:>10,.2f}", file=table)
    for bar in bars(report):
        print(bar, file=table)
    publish(report, as_json=given.json, out=given.out)
    return 1 if report["events_lost"] or report["events_doubled"] else 0


def bars(report: dict[str, Any]) -> Iterator[Bar]:
    yield Bar(
        "99 of 100 reads, by those of a bare route", report["read_p99_ms"] / report["bare_p99_ms"], most=10
    )
    yield Bar("events lost", report["events_lost"], most=0)
    yield Bar("memory, in MB a minute", report["mb_per_min"], most=1)


def figures(
    given: argparse.Namespace, found: dict[str, Any], memory: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """What was measured; times in milliseconds."""
    ours, bare = cuts(found["read_s"]), cuts(found["bare_s"])
    warm = [(at, mb) for at, mb in memory if at - memory[0][0] >= WARM * (memory[-1][0] - memory[0][0])]
    slope = linear_regression([at for at, _ in warm], [mb for _, mb in warm]).slope
    return {
        "clients": given.clients,
        "streams": given.streams,
        "seconds": given.seconds,
        "read_p50_ms": ours[49],
        "read_p99_ms": ours[98],
        "bare_p50_ms": bare[49],
        "bare_p99_ms": bare[98],
        "requests_per_s": round(len(found["read_s"]) / found["reading"], 1),
        "events": found["events"],
        "events_lost": found["lost"],
        "events_doubled": found["doubled"],
        "streams_broken": found["broken"],
        "mb_per_min": round(slope * 60, 3),
        "mb": round(warm[-1][1], 1),
        "mb_over_time": [round(mb, 1) for _, mb in memory[:: max(1, len(memory) // SHOWN)]],
        "campaigns": found["jobs"],
    }


def cuts(seconds: Sequence[float]) -> list[float]:
    return [round(1000 * cut, 2) for cut in quantiles(seconds, n=100, method="inclusive")]


def measure(given: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], list[tuple[float, float]]]:
    """What the load has found, and the server's memory over time (seconds, MB)."""
    token = secrets.token_urlsafe(32)
    settings = {"admin_token": token, "rate_requests": 0, "deadline": "PT12H", "main_every": "off"}
    with Command(folder, **settings) as command, bare(folder) as bare_port:
        server = command.start("serve", "--port", 0)
        server.until(lambda: "Listening on" in server.err, WITHIN)
        asked = {
            "port": int(re.findall(r"http://127.0.0.1:(\d+)", server.err)[-1]),
            "token": token,
            "bare_port": bare_port,
            "clients": given.clients,
            "streams": given.streams,
            "seconds": given.seconds,
            "slice": min(given.slice, given.seconds / 2),
            "order": order(given),
        }
        with watching(server.pid) as memory:
            words = [sys.executable, str(Path(__file__).with_name("load.py")), json.dumps(asked)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout), memory


def order(given: argparse.Namespace) -> dict[str, Any]:
    photos = sorted(str(path) for path in given.photos.glob("*.jpg"))
    params = {"photos": photos, "num_pairs": given.pairs, "resolution": given.resolution}
    return {"pipeline": "campaign", "params": params}


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """The route to compare with, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, str(Path(__file__).with_name("bare.py")), str(folder / "bare.db"), str(port)]
    process = subprocess.Popen(words)
    try:
        deadline = time.monotonic() + WITHIN
        while not _listens(port):
            assert process.poll() is None, "the bare route did not start"
            assert time.monotonic() < deadline, "the bare route does not listen"
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def watching(pid: int) -> Iterator[list[tuple[float, float]]]:
    """The memory that a process has for itself, in MB, looked at all the time."""
    seen: list[tuple[float, float]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            kb = sum(int(n) for n in re.findall(r"^(?:RssAnon|VmSwap):\s+(\d+)", status, flags=re.MULTILINE))
            seen.append((time.monotonic(), kb / 1024))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the API under load, while campaigns render.")
    parser.add_argument("--clients", type=int, default=200, help="who read a job's status all the time")
    parser.add_argument("--streams", type=int, default=500, help="event streams that are open")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--slice", type=float, default=5.0, help="seconds of one kind of reads in a row")
    parser.add_argument("--photos", type=Path, default=ROOT / "examples" / "photos")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--resolution", default="720p")
    parser.add_argument("--folder", type=Path, help="for homes, instead of the system's for temporary files")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
