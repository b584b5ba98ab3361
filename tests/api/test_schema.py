"""Schemathesis asks every route of the OpenAPI document for what it says, and for what it does not.

With `--prove`, thousands of cases; else two for each route.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from genlock.settings import bare_environment

TESTS = Path(__file__).resolve().parents[1]
TOKEN = "schema-token-of-the-admin-0123456789abcdef"
WITHIN = 60.0  # seconds in which the server answers
FEW, MANY = 100, 2000  # cases that are tried at least


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A home in service that lets everybody ask as often as they like."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = bare_environment() | {
        "GENLOCK_ADMIN_TOKEN": TOKEN,
        "GENLOCK_RATE_REQUESTS": "0",
        "GENLOCK_RATE_SIGN_INS": "0",
        "GENLOCK_MAIN_EVERY": "off",
    }
    words = [sys.executable, str(TESTS / "service.py"), str(tmp_path / "home"), str(port)]
    server = subprocess.Popen(words, env=env, cwd=tmp_path)
    url = f"http://127.0.0.1:{port}"
    try:
        until_it_answers(url)
        yield url
        assert server.poll() is None, "the server did not survive it"
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


def until_it_answers(url: str) -> None:
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            httpx2.get(f"{url}/health", trust_env=False)
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        else:
            return


def tried(url: str, folder: Path, *options: str) -> dict[str, Any]:
    """What schemathesis found, and on failure what it said."""
    report = folder / "report.json"
    command = [Path(sys.executable).with_name("st"), "--config-file", TESTS / "schemathesis.toml", "run"]
    command += [f"{url}/api/v3/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--checks", "all"]
    command += ["--seed", "1", "--continue-on-failure", "--no-color", "--request-timeout", "30", *options]
    command += ["--report", "json", "--report-json-path", report]
    env = os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    done = subprocess.run(map(str, command), capture_output=True, text=True, env=env, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def test_every_route_does_what_the_document_says(url: str, tmp_path: Path, prove: bool) -> None:
    if prove:
        options = ["--phases", "examples,coverage,fuzzing", "--max-examples", "10"]
    else:
        options = ["--phases", "examples,fuzzing", "--max-examples", "2", "--no-shrink"]
    found = tried(url, tmp_path, *options)
    assert (found["failures"], found["errors"]) == ([], [])
    assert found["operations"]["tested"] == found["operations"]["total"]
    assert found["test_cases"]["generated"] >= (MANY if prove else FEW)
