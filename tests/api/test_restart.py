"""Jobs posted to a server that is killed with -9 again and again, while streams are open.

With `--prove`, fifty jobs and ten kills; else a few of both.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

SERVICE = Path(__file__).resolve().parents[1] / "service.py"
TOKEN = "restart-token-of-the-admin-0123456789abcdef"
ITEMS = 6  # of each job's map
EVENTS = 2 * (ITEMS + 2) + 4  # of each job, if nobody interrupts it
PATIENCE = 300.0  # seconds in which all is done
PAUSE = 0.05  # seconds between two tries to reach a server


@dataclass
class Service:
    """The server, on one home and one port, killed and started anew."""

    folder: Path
    port: int
    more: dict[str, str] = field(default_factory=dict)  # settings of its own
    deaths: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [str(SERVICE), str(self.folder / "home"), str(self.port)]
        env = {"GENLOCK_ADMIN_TOKEN": TOKEN, "PATH": "/usr/bin:/bin", **self.more}
        self.process = subprocess.Popen([sys.executable, *words], env=env)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.deaths += 1

    def client(self) -> httpx2.AsyncClient:
        signed = {"Authorization": f"Bearer {TOKEN}"}
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=signed, trust_env=False, timeout=30
        )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = Service(tmp_path, port)
    service.start()
    yield service
    service.kill()


async def asked(client: httpx2.AsyncClient, method: str, path: str, **more: Any) -> Any:
    """The data of an answer, asked for until there is one: a server that is gone will be back."""
    while True:
        with suppress(httpx2.TransportError):
            answer = await client.request(method, path, **more)
            if answer.status_code not in (409, 503):  # under way, or stopping
                assert answer.is_success, answer.text
                return answer.json()["data"]
        await asyncio.sleep(PAUSE)


async def order(client: httpx2.AsyncClient, number: int) -> str:
    body = {"pipeline": "doubling", "params": {"number": ITEMS}}
    told = await asked(
        client, "POST", "/api/v3/jobs", json=body, headers={"Idempotency-Key": f"job-{number}"}
    )
    return str(told["id"])


@dataclass
class Reader:
    """Follows a job's stream to its end, coming again behind the last event it has seen."""

    job: str
    seen: list[int] = field(default_factory=list)
    lines: int = 0

    async def read(self, client: httpx2.AsyncClient) -> None:
        while True:
            with suppress(httpx2.TransportError):
                async for event, data in self._connection(client):
                    if event == "end":
                        return
                    assert event != "problem", data
                    self.seen.append(json.loads(data)["seq"])
            await asyncio.sleep(PAUSE)

    async def _connection(self, client: httpx2.AsyncClient) -> AsyncIterator[tuple[str, str]]:
        headers = {"Last-Event-ID": str(self.seen[-1])} if self.seen else {}
        async with client.sse(f"/api/v3/jobs/{self.job}/events", headers=headers) as source:
            if source.response.status_code == 503:
                return
            assert source.response.is_success, source.response.status_code
            self.lines += 1
            async for line in source:
                yield line.event or "", line.data


async def killing(service: Service, readers: list[Reader], times: int, events: int) -> None:
    """The first time while jobs are posted, and then each time that so many more events were seen."""
    await asyncio.sleep(random.Random(events).uniform(0.05, 0.3))
    for number in range(times):
        while sum(len(reader.seen) for reader in readers) < number * events:  # noqa: ASYNC110 - of others
            await asyncio.sleep(0.005)
        await asyncio.to_thread(service.kill)
        service.start()
        await answers(service)


async def answers(service: Service) -> None:
    async with service.client() as client:
        await asked(client, "GET", "/health")


async def test_jobs_posted_to_a_server_that_is_killed_all_finish_once_and_streams_lose_nothing(
    service: Service, prove: bool
) -> None:
    jobs, kills = (50, 10) if prove else (8, 3)
    async with asyncio.timeout(PATIENCE), service.client() as client:
        await answers(service)
        readers: list[Reader] = []
        killer = asyncio.create_task(killing(service, readers, kills, EVENTS * jobs // (kills + 1)))
        ids = await asyncio.gather(*(order(client, number) for number in range(jobs)))
        readers += [Reader(job) for job in ids]
        await asyncio.gather(killer, *(reader.read(client) for reader in readers))
        found = await everything(client, "/api/v3/jobs")
        again = await asyncio.gather(*(order(client, number) for number in range(jobs)))
        histories = [await asked(client, "GET", f"/api/v3/jobs/{job}/events") for job in ids]
    assert service.deaths == kills
    assert len(set(ids)) == jobs
    assert again == ids
    assert sorted(job["id"] for job in found) == sorted(ids)
    assert {(job["state"], job["result"]) for job in found} == {("completed", ITEMS * (ITEMS - 1))}
    for reader, history in zip(readers, histories, strict=True):
        assert reader.seen == list(range(1, len(history) + 1))
    assert all(_done(history) == {1} for history in histories)
    assert sum(reader.lines for reader in readers) > jobs, "no stream was ever interrupted"


def _done(history: list[dict[str, Any]]) -> set[int]:
    """How often tasks came to their result."""
    return set(Counter(event["task"] for event in history if event["kind"] == "task.done").values())


async def everything(client: httpx2.AsyncClient, path: str) -> list[dict[str, Any]]:
    return list(await asked(client, "GET", f"{path}?limit=200"))
