"""Jobs nested in tasks, on every ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from genlock.errors import ClaimLost, Conflict
from genlock.ledger.records import TaskRef


async def test_a_nested_job_that_completes_completes_its_task(bench):
    await bench.start("film", "after", edges="film>after")
    advance = await bench.nest("film", "kid", "a", "b", edges="a>b")
    assert bench.keys(advance.ready) == ["kid:a"]
    row = await bench.task("film")
    assert (row.state, row.child_job, row.holder) == ("spread", "kid", None)
    assert (await bench.row("kid")).parent == TaskRef("job-1", "film")
    assert await bench.job_state() == "running"
    await bench.do("kid:a")
    last = await bench.do("kid:b")
    assert (last.finished, bench.keys(last.ready)) == (("kid",), ["after"])
    assert (await bench.task("film")).output == '{"$job":"kid"}'
    assert (await bench.do("after")).finished == ("job-1",)
    assert [row.id for row in await bench.reader.children("job-1")] == ["kid"]
    assert [row.id for row in await bench.reader.jobs()] == ["job-1"]


async def test_the_last_task_of_a_nested_job_can_complete_both(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "a")
    assert (await bench.do("kid:a")).finished == ("kid", "job-1")


async def test_a_nested_job_without_tasks_completes_its_task_at_once(bench):
    await bench.start("film", "after", edges="film>after")
    advance = await bench.nest("film", "kid")
    assert (advance.finished, bench.keys(advance.ready)) == (("kid",), ["after"])


async def test_nesting_the_same_job_again_goes_on_with_it(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "a")
    await bench.fail("kid:a", "broken")
    assert await bench.states() == {"film": "failed"}
    await bench.start("other", id="job-2")
    with pytest.raises(Conflict):
        await bench.nest("job-2:other", "kid", "a")
    assert await bench.state("job-2:other") == "running"


async def test_a_mapped_task_itself_cannot_nest(bench):
    await bench.start("film*")
    with pytest.raises(Conflict):
        await bench.nest("film", "kid", "a")


async def test_a_nested_job_that_fails_fails_its_task(bench):
    await bench.start("film", "after", edges="film>after")
    await bench.nest("film", "kid", "a")
    assert (await bench.fail("kid:a", "no")).finished == ("kid", "job-1")
    row = await bench.task("film")
    assert (row.state, row.error.kind) == ("failed", "Oops")
    assert "kid" in row.error.message
    assert "no" in row.error.message
    assert await bench.states() == {"film": "failed", "after": "blocked"}


async def test_retry_of_a_parent_retries_its_nested_jobs(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "inner", "fine")
    await bench.nest("kid:inner", "baby", "a")
    await bench.do("kid:fine")
    await bench.fail("baby:a")
    assert await bench.job_state() == "failed"
    assert bench.keys(await bench.ledger.retry("job-1")) == ["baby:a"]
    assert [await bench.job_state(job) for job in ("job-1", "kid", "baby")] == ["running"] * 3
    assert await bench.states("kid") == {"inner": "spread", "fine": "done"}
    await bench.do("baby:a")
    assert [await bench.job_state(job) for job in ("job-1", "kid", "baby")] == ["completed"] * 3


async def test_retry_of_a_nested_job_opens_the_jobs_around_it(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "a")
    await bench.fail("kid:a")
    assert bench.keys(await bench.ledger.retry("kid")) == ["kid:a"]
    assert await bench.states() == {"film": "spread"}
    row = await bench.row()
    assert (row.state, row.error) == ("running", None)
    await bench.do("kid:a")
    assert await bench.job_state() == "completed"


async def test_cancel_acts_on_the_whole_tree(bench):
    await bench.start("film", "other")
    await bench.nest("film", "kid", "inner")
    await bench.nest("kid:inner", "baby", "a", "b")
    claim = await bench.claim("baby:a")
    other = await bench.claim("other")
    running = await bench.ledger.cancel("job-1", "enough")
    assert sorted(bench.keys(running)) == ["baby:a", "other"]
    assert [await bench.job_state(job) for job in ("job-1", "kid", "baby")] == ["cancelled"] * 3
    assert await bench.states("baby") == {"a": "cancelled", "b": "cancelled"}
    for lost in (claim, other):
        with pytest.raises(ClaimLost):
            await bench.ledger.succeed(lost, "1")


async def test_a_nested_job_that_is_cancelled_fails_its_task(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "a")
    await bench.ledger.cancel("kid", "not this one")
    row = await bench.task("film")
    assert (row.state, row.error.kind) == ("failed", "Cancelled")
    assert await bench.job_state() == "failed"
    assert bench.keys(await bench.ledger.retry("job-1")) == ["film"]
    assert (await bench.task("film")).child_job is None
    await bench.nest("film", "kid-2", "a")
    await bench.do("kid-2:a")
    assert await bench.job_state() == "completed"


async def test_waiting_passes_through_nested_jobs(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "inner")
    await bench.nest("kid:inner", "baby", "gate")
    await bench.ledger.park(await bench.claim("baby:gate"), "review", signal="ok")
    assert [await bench.job_state(job) for job in ("job-1", "kid", "baby")] == ["waiting"] * 3
    await bench.ledger.signal(TaskRef("baby", "gate"), "ok", "1")
    assert [await bench.job_state(job) for job in ("job-1", "kid", "baby")] == ["running"] * 3
    await bench.do("baby:gate")
    assert await bench.job_state() == "completed"


async def test_a_job_waits_only_if_all_that_is_left_waits(bench):
    await bench.start("film", "work")
    await bench.nest("film", "kid", "gate")
    await bench.ledger.park(await bench.claim("kid:gate"), "review", signal="ok")
    assert await bench.job_state("kid") == "waiting"
    assert await bench.job_state() == "running"
    await bench.do("work")
    assert await bench.job_state() == "waiting"


async def test_pause_and_resume_act_on_the_whole_tree(bench):
    await bench.start("film", "later")
    await bench.nest("film", "kid", "a")
    claim = await bench.claim("later")
    await bench.ledger.pause("job-1")
    assert [await bench.job_state(job) for job in ("job-1", "kid")] == ["paused"] * 2
    assert not await bench.can_claim("kid:a")
    born = await bench.ledger.nest(claim, bench.spec("kid-2", "b"))
    assert born.ready == ()
    assert await bench.job_state("kid-2") == "paused"
    assert sorted(bench.keys(await bench.ledger.resume("job-1"))) == ["kid-2:b", "kid:a"]
    assert [await bench.job_state(job) for job in ("job-1", "kid", "kid-2")] == [
        "running",
        "pending",
        "pending",
    ]


async def test_a_nested_job_can_be_paused_alone(bench):
    await bench.start("film", "other")
    await bench.nest("film", "kid", "gate")
    await bench.ledger.park(await bench.claim("kid:gate"), "review", signal="ok")
    await bench.ledger.pause("kid")
    assert await bench.job_state() == "running"
    await bench.do("other")
    assert await bench.job_state() == "running"
    await bench.ledger.resume("kid")
    assert [await bench.job_state(job) for job in ("job-1", "kid")] == ["waiting", "waiting"]


async def test_a_deadline_ends_the_whole_tree_and_retry_brings_it_back(bench):
    await bench.start("film", "other", deadline=timedelta(minutes=1))
    await bench.nest("film", "kid", "a", "gate")
    lost = await bench.claim("kid:a")
    await bench.ledger.park(await bench.claim("kid:gate"), "review", signal="ok")
    bench.clock.turn(60)
    assert bench.keys(await bench.ledger.expire()) == ["kid:a"]
    assert [await bench.job_state(job) for job in ("job-1", "kid")] == ["failed"] * 2
    assert await bench.states() == {"film": "spread", "other": "ready"}
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(lost, "1")
    assert sorted(bench.keys(await bench.ledger.retry("job-1"))) == ["kid:a", "other"]
    await bench.do("kid:a")
    assert await bench.job_state("kid") == "waiting"
    assert await bench.job_state() == "running"
    await bench.do("other")
    assert await bench.job_state() == "waiting"
    await bench.ledger.signal(TaskRef("kid", "gate"), "ok", "1")
    await bench.do("kid:gate")
    assert await bench.job_state() == "completed"


async def test_a_nested_job_past_a_deadline_of_its_own_fails_its_task(bench):
    await bench.start("film")
    await bench.nest("film", "kid", "a", deadline=timedelta(minutes=1))
    bench.clock.turn(60)
    await bench.ledger.expire()
    assert await bench.states() == {"film": "failed"}
    assert (await bench.row()).error.kind == "DeadlinePassed"
    assert bench.keys(await bench.ledger.retry("job-1")) == ["kid:a"]
    await bench.do("kid:a")
    assert await bench.job_state() == "completed"


async def test_a_map_of_nested_jobs_is_gathered(bench):
    await bench.start("short*", "after", edges="short>after")
    await bench.spread("short", "0", "1")
    await bench.nest("short/0", "kid-0", "a")
    await bench.nest("short/1", "kid-1", "a")
    await bench.do("kid-1:a")
    assert await bench.state("short") == "spread"
    assert bench.keys((await bench.do("kid-0:a")).ready) == ["after"]
    outputs = [text async for page in bench.reader.outputs("job-1", "short") for _, text in page]
    assert outputs == ['{"$job":"kid-0"}', '{"$job":"kid-1"}']


async def test_retry_of_a_map_of_nested_jobs_runs_the_failed_one(bench):
    await bench.start("short*")
    await bench.spread("short", "0", "1")
    await bench.nest("short/0", "kid-0", "a")
    await bench.nest("short/1", "kid-1", "a")
    await bench.do("kid-0:a")
    await bench.fail("kid-1:a")
    assert await bench.states() == {"short": "failed", "short/0": "done", "short/1": "failed"}
    assert bench.keys(await bench.ledger.retry("job-1")) == ["kid-1:a"]
    assert await bench.states() == {"short": "spread", "short/0": "done", "short/1": "spread"}
    await bench.do("kid-1:a")
    assert await bench.job_state() == "completed"


async def test_a_nested_job_that_waits_is_paused_and_waits_again_when_it_goes_on(bench):
    await bench.start("short")
    await bench.nest("short", "kid", "gate")
    await bench.ledger.park(await bench.claim("kid:gate"), "review", signal="approved")
    assert await bench.job_state() == "waiting"
    await bench.ledger.pause("job-1")
    assert (await bench.job_state(), await bench.job_state("kid")) == ("paused", "paused")
    await bench.ledger.resume("job-1")
    assert (await bench.job_state(), await bench.job_state("kid")) == ("waiting", "waiting")
