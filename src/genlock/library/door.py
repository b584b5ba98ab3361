"""One request over HTTP/1.1 to a number that was judged before: nothing is looked up again on the way.

The connection goes to that very number; the name is only told to the other side (`Host`, and SNI, by which
its certificate is checked). No proxy, no cookie and no key has a part in it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import h11

from genlock.errors import BadAddress
from genlock.library.address import IP, Address

AGENT = "genlock"
CHUNK = 1 << 16
LONGEST_HEAD = 1 << 15  # bytes of an answer's headers


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body has not been read yet. Names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: AsyncIterator[bytes]


@asynccontextmanager
async def knock(address: Address, number: IP, tls: ssl.SSLContext) -> AsyncIterator[Reply]:
    """Ask for `address` at `number`. `BadAddress` for whatever goes wrong with the other side."""
    try:
        reader, writer = await asyncio.open_connection(
            str(number),
            address.port,
            ssl=tls if address.scheme == "https" else None,
            server_hostname=address.host if address.scheme == "https" else None,
        )
    except ssl.SSLError as error:
        raise BadAddress(f"{address.authority} cannot prove who it is: {_reason(error)}") from error
    except OSError as error:
        raise BadAddress(f"{address.authority} cannot be reached: {error.strerror or error}") from error
    try:
        yield await _ask(address, reader, writer)
    except h11.RemoteProtocolError as error:
        raise BadAddress(f"{address.authority} broke off, or does not speak HTTP: {error}") from error
    except (OSError, ssl.SSLError) as error:
        raise BadAddress(f"{address.authority} broke off: {error.strerror or error}") from error
    finally:
        writer.transport.abort()  # whatever is still on its way is of no interest
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def _ask(address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Reply:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
    request = h11.Request(
        method="GET",
        target=address.target,
        headers=[
            ("Host", address.authority),
            ("User-Agent", AGENT),
            ("Accept", "image/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ],
    )
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    while not isinstance(event := await _next(connection, reader), h11.Response):
        if not isinstance(event, h11.InformationalResponse):
            raise BadAddress(f"{address.authority} gave no answer")
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
    return Reply(event.status_code, headers, _body(connection, reader))


async def _body(connection: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while isinstance(event := await _next(connection, reader), h11.Data):
        yield bytes(event.data)


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Event | type[h11.PAUSED]:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(CHUNK))
    return event  # type: ignore[return-value]


def _reason(error: ssl.SSLError) -> str:
    return getattr(error, "verify_message", "") or error.reason or "no TLS"
