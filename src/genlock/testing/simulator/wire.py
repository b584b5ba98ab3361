"""HTTP/1.1 on a loopback socket, in full command of the connection: it can be cut anywhere."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

_READ = 256 * 1024
_LARGEST = 64 * 1024 * 1024  # a request with two pictures of 20 MiB in base64
_LINGER_RESETS = struct.pack("ii", 1, 0)  # closing then sends RST, as a process that died does
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent: the names of its headers are in lower case, its path is decoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Reply:
    """What is answered. `cut` is after how many bytes of the body the connection breaks off; `reset` answers
    nothing at all.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False


Answer = Callable[[Request], Awaitable[Reply]]


def json_reply(content: Any, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON; `retry_after="3"` is the header Retry-After."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, {"content-type": "application/json", **named})


class Listener:
    """Listens on one port of the loopback interface; `shut` makes it refuse connections for a while."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self._answer = answer
        self.port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._reopening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bind and listen; the port is known afterwards."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((LOOPBACK, self.port))
        except OSError:
            bound.close()
            raise
        self.port = bound.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=bound, backlog=1024)

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._reopening is not None:
            self._reopening.cancel()
        self.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def close(self) -> None:
        """Stop listening; the port is kept for `start`."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def shut(self, seconds: float) -> None:
        """Refuse connections for so long by the machine's clock, and drop those that are open."""
        self.close()
        here = asyncio.current_task()
        for task in self._open - {here}:
            task.cancel()
        if self._reopening is not None:
            self._reopening.cancel()
        self._reopening = asyncio.get_running_loop().create_task(self._reopen(seconds))

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.start()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await _Connection(reader, writer).serve(self._answer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            writer.transport.abort()  # the client left, or the simulator stops: nobody is told
        finally:
            self._open.discard(task)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)

    async def serve(self, answer: Answer) -> None:
        """Answer one request after the other until the client or a cut ends it."""
        try:
            while (request := await self._receive()) is not None:
                await self._send(await answer(request), request.method)
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._refuse(error)
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send(Reply(error.error_status_hint, str(error).encode(), {}), "GET")

    async def _receive(self) -> Request | None:
        head: h11.Request | None = None
        parts: list[bytes] = []
        size = 0
        while True:
            event = await self._event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                size += len(event.data)
                if size > _LARGEST:
                    raise h11.RemoteProtocolError("the request is too large", error_status_hint=413)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, b"".join(parts))
            else:
                return None

    async def _event(self) -> Any:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            self._http.receive_data(await self._reader.read(_READ))

    async def _send(self, reply: Reply, method: str) -> None:
        if reply.reset:
            self._reset()
            return
        headers = [*reply.headers.items(), ("content-length", str(len(reply.body)))]
        response = h11.Response(
            status_code=reply.status, headers=[(n.encode(), v.encode()) for n, v in headers]
        )
        data = self._http.send(response) or b""
        body = b"" if method == "HEAD" else reply.body
        if reply.cut is not None:
            await self._write(data + body[: reply.cut])
            self._writer.close()
            raise ConnectionAbortedError
        if body:
            data += self._http.send(h11.Data(data=body)) or b""
        await self._write(data + (self._http.send(h11.EndOfMessage()) or b""))

    async def _write(self, data: bytes | None) -> None:
        self._writer.write(data or b"")
        await self._writer.drain()

    def _reset(self) -> None:
        plug = self._writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESETS)
        raise ConnectionResetError


def _request(head: h11.Request, body: bytes) -> Request:
    parts = urlsplit(head.target.decode("ascii", "replace"))
    return Request(
        method=head.method.decode(),
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.decode(): value.decode("latin-1") for name, value in head.headers},
        body=body,
    )
