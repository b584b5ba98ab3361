"""Who writes what: the ledger's own thread, or whoever has just been given what he brings back."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from genlock.ledger.draft import Prepared
from genlock.ledger.records import Claim, EdgeSpec, JobSpec, JobState, NodeSpec, Taker
from genlock.ledger.sql import SqlLedger
from genlock.testing.clock import FakeClock

STAGES = "abcdefghij"


def chain(job: str) -> JobSpec:
    edges = [EdgeSpec(up, down) for up, down in itertools.pairwise(STAGES)]
    return JobSpec(job, "film", "{}", "{}", [NodeSpec(name) for name in STAGES], edges)


class SlowDisk(FakeClock):
    """Shows ten milliseconds more whenever it is asked, as if each commit had taken that."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = itertools.count()

    def monotonic(self) -> float:
        return next(self._asked) / 100


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    """To its clock every commit is quick, however slow this machine is."""
    opened = await SqlLedger.open(tmp_path / "ledger.db", FakeClock())
    yield opened
    await opened.close()


async def begin(ledger: SqlLedger, job: str = "job-1") -> Claim:
    (claim,) = (await ledger.create_job(chain(job), taker=Taker("ann", ""))).claimed
    return claim


async def run_through(ledger: SqlLedger, job: str) -> None:
    claims: tuple[Claim, ...] = (await begin(ledger, job),)
    while claims:
        claims = tuple((await ledger.succeed(claims[0], "1", claim_next=1)).claimed)


def writers(ledger: SqlLedger) -> list[bool]:
    """For each commit from now on, whether it was made in this thread."""
    mine, found = threading.current_thread(), list[bool]()
    ledger.listen(lambda _: found.append(threading.current_thread() is mine))
    return found


async def test_a_chain_of_stages_is_written_where_it_runs(ledger):
    claim = await begin(ledger)
    here = writers(ledger)
    (following,) = (await ledger.succeed(claim, "1", claim_next=1)).claimed
    await ledger.succeed(following, "2", claim_next=1)
    assert here == [True, True]


async def test_stages_of_several_jobs_share_their_commits_in_the_thread(ledger):
    claims = [await begin(ledger, f"job-{number}") for number in range(20)]
    here = writers(ledger)
    await asyncio.gather(*(ledger.succeed(claim, "1", claim_next=1) for claim in claims[:-1]))
    assert not any(here)
    assert len(here) < 19


async def test_of_many_jobs_that_are_started_at_once_one_alone_is_written_by_itself(ledger):
    await run_through(ledger, "job-before")
    here = writers(ledger)
    await asyncio.gather(*(begin(ledger, f"job-{number}") for number in range(50)))
    assert here[0] is True
    assert not any(here[1:])
    assert len(here) < 50


async def test_where_commits_are_slow_the_event_loop_does_not_wait_for_them(tmp_path):
    ledger = await SqlLedger.open(tmp_path / "ledger.db", SlowDisk())
    claim = await begin(ledger)
    here = writers(ledger)
    (following,) = (await ledger.succeed(claim, "1", claim_next=1)).claimed
    await ledger.succeed(following, "2", claim_next=1)
    await ledger.close()
    assert here == [False, False]


async def test_the_event_loop_goes_on_while_somebody_else_holds_the_file(ledger, tmp_path):
    claim = await begin(ledger)
    here = writers(ledger)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(ledger.succeed(claim, "1", claim_next=1))
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    (following,) = (await waiting).claimed
    await ledger.succeed(following, "2", claim_next=1)
    assert here == [False, True]


async def test_the_log_is_longer_than_what_is_in_it_and_loses_nothing(ledger, tmp_path):
    """As a power failure would leave it: the database and its log, and no index of the log."""
    jobs = [f"job-{number}" for number in range(20)]
    for job in jobs:
        await run_through(ledger, job)
    log = tmp_path / "ledger.db-wal"
    assert log.read_bytes().endswith(bytes(4096)), "room for commits to come"
    left = tmp_path / "left"
    left.mkdir()
    shutil.copy(tmp_path / "ledger.db", left)
    shutil.copy(log, left)
    again = await SqlLedger.open(left / "ledger.db", FakeClock())
    assert {row.id: row.state for row in await again.reader.jobs()} == dict.fromkeys(jobs, JobState.COMPLETED)
    await run_through(again, "job-after")
    assert (await again.reader.job("job-after")).state is JobState.COMPLETED
    await again.close()
    with sqlite3.connect(left / "ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_a_row_that_core_had_to_be_asked_for_is_not_seen_as_it_was_for_ever(ledger, monkeypatch):
    """The driver refuses once, as it does while a log is being recovered."""
    claim = await begin(ledger)
    rows, refusals = Prepared.rows, iter([sqlite3.OperationalError("database is locked")])

    def refuse_once(self: Prepared, connection: Connection, **values: object) -> object:
        for refusal in refusals:
            raise refusal
        return rows(self, connection, **values)

    with monkeypatch.context() as patch:
        patch.setattr(Prepared, "rows", refuse_once)
        before = (await ledger.reader.job("job-1")).last_event
    await ledger.succeed(claim, "1", claim_next=1)
    assert (await ledger.reader.job("job-1")).last_event > before
