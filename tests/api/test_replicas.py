"""Servers that share one PostgreSQL and one store, as real processes: it is all one whom one asks."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.test_restart import EVENTS, ITEMS, TOKEN, Reader, Service, answers, asked
from api.test_restart import order as post
from genlock.settings import Settings
from genlock.store.local import LocalStore
from shoot import jpeg, order, until, upload

PATIENCE = 120.0  # seconds in which all of a test is done
TAKEN_OVER = 14.0  # seconds: a lease, a round of whoever is left, and some for a busy machine
RESULT = ITEMS * (ITEMS - 1)
Start = Callable[..., Service]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, postgres: Any) -> Iterator[Start]:
    """Starts a server by its name, with a home of its own; the store is that of all."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres.lend(empty=True))

        def begin(name: str, store: Path | None = None) -> Service:
            settings = {
                "GENLOCK_DATABASE_URL": url,
                "GENLOCK_STORE_DIR": str(store or tmp_path / "store"),
                "GENLOCK_CPU": "1",
                "GENLOCK_MAIN_EVERY": "off",
            }
            service = Service(tmp_path / name, free_port(), settings)
            service.folder.mkdir()
            service.start()
            stack.callback(service.kill)
            return service

        yield begin


async def pair_of(start: Start) -> tuple[Service, Service]:
    """Two servers that are started at the same moment, and answer."""
    one, other = start("one"), start("other")
    await asyncio.gather(answers(one), answers(other))
    return one, other


async def once(look: Callable[[], Awaitable[Any]], so: Callable[[Any], Any]) -> Any:
    """What is found as soon as it is so."""
    while not so(found := await look()):  # noqa: ASYNC110 - what other processes do
        await asyncio.sleep(0.05)
    return found


async def history(client: httpx2.AsyncClient, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await asked(client, "GET", f"/api/v3/jobs/{job}/events")
    return found


def done_once(events: list[dict[str, Any]]) -> bool:
    return set(Counter(each["task"] for each in events if each["kind"] == "task.done").values()) == {1}


def holders(events: list[dict[str, Any]]) -> set[int]:
    """The processes that tasks of a job were claimed by."""
    return {
        int(each["data"]["holder"].partition("-")[0]) for each in events if each["kind"] == "task.claimed"
    }


async def test_a_job_posted_at_one_server_is_seen_to_its_end_at_the_other(start: Start) -> None:
    one, other = await pair_of(start)
    async with asyncio.timeout(PATIENCE), one.client() as here, other.client() as there:
        ids = await asyncio.gather(*(post(here, number) for number in range(4)))
        readers = [Reader(job) for job in ids]
        await asyncio.gather(*(reader.read(there) for reader in readers))
        for reader in readers:
            shown = await asked(there, "GET", f"/api/v3/jobs/{reader.job}")
            assert (shown["state"], shown["result"]) == ("completed", RESULT)
            events = await history(there, reader.job)
            assert events == await history(here, reader.job)
            assert reader.seen == list(range(1, len(events) + 1))
            assert len(events) >= EVENTS
            assert done_once(events)
        again = await asyncio.gather(*(post(there, number) for number in range(4)))
        assert again == ids, "a key that was used at one server is known at the other"
        queued = await asyncio.gather(*(post(here, number) for number in range(10, 30)))
        await asyncio.gather(*(until(there, job, "completed") for job in queued))
        shares = [holders(await history(here, job)) for job in queued]
    assert one.process is not None
    assert other.process is not None
    assert set().union(*shares) == {one.process.pid, other.process.pid}, "both of them work"


async def test_a_schedule_of_both_servers_fires_each_due_time_once(start: Start) -> None:
    one, other = await pair_of(start)
    plan = {"name": "Often", "pipeline": "doubling", "params": {"number": 1}, "every": "1s"}
    async with asyncio.timeout(PATIENCE), one.client() as here, other.client() as there:
        plan |= {"missed": "all", "overlap": "allow"}
        made = await asked(here, "POST", "/api/v3/schedules", json=plan)
        place = f"/api/v3/schedules/{made['id']}"

        async def firings() -> Any:
            return await asked(there, "GET", f"{place}/firings")

        await once(firings, lambda found: len(found) >= 5)
        await asked(there, "POST", f"{place}/pause")
        fired = await once(firings, lambda found: {each["state"] for each in found} == {"succeeded"})
        jobs = await asked(there, "GET", "/api/v3/jobs?limit=200")
    dues = sorted(datetime.fromisoformat(each["dueAt"]) for each in fired)
    assert [after - before for before, after in pairwise(dues)] == [timedelta(seconds=1)] * (len(dues) - 1)
    assert sorted(each["job"] for each in fired) == sorted(job["id"] for job in jobs)


async def test_what_a_killed_server_was_at_the_other_finishes_and_none_twice(start: Start) -> None:
    one, other = await pair_of(start)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE), one.client() as here, other.client() as there:
        ids = await asyncio.gather(*(post(here, number) for number in range(12)))
        readers = [Reader(job) for job in ids]
        reading = [asyncio.create_task(reader.read(there)) for reader in readers]
        while sum(len(reader.seen) for reader in readers) < 2 * EVENTS:  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.01)
        await asyncio.to_thread(one.kill)
        killed = loop.time()
        await asyncio.gather(*reading)
        assert loop.time() - killed < TAKEN_OVER
        histories = [await history(there, job) for job in ids]
        shown = await asked(there, "GET", "/api/v3/jobs?limit=200")
    assert {(job["state"], job["result"]) for job in shown} == {("completed", RESULT)}
    assert all(map(done_once, histories))
    for reader, events in zip(readers, histories, strict=True):
        assert reader.seen == list(range(1, len(events) + 1))
    reclaimed = [each for events in histories for each in events if each["kind"] == "task.reclaimed"]
    assert reclaimed, "it was killed while it was at something"


