"""Kill a real campaign at many random moments, resume it each time, and count what was lost or done twice.

python benchmarks/crash.py                     # 20 kills, a table
python benchmarks/crash.py --kills 50 --json   # one JSON object
python benchmarks/crash.py --out figures.json  # the object into a file, the table on the screen
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

from ordeal import Ordeal, Outcome, Suffering, moments
from report import ROOT, publish, surroundings

PACKAGES = ("genlock", "av", "opencv-python-headless", "numpy", "SQLAlchemy")


def main() -> int:
    """Exit code 0 if nothing was lost, repeated or changed."""
    given = arguments()
    table = sys.stderr if given.json else sys.stdout
    order = [given.photos, "--pairs", given.pairs, "--clip-duration", given.clip_duration]
    order += ["--resolution", given.resolution, "--seed", given.seed]
    with tempfile.TemporaryDirectory(prefix="genlock-crash-") as folder:
        ordeal = Ordeal(Path(folder), order, kills=given.kills)
        peace, pace, length = ordeal.in_peace()
        print(f"undisturbed: {length:.1f} s, {peace.frames} frames, {len(peace.pieces)} segments", file=table)
        chosen = moments(pace, length, given.kills, Random(given.seed))
        fire = ordeal.under_fire(chosen, lambda line: print(line, file=table, flush=True))
    figures = count(peace, fire)
    report = {
        **figures,
        "order": order_of(given),
        "undisturbed_seconds": round(length, 2),
        **surroundings(PACKAGES),
    }
    for name, value in figures.items():
        print(f"{name:<24} {json.dumps(value)}", file=table)
    publish(report, as_json=given.json, out=given.out)
    return 0 if sound(figures) else 1


def count(peace: Outcome, fire: Suffering) -> dict[str, Any]:
    """The figures; `lost`, `repeated` and `survivors` are to be 0, the others true."""
    for what in (*fire.lost, *fire.repeated, *fire.survivors):
        print(what, file=sys.stderr)
    return {
        "kills": fire.kills,
        "lost": len(fire.lost),
        "repeated": len(fire.repeated),
        "survivors": len(fire.survivors),
        "resumed_first_task_ms": spread(fire.recovered_ms),
        "frames_same": fire.outcome.frames == peace.frames,
        "segments_same": fire.outcome.pieces == peace.pieces,
        "film_same": fire.outcome.film == peace.film,
        "film_check": fire.outcome.passed,
        "checks": fire.outcome.checks,
    }


def sound(figures: Mapping[str, Any]) -> bool:
    """Whether the proof holds."""
    none = all(figures[name] == 0 for name in ("lost", "repeated", "survivors"))
    return none and all(figures[name] for name in ("frames_same", "segments_same", "film_check"))


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, 99th percentile and greatest, rounded to a tenth."""
    if not values:
        return {"p50": None, "p99": None, "max": None, "of": 0}
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    named = {"p50": cuts[49], "p99": cuts[98], "max": max(values)}
    return {**{name: round(value, 1) for name, value in named.items()}, "of": len(values)}


def order_of(given: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(given, name) for name in ("pairs", "clip_duration", "resolution", "seed")}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill a campaign again and again; count what it cost.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the moments and of the film")
    parser.add_argument("--photos", type=Path, default=ROOT / "examples" / "photos")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--clip-duration", type=float, default=4.0, help="seconds")
    parser.add_argument("--resolution", default="360p")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
