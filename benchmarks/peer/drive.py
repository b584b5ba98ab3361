"""How a peer's script is called and answers, as `trial.py` does for genlock; for any interpreter.

python on_dbos.py fanout 1000 PLACE   # a new folder, or the URL of an empty database
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version

STAGES = 10  # of a chain
Trial = Callable[[int, str], float]


def drive(package: str, trials: Mapping[str, Trial]) -> None:
    """Do what the command line says and print a line of JSON: the seconds it took, and which version it was.

    Ends the process at once, whatever threads the peer would still wait for.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("trial", choices=trials)
    parser.add_argument("count", type=int)
    parser.add_argument("place")
    given = parser.parse_args()
    seconds = trials[given.trial](given.count, given.place)
    print(json.dumps({"seconds": seconds, "version": version(package)}), flush=True)
    sys.stderr.flush()
    os._exit(0)


def check(found: object, expected: object) -> None:
    """That the work was done: a figure for something else is none."""
    if found != expected:
        raise SystemExit(f"it came to {found}, not {expected}")


def total(count: int) -> int:
    """What a fan-out over so many numbers comes to."""
    return count * (count - 1) // 2


def begun(count: int) -> None:
    """Say that the last stage has begun with everything before it done: now this process may be killed."""
    print(json.dumps({"sum": total(count)}), flush=True)
