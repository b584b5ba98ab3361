"""Maps of many children are held and let go in slices, with other verbs in between."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from genlock.clock import SystemClock
from genlock.errors import LedgerError
from genlock.ledger import schema, sweeping, writer
from genlock.ledger.database import open_writer, url_of
from genlock.ledger.migration import migrate
from genlock.ledger.records import JobSpec, NodeSpec, TaskRef
from genlock.ledger.sql import SqlLedger


@pytest.fixture
async def ledger(place, monkeypatch):
    monkeypatch.setattr(sweeping, "SLICE", 4)
    ledger = await SqlLedger.open(place, SystemClock())
    for job in ("job-1", "job-2"):
        await ledger.create_job(JobSpec(job, "film", "{}", "{}", [NodeSpec("m", mapped=True)], []))
    (claim,) = await ledger.claim("me", tasks=[TaskRef("job-1", "m")])
    await ledger.spread(claim, [str(n) for n in range(40)], offset=0, last=True)
    yield ledger
    await ledger.close()


async def test_other_verbs_are_served_between_two_slices(ledger):
    (claim,) = await ledger.claim("me", tasks=[TaskRef("job-1", "m/7")])
    order: list[str] = []

    async def note(name, verb):
        await verb
        order.append(name)

    await asyncio.gather(
        note("pause", ledger.pause("job-1")),
        note("save", ledger.save(claim, "n", "1")),
        note("other", ledger.claim("me", tasks=[TaskRef("job-2", "m")])),
    )
    assert order[-1] == "pause"
    assert await ledger.claim("me", limit=100) == []
    assert len(await ledger.resume("job-1")) == 39
    assert len(await ledger.claim("me", limit=100)) == 39


async def test_pausing_and_resuming_at_once_ends_as_the_last_one_said(ledger):
    await asyncio.gather(ledger.pause("job-1"), ledger.resume("job-1"), ledger.pause("job-1"))
    assert await ledger.reader.ready_count() == 1
    await asyncio.gather(ledger.resume("job-1"), ledger.pause("job-1"), ledger.resume("job-1"))
    assert len(await ledger.claim("me", limit=100)) == 41


async def test_a_job_counts_as_paused_before_its_rows_follow_and_a_broken_sweep_is_taken_up(
    ledger, monkeypatch
):
    def broken(batch, sweep):
        raise RuntimeError("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "go_on", broken)
        with pytest.raises(LedgerError):
            await ledger.pause("job-1")
    assert (await ledger.reader.job("job-1")).state == "paused"
    assert await ledger.reader.ready_count() == 1
    assert [claim.task.job for claim in await ledger.claim("me", limit=10)] == ["job-2"]
    assert await ledger.claim("me", tasks=[TaskRef("job-1", "m/3")]) == []
    await ledger.expire()
    assert await ledger.reader.claimable(["job-1"]) == []
    assert len(await ledger.resume("job-1")) == 40


async def test_a_ledger_of_the_first_schema_is_brought_up_with_what_is_in_it(request, monkeypatch, tmp_path):
    async with AsyncExitStack() as stack:
        postgres = request.getfixturevalue("postgres")
        for url in (url_of(tmp_path / "old.db"), url_of(stack.enter_context(postgres.lend(empty=True)))):
            engine = open_writer(url)
            with monkeypatch.context() as patch, engine.begin() as connection:
                patch.setattr(schema, "REVISION", "0001")
                migrate(connection, None)
                connection.exec_driver_sql(
                    "INSERT INTO job (id, pipeline, state, graph, input, labels, owner, executor, created_at,"
                    " updated_at, last_event, live, parked, failed) VALUES "
                    "('old', 'p', 'pending', '{}', '{}', '{}', 'me', 'embedded', 1, 1, 0, 0, 0, 0)"
                )
            engine.dispose()
            ledger = await SqlLedger.open(url, SystemClock())
            await ledger.pause("old")
            assert (await ledger.reader.job("old")).state in ("paused", "completed")
            await ledger.close()
