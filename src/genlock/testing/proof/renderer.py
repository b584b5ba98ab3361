"""A warm process that forks rendering children: they have their libraries at once, and share nothing else.

Each is a process of its own, as always, under the same limits; it is only not started from nothing.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from genlock.errors import BadInput
from genlock.settings import bare_environment
from genlock.testing.proof.archive import Archive

SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}
LONGEST = 1 << 16  # bytes of what a child is told

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Renderer:
    """The warm process, listening at a socket until the end of the `with`. What was made once is handed out
    again from `archive`.
    """

    def __init__(self, place: Path, archive: Path) -> None:
        self._place, self._archive = place, archive
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's own id."""
        assert self._process is not None
        return self._process.pid

    def poll(self) -> int | None:
        """How the process ended; None if it goes on."""
        assert self._process is not None
        return self._process.poll()

    def __enter__(self) -> Self:
        self._place.unlink(missing_ok=True)  # whoever listened there is gone
        self._process = subprocess.Popen(
            [sys.executable, "-m", "genlock.testing.proof.renderer", str(self._place), str(self._archive)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**bare_environment(), **SINGLE},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"1\n":
            self._close()
            raise BadInput(
                "the libraries that render start threads when they are imported: none can be forked"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Forked:
    """A rendering child as `asyncio.subprocess.Process` would show it."""

    def __init__(self, pid: int, line: _Streams, streams: _Streams, stderr: asyncio.StreamReader) -> None:
        self.pid, self.returncode = pid, cast("int | None", None)
        self.stdout, self.stdin = streams
        self.stderr = stderr
        self._ended = asyncio.ensure_future(self._end(*line))

    async def _end(self, line: asyncio.StreamReader, ours: asyncio.StreamWriter) -> int:
        """The forker says how it ended."""
        with closing(ours):
            said = await line.readline()
        self.returncode = int(said or b"-9")
        return self.returncode

    def kill(self) -> None:
        """End it now. `ProcessLookupError` if it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Until it has ended."""
        return await asyncio.shield(self._ended)


async def fork_renderer(place: Path, settings: Mapping[str, Any]) -> asyncio.subprocess.Process:
    """Let the warm process at this socket fork a rendering child; the same face as a started one."""
    ours, theirs = socket.socketpair()
    said, theirs_said = socket.socketpair()
    line = socket.socket(socket.AF_UNIX)
    with theirs, theirs_said:
        line.connect(str(place))
        socket.send_fds(line, [json.dumps(settings).encode()], [theirs.fileno(), theirs_said.fileno()])
    told = await asyncio.open_connection(sock=line)
    pid = int(await told[0].readline())
    streams = await asyncio.open_connection(sock=ours)
    stderr, _ = await asyncio.open_connection(sock=said)
    return cast("asyncio.subprocess.Process", Forked(pid, told, streams, stderr))


# In the warm process


def main(place: Path, archive: Archive) -> None:
    """Import all, say how many threads that made, and fork whoever is asked for, until stdin closes."""
    from genlock.media import child
    from genlock.media.operation import MODULES
    from genlock.testing.proof.fork import threads

    child.load_libraries()
    for name in sorted(set(MODULES.values())):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    wake, awake = os.pipe()
    os.set_blocking(awake, False)
    signal.set_wakeup_fd(awake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(place))
        door.listen()
        print(threads(), flush=True)  # noqa: T201 - the answer to whoever started this
        _serve(door, wake, archive)


def _serve(door: socket.socket, wake: int, archive: Archive) -> None:
    """Whoever asks may be killed at any moment, and nobody else may notice. In the end no child is left."""
    lines: dict[int, socket.socket] = {}
    try:
        while True:
            ready, _, _ = select.select([0, door.fileno(), wake], [], [])
            if 0 in ready:
                return
            if door.fileno() in ready:
                _fork(door.accept()[0], door, lines, archive)
            if wake in ready:
                os.read(wake, LONGEST)
                _reap(lines)
    finally:
        for pid in lines:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(
    line: socket.socket, door: socket.socket, lines: dict[int, socket.socket], archive: Archive
) -> None:
    """A child for whoever is at the other end of `line`; none if that one is gone before it has said why."""
    try:
        text, pipes, _, _ = socket.recv_fds(line, LONGEST, 2)
    except ConnectionError:
        text, pipes = b"", []
    if not text:
        line.close()
        return
    settings = {**json.loads(text), "parent": os.getpid()}
    pid = os.fork()
    if pid == 0:
        for each in (line, door, *lines.values()):
            each.close()
        _render(settings, pipes, archive)
    lines[pid] = line
    for pipe in pipes:
        os.close(pipe)
    _tell(line, pid)


def _render(settings: Mapping[str, Any], pipes: list[int], archive: Archive) -> None:
    """In the child, for the rest of its life."""
    from genlock.media import child

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    both, said = pipes
    for pipe, place in ((both, 0), (both, 1), (said, 2)):
        os.dup2(pipe, place)
    for pipe in pipes:
        os.close(pipe)
    sys.argv = ["renderer", json.dumps(settings)]
    try:
        child.main(archive.perform)
    finally:
        os._exit(70)


def _reap(lines: dict[int, socket.socket]) -> None:
    """Tell of all that have ended."""
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with lines.pop(pid) as line:
            _tell(line, os.waitstatus_to_exitcode(status))


def _tell(line: socket.socket, number: int) -> None:
    with suppress(ConnectionError):  # whoever asked may be gone
        line.sendall(b"%d\n" % number)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Archive(Path(sys.argv[2])))
