"""The verbs of schedules, on SQLite and PostgreSQL: who fires, what overlaps, what is remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from desk import HOUR, NOON, Desk

from genlock.errors import Conflict, NotFound
from genlock.ledger.schedules.records import (
    KEPT,
    MOST_QUEUED,
    Due,
    FiringKind,
    FiringState,
    Kind,
    Missed,
    Overlap,
    ScheduleState,
    Timing,
)

ONE = NOON + HOUR
TWO = NOON + 2 * HOUR


async def fire(desk: Desk, at=ONE, next_at=TWO, *, id: str = "s", seen=None):
    return await desk.book.fire(id, seen or at, [Due(at)], next_at)


async def test_a_schedule_is_read_as_it_was_added(desk: Desk) -> None:
    added = await desk.add(missed=Missed.ALL, overlap=Overlap.QUEUE, cap="2.50", patience=3)
    assert added == await desk.book.schedule("s")
    assert added.spec == desk.spec(missed=Missed.ALL, overlap=Overlap.QUEUE, cap="2.50", patience=3)
    assert (added.state, added.next_at, added.failures) == (ScheduleState.ACTIVE, ONE, 0)
    with pytest.raises(Conflict, match="already"):
        await desk.add()
    with pytest.raises(NotFound):
        await desk.book.schedule("t")


async def test_schedules_are_listed_by_owner_a_page_at_a_time(desk: Desk) -> None:
    for number in range(5):
        await desk.add(f"s{number}", owner="ann" if number % 2 else "bob")
        desk.clock.advance(1)
    found = [row.id for row in await desk.book.schedules(limit=2)]
    found += [row.id for row in await desk.book.schedules(after=found[-1])]
    assert found == ["s0", "s1", "s2", "s3", "s4"]
    assert [row.id for row in await desk.book.schedules(owner="ann")] == ["s1", "s3"]
    assert await desk.book.schedules(after="nobody") == []


async def test_a_due_time_is_fired_once_and_the_next_time_moves_with_it(desk: Desk) -> None:
    await desk.add()
    desk.clock.advance(HOUR)
    [fired] = await fire(desk)
    assert (fired.due_at, fired.kind, fired.state) == (ONE, FiringKind.DUE, FiringState.STARTED)
    assert await fire(desk) == []  # another replica comes too late
    assert (await desk.book.schedule("s")).next_at == TWO
    # ... and so does one whose next time was set back to what has been fired
    await desk.book.alter(desk.spec(expression="60"), Timing(NOON, ONE))
    assert await fire(desk) == []
    assert (await desk.book.schedule("s")).next_at == TWO
    assert await desk.told() == ["60 due started"]


async def test_one_that_is_paused_or_gone_does_not_fire(desk: Desk) -> None:
    await desk.add()
    await desk.book.pause("s", "enough")
    assert await fire(desk) == []
    assert await fire(desk, id="t") == []
    paused = await desk.book.schedule("s")
    assert (paused.state, paused.reason, paused.next_at) == (ScheduleState.PAUSED, "enough", None)
    assert (await desk.book.pause("s", "again")).reason == "enough"
    resumed = await desk.book.resume("s", Timing(NOON, TWO))
    assert (resumed.state, resumed.reason, resumed.next_at) == (ScheduleState.ACTIVE, None, TWO)
    assert (await desk.book.resume("s", Timing(NOON, ONE))).next_at == TWO


async def test_the_agenda_says_what_is_due_and_when_to_look_again(desk: Desk) -> None:
    assert (await desk.book.agenda()).due_in is None
    await desk.add()
    await desk.book.add(desk.spec("t"), desk.timing(3 * HOUR))
    agenda = await desk.book.agenda()
    assert (agenda.now, agenda.due, agenda.due_in) == (NOON, (), HOUR)
    desk.clock.advance(2 * HOUR)
    agenda = await desk.book.agenda()
    assert ([row.id for row in agenda.due], agenda.due_in) == (["s"], HOUR)
    assert not any((agenda.open, agenda.ended, agenda.queued, agenda.unstarted))
    await fire(desk)
    agenda = await desk.book.agenda()
    assert (agenda.open, agenda.unstarted, agenda.ended) == (True, True, False)


async def test_overlapping_runs_are_skipped_queued_or_allowed(desk: Desk) -> None:
    for policy in Overlap:
        await desk.add(policy.value, overlap=policy)
        await fire(desk, id=policy.value)
        [second] = await fire(desk, TWO, TWO + HOUR, id=policy.value)
        expected = {"skip": FiringState.SKIPPED, "queue": FiringState.QUEUED, "allow": FiringState.STARTED}
        assert second.state is expected[policy.value]
    assert "had not finished" in ((await desk.history("skip"))[-1].reason or "")
    assert await desk.book.promote() == []  # the first has not finished
    for row, firing in await desk.book.unstarted():
        if row.id == "queue":
            await desk.planner.starter.start(row, firing)
    await desk.finish_all()
    [promoted] = await desk.book.promote()
    assert (promoted.schedule, promoted.due_at, promoted.state) == ("queue", TWO, FiringState.STARTED)
    assert await desk.book.promote() == []


async def test_only_so_many_firings_wait(desk: Desk) -> None:
    await desk.add(overlap=Overlap.QUEUE)
    dues = [Due(NOON + timedelta(seconds=number)) for number in range(MOST_QUEUED + 3)]
    fired = await desk.book.fire("s", ONE, dues, TWO)
    assert [each.state for each in fired] == (
        [FiringState.STARTED] + [FiringState.QUEUED] * MOST_QUEUED + [FiringState.SKIPPED] * 2
    )


async def test_a_pause_lets_go_of_what_waits(desk: Desk) -> None:
    await desk.add(overlap=Overlap.QUEUE)
    await fire(desk)
    await fire(desk, TWO, TWO + HOUR)
    await desk.book.pause("s")
    assert await desk.told() == ["60 due started", "120 due skipped"]
    assert (await desk.history())[-1].reason == "the schedule was paused"


async def test_a_firing_gets_its_job_and_what_came_of_it(desk: Desk) -> None:
    await desk.add()
    await fire(desk)
    [(row, firing)] = await desk.book.unstarted()
    job = await desk.planner.starter.start(row, firing)
    assert job is not None
    assert await desk.book.unstarted() == []
    assert await desk.book.settle() == []
    await desk.finish(job)
    assert (await desk.history())[0].state is FiringState.SUCCEEDED  # told before it is written down
    assert (await desk.book.agenda()).ended
    [(after, settled)] = await desk.book.settle()
    assert (settled.state, settled.job, after.failures) == (FiringState.SUCCEEDED, job, 0)
    assert settled.ended_at == NOON
    assert await desk.book.settle() == []


async def test_failures_in_a_row_pause_a_schedule_and_a_success_forgets_them(desk: Desk) -> None:
    await desk.add(patience=2)
    for number, error in enumerate(["one", None, "two", "three"]):
        at = ONE + number * HOUR
        await fire(desk, at, at + HOUR)
        [(row, firing)] = await desk.book.unstarted()
        await desk.finish(await desk.planner.starter.start(row, firing), error=error)
        [(after, _)] = await desk.book.settle()
    assert (after.state, after.failures) == (ScheduleState.PAUSED, 2)
    assert (after.reason or "").startswith("2 runs in a row failed, the last one (")
    assert (after.reason or "").endswith("three")
    again = await desk.book.resume("s", Timing(NOON, TWO))
    assert again.failures == 0


async def test_patience_of_nothing_is_endless(desk: Desk) -> None:
    await desk.add(patience=0)
    for number in range(7):
        at = ONE + number * HOUR
        await fire(desk, at, at + HOUR)
        after = await desk.book.refuse("s", at, "no such thing")
    assert after is not None
    assert (after.state, after.failures) == (ScheduleState.ACTIVE, 7)


async def test_a_job_that_was_cancelled_or_deleted_counts_neither_way(desk: Desk) -> None:
    await desk.add(overlap=Overlap.ALLOW)
    await fire(desk)
    await fire(desk, TWO, TWO + HOUR)
    jobs = [await desk.planner.starter.start(row, firing) for row, firing in await desk.book.unstarted()]
    await desk.ledger.cancel(jobs[0] or "")
    await desk.finish(jobs[1])
    desk.clock.advance(HOUR)
    await desk.book.begin("s", ONE, "nothing")  # a firing has one job, whatever is said later
    assert [each.job for each in await desk.history()] == jobs
    await desk.ledger.forget(desk.clock.now())
    settled = await desk.book.settle()
    assert [(row.failures, each.state) for row, each in settled] == [(0, FiringState.CANCELLED)] * 2


async def test_a_start_that_was_refused_is_no_start_of_somebody_else(desk: Desk) -> None:
    await desk.add()
    await fire(desk)
    [(row, firing)] = await desk.book.unstarted()
    job = await desk.planner.starter.start(row, firing)
    assert await desk.book.refuse("s", ONE, "too late") is None
    assert (await desk.history())[0].job == job


async def test_a_person_fires_by_hand_unless_that_would_overlap(desk: Desk) -> None:
    await desk.add()
    first = await desk.book.trigger("s")
    assert (first.kind, first.state, first.due_at) == (FiringKind.MANUAL, FiringState.STARTED, NOON)
    assert (await desk.book.schedule("s")).next_at == ONE
    with pytest.raises(Conflict, match="has not finished"):
        await desk.book.trigger("s")
    await desk.add("q", overlap=Overlap.QUEUE)
    await desk.add("a", overlap=Overlap.ALLOW)
    assert [(await desk.book.trigger("q")).state for _ in "12"] == [FiringState.STARTED, FiringState.QUEUED]
    assert len({(await desk.book.trigger("a")).due_at for _ in "123"}) == 3
    with pytest.raises(NotFound):
        await desk.book.trigger("t")


async def test_removing_takes_the_history_along_and_leaves_jobs(desk: Desk) -> None:
    await desk.add()
    await fire(desk)
    [(row, firing)] = await desk.book.unstarted()
    await desk.planner.starter.start(row, firing)
    await desk.book.remove("s")
    assert await desk.history() == []
    assert len(await desk.jobs()) == 1
    assert await desk.book.settle() == []
    with pytest.raises(NotFound):
        await desk.book.remove("s")


async def test_history_is_read_by_the_page_and_its_end_is_forgotten(desk: Desk) -> None:
    await desk.add(overlap=Overlap.SKIP)
    dues = [Due(NOON + timedelta(seconds=number), skip="no") for number in range(KEPT + 60)]
    await desk.book.fire("s", ONE, dues[:200], ONE)
    await desk.book.fire("s", ONE, dues[200:], TWO)
    page = await desk.book.firings("s", limit=10)
    assert [each.due_at for each in page] == [due.at for due in dues[:-11:-1]]
    [after] = await desk.book.firings("s", after=page[-1].due_at, limit=1)
    assert after.due_at == dues[-11].at
    kept = await desk.book.firings("s", limit=5000)
    assert len(kept) == KEPT


async def test_registering_again_keeps_the_next_time_and_what_people_have_set(desk: Desk) -> None:
    first = await desk.book.register(desk.spec(), desk.timing())
    assert first.next_at == ONE
    await desk.book.alter(desk.spec(overlap=Overlap.ALLOW, cap="3", patience=9), None)
    desk.clock.advance(timedelta(minutes=30))
    changed = desk.spec(name="new", expression="7200", pipeline="other")
    again = await desk.book.register(changed, desk.timing())
    assert (again.next_at, again.anchor_at, again.spec.name) == (ONE, ONE, "new")
    assert (again.spec.expression, again.spec.pipeline, again.spec.kind) == ("7200", "other", Kind.INTERVAL)
    assert (again.spec.overlap, again.spec.cap, again.spec.patience) == (Overlap.ALLOW, "3", 9)
    await desk.book.pause("s", "mine")
    assert (await desk.book.register(changed, desk.timing())).reason == "mine"
    assert (await desk.book.register(changed, desk.timing(), unfit="gone")).reason == "mine"


async def test_what_cannot_run_is_registered_paused_until_it_can(desk: Desk) -> None:
    row = await desk.book.register(desk.spec(), desk.timing(), unfit="there is none")
    assert (row.state, row.reason, row.next_at) == (ScheduleState.PAUSED, "cannot run: there is none", None)
    for verb in (desk.book.trigger("s"), desk.book.resume("s", desk.timing())):
        with pytest.raises(Conflict, match="cannot run: there is none"):
            await verb
    row = await desk.book.register(desk.spec(), desk.timing())
    assert (row.state, row.reason, row.next_at) == (ScheduleState.ACTIVE, None, ONE)
    row = await desk.book.register(desk.spec(), desk.timing(), unfit="gone again")
    assert row.is_unfit
    assert not (await desk.book.pause("s", "by me")).is_unfit
    assert (await desk.book.register(desk.spec(), desk.timing())).reason == "by me"


async def test_nothing_of_a_verb_that_is_refused_is_written(desk: Desk) -> None:
    await desk.add(overlap=Overlap.SKIP)
    await fire(desk)
    with pytest.raises(Conflict):
        await desk.book.trigger("s")
    assert await desk.told() == ["60 due started"]


async def test_words_that_no_database_keeps_are_written_otherwise(desk: Desk) -> None:
    row = await desk.add(name="a\0b", params='{"subject":"\\u0000"}')
    assert row.spec.name == "a\\0b"
    await desk.book.pause("s", "\0")
    assert (await desk.book.schedule("s")).reason == "\\0"


async def test_files_that_a_schedule_names_are_kept(desk: Desk) -> None:
    digest = "ab" * 32
    await desk.add(params=f'{{"photos":["/store/{digest}"]}}')
    for before in (None, desk.clock.now()):
        texts = [text async for text in desk.ledger.reader.texts(unless_finished_before=before)]
        assert any(digest in text for text in texts)
