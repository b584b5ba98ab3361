"""Maps: spreading in pages, gathering, and how many must succeed, on every ledger."""

from __future__ import annotations

import asyncio

import pytest

from genlock.errors import ClaimLost, Conflict
from genlock.ledger.records import NodeSpec, TaskState


async def test_a_map_is_done_when_all_its_children_are(bench):
    await bench.start("plan", "clip*", "join", edges="plan>clip clip>join")
    await bench.do("plan")
    advance = await bench.spread("clip", '"a"', '"b"', '"c"')
    assert bench.keys(advance.ready) == ["clip/0", "clip/1", "clip/2"]
    row = await bench.task("clip")
    assert (row.state, row.mapped, row.children, row.holder) == ("spread", True, 3, None)
    claim = await bench.claim("clip/1")
    assert (claim.item, claim.attempt, claim.revision) == ('"b"', 1, 1)
    await bench.ledger.succeed(claim, "1")
    await bench.do("clip/0", "0")
    assert await bench.state("join") == "blocked"
    last = await bench.do("clip/2", "2")
    assert bench.keys(last.ready) == ["join"]
    assert await bench.state("clip") == "done"
    outputs = [pair async for page in bench.reader.outputs("job-1", "clip") for pair in page]
    assert outputs == [(TaskState.DONE, "0"), (TaskState.DONE, "1"), (TaskState.DONE, "2")]
    assert (await bench.do("join")).finished == ("job-1",)


async def test_of_many_successes_at_once_only_those_without_a_claim_are_refused(bench):
    await bench.start("clip*", "join", edges="clip>join")
    await bench.spread("clip", *(str(index) for index in range(20)))
    claims = list(await bench.ledger.claim("ann", limit=20))
    lost = {3, 11}
    for index in lost:
        await bench.ledger.snooze(claims[index], bench.clock.now())
    twice = [*claims, claims[5]]  # a message that was delivered again
    answers = await asyncio.gather(
        *(bench.ledger.succeed(claim, str(claim.task.index)) for claim in twice), return_exceptions=True
    )
    refused = [index for index, answer in enumerate(answers) if isinstance(answer, ClaimLost)]
    assert refused == [3, 11, 20]
    states = await bench.states()
    assert [index for index in range(20) if states[f"clip/{index}"] != "done"] == [3, 11]
    assert (await bench.task("clip")).state == "spread"
    for claim in await bench.ledger.claim("bob", limit=20):
        await bench.ledger.succeed(claim, str(claim.task.index))
    outputs = [output async for page in bench.reader.outputs("job-1", "clip") for _, output in page]
    assert outputs == [str(index) for index in range(20)]
    assert await bench.state("join") == "ready"
    assert (await bench.kinds("clip/3")).count("task.done") == 1


async def test_many_successes_of_several_maps_at_once_finish_each_of_them(bench):
    await bench.start("one*", "two*", "join", edges="one>join two>join")
    for name in ("one", "two"):
        await bench.spread(name, *(str(index) for index in range(8)))
    claims = await bench.ledger.claim("ann", limit=16)
    advances = await asyncio.gather(
        *(bench.ledger.succeed(claim, claim.item, claim_next=1) for claim in claims)
    )
    assert [claimed.task.key for each in advances for claimed in each.claimed] == ["join"]
    assert await bench.state("one") == await bench.state("two") == "done"
    row = (await bench.reader.tasks("job-1", node="one"))[1]
    assert (row.holder, row.due_at, row.output, row.attempt) == (None, None, "0", 1)


async def test_an_empty_map_is_done_at_once(bench):
    await bench.start("clip*", "join", edges="clip>join")
    advance = await bench.spread("clip")
    assert bench.keys(advance.ready) == ["join"]
    assert await bench.state("clip") == "done"
    assert [pair async for page in bench.reader.outputs("job-1", "clip") for pair in page] == []


async def test_an_empty_map_can_complete_the_job(bench):
    await bench.start("clip*")
    assert (await bench.spread("clip")).finished == ("job-1",)


