"""The service asked over the socket behaves as the service itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock.api.dependency import Services
from genlock.api.server import Server
from genlock.client.socket import SocketClient
from genlock.errors import BadInput, Conflict, LedgerError, NotFound, OwnerError, OwnerGone
from genlock.ledger.records import JobState
from genlock.owner import Ownership
from genlock.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@asynccontextmanager
async def serving(settings: Settings, service: Any) -> AsyncIterator[None]:
    ownership = Ownership.take(settings, command="genlock serve")
    assert ownership is not None
    with ownership:
        server = Server(Services(jobs=service, trusted=True))
        task = asyncio.create_task(server.serve(ownership.bind()))
        try:
            async with SocketClient(settings) as client:
                while not await client.ready():  # noqa: ASYNC110 - another process's event, as it were
                    await asyncio.sleep(0.01)
            yield
        finally:
            server.stop()
            await asyncio.wait_for(task, 5)


@pytest.fixture
async def client(settings: Settings, service: Any) -> AsyncIterator[SocketClient]:
    async with serving(settings, service), SocketClient(settings) as client:
        yield client


async def test_every_verb_answers_as_the_service_does(client: SocketClient, service: Any) -> None:
    started = await client.start(
        "campaign", {"num_pairs": 3}, id="abc", deadline=timedelta(minutes=5), labels={"k": "v"}
    )
    assert started == await service.show("abc")
    service.tell("abc", "task_done", "video_generation/1", frames=3)
    assert await client.show("a") == await service.show("abc")
    assert await client.tasks("abc") == await service.tasks("abc")
    assert await client.events("abc") == await service.events("abc")
    assert await client.graph("abc") == await service.graph("abc")
    assert (await client.pause("abc")).state is JobState.PAUSED
    assert (await client.resume("abc")).state is JobState.RUNNING
    assert (await client.retry("abc")).state is JobState.RUNNING
    assert await client.redo("abc", "store/3", dry_run=True) == await service.redo(
        "abc", "store/3", dry_run=True
    )
    assert await client.copy_ledger() == await service.copy_ledger()
    await client.signal("abc", "review/0", "approval", {"ok": True})
    assert service.asked[-1] == ("signal", "abc", "review/0", "approval", {"ok": True})
    assert (await client.cancel("abc", "enough")).state is JobState.CANCELLED
    assert service.asked[0][6:] == (timedelta(minutes=5), {"k": "v"})


async def test_a_long_list_is_read_in_pages(client: SocketClient, service: Any) -> None:
    for n in range(450):
        service.add(f"job{n:03}", JobState.FAILED if n % 2 else JobState.RUNNING)
    assert len(await client.list(limit=1000)) == 450
    assert [job.id for job in await client.list(limit=201)][-1] == "job249"
    assert len(await client.list(states={JobState.FAILED}, limit=500)) == 225


async def test_errors_come_back_as_what_they_were(client: SocketClient, service: Any) -> None:
    service.add("over", JobState.COMPLETED)
    with pytest.raises(NotFound, match="there is no job 'none'"):
        await client.show("none")
    with pytest.raises(NotFound, match="there is no job 'none'"):
        await anext(client.watch("none"))
    with pytest.raises(BadInput, match="num_pairs must be at least 1"):
        await client.start("campaign", {"num_pairs": 0})
    with pytest.raises(Conflict, match="job over is completed"):
        await client.cancel("over")


async def test_an_error_in_the_middle_of_watching_is_raised(client: SocketClient, service: Any) -> None:
    service.add("abc")
    service.tell("abc", "task_started")
    watching = client.watch("abc")
    assert (await anext(watching)).kind == "task_started"
    service.fault = LedgerError("the disk is gone")
    service.set("abc")
    with pytest.raises(LedgerError, match="the disk is gone"):
        await anext(watching)


async def test_watching_outlives_the_server_and_loses_no_event(settings: Settings, service: Any) -> None:
    service.add("abc")
    seen: list[int] = []

    async def watch() -> None:
        async with SocketClient(settings, patience=10) as client:
            async for event in client.watch("abc"):
                seen.append(event.seq)  # noqa: PERF401 - read while it grows

    for round_ in range(3):
        async with serving(settings, service):
            if round_ == 0:
                watching = asyncio.create_task(watch())
            service.tell("abc", "task_done")
            while len(seen) < len(service.history["abc"]):  # noqa: ASYNC110 - what is watched has no bell
                await asyncio.sleep(0.01)
        service.tell("abc", "task_done")  # while nobody serves
    service.set("abc", state=JobState.COMPLETED)
    async with serving(settings, service):
        await asyncio.wait_for(watching, 5)
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_start_whose_answer_was_lost_is_asked_again_and_starts_one_job(
    settings: Settings, service: Any
) -> None:
    class Deaf:
        """Takes the request of one connection to the service, and hangs up instead of answering."""

        def __init__(self, path: Path, real: Path) -> None:
            self.path, self.real, self.lost = path, real, 0

        async def pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back, forth = await asyncio.open_unix_connection(self.real)
            forth.write(await reader.read(65536))
            answer = await back.read(65536)
            if b"202" in answer and self.lost == 0:
                self.lost += 1
            else:
                writer.write(answer)
            writer.close()
            forth.close()

    elsewhere = Settings(home=settings.home.parent / "other")
    elsewhere.home.mkdir()
    async with serving(settings, service):
        deaf = Deaf(elsewhere.socket, settings.socket)
        async with (
            await asyncio.start_unix_server(deaf.pipe, elsewhere.socket),
            SocketClient(elsewhere) as client,
        ):
            await client.start("campaign", {})
    assert deaf.lost == 1
    assert len([ask for ask in service.asked if ask[0] == "start"]) == 2
    assert len(service.jobs) == 1


async def test_an_owner_that_is_gone_is_said_after_patience_runs_out(settings: Settings) -> None:
    settings.home.mkdir()
    async with SocketClient(settings, patience=0.1) as client:
        with pytest.raises(OwnerGone, match="does not answer on"):
            await client.show("abc")
        with pytest.raises(OwnerGone, match="does not answer on"):
            await anext(client.watch("abc"))


async def test_an_owner_of_another_version_is_named_as_such(settings: Settings) -> None:
    settings.home.mkdir()

    async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"data": {}}')
        writer.close()

    async with await asyncio.start_unix_server(gibberish, settings.socket), SocketClient(settings) as client:
        with pytest.raises(OwnerError, match="another version"):
            await client.show("abc")


def test_a_client_needs_no_web_framework_and_no_database() -> None:
    look = (
        "import sys, genlock.client.socket; "
        "print([m for m in ('fastapi', 'sqlalchemy', 'av', 'cv2') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
