"""Many clients at once over plain sockets, which cost this process little: readers, and streams of events.

python benchmarks/load.py '{"host": …}'   # one JSON object each line: what `api.py` asks for
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

NUMBERS, END = re.compile(rb"^id: (\d+)\r?\n", flags=re.MULTILINE), b"event: end"
PATIENCE = 30.0  # seconds without an answer, or without a line of a stream
PAUSE = 0.05  # seconds between two looks, or two tries


@dataclass(frozen=True)
class Server:
    """Where it is, and what it is shown."""

    port: int
    token: str = ""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    return int(head[9:12]), await reader.readexactly(int(fields[b"content-length"]))


async def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    """The data of one answer."""
    reader, writer = await server.connect()
    writer.write(server.request(method, path, json.dumps(body).encode() if body else b"", Connection="close"))
    status, text = await answer(reader)
    writer.close()
    assert status < 300, f"{method} {path}: {status} {text!r}"
    return json.loads(text)["data"]


async def read(server: Server, path: Callable[[int], str], clients: int, seconds: float) -> list[float]:
    """How long each answer took, in seconds, with so many clients asking all the time."""
    until, took = time.monotonic() + seconds, list[float]()

    async def client(number: int) -> None:
        reader, writer = await server.connect()
        while time.monotonic() < until:
            began = time.monotonic()
            writer.write(server.request("GET", path(number)))
            status, _ = await asyncio.wait_for(answer(reader), PATIENCE)
            assert status == 200, status
            took.append(time.monotonic() - began)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return took


class Wire(asyncio.Protocol):
    """What comes in on one stream: numbers of events for `take`, and whether it has ended."""

    def __init__(self, take: Callable[[int], None]) -> None:
        self._take, self._rest = take, b""
        self.heard = False
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.heard = True
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        for number in NUMBERS.findall(whole + newline):
            self._take(int(number))
        if END in whole and not self.ended.done():
            self.ended.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the stream broke off"))


@dataclass
class Stream:
    """One reader of events. It stays with a job to its end, however often its line breaks, and goes to the
    newest one then.
    """

    server: Server
    jobs: list[str]
    lost: int = 0
    doubled: int = 0
    events: int = 0
    broken: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            job = self.jobs[-1]
            self.seen.setdefault(job, 0)
            while not await self._ends(job):
                self.broken += 1
                await asyncio.sleep(PAUSE)
            while self.jobs[-1] == job:  # noqa: ASYNC110 - another one is ordered
                await asyncio.sleep(PAUSE)

    async def _ends(self, job: str) -> bool:
        """Whether one connection came to the job's end; if not, the next one goes on behind what was seen."""
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            return await self._follow(job)
        return False

    async def _follow(self, job: str) -> bool:
        """True when it has said that the job has ended."""
        wire = Wire(lambda number: self._take(job, number))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: wire, "127.0.0.1", self.server.port)
        path = f"/api/v3/jobs/{job}/events"
        seen = str(self.seen.get(job, 0))
        headers = {"Accept": "text/event-stream", "Last_Event_ID": seen}
        transport.write(self.server.request("GET", path, b"", **headers))
        try:
            while not wire.ended.done():
                wire.heard = False
                await asyncio.wait([wire.ended], timeout=PATIENCE)
                if not wire.heard and not wire.ended.done():
                    raise TimeoutError("the stream says nothing")
            return wire.ended.result()
        finally:
            wire.ended.cancel()
            transport.close()

    def _take(self, job: str, number: int) -> None:
        due = self.seen.get(job, 0) + 1
        self.events += 1
        self.lost += max(0, number - due)
        self.doubled += number < due
        self.seen[job] = max(number, due - 1)


class Work:
    """Campaigns that render all the time: when one has ended the next is ordered."""

    def __init__(self, server: Server, order: dict[str, Any]) -> None:
        self.server, self.order = server, order
        self.jobs: list[str] = []

    async def begin(self) -> None:
        order = {**self.order, "params": {**self.order["params"], "seed": len(self.jobs) + 1}}
        self.jobs.append((await ask(self.server, "POST", "/api/v3/jobs", order))["id"])

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if (await ask(self.server, "GET", f"/api/v3/jobs/{self.jobs[-1]}"))["state"] not in (
                "pending",
                "running",
            ):
                await self.begin()


async def settle(streams: list[Stream], server: Server, jobs: list[str]) -> int:
    """Events that are in the ledger and that streams do not bring, however long they are waited for."""
    await asyncio.sleep(2.0)
    newest = {job: (await ask(server, "GET", f"/api/v3/jobs/{job}"))["lastEvent"] for job in jobs}

    def missing() -> int:
        return sum(max(0, newest[job] - seen) for stream in streams for job, seen in stream.seen.items())

    until, before = time.monotonic() + 2 * PATIENCE, missing()
    while before and time.monotonic() < until:
        await asyncio.sleep(PAUSE)
        if missing() < before:  # something comes, so more may
            until, before = time.monotonic() + 2 * PATIENCE, missing()
    return before


async def main(asked: dict[str, Any]) -> dict[str, Any]:
    server, bare = Server(asked["port"], asked["token"]), Server(asked["bare_port"])
    work = Work(server, asked["order"])
    await work.begin()
    streams = [Stream(server, work.jobs) for _ in range(asked["streams"])]
    tasks = [asyncio.create_task(stream.run()) for stream in streams]
    ordering = asyncio.create_task(work.run())
    ours, theirs, reading = list[float](), list[float](), 0.0
    until = time.monotonic() + asked["seconds"]
    while time.monotonic() < until:
        theirs += await read(bare, lambda number: f"/rows/{number}", asked["clients"], asked["slice"])
        began = time.monotonic()
        ours += await read(
            server, lambda _: f"/api/v3/jobs/{work.jobs[-1]}", asked["clients"], asked["slice"]
        )
        reading += time.monotonic() - began
    ordering.cancel()
    for job in work.jobs:
        with suppress(AssertionError):  # it has ended by itself
            await ask(server, "POST", f"/api/v3/jobs/{job}/cancel")
    missing = await settle(streams, server, work.jobs)
    over = [task for task in (*tasks, ordering) if task.done() and not task.cancelled()]
    failed = [repr(task.exception()) for task in over]
    for task in tasks:
        task.cancel()
    assert not failed, failed[:3]
    return {
        "read_s": ours,
        "bare_s": theirs,
        "reading": reading,
        "lost": sum(stream.lost for stream in streams) + missing,
        "doubled": sum(stream.doubled for stream in streams),
        "broken": sum(stream.broken for stream in streams),
        "events": sum(stream.events for stream in streams),
        "jobs": len(work.jobs),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