async def test_children_become_ready_with_the_last_page(bench):
    await bench.start("clip*")
    claim = await bench.claim("clip")
    first = await bench.ledger.spread(claim, ["0", "1"], offset=0, last=False)
    assert first.ready == ()
    assert await bench.states() == {"clip": "running", "clip/0": "blocked", "clip/1": "blocked"}
    assert not await bench.can_claim("clip/0")
    second = await bench.ledger.spread(claim, ["2"], offset=2, last=True)
    assert bench.keys(second.ready) == ["clip/0", "clip/1", "clip/2"]
    with pytest.raises(ClaimLost):
        await bench.ledger.spread(claim, ["3"], offset=3, last=True)


async def test_an_interrupted_spread_goes_on_where_it_stopped(bench):
    await bench.start("clip*")
    claim = await bench.claim("clip", holder="bob")
    await bench.ledger.spread(claim, ["0", "1"], offset=0, last=False)
    await bench.ledger.reclaim(survivor="ann")
    again = await bench.claim("clip")
    assert again.children == 2
    with pytest.raises(Conflict):
        await bench.ledger.spread(again, ["0"], offset=0, last=False)
    with pytest.raises(Conflict):
        await bench.ledger.spread(again, ["5"], offset=5, last=False)
    await bench.ledger.spread(again, [], offset=2, last=True)
    assert await bench.states() == {"clip": "spread", "clip/0": "ready", "clip/1": "ready"}


async def test_only_a_mapped_task_can_be_spread(bench):
    await bench.start("a")
    with pytest.raises(Conflict):
        await bench.spread("a", "1")


async def test_a_failed_child_fails_a_map_that_needs_all_and_the_others_go_on(bench):
    await bench.start("clip*", "join", edges="clip>join")
    await bench.spread("clip", "0", "1", "2")
    running = await bench.claim("clip/2")
    assert (await bench.fail("clip/0", "no such scene")).finished == ()
    row = await bench.task("clip")
    assert (row.state, row.error.message) == ("failed", "no such scene")
    assert await bench.job_state() == "running"
    await bench.ledger.succeed(running, "2")
    assert (await bench.do("clip/1")).finished == ("job-1",)
    job = await bench.row()
    assert (job.state, job.failed_task, job.error.message) == ("failed", "clip/0", "no such scene")
    assert await bench.state("join") == "blocked"


async def test_need_is_met_when_no_child_can_come_any_more(bench):
    await bench.start(NodeSpec("clip", mapped=True, need=2), "join", edges="clip>join")
    await bench.spread("clip", "0", "1", "2")
    await bench.do("clip/0", "0")
    await bench.do("clip/1", "1")
    assert await bench.states() == {
        "clip": "spread",
        "clip/0": "done",
        "clip/1": "done",
        "clip/2": "ready",
        "join": "blocked",
    }
    assert bench.keys((await bench.fail("clip/2")).ready) == ["join"]
    assert await bench.state("clip") == "done"
    outputs = [pair async for page in bench.reader.outputs("job-1", "clip") for pair in page]
    assert outputs[2] == (TaskState.FAILED, None)
    await bench.do("join")
    row = await bench.row()
    assert (row.state, row.error, row.failed_task) == ("completed", None, None)


async def test_need_out_of_reach_fails_the_map(bench):
    await bench.start(NodeSpec("clip", mapped=True, need=2))
    await bench.spread("clip", "0", "1", "2")
    await bench.fail("clip/0")
    assert await bench.state("clip") == "spread"
    await bench.fail("clip/1")
    assert await bench.state("clip") == "failed"
    assert (await bench.do("clip/2")).finished == ("job-1",)
    assert await bench.job_state() == "failed"


async def test_need_of_more_than_there_are_fails_the_map(bench):
    await bench.start(NodeSpec("clip", mapped=True, need=2))
    assert (await bench.spread("clip", "0")).finished == ("job-1",)
    assert (await bench.task("clip")).error.kind == "TooFew"


