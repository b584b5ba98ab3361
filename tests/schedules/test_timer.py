"""What the timer does as time passes: it fires, waits, makes up for what was missed, and gives up."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from desk import HOUR, NOON, Desk

from genlock.engine.purse import SCHEDULE
from genlock.errors import LedgerError
from genlock.ledger.schedules.records import Due, FiringKind, Kind, Missed, ScheduleState
from genlock.schedules.policy import dues_of
from genlock.schedules.timer import LONGEST_WAIT, OPEN_WAIT, SHARED_WAIT, Timer
from genlock.schedules.view import PlanChange

MINUTE = timedelta(minutes=1)


async def test_a_schedule_fires_at_each_due_time_and_starts_a_job_of_its_owner(desk: Desk) -> None:
    await desk.plan(every="1h")
    await desk.pass_time(HOUR - MINUTE)
    assert await desk.jobs() == []
    for _ in range(3):
        await desk.pass_time(MINUTE)
        await desk.finish_all()
        await desk.pass_time(HOUR - MINUTE)
    assert await desk.told() == ["60 due succeeded", "120 due succeeded", "180 due succeeded"]
    first = (await desk.jobs())[0]
    assert (first.pipeline, first.owner, first.input) == ("tick", "ann", '{"subject":"x"}')
    assert f'"{SCHEDULE}":"s"' in first.labels
    assert [each.job for each in await desk.history()] == [row.id for row in await desk.jobs()]


async def test_a_timer_that_was_stopped_goes_on_with_the_next_run(desk: Desk) -> None:
    await desk.plan(every="5h")
    planned = (await desk.book.schedule("s")).next_at
    desk.clock.advance(4 * HOUR)
    again = Desk(desk.ledger, desk.clock, desk.work)  # another process on the same ledger
    await again.timer.round()
    assert (await again.book.schedule("s")).next_at == planned
    await again.pass_time(HOUR)
    assert await again.told() == ["300 due started"]


async def test_several_timers_on_one_ledger_fire_once(desk: Desk) -> None:
    await desk.plan(every="1h", overlap="allow")
    others = [Desk(desk.ledger, desk.clock, desk.work) for _ in range(4)]
    for _ in range(5):
        desk.clock.advance(HOUR)
        await asyncio.gather(*(each.timer.round() for each in others))
        await asyncio.gather(*(each.timer.round() for each in others))
    assert await desk.told() == [f"{60 * n} due started" for n in range(1, 6)]
    assert len(await desk.jobs()) == 5


@pytest.mark.parametrize("cut", ["before its job", "before its job is known"])
async def test_a_process_that_dies_between_firing_and_starting_starts_one_job(desk: Desk, cut: str) -> None:
    await desk.plan(every="1h")
    desk.clock.advance(HOUR)
    [fired] = await desk.book.fire("s", NOON + HOUR, [Due(NOON + HOUR)], NOON + 2 * HOUR)
    if cut == "before its job is known":
        row = await desk.book.schedule("s")
        due = f"{fired.due_at:%Y-%m-%dT%H:%M:%S.%fZ}"
        await desk.engine.start(row.spec.pipeline, {"subject": "x"}, owner="ann", dedup=f"schedule:s/{due}")
    await desk.timer.round()
    await desk.timer.round()
    [job] = await desk.jobs()
    assert [each.job for each in await desk.history()] == [job.id]


async def test_the_timer_says_how_long_there_is_nothing_to_do(desk: Desk) -> None:
    assert await desk.timer.round() == LONGEST_WAIT
    assert await Timer(desk.book, desk.planner.starter, shared=True).round() == SHARED_WAIT
    await desk.plan(every="10s")
    assert await desk.timer.round() == 10.0
    await desk.pass_time(timedelta(seconds=10))
    assert await desk.timer.round() == OPEN_WAIT


async def test_a_clock_that_is_set_back_fires_nothing_twice(desk: Desk) -> None:
    await desk.plan(every="1h", overlap="allow")
    await desk.pass_time(5 * HOUR)
    fired = await desk.told()
    desk.clock._now -= 5 * HOUR
    await desk.pass_time(MINUTE)
    for _ in range(5):
        await desk.pass_time(HOUR - timedelta(minutes=1))
    assert await desk.told() == fired
    await desk.pass_time(NOON + 6 * HOUR - desk.clock.now())
    assert (await desk.told())[len(fired) :] == ["360 due started"]


@pytest.mark.parametrize(
    ("missed", "told"),
    [
        ("skip", ["360 missed skipped"]),
        ("once", ["360 missed started"]),
        ("all", [f"{60 * n} missed started" for n in range(1, 7)]),
    ],
)
async def test_a_clock_that_is_set_ahead_or_a_server_that_was_off_misses_runs(
    desk: Desk, missed: str, told: list[str]
) -> None:
    await desk.plan(every="1h", overlap="allow", missed=missed)
    await desk.pass_time(6 * HOUR + 30 * MINUTE)
    assert await desk.told() == told
    assert (await desk.book.schedule("s")).next_at == NOON + 7 * HOUR
    await desk.pass_time(30 * MINUTE)
    assert (await desk.told())[-1] == "420 due started"


def _told(dues: list[Due]) -> list[tuple[str, bool]]:
    return [(f"{(due.at - NOON) / MINUTE:g} {due.kind}", due.skip is None) for due in dues]


def _times(*minutes: int) -> list[datetime]:
    return [NOON + minute * MINUTE for minute in minutes]


def test_what_is_on_time_is_fired_whatever_was_missed_before_it() -> None:
    now = NOON + timedelta(minutes=180, seconds=20)
    times = _times(60, 120, 180)
    assert _told(dues_of(times, now, Missed.SKIP)) == [("120 missed", False), ("180 due", True)]
    assert _told(dues_of(times, now, Missed.ONCE)) == [("180 due", True)]
    assert _told(dues_of(times, now, Missed.ALL)) == [
        ("60 missed", True),
        ("120 missed", True),
        ("180 due", True),
    ]
    for policy in Missed:
        assert _told(dues_of(_times(180), now, policy)) == [("180 due", True)]


def test_a_firing_that_stands_for_others_says_for_which() -> None:
    late = NOON + timedelta(minutes=200)
    [once] = dues_of(_times(60, 120, 180), late, Missed.ONCE)
    assert once.kind is FiringKind.MISSED
    assert once.reason == (
        "stands for 3 runs from 2026-05-04 13:00:00 UTC to 2026-05-04 15:00:00 UTC that were missed"
    )
    [skipped] = dues_of(_times(60), late, Missed.SKIP)
    assert skipped.skip == (
        "the run of 2026-05-04 13:00:00 UTC that was missed: no server was running, "
        "or its clock was set ahead"
    )
    [alone] = dues_of(_times(60), late, Missed.ONCE)
    assert alone.reason is None


async def test_a_queued_run_begins_when_the_one_before_it_has_ended(desk: Desk) -> None:
    await desk.plan(every="1h", overlap="queue")
    await desk.pass_time(HOUR)
    await desk.pass_time(HOUR)
    await desk.pass_time(HOUR)
    assert await desk.told() == ["60 due started", "120 due queued", "180 due queued"]
    assert len(await desk.jobs()) == 1
    await desk.finish_all()
    await desk.pass_time(MINUTE)
    assert await desk.told() == ["60 due succeeded", "120 due started", "180 due queued"]
    await desk.finish_all()
    await desk.pass_time(MINUTE)
    assert [row.state.finished for row in await desk.jobs()] == [True, True, False]


async def test_a_run_is_skipped_while_the_one_before_it_goes_on(desk: Desk) -> None:
    await desk.plan(every="1h", overlap="skip")
    await desk.pass_time(HOUR)
    await desk.pass_time(HOUR)
    [job] = await desk.jobs()
    assert await desk.told() == ["60 due started", "120 due skipped"]
    assert (await desk.history())[1].reason == f"the run before it had not finished ({job.id})"
    await desk.finish_all()
    await desk.pass_time(HOUR)
    assert (await desk.told())[2] == "180 due started"


async def test_a_schedule_whose_runs_keep_failing_pauses_itself(desk: Desk) -> None:
    await desk.plan(every="1h", patience=2)
    for _ in range(4):
        await desk.pass_time(HOUR)
        await desk.finish_all(error="no such thing")
        await desk.pass_time(timedelta(seconds=1))
    assert await desk.told() == ["60 due failed", "120 due failed"]
    row = await desk.book.schedule("s")
    assert row.state is ScheduleState.PAUSED
    assert "no such thing" in (row.reason or "")
    await desk.planner.resume("s")
    await desk.pass_time(HOUR)
    assert len(await desk.told()) == 3


async def test_a_job_that_cannot_be_started_is_a_failure_with_its_reason(desk: Desk) -> None:
    await desk.book.add(desk.spec(pipeline="gone", patience=1), desk.timing())
    await desk.pass_time(HOUR)
    [failed] = await desk.history()
    assert failed.state == "failed"
    assert "there is no pipeline 'gone'" in (failed.reason or "")
    row = await desk.book.schedule("s")
    assert row.state is ScheduleState.PAUSED
    assert (row.reason or "").startswith("a run failed, the last one: there is no pipeline")


async def test_a_fault_at_the_start_of_one_job_does_not_hold_up_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.plan("a", every="1h", params={"subject": "broken"})
    await desk.plan("b", every="1h")
    real = desk.engine.start

    async def start(pipeline: str, params: dict[str, str], **options: object) -> object:
        if params["subject"] == "broken":
            raise RuntimeError("of its own")
        return await real(pipeline, params, **options)

    monkeypatch.setattr(desk.engine, "start", start)
    await desk.pass_time(HOUR)
    assert (await desk.told("a"), await desk.told("b")) == (["60 due failed"], ["60 due started"])
    assert (await desk.history("a"))[0].reason == "a fault of genlock's own: RuntimeError: of its own"


async def test_one_schedule_that_is_broken_does_not_stop_the_others(desk: Desk) -> None:
    lost = desk.spec("a", kind=Kind.CRON, expression="0 * * * *", zone="Mars/Olympus")
    await desk.book.add(lost, desk.timing())
    await desk.plan("b", every="1h")
    await desk.pass_time(HOUR)
    broken = await desk.book.schedule("a")
    assert (broken.state, "Mars/Olympus" in (broken.reason or "")) == (ScheduleState.PAUSED, True)
    assert await desk.told("b") == ["60 due started"]


async def test_a_change_moves_the_next_run_only_if_it_is_about_time(desk: Desk) -> None:
    await desk.plan(every="1h")
    await desk.pass_time(30 * MINUTE)
    await desk.planner.change("s", PlanChange(overlap="allow", name="other"))
    assert (await desk.book.schedule("s")).next_at == NOON + HOUR
    await desk.planner.change("s", PlanChange(every="2h"))
    assert (await desk.book.schedule("s")).next_at == NOON + 2.5 * HOUR
    await desk.planner.change("s", PlanChange(cron="0 18 * * *", zone="Europe/Vienna"))
    assert (await desk.book.schedule("s")).next_at == NOON + 4 * HOUR


async def test_a_timer_at_work_wakes_for_what_was_added_and_outlives_a_ledger_that_is_gone(
    desk_here: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_here
    asked = 0
    real = desk.book.agenda

    async def agenda():
        nonlocal asked
        asked += 1
        if asked == 1:
            raise LedgerError("gone for now")
        if asked == 2:
            raise RuntimeError("a fault")
        return await real()

    monkeypatch.setattr(desk.book, "agenda", agenda)
    monkeypatch.setattr("genlock.schedules.timer.TROUBLE", 0.01)
    running = asyncio.create_task(desk.timer.run())
    try:
        async with asyncio.timeout(10):
            while asked < 3:  # noqa: ASYNC110 - asked for by another task
                await asyncio.sleep(0.01)
            await desk.plan(every="1h")
            desk.clock.advance(HOUR)
            desk.timer.ring()
            while not await desk.jobs():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
