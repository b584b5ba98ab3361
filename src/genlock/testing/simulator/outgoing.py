"""What vendors ask of their customers, on this machine alone: to take a report, to hand over a picture."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import h11

from genlock.errors import BadInput

_READ = 256 * 1024
_LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What was answered: 0 and nothing if nobody did."""

    status: int = 0
    body: bytes = b""


async def ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, patience: float = 15.0
) -> Said:
    """One request to a server on the loopback interface; nobody there is no error. `BadInput` for another
    host: the simulator talks to nobody else.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(parts.hostname):
        raise BadInput(f"{parts.scheme}://{parts.netloc} is not a plain HTTP server on this machine")
    try:
        async with asyncio.timeout(patience):
            return await _talk(method, parts, headers, body)
    except (OSError, TimeoutError, h11.ProtocolError):
        return Said()


def is_loopback(host: str | None) -> bool:
    """Whether a name or address is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


async def _talk(method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes) -> Said:
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        http = h11.Connection(h11.CLIENT)
        all_headers = {
            "host": parts.netloc,
            "content-length": str(len(body)),
            "connection": "close",
            **headers,
        }
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = h11.Request(method=method, target=target, headers=list(all_headers.items()))
        data = http.send(request) or b""
        data += http.send(h11.Data(data=body)) or b""
        writer.write(data + (http.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        return await _read(http, reader)
    finally:
        writer.close()


async def _read(http: h11.Connection, reader: asyncio.StreamReader) -> Said:
    status, body = 0, bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_READ))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST:
                return Said()
        elif isinstance(event, h11.EndOfMessage):
            return Said(status, bytes(body))
        elif not isinstance(event, h11.InformationalResponse):
            return Said()