async def test_a_skipped_child_counts_as_done(bench):
    await bench.start("clip*", "join", edges="clip>join")
    await bench.spread("clip", "0", "1")
    await bench.skip("clip/0")
    assert bench.keys((await bench.do("clip/1")).ready) == ["join"]
    outputs = [pair async for page in bench.reader.outputs("job-1", "clip") for pair in page]
    assert outputs[0] == (TaskState.SKIPPED, None)


async def test_a_skipped_map_has_no_children(bench):
    await bench.start("plan", "clip*", "join", edges="plan>clip clip?>join")
    await bench.skip("plan")
    assert await bench.states() == {"plan": "skipped", "clip": "skipped", "join": "ready"}


async def test_a_child_can_be_tried_again_without_failing_its_map(bench):
    await bench.start("clip*")
    await bench.spread("clip", "0")
    await bench.fail("clip/0", retry_at=bench.clock.now())
    assert await bench.state("clip") == "spread"
    await bench.do("clip/0")
    assert await bench.job_state() == "completed"


async def test_retry_runs_failed_children_only(bench):
    await bench.start("clip*", "join", edges="clip>join")
    await bench.spread("clip", "0", "1", "2")
    await bench.fail("clip/0")
    await bench.fail("clip/2")
    await bench.do("clip/1", '"kept"')
    assert bench.keys(await bench.ledger.retry("job-1")) == ["clip/0", "clip/2"]
    assert await bench.state("clip") == "spread"
    await bench.do("clip/0")
    assert bench.keys((await bench.do("clip/2")).ready) == ["join"]
    assert (await bench.task("clip/1")).output == '"kept"'


async def test_retry_leaves_children_of_a_map_that_is_done(bench):
    await bench.start(NodeSpec("clip", mapped=True, need=1), "other")
    await bench.spread("clip", "0", "1")
    await bench.fail("clip/0")
    await bench.do("clip/1")
    await bench.fail("other")
    assert bench.keys(await bench.ledger.retry("job-1")) == ["other"]
    assert await bench.state("clip/0") == "failed"


async def test_a_map_that_failed_while_it_was_spread_is_retried_from_its_page(bench):
    await bench.start("clip*")
    claim = await bench.claim("clip")
    await bench.ledger.spread(claim, ["0"], offset=0, last=False)
    from genlock.ledger.records import Failure

    await bench.ledger.fail(claim, Failure("E", "m"), retry_at=None)
    assert await bench.job_state() == "failed"
    assert bench.keys(await bench.ledger.retry("job-1")) == ["clip"]
    again = await bench.claim("clip")
    assert again.children == 1
    await bench.ledger.spread(again, ["1"], offset=1, last=True)
    await bench.do("clip/0")
    await bench.do("clip/1")
    assert await bench.job_state() == "completed"


async def test_cancel_ends_children_too(bench):
    await bench.start("clip*")
    await bench.spread("clip", "0", "1")
    await bench.claim("clip/1")
    assert bench.keys(await bench.ledger.cancel("job-1")) == ["clip/1"]
    assert await bench.states() == {"clip": "cancelled", "clip/0": "cancelled", "clip/1": "cancelled"}


async def test_outputs_of_a_large_map_come_in_order(bench):
    await bench.start("clip*")
    claim = await bench.claim("clip")
    for page in range(3):
        items = [str(n) for n in range(page * 1000, page * 1000 + 1000)]
        await bench.ledger.spread(claim, items, offset=page * 1000, last=page == 2)
    claims = await bench.ledger.claim("ann", limit=3000)
    for claim in claims[::10]:
        await bench.ledger.succeed(claim, claim.item)
    outputs = [pair async for page in bench.reader.outputs("job-1", "clip") for pair in page]
    assert len(outputs) == 3000
    assert [text for state, text in outputs if state is TaskState.DONE] == [
        str(n) for n in range(0, 3000, 10)
    ]
