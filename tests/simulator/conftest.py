"""A simulator in a thread, and customers of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from customer import Mailbox, Open, headers
from genlock.testing.simulator import Simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Vendors whose time stands still until it is moved: nothing becomes ready by itself."""
    with Simulator() as vendors:
        vendors.set_clock(scale=0)
        yield vendors


@pytest.fixture
def open_at(sim: Simulator) -> Iterator[Open]:
    """A client of one vendor's."""
    clients: list[httpx2.Client] = []

    def make(vendor: str) -> httpx2.Client:
        client = httpx2.Client(base_url=sim.address(vendor), headers=headers(sim, vendor), timeout=20)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox("")

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in head[1:] if ": " in line]
        fields = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(fields["content-length"]))
        box.raw.append(body)
        box.got.append((head[0].split()[1], fields, json.loads(body) if body else None))
        status = box.answers.pop(0) if len(box.answers) > 1 else box.answers[0]
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    box.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield box
    server.close()
    await server.wait_closed()
