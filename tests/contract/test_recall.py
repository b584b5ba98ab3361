"""What the writer of an SQLite ledger remembers from commit to commit, and when it must not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from genlock.clock import SystemClock
from genlock.errors import ClaimLost, LedgerError
from genlock.ledger import attempt, recall
from genlock.ledger.records import Claim, EdgeSpec, Failure, JobSpec, NodeSpec, Taker, TaskRef
from genlock.ledger.sql import SqlLedger


def chain(job: str) -> JobSpec:
    edges = [EdgeSpec("a", "b"), EdgeSpec("b", "c")]
    return JobSpec(job, "film", "{}", "{}", [NodeSpec(name) for name in "abc"], edges)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    opened = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
async def other(ledger: SqlLedger, tmp_path: Path) -> AsyncIterator[SqlLedger]:
    """Another process, as far as the database can tell."""
    opened = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    yield opened
    await opened.close()


async def begin(ledger: SqlLedger, job: str = "job-1") -> Claim:
    (claim,) = (await ledger.create_job(chain(job), taker=Taker("ann", ""))).claimed
    return claim


def heard(ledger: SqlLedger) -> list[str]:
    """Every statement that the writing connection is given from now on."""
    said: list[str] = []
    connection = ledger._writer._transactions.connection.connection
    connection.driver_connection.set_trace_callback(said.append)
    return said


async def test_a_stage_reads_no_row_that_was_written_by_the_one_before(ledger):
    claim = await begin(ledger)
    said = heard(ledger)
    (following,) = (await ledger.succeed(claim, "1", claim_next=1)).claimed
    (last,) = (await ledger.succeed(following, "2", claim_next=1)).claimed
    assert (await ledger.succeed(last, "3")).finished == ("job-1",)
    assert [line for line in said if line.startswith(("SELECT", "WITH"))] == []
    assert sum(line.startswith("BEGIN") for line in said) == 3


async def test_what_another_connection_wrote_is_read(ledger, other):
    claim = await begin(ledger)
    await other.cancel("job-1")
    with pytest.raises(ClaimLost):
        await ledger.succeed(claim, "1", claim_next=1)
    claim = await begin(ledger, "job-2")
    await other.fail(claim, Failure("Oops", "no"), retry_at=None)
    await other.retry("job-2")
    (again,) = await ledger.claim("ann", tasks=[TaskRef("job-2", "a")])
    (following,) = (await ledger.succeed(again, "1", claim_next=1)).claimed
    assert following.task == TaskRef("job-2", "b")


async def test_what_a_failed_commit_would_have_written_is_not_remembered(ledger, monkeypatch):
    claim = await begin(ledger)
    settle = attempt.settle

    def stumble(*_: object) -> None:
        raise RuntimeError("on the way")

    monkeypatch.setattr(attempt, "settle", stumble)
    with pytest.raises(LedgerError, match="on the way"):
        await ledger.succeed(claim, "1", claim_next=1)
    monkeypatch.setattr(attempt, "settle", settle)
    assert len((await ledger.succeed(claim, "1", claim_next=1)).claimed) == 1
    assert [event.seq for event in await ledger.reader.events("job-1")] == [1, 2, 3, 4, 5]


async def test_no_more_is_remembered_than_may_be(ledger, monkeypatch):
    monkeypatch.setattr(recall, "MOST", 6)
    claims = [await begin(ledger, f"job-{number}") for number in range(5)]
    kept = ledger._writer._transactions._recall
    assert kept is not None
    assert len(kept.tasks) <= 6
    for claim in claims:
        assert len((await ledger.succeed(claim, "1", claim_next=1)).claimed) == 1


async def test_what_is_over_is_forgotten(ledger):
    claims = [await begin(ledger)]
    while claims:
        claims += (await ledger.succeed(claims.pop(), "1", claim_next=1)).claimed
    kept = ledger._writer._transactions._recall
    assert kept is not None
    assert (kept.jobs, kept.tasks) == ({}, {})
