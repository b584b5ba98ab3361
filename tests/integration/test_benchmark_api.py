"""The benchmark of the API, with few of everything: what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_of_the_api_says_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "api.json"
    words = [
        "--seconds",
        "4",
        "--slice",
        "1",
        "--clients",
        "3",
        "--streams",
        "5",
        "--pairs",
        "2",
        "--resolution",
        "180p",
        "--json",
    ]
    command = [sys.executable, ROOT / "benchmarks" / "api.py", *words, "--folder", tmp_path, "--out", out]
    done = subprocess.run(map(str, command), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    assert (report["clients"], report["streams"]) == (3, 5)
    assert report["read_p99_ms"] >= report["read_p50_ms"] > 0
    assert report["bare_p99_ms"] >= report["bare_p50_ms"] > 0
    assert report["requests_per_s"] > 0
    assert report["events"] > 0
    assert (report["events_lost"], report["events_doubled"]) == (0, 0)
    assert {"mb_per_min", "machine", "versions", "commit", "load"} <= report.keys()
    assert "99 of 100 reads, by those of a bare route" in done.stderr
