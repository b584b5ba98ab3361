"""What is counted of a ledger: how it stands, and what it says of each commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from genlock.ledger.census import Said
from genlock.ledger.records import TaskRef
from genlock.ledger.sql import SqlLedger


async def test_an_empty_ledger_has_nothing_to_count(place: str | Path, clock: Any) -> None:
    ledger = await SqlLedger.open(place, clock)
    try:
        census = await ledger.census()
    finally:
        await ledger.close()
    assert (census.ready, census.queue_age, dict(census.open_jobs)) == (0, timedelta(0), {})
    assert (dict(census.spent), dict(census.reserved), dict(census.doubt)) == ({}, {}, {})


async def test_jobs_tasks_and_money_are_counted_as_they_stand(
    place: str | Path, clock: Any, bench_of: Any
) -> None:
    ledger = await SqlLedger.open(place, clock)
    try:
        bench = bench_of(ledger, ledger.reader)
        await bench.start("a", "b", "c")
        clock.turn(30)
        claim = await bench.claim("a")
        await bench.accepted(claim)
        claim = await bench.claim("b")
        call = await bench.accepted(claim, "other")
        await ledger.doubt(call.key, call.sends, "nobody knows")
        census = await ledger.census()
    finally:
        await ledger.close()
    assert dict(census.open_jobs) == {"running": 1}
    assert census.ready == 1
    assert census.queue_age == timedelta(seconds=30)
    assert dict(census.open_calls) == {"accepted": 1, "doubt": 1}
    [currency] = census.reserved
    assert census.reserved[currency] == 2 * census.doubt[currency] > 0


async def test_each_commit_tells_what_it_wrote_and_what_is_refused_is_not_told(
    place: str | Path, clock: Any, bench_of: Any
) -> None:
    heard: list[Said] = []

    def ear(said: Sequence[Any]) -> None:
        heard.extend(Said(*each) for each in said)

    ledger = await SqlLedger.open(place, clock)
    try:
        bench = bench_of(ledger, ledger.reader)
        ledger.listen(ear)
        await bench.start("a", "b", edges="a>b")
        await bench.do("a")
        assert not await ledger.claim("ann", tasks=[TaskRef(bench.job, "a")])
        history = await ledger.reader.events(bench.job)
    finally:
        await ledger.close()
    assert [(said.seq, said.kind, said.task) for said in heard] == [
        (event.seq, event.kind, event.task) for event in history
    ]
    assert Counter(said.kind for said in heard)["task.done"] == 1


async def test_a_listener_that_fails_costs_nobody_anything(
    place: str | Path, clock: Any, bench_of: Any
) -> None:
    def ear(_said: Sequence[Any]) -> None:
        raise RuntimeError("it cannot count")

    ledger = await SqlLedger.open(place, clock)
    try:
        bench = bench_of(ledger, ledger.reader)
        ledger.listen(ear)
        await bench.start("a")
        await bench.do("a")
        assert await bench.job_state() == "completed"
        kinds = await bench.kinds()
    finally:
        await ledger.close()
    assert len(kinds) == len(set(kinds)), "nothing was written twice"
