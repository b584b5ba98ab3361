"""Where figures come from, and where they go."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def publish(report: Mapping[str, Any], *, as_json: bool, out: Path | None) -> None:
    """The report as one JSON object on stdout, and into a file, if those are wanted."""
    if as_json:
        print(json.dumps(report))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def surroundings(packages: Sequence[str]) -> dict[str, Any]:
    """The machine, the versions of what matters, and the commit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": processor(),
            "memory_gb": round(memory / 1e9, 1),
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **{name.lower(): version(name) for name in packages},
        },
        "commit": commit(),
    }


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str:
    """The commit this tree is at, marked if the sources differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout

    changed = git("status", "--porcelain", "--", "src").strip()
    return git("rev-parse", "HEAD").strip() + ("+changes" if changed else "")
