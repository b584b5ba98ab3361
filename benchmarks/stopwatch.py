"""Measurements in processes of their own, which say what they found as a line of JSON.

What they say goes into files and not through pipes, which a child they forgot could keep open; and such
children are killed with them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

LOOK = 0.005  # seconds between two looks at a process that is to be killed
Found = dict[str, Any]


class Unmeasured(Exception):
    """There is no figure, and this is why."""


def run(command: Sequence[str], limit: float) -> Found:
    """What a measurement found. `Unmeasured` if it failed, or took more seconds than it may."""
    with _started(command) as (process, said, complained):
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Unmeasured(f"not finished after {limit:.0f} s") from None
        if code:
            raise Unmeasured(f"exit code {code}: {_last_line(complained)}")
        found: Found = json.loads(_last_line(said))
    return found


def leave(command: Sequence[str], limit: float) -> Found:
    """What a process says in its first line; then it is killed, and leaves what is on the disk."""
    with _started(command) as (process, said, complained):
        deadline = time.monotonic() + limit
        while not (text := _text(said)).endswith("\n"):
            if process.poll() is not None:
                raise Unmeasured(f"exit code {process.poll()}: {_last_line(complained)}")
            if time.monotonic() > deadline:
                raise Unmeasured(f"its last stage had not begun after {limit:.0f} s")
            time.sleep(LOOK)
    found: Found = json.loads(text)
    return found


@contextmanager
def _started(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """A process in a session of its own, of which nothing is left afterwards."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=complained, start_new_session=True
        )
        try:
            yield process, said, complained
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _last_line(file: IO[bytes]) -> str:
    return _text(file).rstrip().rpartition("\n")[2]
