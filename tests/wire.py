"""A server that says exactly what it is told to, byte by byte, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Act = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """Answers each request with the next of `acts`, the last again and again. `got` holds whole requests,
    `connections` counts them.
    """

    acts: list[Act]
    got: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        if not self._writers:
            self._empty.set()
        for writer in self._writers:
            writer.close()
        await self._empty.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self._empty.clear()
        try:
            while request := await _request(reader):
                self.got.append(request)
                await self.acts[min(len(self.got), len(self.acts)) - 1](request, writer)
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            if not self._writers:
                self._empty.set()


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)


def says(status: int, body: bytes | str = b"{}", **headers: str) -> Act:
    """A whole answer; names of headers with _ for -."""
    data = body.encode() if isinstance(body, str) else body
    given = {"content-type": "application/json", **{n.replace("_", "-"): v for n, v in headers.items()}}
    lines = [f"HTTP/1.1 {status} X", *(f"{n}: {v}" for n, v in given.items()), f"content-length: {len(data)}"]

    async def act(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await writer.drain()

    return act


def repeats(status: int) -> Act:
    """An answer that has all of the request in it, headers included, as careless servers have."""

    async def act(request: bytes, writer: asyncio.StreamWriter) -> None:
        text = request.decode("latin-1").replace("\\", "").replace('"', "'").replace("\r\n", " | ")
        await says(status, f'{{"detail": "{text}"}}')(request, writer)

    return act


async def hangs(_: bytes, writer: asyncio.StreamWriter) -> None:
    """No answer."""
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def closes(_: bytes, writer: asyncio.StreamWriter) -> None:
    """The connection is closed instead of an answer."""
    writer.close()


async def resets(_: bytes, writer: asyncio.StreamWriter) -> None:
    """The connection is reset instead of an answer."""
    plug: socket.socket = writer.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def halves(_: bytes, writer: asyncio.StreamWriter) -> None:
    """The answer breaks off."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"id": "x')
    await writer.drain()
    writer.close()


async def dribbles(_: bytes, writer: asyncio.StreamWriter) -> None:
    """An answer that never ends, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def babbles(_: bytes, writer: asyncio.StreamWriter) -> None:
    """Something that is no HTTP."""
    writer.write(b"220 mail.example ESMTP ready\r\n\r\n")
    await writer.drain()
    writer.close()