async def test_a_server_that_comes_back_waits_for_no_lease_of_its_own(start: Start) -> None:
    only = start("one")
    await answers(only)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE), only.client() as client:
        job = await post(client, 1)
        await once(lambda: history(client, job), holders)
        await asyncio.to_thread(only.kill)
        only.start()
        await answers(only)
        back = loop.time()
        await until(client, job, "completed")
        assert loop.time() - back < 5
        assert done_once(await history(client, job))


async def test_a_server_that_hangs_loses_its_tasks_and_makes_nothing_of_them_twice(start: Start) -> None:
    one, other = await pair_of(start)
    async with asyncio.timeout(PATIENCE), one.client() as here, other.client() as there:
        ids = await asyncio.gather(*(post(here, number) for number in range(6)))
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        await asyncio.gather(*(until(there, job, "completed") for job in ids))
        before = [await history(there, job) for job in ids]
        one.process.send_signal(signal.SIGCONT)
        again = await post(here, 99)
        await until(here, again, "completed")
        assert [await history(here, job) for job in ids] == before, "it comes too late, and changes nothing"
    assert all(map(done_once, before))


async def test_a_job_that_is_cancelled_at_one_server_is_stopped_at_the_other(start: Start) -> None:
    one, other = await pair_of(start)
    async with asyncio.timeout(PATIENCE), one.client() as here, other.client() as there:
        campaign, _ = await upload(here, 3)
        job = await order(here, campaign, resolution="720p", clipDuration=6)
        await once(lambda: history(there, job), holders)
        await asked(there, "POST", f"/api/v3/jobs/{job}/cancel")
        assert (await asked(here, "GET", f"/api/v3/jobs/{job}"))["state"] == "cancelled"
        following = await post(here, 1)  # and what it had is free for others
        assert (await until(there, following, "completed"))["result"] == RESULT


async def test_pictures_and_films_are_those_of_both_servers(start: Start, tmp_path: Path) -> None:
    """The server that was told of a film is gone with its home before it is made."""
    one, other = await pair_of(start)
    async with asyncio.timeout(PATIENCE), one.client() as here, other.client() as there:
        campaign, assets = await upload(here, 3)
        for client in (here, there):
            data = (await client.get(f"/api/v3/assets/{assets[0]}/data")).content
            assert hashlib.sha256(data).digest() == hashlib.sha256(jpeg(0)).digest()
        job = await order(there, campaign)
        await asyncio.to_thread(other.kill)
        shutil.rmtree(other.folder)
        film = (await until(here, job, "completed"))["film"]
        third = start("third")
        await answers(third)
        async with third.client() as elsewhere:
            played = (await elsewhere.get(film["urls"]["data"])).content
            (listed,) = await asked(elsewhere, "GET", "/api/v3/videos")
    assert hashlib.sha256(played).hexdigest() == film["sha256"]
    assert listed["campaignId"] == campaign


def refused(service: Service, code: int = 4) -> str:
    """Why a server does not start."""
    words = [Path(sys.executable).with_name("genlock"), "serve", "--port", "0"]
    env = {**os.environ, **service.more, "GENLOCK_HOME": str(service.folder), "GENLOCK_ADMIN_TOKEN": TOKEN}
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return re.sub(r"\s+", " ", done.stderr)


async def test_a_server_with_another_store_is_refused_and_told_what_to_do(
    start: Start, tmp_path: Path
) -> None:
    one = start("one")
    await answers(one)
    url, mine = one.more["GENLOCK_DATABASE_URL"], one.more["GENLOCK_STORE_DIR"]
    alone = Service(tmp_path / "alone", 0, {"GENLOCK_DATABASE_URL": url})
    told = await asyncio.to_thread(refused, alone)
    assert f"keeps its files in {mine} on " in told
    assert f"{tmp_path / 'alone' / 'store'} on " in told
    assert "Set GENLOCK_STORE_DIR on all of them to one folder" in told
    await answers(one)
    half = Service(tmp_path / "half", 0, {"GENLOCK_STORE_DIR": mine})
    told = await asyncio.to_thread(refused, half, 2)
    assert "GENLOCK_STORE_DIR is for servers that share a ledger: set GENLOCK_DATABASE_URL too" in told


async def test_a_store_of_another_ledger_is_refused(start: Start, postgres: Any, tmp_path: Path) -> None:
    one = start("one")
    await answers(one)
    with postgres.lend(empty=True) as new:
        more = {**one.more, "GENLOCK_DATABASE_URL": new}
        told = await asyncio.to_thread(refused, Service(tmp_path / "new", 0, more))
    assert "are those of another ledger than GENLOCK_DATABASE_URL names" in told


def test_of_many_who_draw_a_name_for_a_store_at_once_one_has(tmp_path: Path) -> None:
    drawing = "import sys; from pathlib import Path; from genlock.store.local import LocalStore; " + (
        "print(LocalStore(Path(sys.argv[1])).identify()[0])"
    )
    words = [sys.executable, "-c", drawing, str(tmp_path / "store")]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    names = {each.communicate(timeout=30)[0].strip() for each in started}
    assert names == {LocalStore(tmp_path / "store").identify()[0]}
    assert Settings(home=tmp_path).store == tmp_path / "store"
