"""Several servers on one PostgreSQL, as real processes: each due time is fired once, and has one job."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from desk import Desk

from genlock.clock import SystemClock
from genlock.ledger.schedules.records import FiringState, Missed, Overlap, Timing
from genlock.ledger.sql import SqlLedger

REPLICA = Path(__file__).with_name("replica.py")
COUNT = 4


@contextmanager
def replicas(url: str, folder: Path, seconds: float) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes that look at the clock at the same time."""
    env = {**os.environ, "PYTHONPATH": str(REPLICA.parents[2] / "src")}
    ready = folder / "ready"
    started = [
        subprocess.Popen(
            [sys.executable, REPLICA, url, folder / f"work-{n}", ready, str(seconds)],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(COUNT)
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        ready.touch()
        yield started
        codes = [each.wait(60) for each in started]
        assert codes.count(0) >= COUNT - 1
    finally:
        for each in started:
            if each.poll() is None:
                each.kill()
            each.wait()
            if each.stdout is not None:
                each.stdout.close()


async def finish(desk: Desk) -> None:
    """Start what the last of them had fired and not yet started, as the next server would."""
    for row in await desk.book.schedules():
        await desk.book.pause(row.id)
    while (await desk.book.agenda()).unstarted:
        await desk.timer.round()


async def test_many_servers_fire_each_due_time_once(postgres_url: str, tmp_path: Path) -> None:
    clock = SystemClock()
    ledger = await SqlLedger.open(postgres_url, clock)
    desk = Desk(ledger, clock, tmp_path / "work")
    now = (await desk.book.agenda()).now
    for number in range(5):  # 20 s of runs that were missed, and then one a second
        await desk.book.add(
            desk.spec(f"s{number}", expression="1", missed=Missed.ALL, overlap=Overlap.ALLOW, patience=0),
            Timing(now, now - timedelta(seconds=20)),
        )
    with replicas(postgres_url, tmp_path, 6.0) as started:
        os.kill(started[0].pid, signal.SIGSTOP)  # one hangs for a while, and goes on as if nothing was
        await asyncio.sleep(1)
        os.kill(started[0].pid, signal.SIGCONT)
    await finish(desk)
    for number in range(5):
        history = await desk.history(f"s{number}")
        assert len(history) >= 20
        assert {each.state for each in history} == {FiringState.STARTED}
        dues = [each.due_at for each in history]
        assert [after - before for before, after in pairwise(dues)] == (
            [timedelta(seconds=1)] * (len(dues) - 1)
        )
        jobs = {each.job for each in history}
        assert None not in jobs
        assert len(jobs) == len(history)
    fired = sum([len(await desk.history(f"s{number}")) for number in range(5)])
    assert len(await desk.jobs()) == min(fired, 1000)
    await ledger.close()


async def test_a_server_that_is_killed_in_the_middle_leaves_nothing_undone_to_the_others(
    postgres_url: str, tmp_path: Path
) -> None:
    clock = SystemClock()
    ledger = await SqlLedger.open(postgres_url, clock)
    desk = Desk(ledger, clock, tmp_path / "work")
    now = (await desk.book.agenda()).now
    await desk.book.add(
        desk.spec(expression="1", missed=Missed.ALL, overlap=Overlap.ALLOW, patience=0),
        Timing(now, now + timedelta(seconds=1)),
    )
    with replicas(postgres_url, tmp_path, 5.0) as started:
        while not await desk.history():  # noqa: ASYNC110 - written by other processes
            await asyncio.sleep(0.05)
        os.kill(started[0].pid, signal.SIGKILL)
    await finish(desk)
    history = await desk.history()
    assert len(history) >= 3
    assert None not in {each.job for each in history}
    assert sorted(each.job or "" for each in history) == [row.id for row in await desk.jobs()]
    await ledger.close()
