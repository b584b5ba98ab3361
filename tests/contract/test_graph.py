"""Skipping, failing and retrying, on every ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from genlock.errors import ClaimLost, Conflict
from genlock.ledger.records import Claim, NodeSpec


async def test_a_skip_passes_edges_that_are_not_optional(bench):
    await bench.start("a", "b", "c", "d", edges="a>b b>c a?>d")
    advance = await bench.skip("a", "no music wanted")
    assert await bench.states() == {"a": "skipped", "b": "skipped", "c": "skipped", "d": "ready"}
    assert bench.keys(advance.ready) == ["d"]
    assert (await bench.task("a")).reason == "no music wanted"
    assert "b was skipped" in (await bench.task("c")).reason
    assert (await bench.do("d")).finished == ("job-1",)
    assert await bench.job_state() == "completed"


async def test_a_placed_skip_frees_what_can_do_without(bench):
    ready = await bench.start(NodeSpec("music", skipped=True), "cut", "merge", edges="music?>merge cut>merge")
    assert bench.keys(ready) == ["cut"]
    assert bench.keys((await bench.do("cut")).ready) == ["merge"]


async def test_a_placed_skip_behind_an_upstream_stays_skipped(bench):
    await bench.start("plan", NodeSpec("music", skipped=True), edges="plan>music")
    await bench.do("plan")
    assert await bench.states() == {"plan": "done", "music": "skipped"}
    assert await bench.job_state() == "completed"


async def test_two_edges_between_two_nodes_are_optional_only_if_both_are(bench):
    await bench.start("a", "b", edges="a>b a?>b")
    await bench.skip("a")
    assert await bench.state("b") == "skipped"


async def test_a_skip_completes_the_job_whose_last_task_it_is(bench):
    await bench.start("a", "b", edges="a>b")
    assert (await bench.skip("a")).finished == ("job-1",)


async def test_a_failure_with_a_retry_makes_the_task_ready_later(bench):
    await bench.start("a")
    at = bench.clock.now() + timedelta(seconds=30)
    advance = await bench.fail("a", "busy", retry_at=at)
    assert advance.ready == ()
    row = await bench.task("a")
    assert (row.state, row.tries, row.due_at, row.error.message) == ("ready", 1, at, "busy")
    assert await bench.last("task.failed") == {
        "kind": "Oops",
        "message": "busy",
        "final": False,
        "retry_at": at.isoformat(),
    }
    assert not await bench.can_claim("a")
    assert (await bench.reader.outlook()).due_in == timedelta(seconds=30)
    bench.clock.turn(30)
    claim = await bench.claim("a")
    assert (claim.attempt, claim.tries) == (2, 1)
    assert await bench.job_state() == "running"
    await bench.ledger.succeed(claim, "1")
    assert (await bench.task("a")).error is None


async def test_a_final_failure_lets_independent_branches_go_on(bench):
    await bench.start("a", "b", "c", "d", edges="a>b c>d")
    assert (await bench.fail("a", "broken")).finished == ()
    assert await bench.job_state() == "running"
    await bench.do("c")
    assert (await bench.do("d")).finished == ("job-1",)
    row = await bench.row()
    assert (row.state, row.failed_task, row.error.kind, row.error.message) == (
        "failed",
        "a",
        "Oops",
        "broken",
    )
    assert await bench.states() == {"a": "failed", "b": "blocked", "c": "done", "d": "done"}
    assert await bench.last("job.failed") == {"kind": "Oops", "message": "broken", "task": "a"}


async def test_a_failed_upstream_blocks_a_task_even_behind_an_optional_edge(bench):
    await bench.start("a", "b", edges="a?>b")
    await bench.fail("a")
    assert await bench.states() == {"a": "failed", "b": "blocked"}
    assert await bench.job_state() == "failed"


async def test_retry_gives_failed_tasks_fresh_tries_and_keeps_the_rest(bench):
    await bench.start("a", "b", "c", edges="a>c b>c")
    await bench.do("a", '"kept"')
    await bench.fail("b", retry_at=bench.clock.now())
    await bench.fail("b")
    assert await bench.job_state() == "failed"
    ready = await bench.ledger.retry("job-1")
    assert bench.keys(ready) == ["b"]
    row = await bench.row()
    assert (row.state, row.error, row.failed_task, row.finished_at) == ("running", None, None, None)
    claim = await bench.claim("b")
    assert (claim.attempt, claim.tries, claim.revision) == (3, 0, 1)
    await bench.ledger.succeed(claim, "1")
    assert await bench.state("c") == "ready"
    assert (await bench.task("a")).output == '"kept"'
    assert await bench.kinds() == ["job.created", "job.started", "job.failed", "job.retried"]


async def test_a_running_job_with_a_failed_branch_can_be_retried(bench):
    await bench.start("a", "b")
    await bench.fail("a")
    await bench.claim("b")
    assert bench.keys(await bench.ledger.retry("job-1")) == ["a"]
    assert await bench.job_state() == "running"


async def test_retry_is_refused_when_there_is_nothing_to_retry(bench):
    await bench.start("a")
    with pytest.raises(Conflict):
        await bench.ledger.retry("job-1")
    await bench.do("a")
    with pytest.raises(Conflict):
        await bench.ledger.retry("job-1")
    await bench.start("a", id="job-2")
    await bench.ledger.cancel("job-2")
    with pytest.raises(Conflict):
        await bench.ledger.retry("job-2")


async def test_cancel_ends_everything_unfinished_for_good(bench):
    await bench.start("a", "b", "c", "d", "e", edges="a>b")
    await bench.do("d")
    claim = await bench.claim("a")
    await bench.ledger.park(await bench.claim("c"), "gate", signal="ok")
    assert bench.keys(await bench.ledger.cancel("job-1", "changed my mind")) == ["a"]
    assert await bench.states() == {
        "a": "cancelled",
        "b": "cancelled",
        "c": "cancelled",
        "d": "done",
        "e": "cancelled",
    }
    assert await bench.job_state() == "cancelled"
    assert await bench.last("job.cancelled") == {"reason": "changed my mind"}
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(claim, "1")
    assert not await bench.can_claim("e")
    assert not await bench.ledger.cancel("job-1")
    with pytest.raises(Conflict):
        await bench.ledger.signal(bench.ref("c"), "ok", "1")
    for refused in (bench.ledger.pause("job-1"), bench.ledger.resume("job-1")):
        with pytest.raises(Conflict):
            await refused


async def test_a_finished_job_cannot_be_cancelled_or_paused(bench):
    await bench.start("a")
    await bench.do("a")
    for refused in (
        bench.ledger.cancel("job-1"),
        bench.ledger.pause("job-1"),
        bench.ledger.resume("job-1"),
        bench.ledger.set_deadline("job-1", None),
    ):
        with pytest.raises(Conflict):
            await refused
    await bench.start("a", id="job-2")
    await bench.fail("job-2:a")
    with pytest.raises(Conflict):
        await bench.ledger.cancel("job-2")


async def test_notes_keep_their_first_value(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    assert await bench.ledger.save(claim, "seed", "1") == "1"
    assert await bench.ledger.save(claim, "seed", "2") == "1"
    assert await bench.ledger.save(claim, "other", "3") == "3"
    assert await bench.reader.notes(bench.ref("a")) == {"seed": "1", "other": "3"}
    assert await bench.kinds("a") == ["task.claimed", "task.noted", "task.noted"]
    await bench.ledger.fail(claim, _failure(), retry_at=bench.clock.now())
    again: Claim = await bench.claim("a")
    assert await bench.ledger.save(again, "seed", "9") == "1"


def _failure():
    from genlock.ledger.records import Failure

    return Failure("E", "m", "a long trace")


async def test_progress_is_kept_and_told(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    await bench.ledger.extend(claim, progress=0.25, note="frame 10")
    await bench.ledger.extend(claim, progress=0.5)
    await bench.ledger.extend(claim)
    row = await bench.task("a")
    assert (row.progress, row.progress_note) == (0.5, "frame 10")
    assert await bench.kinds("a") == ["task.claimed", "task.progress", "task.progress"]
    await bench.ledger.fail(claim, _failure(), retry_at=bench.clock.now())
    await bench.claim("a")
    assert (await bench.task("a")).progress is None


async def test_traces_are_kept_in_the_row_and_not_in_events(bench):
    await bench.start("a")
    await bench.ledger.fail(await bench.claim("a"), _failure(), retry_at=None)
    assert (await bench.task("a")).error == _failure()
    assert (await bench.row()).error == _failure()
    assert all("trace" not in event.data for event in await bench.reader.events("job-1"))
