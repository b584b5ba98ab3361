"""Waiting: parking, signals, snoozing, pausing and deadlines, on every ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from genlock.errors import ClaimLost, Conflict


async def test_a_signal_wakes_a_parked_task(bench):
    await bench.start("gate", "after", edges="gate>after")
    claim = await bench.claim("gate")
    await bench.ledger.park(claim, "review", signal="approved")
    row = await bench.task("gate")
    assert (row.state, row.parked_for, row.tries, row.holder) == ("parked", "review", 0, None)
    assert await bench.job_state() == "waiting"
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(claim, "1")
    assert await bench.ledger.signal(bench.ref("gate"), "approved", '"yes"') is True
    assert await bench.job_state() == "running"
    again = await bench.claim("gate")
    assert (again.attempt, again.tries, again.revision) == (2, 0, 1)
    assert await bench.reader.notes(bench.ref("gate")) == {"signal:approved": '"yes"'}
    await bench.ledger.succeed(again, "1")
    kinds = await bench.kinds("gate")
    assert kinds == [
        "task.claimed",
        "task.parked",
        "task.signalled",
        "task.woken",
        "task.claimed",
        "task.done",
    ]
    assert await bench.kinds() == ["job.created", "job.started", "job.waiting"]


async def test_a_signal_that_came_first_keeps_the_task_awake(bench):
    await bench.start("gate")
    assert await bench.ledger.signal(bench.ref("gate"), "approved", '"early"') is True
    advance = await bench.ledger.park(await bench.claim("gate"), "review", signal="approved")
    assert bench.keys(advance.ready) == ["gate"]
    assert await bench.state("gate") == "ready"


async def test_the_first_value_of_a_signal_stays(bench):
    await bench.start("gate")
    assert await bench.ledger.signal(bench.ref("gate"), "go", "1") is True
    assert await bench.ledger.signal(bench.ref("gate"), "go", "2") is False
    assert await bench.reader.notes(bench.ref("gate")) == {"signal:go": "1"}
    assert (await bench.kinds("gate")).count("task.signalled") == 1


async def test_another_signal_does_not_wake(bench):
    await bench.start("gate")
    await bench.ledger.park(await bench.claim("gate"), "review", signal="approved")
    await bench.ledger.signal(bench.ref("gate"), "other", "1")
    assert await bench.state("gate") == "parked"


async def test_a_signal_to_a_finished_task_is_refused(bench):
    await bench.start("a")
    await bench.do("a")
    with pytest.raises(Conflict):
        await bench.ledger.signal(bench.ref("a"), "go", "1")


async def test_a_parked_task_wakes_in_time(bench):
    await bench.start("a")
    until = bench.clock.now() + timedelta(minutes=5)
    await bench.ledger.park(await bench.claim("a"), "polling", until=until)
    assert (await bench.task("a")).due_at == until
    assert (await bench.reader.outlook()).due_in == until - bench.clock.now()
    assert await bench.ledger.expire() == []
    bench.clock.turn(300)
    assert bench.keys(await bench.ledger.expire()) == ["a"]
    assert await bench.job_state() == "running"
    assert (await bench.reader.outlook()).due_in is None
    await bench.do("a")


async def test_a_job_is_waiting_only_while_nothing_else_can_go_on(bench):
    await bench.start("gate", "work")
    await bench.ledger.park(await bench.claim("gate"), "review", signal="ok")
    assert await bench.job_state() == "running"
    await bench.do("work")
    assert await bench.job_state() == "waiting"
    assert (await bench.kinds()).count("job.waiting") == 1


async def test_a_job_with_a_failed_task_and_a_parked_one_waits(bench):
    await bench.start("gate", "work")
    await bench.ledger.park(await bench.claim("gate"), "review", signal="ok")
    await bench.fail("work")
    assert await bench.job_state() == "waiting"
    await bench.ledger.signal(bench.ref("gate"), "ok", "1")
    assert (await bench.do("gate")).finished == ("job-1",)
    assert await bench.job_state() == "failed"


async def test_a_snoozed_task_is_ready_later_at_no_cost(bench):
    await bench.start("a")
    until = bench.clock.now() + timedelta(seconds=10)
    await bench.ledger.snooze(await bench.claim("a"), until)
    assert not await bench.can_claim("a")
    assert await bench.ledger.claim("ann") == []
    assert await bench.reader.ready_count() == 0
    assert (await bench.reader.outlook()).due_in == until - bench.clock.now()
    bench.clock.turn(10)
    assert await bench.reader.ready_count() == 1
    claim = await bench.claim("a")
    assert (claim.tries, claim.reclaims) == (0, 0)


async def test_a_paused_job_lets_nothing_be_claimed_and_running_tasks_finish(bench):
    await bench.start("a", "b", "c", edges="a>c")
    claim = await bench.claim("a")
    await bench.ledger.pause("job-1", "lunch")
    await bench.ledger.pause("job-1")
    assert await bench.job_state() == "paused"
    assert (await bench.last("job.paused"))["reason"] == "lunch"
    assert not await bench.can_claim("b")
    assert await bench.ledger.claim("ann") == []
    assert await bench.reader.ready_count() == 0
    advance = await bench.ledger.succeed(claim, "1", claim_next=1)
    assert (advance.ready, advance.claimed) == ((), ())
    assert await bench.state("c") == "ready"
    assert await bench.job_state() == "paused"
    assert sorted(bench.keys(await bench.ledger.resume("job-1"))) == ["b", "c"]
    assert await bench.job_state() == "running"
    with pytest.raises(Conflict):
        await bench.ledger.resume("job-1")
    await bench.do("b")
    await bench.do("c")
    assert await bench.job_state() == "completed"


async def test_a_paused_job_whose_last_task_finishes_is_completed(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    await bench.ledger.pause("job-1")
    assert (await bench.ledger.succeed(claim, "1")).finished == ("job-1",)
    assert await bench.job_state() == "completed"


async def test_a_pending_job_is_pending_again_after_a_pause(bench):
    await bench.start("a")
    await bench.ledger.pause("job-1")
    await bench.ledger.resume("job-1")
    assert await bench.job_state() == "pending"


async def test_what_wakes_in_a_paused_job_waits_for_its_resumption(bench):
    await bench.start("gate", "timer")
    until = bench.clock.now() + timedelta(seconds=1)
    await bench.ledger.park(await bench.claim("gate"), "review", signal="ok")
    await bench.ledger.park(await bench.claim("timer"), "polling", until=until)
    await bench.ledger.pause("job-1")
    bench.clock.turn(2)
    assert (await bench.reader.outlook()).due_in is None
    assert await bench.ledger.expire() == []
    await bench.ledger.signal(bench.ref("gate"), "ok", "1")
    assert not await bench.can_claim("gate")
    assert bench.keys(await bench.ledger.resume("job-1")) == ["gate"]
    assert bench.keys(await bench.ledger.expire()) == ["timer"]


async def test_a_job_past_its_deadline_fails_and_retry_goes_on_from_there(bench):
    await bench.start("a", "b", "c", "d", edges="a>c", deadline=timedelta(hours=2))
    await bench.do("a", '"kept"')
    claim = await bench.claim("b")
    await bench.ledger.park(await bench.claim("d"), "review", signal="ok")
    assert (await bench.row()).deadline_at == bench.clock.now() + timedelta(hours=2)
    assert (await bench.reader.outlook()).due_in == timedelta(hours=2)
    bench.clock.turn(7200)
    assert bench.keys(await bench.ledger.expire()) == ["b"]
    row = await bench.row()
    assert (row.state, row.error.kind, row.failed_task) == ("failed", "DeadlinePassed", None)
    assert await bench.states() == {"a": "done", "b": "ready", "c": "ready", "d": "parked"}
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(claim, "1")
    assert not await bench.can_claim("c")
    assert await bench.ledger.expire() == []
    assert (await bench.reader.outlook()).due_in is None
    assert sorted(bench.keys(await bench.ledger.retry("job-1"))) == ["b", "c"]
    row = await bench.row()
    assert (row.state, row.error) == ("running", None)
    assert row.deadline_at == bench.clock.now() + timedelta(hours=2)
    await bench.do("b")
    await bench.do("c")
    await bench.ledger.signal(bench.ref("d"), "ok", "1")
    await bench.do("d")
    assert await bench.job_state() == "completed"


async def test_a_deadline_can_be_set_and_taken_away(bench):
    await bench.start("a")
    await bench.ledger.set_deadline("job-1", timedelta(minutes=1))
    assert (await bench.row()).deadline_at == bench.clock.now() + timedelta(minutes=1)
    await bench.ledger.set_deadline("job-1", None)
    bench.clock.turn(120)
    await bench.ledger.expire()
    row = await bench.row()
    assert (row.state, row.deadline, row.deadline_at) == ("pending", None, None)


HOUR = timedelta(hours=1)


async def elapse(bench, *, left: timedelta) -> None:
    """A day in which the deadline stands still, with so much of it left when the job goes on."""
    row = await bench.row()
    assert (row.deadline, row.deadline_at) == (HOUR, None)
    bench.clock.turn(86400)
    await bench.ledger.expire()
    assert (await bench.row()).state == row.state
    bench.left = left


async def is_near(bench) -> None:
    """The deadline comes nearer from now on, and holds."""
    assert (await bench.row()).deadline_at == bench.clock.now() + bench.left
    bench.clock.turn(bench.left.total_seconds())
    await bench.ledger.expire()
    assert (await bench.row()).error.kind == "DeadlinePassed"


async def test_the_deadline_of_a_paused_job_stands_still(bench):
    await bench.start("a", deadline=HOUR)
    bench.clock.turn(600)
    await bench.ledger.pause("job-1")
    await elapse(bench, left=timedelta(minutes=50))
    await bench.ledger.resume("job-1")
    await is_near(bench)


@pytest.mark.parametrize("signal", ["verdict", "budget:job:job-1", "code:1", "call:gl_1", "place:replicate"])
async def test_the_deadline_of_a_job_stands_still_while_it_waits_for_others(bench, signal):
    await bench.start("a", deadline=HOUR)
    bench.clock.turn(1200)
    until = bench.clock.now() + timedelta(days=3) if signal.startswith(("call:", "place:")) else None
    await bench.ledger.park(await bench.claim("a"), "waits", signal=signal, until=until)
    assert await bench.job_state() == ("waiting" if until is None else "running")
    row = await bench.row()
    assert (row.deadline, row.deadline_at) == (HOUR, None)
    bench.clock.turn(86400)
    await bench.ledger.expire()
    assert await bench.state("a") == "parked"
    await bench.ledger.signal(bench.ref("a"), signal, "1")
    bench.left = timedelta(minutes=40)
    await is_near(bench)


async def test_a_deadline_goes_on_while_any_task_can_be_worked_at(bench):
    await bench.start("gate", "clip", "work", deadline=HOUR)
    await bench.ledger.park(await bench.claim("gate"), "review", signal="verdict")
    later = bench.clock.now() + timedelta(days=2)
    await bench.ledger.park(await bench.claim("clip"), "made", signal="call:gl_1", until=later)
    bench.clock.turn(600)
    assert (await bench.row()).deadline_at == bench.clock.now() + timedelta(minutes=50)
    await bench.do("work")
    await elapse(bench, left=timedelta(minutes=50))
    await bench.ledger.signal(bench.ref("clip"), "call:gl_1", "1")
    bench.clock.turn(60)
    await bench.do("clip")
    bench.left = timedelta(minutes=49)
    bench.clock.turn(86400)
    await bench.ledger.signal(bench.ref("gate"), "verdict", "1")
    await is_near(bench)


@pytest.mark.parametrize("signal", ["verdict", "call:gl_1"])
async def test_what_is_nested_waits_for_the_job_around_it_too(bench, signal):
    await bench.start("film", deadline=HOUR)
    await bench.nest("film", "kid", "a", "b")
    await bench.nest("kid:b", "baby", "c")
    bench.clock.turn(60)
    until = bench.clock.now() + timedelta(days=2) if signal.startswith("call:") else None
    await bench.ledger.park(await bench.claim("baby:c"), "waits", signal=signal, until=until)
    assert (await bench.row()).deadline_at is not None
    await bench.do("kid:a")
    await elapse(bench, left=timedelta(minutes=59))
    await bench.ledger.signal(bench.ref("baby:c"), signal, "1")
    await is_near(bench)


async def test_a_deadline_that_is_set_while_a_job_waits_begins_when_it_goes_on(bench):
    await bench.start("a")
    await bench.ledger.park(await bench.claim("a"), "review", signal="verdict")
    await bench.ledger.set_deadline("job-1", HOUR)
    await elapse(bench, left=HOUR)
    await bench.ledger.signal(bench.ref("a"), "verdict", "1")
    await is_near(bench)


async def test_a_retry_starts_a_deadline_anew_that_stood_still(bench):
    await bench.start("a", "b", deadline=HOUR)
    bench.clock.turn(600)
    await bench.fail("a")
    await bench.ledger.park(await bench.claim("b"), "review", signal="verdict")
    await elapse(bench, left=HOUR)
    await bench.ledger.retry("job-1")
    await is_near(bench)


async def test_who_waits_for_a_kind_of_signal_is_found(bench):
    await bench.start("a", "b", "c", "d")
    for key, signal in (("a", "code:1"), ("b", "code:12"), ("c", "verdict"), ("d", None)):
        await bench.ledger.park(await bench.claim(key), "waits", signal=signal)
    found = await bench.reader.awaiting("code:")
    assert sorted((ref.key, signal) for ref, signal in found) == [("a", "code:1"), ("b", "code:12")]
    assert await bench.ledger.signal(bench.ref("a"), "code:1", "true")
    assert [ref.key for ref, _ in await bench.reader.awaiting("code:")] == ["b"]
    await bench.ledger.cancel(bench.job)
    assert await bench.reader.awaiting("") == []


@pytest.mark.parametrize("signal", ["call:gl_1", "place:replicate"])
async def test_a_job_whose_tasks_are_with_a_provider_does_not_wait_for_people(bench, signal):
    await bench.start("clip", "gate")
    soon = bench.clock.now() + timedelta(seconds=30)
    await bench.ledger.park(await bench.claim("clip"), "at work on it", signal=signal, until=soon)
    await bench.ledger.park(await bench.claim("gate"), "review", signal="approved")
    assert await bench.job_state() == "running"
    bench.clock.turn(31)
    await bench.ledger.expire()
    claim = await bench.claim("clip")
    assert await bench.job_state() == "running"
    await bench.ledger.park(claim, "nobody knows whether they have it", signal=signal)
    assert await bench.job_state() == "waiting"
    await bench.ledger.cancel(bench.ref("clip").job)
    assert await bench.job_state() == "cancelled"


@pytest.mark.parametrize("signal", ["call:gl_1", "place:acme"])
async def test_who_comes_back_from_a_provider_goes_before_all_that_has_not_begun(bench, signal):
    await bench.start("bought", "gate", "a", "b")
    for key, name in (("bought", signal), ("gate", "word")):
        await bench.ledger.park(
            await bench.claim(key), "waits", signal=name, until=bench.clock.now() + timedelta(seconds=1)
        )
    bench.clock.turn(60)
    await bench.ledger.expire()
    claims = await bench.ledger.claim("ann", limit=4)
    assert [claim.task.key for claim in claims] == ["bought", "a", "b", "gate"]
