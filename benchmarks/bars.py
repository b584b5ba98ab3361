"""The figures of the engine for people, and the bars that they are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

Report = Mapping[str, Any]
WIDTHS = (8, 10, 11, 10, 10, 10, 9, 12, 8)  # of the columns


@dataclass(frozen=True)
class Bar:
    """What is to be reached: no less than `least`, or no more than `most`."""

    what: str
    found: float
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        met = (self.least is None or self.found >= self.least) and (
            self.most is None or self.found <= self.most
        )
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return f"{self.what:<46}{self.found:>10.3g}   {bound:<8} {'reached' if met else 'MISSED'}"


def bars_of(report: Report) -> Iterator[Bar]:
    """Those for which there are figures."""
    fanout: Mapping[str, Mapping[str, float]] = report.get("fanout", {})
    if "10000" in fanout:
        yield Bar("fan-out of 10,000, by the floor", fanout["10000"]["floor_ratio"], least=0.4)
        dbos = [peer for name, peer in report["peers"].items() if name.startswith("dbos")]
        speeds = [speed for peer in dbos if (speed := peer.get("fanout_1000_tasks_per_s"))]
        if speeds:
            yield Bar("... by DBOS, of 1,000", fanout["10000"]["tasks_per_s"] / max(speeds), least=20)
    if {"1000", "100000"} <= fanout.keys():
        growth = fanout["100000"]["us_per_task"] / fanout["1000"]["us_per_task"]
        yield Bar("a task of 100,000, by one of 1,000", growth, most=1.2)
    if fanout:
        yield Bar("memory at most, in MB", max(one["peak_mb"] for one in fanout.values()), most=250)
    if "resume_10000_ms" in report:
        yield Bar("resuming 10,000 finished tasks, in ms", report["resume_10000_ms"], most=100)
    if "chain_ms_per_stage" in report:
        commits = report["chain_ms_per_stage"] / report["raw_commit_ms"]
        yield Bar("a sequential stage, in raw commits", commits, most=3)
    if "wait_1000x1s_s" in report:
        yield Bar("1,000 waits of a second, in s", report["wait_1000x1s_s"], most=1.3)


def show(report: Report, details: Mapping[str, Mapping[str, float]], table: TextIO) -> None:
    """Ours, the floor, the peers, and the bars. `details` are told in the table alone."""
    for line in lines(report, details):
        print(line, file=table)


def lines(report: Report, details: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The table."""
    if details:
        over = (
            (18, ""),
            (41, "a task takes, and CPU in µs of"),
            (9, "at most"),
            (12, "the floor"),
            (8, "ratio"),
        )
        yield "".join(f"{head:>{width}}" for width, head in over)
        yield row("fan-out", "tasks/s", "µs", "loop", "writer", "readers", "MB", "tasks/s", "")
    for size, more in details.items():
        one = report["fanout"][size]
        cells = [f"{int(size):,}", f"{one['tasks_per_s']:,}", f"{one['us_per_task']:,.1f}"]
        cells += [f"{more[name]:,.0f}" for name in ("loop", "writer", "readers")]
        cells += [f"{one['peak_mb']:,.1f}", f"{more['floor']:,.0f}", f"{one['floor_ratio']:.3f}"]
        yield row(*cells)
    for name, value in report.items():
        if name.endswith(("_ms", "_per_stage", "_s")):
            yield f"{name:<46}{value:>10,.3f}"
    yield from peer_lines(report)
    yield from map(str, bars_of(report))
    load = report["load"]
    yield f"medians of {report['rounds']} rounds; load {load['before']} before, {load['after']} after"


def row(*cells: str) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def peer_lines(report: Report) -> Iterator[str]:
    """What each peer came to, and what ours is by that."""
    for name, peer in report["peers"].items():
        for key, value in peer.items():
            title = f"{name} {key}"
            if value is None:
                yield f"{title:<46}{'–':>10}   {report['missing'][name][key]}"
                continue
            ours = own(report, key)
            beside = f"   ours is {ours / value:,.3g} times that" if ours else ""
            yield f"{title:<46}{value:>10,.3f}{beside}"


def own(report: Report, key: str) -> float | None:
    """Our figure for the same."""
    if key.startswith("fanout_"):
        size = key.split("_")[1]
        speed = report.get("fanout", {}).get(size, {}).get("tasks_per_s")
        return None if speed is None else float(speed)
    return report.get(key)
