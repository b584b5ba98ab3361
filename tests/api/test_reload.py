"""`uvicorn … --factory --reload`: a file is touched, and the service goes on in a new process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.test_serving import GOES_ON, PATIENCE, TOKEN, asking, streaming, submitted, until_it_answers


@pytest.fixture
def reloading(genlock: Any, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server that begins anew when a file is touched, and that file."""
    watched = tmp_path / "code" / "mine.py"
    watched.parent.mkdir()
    watched.touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-m", "uvicorn", "genlock.api.app:create", "--factory", "--port", str(port)]
    env = {**genlock.env, "GENLOCK_ADMIN_TOKEN": TOKEN, "GENLOCK_CPU": "1"}
    process = subprocess.Popen(
        [sys.executable, *words, "--reload", "--reload-dir", str(watched.parent)],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}", watched
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def pid_of(url: str) -> int:
    until_it_answers(url)
    with asking(url, None) as anybody:
        return int(anybody.get("/health").json()["data"]["pid"])


def test_a_touched_file_brings_a_new_process_that_goes_on_with_all_jobs(
    reloading: tuple[str, Path], photo: Any
) -> None:
    url, watched = reloading
    first = pid_of(url)
    job = submitted(url, [str(path) for path in photo("dandelion", "fig-in-bowl", "forest-stream-near")])
    with streaming(url, job) as lines:
        next(lines)  # a stream is open, and keeps nobody from ending
        began = time.monotonic()
        watched.write_text("changed = True\n", encoding="utf-8")
        list(lines)
    assert time.monotonic() - began < PATIENCE
    while (second := pid_of(url)) == first:
        assert time.monotonic() - began < PATIENCE, "nobody began anew"
        time.sleep(0.1)
    with asking(url) as admin:
        assert admin.get("/ready").json()["data"]["ready"]
        assert admin.get(f"/api/v3/jobs/{job}").json()["data"]["state"] in GOES_ON
        admin.post(f"/api/v3/jobs/{job}/cancel")
    assert second != first
