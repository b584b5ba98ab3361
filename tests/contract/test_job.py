"""Creating, running and finishing jobs, on every ledger."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from genlock.errors import BadInput, ClaimLost, NotFound
from genlock.ledger.records import Failure, JobFilter, JobState, NodeSpec, Taker, TaskRef, TaskState


async def test_a_new_job_is_pending_and_its_first_tasks_are_ready(bench):
    ready = await bench.start("a", "b", "c", edges="a>c b>c")
    assert bench.keys(ready) == ["a", "b"]
    assert await bench.states() == {"a": "ready", "b": "ready", "c": "blocked"}
    row = await bench.row()
    assert (row.state, row.pipeline, row.graph, row.input) == (
        "pending",
        "film",
        '{"graph":1}',
        '{"input":1}',
    )
    assert row.created_at == bench.clock.now()
    assert row.started_at is None
    assert await bench.kinds() == ["job.created"]


async def test_the_same_id_again_changes_nothing(bench):
    await bench.start("a")
    again = await bench.ledger.create_job(bench.spec("job-1", "x", "y"))
    assert (again.id, again.created, again.ready) == ("job-1", False, ())
    assert await bench.states() == {"a": "ready"}


async def test_the_same_dedup_key_answers_with_the_first_job(bench):
    await bench.start("a", dedup="order 7")
    again = await bench.ledger.create_job(bench.spec("job-2", "a", dedup="order 7"))
    assert (again.id, again.created) == ("job-1", False)
    other = await bench.ledger.create_job(bench.spec("job-3", "a", dedup="order 8"))
    assert other.created


async def test_a_chain_runs_to_the_end(bench):
    await bench.start("a", "b", edges="a>b")
    bench.clock.turn(5)
    first = await bench.do("a", '{"n":1}')
    assert bench.keys(first.ready) == ["b"]
    assert first.finished == ()
    assert await bench.job_state() == "running"
    bench.clock.turn(2)
    second = await bench.do("b")
    assert (second.ready, second.finished) == ((), ("job-1",))
    row = await bench.row()
    assert (row.state, row.error) == ("completed", None)
    assert (row.finished_at - row.started_at).total_seconds() == 2
    assert await bench.kinds() == ["job.created", "job.started", "job.completed"]
    assert await bench.kinds("b") == ["task.claimed", "task.done"]
    assert (await bench.task("a")).output == '{"n":1}'


async def test_a_join_waits_for_all_upstreams(bench):
    await bench.start("a", "b", "c", edges="a>c b>c a>c")
    assert (await bench.do("a")).ready == ()
    assert await bench.state("c") == "blocked"
    assert bench.keys((await bench.do("b")).ready) == ["c"]


async def test_a_job_without_tasks_is_completed_at_once(bench):
    await bench.start()
    assert await bench.job_state() == "completed"


async def test_a_job_whose_every_task_is_skipped_is_completed_at_once(bench):
    await bench.start(NodeSpec("a", skipped=True), "b", edges="a>b")
    assert await bench.states() == {"a": "skipped", "b": "skipped"}
    assert await bench.job_state() == "completed"


async def test_succeed_can_claim_what_it_made_ready(bench):
    await bench.start("a", "b", NodeSpec("c", resources="gpu=1"), "d", edges="a>b a>c a>d")
    claim = await bench.claim("a")
    advance = await bench.ledger.succeed(claim, "1", claim_next=2, resources=[""])
    assert bench.keys(advance.ready) == ["b", "c", "d"]
    assert [(one.task.key, one.holder) for one in advance.claimed] == [("b", "ann"), ("d", "ann")]
    assert await bench.states() == {"a": "done", "b": "running", "c": "ready", "d": "running"}
    await bench.ledger.succeed(advance.claimed[0], "2")


async def test_a_new_job_can_be_claimed_in_its_own_commit(bench):
    spec = bench.spec("job-1", NodeSpec("a", resources="gpu=1"), "b", "c", "d", edges="a>d")
    made = await bench.ledger.create_job(spec, taker=Taker("ann", ""))
    assert bench.keys(made.ready) == ["a", "b", "c"]
    assert [(one.task.key, one.holder, one.attempt) for one in made.claimed] == [("b", "ann", 1)]
    assert await bench.states() == {"a": "ready", "b": "running", "c": "ready", "d": "blocked"}
    assert await bench.kinds() == ["job.created", "job.started"]
    assert await bench.kinds("b") == ["task.claimed"]
    assert (await bench.ledger.create_job(spec, taker=Taker("bob", ""))).claimed == ()
    await bench.ledger.succeed(made.claimed[0], "1")


async def test_a_new_job_keeps_what_the_taker_has_no_place_for(bench):
    made = await bench.ledger.create_job(
        bench.spec("job-1", NodeSpec("a", resources="gpu=1")), taker=Taker("ann", "cpu=1")
    )
    assert (made.claimed, await bench.job_state()) == ((), "pending")
    paused = bench.spec("job-2", NodeSpec("a", skipped=True), "b", edges="a>b")
    assert (await bench.ledger.create_job(paused, taker=Taker("ann", ""))).claimed == ()


async def test_outputs_hashes_and_times_are_kept_on_the_row(bench):
    await bench.start("a")
    claim = await bench.claim("a", holder="bob")
    row = await bench.task("a")
    assert (row.state, row.holder, row.attempt, row.started_at) == ("running", "bob", 1, bench.clock.now())
    bench.clock.turn(3)
    await bench.ledger.succeed(claim, '"é"', input_hash="h1")
    row = await bench.task("a")
    assert (row.output, row.input_hash, row.holder) == ('"é"', "h1", None)
    assert row.finished_at == bench.clock.now()
    assert await bench.reader.output(bench.ref("a")) == (TaskState.DONE, '"é"')
    assert (await bench.last("task.done"))["seconds"] == 3


async def test_what_is_not_there_is_not_found(bench):
    await bench.start("a", "m*")
    with pytest.raises(NotFound):
        await bench.reader.job("nope")
    for key in ("b", "a/0", "m/0", "nope:a"):
        with pytest.raises(NotFound):
            await bench.task(key)
        with pytest.raises(NotFound):
            await bench.reader.output(bench.ref(key))
    for verb in (bench.ledger.cancel, bench.ledger.retry, bench.ledger.pause, bench.ledger.resume):
        with pytest.raises(NotFound):
            await verb("nope")
    with pytest.raises(NotFound):
        await bench.ledger.set_deadline("nope", timedelta(hours=1))
    with pytest.raises(NotFound):
        await bench.ledger.redo("job-1", ["b"])
    with pytest.raises(NotFound):
        await bench.ledger.signal(bench.ref("b"), "ok", "1")


async def test_jobs_are_listed_newest_first_in_pages(bench):
    for number in range(5):
        await bench.start("a", id=f"job-{number}", owner="ann" if number % 2 else "bob")
    await bench.ledger.cancel("job-3")
    first = await bench.reader.jobs(limit=2)
    assert [row.id for row in first] == ["job-4", "job-3"]
    assert [row.id for row in await bench.reader.jobs(after="job-3")] == ["job-2", "job-1", "job-0"]
    mine = JobFilter(owner="ann", pipeline="film", states=frozenset({JobState.PENDING}))
    assert [row.id for row in await bench.reader.jobs(mine)] == ["job-1"]
    assert await bench.reader.jobs(JobFilter(pipeline="other")) == []


async def test_what_a_job_is_called_does_not_say_where_it_is_listed(bench):
    for name in ("m", "z", "a"):
        await bench.start("a", id=name)
        bench.clock.turn(1)
    assert [row.id for row in await bench.reader.jobs()] == ["a", "z", "m"]
    assert [row.id for row in await bench.reader.jobs(after="a", limit=1)] == ["z"]
    assert [row.id for row in await bench.reader.jobs(after="z")] == ["m"]
    with pytest.raises(BadInput, match="begin anew"):
        await bench.reader.jobs(after="gone")


async def test_tasks_are_listed_in_graph_order_in_pages(bench):
    await bench.start("z", "m*", "a", edges="z>a")
    await bench.spread("m", *[str(n) for n in range(12)])
    await bench.do("m/11")
    keys = [row.ref.key for row in await bench.reader.tasks("job-1")]
    assert keys == ["z", "m", *[f"m/{n}" for n in range(12)], "a"]
    page = await bench.reader.tasks("job-1", after="m/1", limit=3)
    assert [row.ref.key for row in page] == ["m/2", "m/3", "m/4"]
    done = await bench.reader.tasks("job-1", node="m", states=[TaskState.DONE])
    assert [row.ref.key for row in done] == ["m/11"]
    assert await bench.reader.tasks("nope") == []


async def test_counts_are_of_children_rather_than_their_map(bench):
    await bench.start("m*", "after", edges="m>after")
    counts = {(one.node, str(one.state)): one.count for one in await bench.reader.counts("job-1")}
    assert counts == {("m", "ready"): 1, ("after", "blocked"): 1}
    await bench.spread("m", "1", "2", "3")
    await bench.do("m/0")
    counts = {(one.node, str(one.state)): one.count for one in await bench.reader.counts("job-1")}
    assert counts == {("m", "ready"): 2, ("m", "done"): 1, ("after", "blocked"): 1}


async def test_events_come_in_pages_and_wake_those_who_wait(bench):
    await bench.start("a")
    await bench.do("a")
    events = await bench.reader.events("job-1", after=1, limit=2)
    assert [(event.seq, event.kind, event.task) for event in events] == [
        (2, "job.started", None),
        (3, "task.claimed", "a"),
    ]
    assert await bench.reader.changed("job-1", 3, 0.0) is True
    last = (await bench.row()).last_event
    assert await bench.reader.changed("job-1", last, 0.01) is False


async def test_the_end_of_a_job_is_waited_for_and_answers_with_its_row(bench):
    await bench.start("a")
    assert (await bench.reader.ended("job-1", 0.01)).state == "pending"
    waiting = [asyncio.ensure_future(bench.reader.ended("job-1", 30)) for _ in range(3)]
    claim = await bench.claim("a")
    await bench.ledger.extend(claim, progress=0.5)
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in waiting)
    await bench.ledger.succeed(claim, "1")
    assert [row.state for row in await asyncio.wait_for(asyncio.gather(*waiting), 5)] == ["completed"] * 3
    with pytest.raises(NotFound):
        await bench.reader.ended("nobody", 1)


async def test_texts_are_all_json_a_job_holds(bench):
    await bench.start("a", "m*", "g")
    await bench.do("a", '"first"', input_hash="h")
    await bench.spread("m", '"item"')
    await bench.ledger.save(await bench.claim("g"), "n", '"note"')
    await bench.ledger.signal(bench.ref("g"), "ok", '"signal"')
    await bench.ledger.redo("job-1", ["a"])
    await bench.do("a", '"second"')
    await bench.start("a", id="job-2")
    await bench.ledger.cancel("job-2")
    held = [text async for text in bench.reader.texts()]
    assert {'{"input":1}', '"first"', '"second"', '"item"', '"note"', '"signal"'} <= set(held)
    assert held.count('{"input":1}') == 2
    later = bench.clock.now() + timedelta(seconds=1)
    kept = [text async for text in bench.reader.texts(unless_finished_before=later)]
    assert kept.count('{"input":1}') == 1
    assert '"second"' in kept


async def test_what_finished_long_ago_can_be_forgotten_with_all_that_is_nested_in_it(bench):
    await bench.start("n", "a")
    await bench.nest("n", "kid", "a")
    await bench.do("kid:a")
    await bench.do("a", "1", input_hash="h", share=True)
    await bench.start("a", id="job-2")
    later = bench.clock.now() + timedelta(seconds=1)
    assert await bench.ledger.forget(bench.clock.now() - timedelta(days=1)) == []
    assert sorted(await bench.ledger.forget(later)) == ["job-1", "kid"]
    with pytest.raises(NotFound):
        await bench.reader.job("job-1")
    assert [row.id for row in await bench.reader.jobs(JobFilter(children=True))] == ["job-2"]
    assert await bench.reader.shared("h") is None
    await bench.start("a")  # the name is free again
    await bench.do("a")


async def test_a_shared_result_is_there_for_all_jobs_and_the_first_one_stays(bench):
    await bench.start("a", "b")
    assert await bench.reader.shared("h") is None
    await bench.do("a", "1", input_hash="h", share=True)
    await bench.do("b", "2", input_hash="h", share=True)
    assert await bench.reader.shared("h") == "1"


async def test_a_write_without_the_claim_is_refused(bench):
    await bench.start("a", "b")
    claim = await bench.claim("a")
    await bench.ledger.succeed(claim, "1")
    before = (await bench.row()).last_event
    later = bench.clock.now()
    refused = [
        lambda: bench.ledger.extend(claim, progress=0.5),
        lambda: bench.ledger.extend(claim),
        lambda: bench.ledger.save(claim, "n", "1"),
        lambda: bench.ledger.succeed(claim, "2"),
        lambda: bench.ledger.spread(claim, ["1"], offset=0, last=True),
        lambda: bench.ledger.nest(claim, bench.spec("job-2", "x")),
        lambda: bench.ledger.park(claim, "why"),
        lambda: bench.ledger.snooze(claim, later),
        lambda: bench.ledger.fail(claim, Failure("E", "m"), retry_at=None),
        lambda: bench.ledger.skip(claim, "why"),
    ]
    for verb in refused:
        with pytest.raises(ClaimLost):
            await verb()
    assert (await bench.row()).last_event == before
    assert (await bench.task("a")).output == "1"


async def test_a_claim_of_a_task_that_is_gone_is_lost(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    stranger = type(claim)(TaskRef("nope", "a"), claim.token, "ann", 1, 0, 0, 1)
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(stranger, "1")
