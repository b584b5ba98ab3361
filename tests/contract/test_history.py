"""Histories that once came to something wrong, as short as they can be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from genlock.errors import Conflict
from genlock.ledger.records import NodeSpec


async def test_a_task_whose_condition_is_false_is_not_let_go_by_another_one_that_is_skipped(bench):
    skipped = [NodeSpec(name, skipped=True) for name in ("a", "b", "c")]
    assert await bench.start(*skipped, "d", edges="a>b b?>c c?>d") == (bench.ref("d"),)
    assert await bench.states() == {"a": "skipped", "b": "skipped", "c": "skipped", "d": "ready"}
    assert (await bench.task("b")).reason == "its condition is false"


async def test_what_failed_in_a_job_that_was_cancelled_then_cannot_be_retried(bench):
    """Or a job that is cancelled for good would run again, some of its tasks cancelled."""
    await bench.start("a", "b")
    await bench.nest("a", "child", "x")
    await bench.fail("child:x")
    await bench.ledger.cancel("job-1")
    with pytest.raises(Conflict, match="job-1 is cancelled"):
        await bench.ledger.retry("child")
    assert (await bench.job_state(), await bench.job_state("child")) == ("cancelled", "failed")


@pytest.mark.parametrize("verb", ["retry of one", "redo of one", "redo around them"])
async def test_nested_jobs_that_stopped_at_a_deadline_all_go_on_when_one_does(bench, verb):
    """Or the job around them would wait for ever for those that stay failed."""
    await bench.start("a", "b", "c", deadline=timedelta(seconds=10))
    await bench.nest("a", "one", "x", "y")
    await bench.nest("b", "two", "x", deadline=timedelta(seconds=60))
    await bench.ledger.park(await bench.claim("two:x"), "waits", signal="go")
    await bench.do("c")
    await bench.do("one:y")
    bench.clock.turn(11)
    await bench.ledger.expire()
    assert [await bench.job_state(job) for job in ("job-1", "one", "two")] == ["failed"] * 3
    if verb == "retry of one":
        await bench.ledger.retry("one")
    else:
        await bench.ledger.redo(*(("one", ["y"]) if verb == "redo of one" else ("job-1", ["c"])))
    assert await bench.job_state("two") == "waiting"
    assert (await bench.row()).error is None
    for key in ("one:x", "one:y", "c"):
        if await bench.state(key) == "ready":
            await bench.do(key)
    assert await bench.job_state() == "waiting"
    bench.clock.turn(5)  # its deadline began anew, and stood still
    await bench.ledger.signal(bench.ref("two:x"), "go", "1")
    assert (await bench.row("two")).deadline_at == bench.clock.now() + timedelta(seconds=60)
    await bench.do("two:x")
    assert await bench.job_state() == "completed"


@pytest.mark.parametrize("retried", ["job-1", "outer", "inner"])
async def test_what_is_retried_in_a_paused_tree_stays_paused_however_deep_it_is_nested(bench, retried):
    """Or it would be claimed though all around it is paused."""
    await bench.start("a", "b")
    await bench.nest("a", "outer", "x")
    await bench.nest("outer:x", "inner", "y")
    await bench.fail("inner:y")
    assert [await bench.job_state(job) for job in ("outer", "inner")] == ["failed"] * 2
    await bench.ledger.pause("job-1")
    assert list(await bench.ledger.retry(retried)) == []
    assert [await bench.job_state(job) for job in ("job-1", "outer", "inner")] == ["paused"] * 3
    assert not await bench.can_claim("inner:y")
    await bench.ledger.resume("job-1")
    for key in ("inner:y", "b"):
        await bench.do(key)
    assert await bench.job_state() == "completed"
