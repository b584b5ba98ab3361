"""The parent's side of the fork server: a warm process from which rendering children are forked.

A child needs a third of a second of a core to load its libraries, and forked ones need it once for all of
them. What replaces a child that died, hung or was called off is there in some milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, closing, suppress
from typing import BinaryIO, cast

from genlock.errors import NoRenderer
from genlock.media.launch import Settings, environment

_FAREWELL = 1.0
_TAIL = 8 * 1024
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ForkServer:
    """The warm process of one pool, started when it is first needed, and anew if it has ended."""

    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._said: BinaryIO | None = None

    async def prepare(self, settings: Settings) -> bool:
        await self._door(settings)
        return True

    async def launch(self, settings: Settings) -> asyncio.subprocess.Process:
        for _ in range(2):  # it may have been killed since it was last asked
            door = await self._door(settings)
            try:
                return await ask(door, settings)
            except ConnectionError:
                await self._let_go(door)
        raise NoRenderer(f"no rendering process can be started; the last words of one:\n{self._tail()}")

    async def close(self) -> None:
        if self._control is not None:
            await self._let_go(self._control)
        if self._said is not None:
            self._said.close()
            self._said = None

    async def _door(self, settings: Settings) -> socket.socket:
        """Where children are asked for. What is asked before the process has loaded waits there."""
        async with self._starting:
            if self._control is None:
                self._control = await self._start(settings)
            return self._control

    async def _start(self, settings: Settings) -> socket.socket:
        if self._said is None:
            self._said = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the server
        self._said.seek(0)
        self._said.truncate()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "genlock.media.forkserver",
                json.dumps(settings),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=self._said,
                env=environment(),
            )
        return ours

    async def _let_go(self, door: socket.socket) -> None:
        """The process behind this door ends, and its children with it."""
        async with self._starting:
            if self._control is not door:  # somebody else has seen to it
                return
            self._control = None
            door.close()
            assert self._process is not None
            try:
                async with asyncio.timeout(_FAREWELL):
                    await self._process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()

    def _tail(self) -> str:
        if self._said is None:  # closed by another, who was tired of waiting
            return ""
        end = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, end - _TAIL))
        return self._said.read().decode(errors="replace").strip()


async def ask(door: socket.socket, settings: Settings) -> asyncio.subprocess.Process:
    """A child of the process behind this socket, with the face of one that was started here.

    `ConnectionError` if there is no such process any more.
    """
    with ExitStack() as ours:
        line, its_line = socket.socketpair()
        both, its_both = socket.socketpair()
        end, its_end = os.pipe()
        said = ours.enter_context(os.fdopen(end, "rb", 0))
        for mine in (line, both):
            ours.enter_context(mine)
        with its_line, its_both, os.fdopen(its_end, "wb", 0):
            told = json.dumps(settings).encode()
            socket.send_fds(door, [told], [its_line.fileno(), its_both.fileno(), its_end])
        answers = await asyncio.open_connection(sock=line)
        ours.callback(answers[1].close)
        pid = int(await answers[0].readline() or b"0")
        if not pid:
            raise ConnectionError("the fork server has ended")
        streams = await asyncio.open_connection(sock=both)
        ours.callback(streams[1].close)
        stderr = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stderr), said)
        ours.pop_all()  # asyncio closes them from here on
        return cast("asyncio.subprocess.Process", Forked(pid, answers, streams, stderr))


class Forked:
    """A forked child as `asyncio.subprocess.Process` would show it."""

    def __init__(self, pid: int, line: _Streams, streams: _Streams, stderr: asyncio.StreamReader) -> None:
        self.pid, self.returncode = pid, cast("int | None", None)
        self.stdout, self.stdin = streams
        self.stderr = stderr
        self._ended = asyncio.ensure_future(self._end(*line))

    async def _end(self, line: asyncio.StreamReader, ours: asyncio.StreamWriter) -> int:
        """The server says how it ended; that it is gone with all its children, by saying nothing."""
        with closing(ours):
            said = await line.readline()
        self.returncode = int(said or b"%d" % -signal.SIGKILL)
        return self.returncode

    def kill(self) -> None:
        """End it now. `ProcessLookupError` if it has ended: its number is kept for it until that is known."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Until it has ended."""
        return await asyncio.shield(self._ended)
