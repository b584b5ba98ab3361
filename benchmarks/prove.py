"""Prove a campaign with `genlock prove`, at every point, and write the figures down with their origin.

python benchmarks/prove.py                          # all points, three providers
python benchmarks/prove.py --sample 20 --pairs 3    # options are those of `genlock prove`
python benchmarks/prove.py --random 200 --out docs/figures/prove.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from report import publish, surroundings

PACKAGES = ("genlock", "SQLAlchemy", "httpx2", "av")


def main() -> int:
    """Exit code 0 if nothing was found."""
    given, options = arguments()
    program = str(Path(sys.executable).with_name("genlock"))
    done = subprocess.run(
        [program, "prove", *options, "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    if not done.stdout:
        return done.returncode
    figures = json.loads(done.stdout)
    for run in figures["runs"]:
        print(json.dumps({name: value for name, value in run.items() if name != "findings"}))
        for finding in run["findings"]:
            print(f"  {finding['trial']}: {'; '.join(finding['complaints'])}", file=sys.stderr)
    publish({**figures, **surroundings(PACKAGES)}, as_json=False, out=given.out)
    return done.returncode


def arguments() -> tuple[argparse.Namespace, list[str]]:
    """Ours, and those that are handed on."""
    parser = argparse.ArgumentParser(description="Prove a campaign; all other options are `genlock prove`'s.")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    return parser.parse_known_args()


if __name__ == "__main__":
    sys.exit(main())
