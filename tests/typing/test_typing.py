"""Wirings are checked by type checkers as a user's own would be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARK = re.compile(r"# error: ([a-z-]+)$")


def marked() -> dict[int, str]:
    lines = (HERE / "bad.py").read_text().splitlines()
    return {number: found[1] for number, line in enumerate(lines, 1) if (found := MARK.search(line))}


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy_errors() -> dict[str, dict[int, set[str]]]:
    out = run(sys.executable, "-m", "mypy", "--strict", "tests/typing/good.py", "tests/typing/bad.py")
    found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, line, code in re.findall(r"(\w+\.py):(\d+): error: .*\[([a-z-]+)\]", out):
        found[name][int(line)].add(code)
    assert "error:" not in out or found, out
    return found


def basedpyright_errors(tmp_path: Path) -> dict[str, dict[int, list[str]]]:
    files = [str(HERE / "good.py"), str(HERE / "bad.py")]
    project = tmp_path / "pyrightconfig.json"
    project.write_text(
        json.dumps({"include": files, "typeCheckingMode": "strict", "extraPaths": [str(HERE)]})
    )
    out = run(
        sys.executable,
        "-m",
        "basedpyright",
        "--project",
        str(project),
        "--pythonpath",
        sys.executable,
        "--outputjson",
    )
    found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in json.loads(out)["generalDiagnostics"]:
        if each["severity"] == "error":
            found[Path(each["file"]).name][each["range"]["start"]["line"] + 1].append(each["message"])
    return found


def test_mypy_accepts_the_good_wirings_and_refuses_each_bad_one_for_its_own_reason() -> None:
    errors, marks = mypy_errors(), marked()
    assert errors["good.py"] == {}
    assert len(marks) > 30
    assert errors["bad.py"].keys() == marks.keys()
    assert {line: code for line, code in marks.items() if code not in errors["bad.py"][line]} == {}


def test_basedpyright_accepts_the_good_wirings_and_refuses_the_same_bad_ones(tmp_path: Path) -> None:
    errors = basedpyright_errors(tmp_path)
    assert errors["good.py"] == {}
    assert errors["bad.py"].keys() == marked().keys()
