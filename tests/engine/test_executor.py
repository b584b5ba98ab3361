"""What the embedded executor claims, in which order, and what it stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from genlock import Task, pipeline, provided, stage
from genlock.clock import SystemClock
from genlock.engine.engine import Engine
from genlock.executors.embedded import STOPPED_WITHIN, Embedded
from genlock.executors.resource import Resources, Share
from genlock.ledger.memory.ledger import MemoryLedger
from genlock.ledger.records import JobState


class Log(list):
    pass


class Gate(asyncio.Event):
    pass


def film(**options: Any) -> Any:
    """A pipeline of one stage, declared with these options."""

    @stage(name="shoot", **options)
    async def shoot(n: int) -> int:
        return n + 1

    @pipeline(name="film")
    def film(n: int) -> int:
        return shoot(n)

    return film


async def test_what_asks_for_more_than_there_is_gets_all_there_is(world):
    greedy = film(resources={"cpu": 8, "gpu": 3})
    engine = await world.start(greedy, resources={"cpu": 2})
    async with asyncio.timeout(20):
        assert await engine.run(greedy, 1) == 2


async def test_a_job_whose_stages_asked_for_other_resources_when_it_began_goes_on(world):
    before = await world.start(film(resources={"gpu": 1}), execute=False)
    view = await before.start("film", {"n": 1})
    now = film(resources={"cpu": 1})
    engine = await world.start(now)
    async with asyncio.timeout(20):
        assert await engine.result(now, view.id) == 2


@stage
async def count(n: int) -> list[int]:
    return list(range(n))


@stage
async def light(n: int, *, log: Log = provided()) -> int:
    log.append("light")
    await asyncio.sleep(0)
    return n


@stage(resources={"cpu": 1})
async def heavy(n: int, *, log: Log = provided()) -> int:
    log.append("heavy")
    await asyncio.sleep(0.001)
    return n


@pipeline
def many_light(items: list[int]) -> list[int]:
    return light.map(items)


@pipeline
def many_heavy(items: list[int]) -> list[int]:
    return heavy.map(items)


async def test_a_long_row_of_one_kind_does_not_keep_another_kind_waiting(world):
    log = Log()
    quiet = await world.start(many_light, many_heavy, tools={Log: log}, execute=False)
    await quiet.start("many_light", {"items": list(range(40))})
    view = await quiet.start("many_heavy", {"items": [1]})
    engine = await world.start(many_light, many_heavy, tools={Log: log}, concurrency=1)
    await engine.result(many_heavy, view.id)
    assert log.count("light") < 10


async def test_no_more_is_claimed_than_can_run(world):
    engine = await world.start(many_heavy, tools={Log: Log()}, resources={"cpu": 2})
    view = await engine.start("many_heavy", {"items": list(range(12))})
    await engine.result(many_heavy, view.id)
    held, most = 0, 0
    for event in await engine.events(view.id, limit=10_000):
        if event.task and event.task.startswith("heavy/"):
            held += {"task.claimed": 1, "task.done": -1}.get(event.kind, 0)
            most = max(most, held)
    assert most == 2


async def test_a_job_begins_with_its_commit_where_there_is_room(world):
    one = film()
    engine = await world.start(one)
    view = await engine.start("film", {"n": 1})
    assert await engine.result(one, view.id) == 2
    first = (await engine.events(view.id))[:3]
    assert [event.kind for event in first] == ["job.created", "job.started", "task.claimed"]


async def test_jobs_that_come_together_share_what_there_is(world, until):
    log, gate = Log(), Gate()
    engine = await world.start(relay_of_one, tools={Log: log, Gate: gate}, resources={"cpu": 2})
    views = await asyncio.gather(*(engine.start("relay_of_one", {"n": n}) for n in range(5)))
    await until(lambda: len(log) == 2, "two bodies")
    assert world.executors[0].busy == 2
    gate.set()
    assert [await engine.result(relay_of_one, view.id) for view in views] == [0, 1, 2, 3, 4]


async def test_who_gives_up_on_starting_a_job_leaves_no_task_without_a_body(world, until):
    log, gate = Log(), Gate()
    gate.set()
    engine = await world.start(relay_of_one, tools={Log: log, Gate: gate})
    starting = asyncio.create_task(engine.start("relay_of_one", {"n": 7}, id="job-7"))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await until(lambda: log == ["wait 7"], "the body")
    assert await engine.result(relay_of_one, "job-7") == 7


@pytest.mark.parametrize("steps", range(1, 5))
async def test_a_job_that_comes_while_the_executor_stops_is_left_to_the_next(world, steps):
    gate = Gate()
    engine = await world.start(relay_of_one, tools={Log: Log(), Gate: Gate()})
    starting = asyncio.create_task(engine.start("relay_of_one", {"n": 7}, id="job-7"))
    for _ in range(steps):
        await asyncio.sleep(0)
    await world.executors[0].stop()
    await starting
    assert (world.executors[0].busy, (await world.reader.job("job-7")).state.finished) == (0, False)
    gate.set()
    again = await world.start(relay_of_one, tools={Log: Log(), Gate: gate})
    assert await again.result(relay_of_one, "job-7") == 7


@stage
async def wait(n: int, *, gate: Gate = provided(), log: Log = provided()) -> int:
    log.append(f"wait {n}")
    await gate.wait()
    return n


@stage
async def endless(n: int, *, log: Log = provided()) -> int:
    log.append("begun")
    try:
        await asyncio.sleep(3600)
    finally:
        log.append("ended")
    return n


@pipeline
def relay(n: int) -> int:
    return endless(wait(n))


@stage(resources={"cpu": 1})
async def patient(n: int, *, gate: Gate = provided(), log: Log = provided()) -> int:
    log.append(f"wait {n}")
    await gate.wait()
    return n


@pipeline
def relay_of_one(n: int) -> int:
    return patient(n)


async def test_a_job_cancelled_while_a_task_is_handed_over_leaves_nothing_running(world, until):
    log, gate = Log(), Gate()
    engine = await world.start(relay, tools={Log: log, Gate: gate})
    for n in range(20):
        gate.clear()
        view = await engine.start("relay", {"n": n})
        await until(lambda n=n: f"wait {n}" in log, "the first body")
        gate.set()
        for _ in range(n):  # a little later each time
            await asyncio.sleep(0)
        await engine.cancel(view.id)
        await until(lambda: world.executors[0].busy == 0, "the bodies to end")
    found = Counter(log)
    assert found["begun"] == found["ended"]


async def test_a_task_stopped_before_its_first_line_frees_its_place(world):
    resources, heavy_film = Resources({}), film(resources={"cpu": 1})
    engine = await world.start(heavy_film, execute=False)
    executor = Embedded(engine, resources, holder="me")
    await engine.start("film", {"n": 1})
    [claim] = await world.ledger.claim("me", limit=1)
    executor._begin([claim])
    assert (executor.busy, resources.room("cpu=1")) == (1, 0)
    await executor.stop_tasks([claim.task])
    assert (executor.busy, resources.room("cpu=1")) == (0, 1)


@stage
async def cut(n: int, *, log: Log = provided()) -> int:
    log.append("cut")
    return n


@pipeline
def inner(n: int) -> int:
    return endless(n)


@pipeline
def outer(n: int) -> list[int]:
    return inner.map(count(cut(n)))


@pipeline
def plain(n: int) -> int:
    return endless(cut(n))


@pytest.mark.parametrize("shape", [plain, outer])
async def test_a_redo_stops_what_runs_behind_it_in_nested_jobs_too(world, until, shape):
    log = Log()
    engine = await world.start(shape, tools={Log: log})
    view = await engine.start(shape.name, {"n": 1})
    await until(lambda: "begun" in log, "the body behind")
    await engine.redo(view.id, "cut")
    assert log[:3] == ["cut", "begun", "ended"]
    await until(lambda: log.count("cut") == 2, "the redone stage")
    await engine.cancel(view.id)
    await until(lambda: world.executors[0].busy == 0, "the bodies to end")


@stage
async def stubborn(n: int, *, gate: Gate = provided(), log: Log = provided()) -> int:
    log.append("begun")
    while not gate.is_set():
        try:
            await gate.wait()
        except asyncio.CancelledError:
            log.append("no")
    return n


@pipeline
def mule(n: int) -> int:
    return stubborn(n)


async def test_a_body_that_does_not_stop_at_its_deadline_holds_up_nobody_else(world, until):
    log, gate, greeting = Log(), Gate(), film()
    engine = await world.start(mule, greeting, tools={Log: log, Gate: gate})
    view = await engine.start("mule", {"n": 1})
    await until(lambda: log, "the body")
    await world.set_deadline(view.id, timedelta(milliseconds=50))
    await until(lambda: "no" in log, "the deadline")
    async with asyncio.timeout(STOPPED_WITHIN - 2):
        assert await engine.run(greeting, 1) == 2
    gate.set()
    await until(lambda: world.executors[0].busy == 0, "the body to end")
    assert (await engine.show(view.id)).state is JobState.FAILED


@stage
async def doze(ticks: int, *, clock: SystemClock = provided(), task: Task = provided()) -> int:
    async def moment() -> str:
        return (clock.now() + ticks * TickingClock.TICK).isoformat()

    await task.snooze(datetime.fromisoformat(await task.once("until", moment)))
    return ticks


@pipeline
def siesta(ticks: int) -> int:
    return doze(ticks)


class TickingClock(SystemClock):
    """A millisecond later each time it is looked at, so that everything falls between two looks."""

    TICK = timedelta(milliseconds=1)

    def __init__(self) -> None:
        self._now = super().now()

    def now(self) -> datetime:
        self._now += self.TICK
        return self._now


async def test_what_comes_due_while_the_executor_looks_elsewhere_is_not_forgotten(tmp_path):
    clock = TickingClock()
    ledger = MemoryLedger(clock)
    engine = Engine(ledger, ledger, [siesta], {SystemClock: clock}, clock=clock, work=tmp_path)
    executor = Embedded(engine, Resources({}), holder="me")
    await executor.start()
    async with asyncio.timeout(20):
        for ticks in range(40):
            assert await engine.run(siesta, ticks) == ticks
    await executor.stop()


class Step(asyncio.Semaphore):
    """Lets one body on at a time."""


@stage(resources={"cpu": 1})
async def asking(n: int, *, gate: Gate = provided(), log: Log = provided(), task: Task = provided()) -> int:
    async with task.aside():  # as it is while a provider is asked
        await gate.wait()
    log.append("asked")
    return n


@stage(resources={"cpu": 1})
async def drawing(n: int, *, step: Step = provided(), log: Log = provided()) -> int:
    log.append("drawing")
    await step.acquire()
    return n


@pipeline
def asked(n: int) -> int:
    return asking(n)


@pipeline
def drawn(items: list[int]) -> list[int]:
    return drawing.map(items)


async def test_while_a_body_asks_a_provider_others_have_its_resources(world, until):
    tools = {Gate: Gate(), Step: Step(3), Log: Log()}
    engine = await world.start(asked, drawn, tools=tools, resources={"cpu": 1})
    job = asyncio.create_task(engine.run(asked, 1))
    await until(lambda: world.executors[0].busy, "the body that asks")
    async with asyncio.timeout(20):
        assert await engine.run(drawn, [1, 2, 3]) == [1, 2, 3]
        tools[Gate].set()
        assert await job == 1


async def test_a_body_that_was_answered_goes_on_before_tasks_that_have_not_begun(world, until):
    tools = {Gate: Gate(), Step: Step(0), Log: Log()}
    resources = {"cpu": 1}
    engine = await world.start(asked, drawn, tools=tools, resources=resources)
    waits = asyncio.create_task(engine.run(asked, 1))
    await until(lambda: world.executors[0].busy, "the body that asks")
    draws = asyncio.create_task(engine.run(drawn, [1, 2, 3]))
    await until(lambda: tools[Log] == ["drawing"], "the first that draws")
    tools[Gate].set()
    await until(lambda: world.executors[0].resources.is_awaited("cpu=1"), "the body that was answered")
    for _ in range(3):
        tools[Step].release()
    async with asyncio.timeout(20):
        assert (await waits, await draws) == (1, [1, 2, 3])
    assert tools[Log] == ["drawing", "asked", "drawing", "drawing"]


async def test_who_is_ended_in_the_line_takes_nothing_with_it() -> None:
    freed: list[int] = []
    resources = Resources({"cpu": 1})
    first, second = (Share(resources, "cpu=1", lambda: freed.append(1)) for _ in range(2))
    first.give()
    first.give()
    assert resources.room("cpu=1") == 0
    second.lend()
    third = Share(resources, "cpu=1", lambda: None)
    waiting = asyncio.create_task(second.regain())
    await asyncio.sleep(0)
    assert resources.is_awaited("cpu=1")
    assert not resources.is_awaited("gpu=1")
    waiting.cancel()
    await asyncio.wait([waiting])
    second.give()
    third.give()
    assert (resources.room("cpu=1"), len(freed)) == (1, 1)


async def test_who_is_ended_when_its_turn_has_come_gives_it_back() -> None:
    resources = Resources({"cpu": 1})
    share = Share(resources, "cpu=1", lambda: None)
    share.lend()
    other = Share(resources, "cpu=1", lambda: None)
    waiting = asyncio.create_task(share.regain())
    await asyncio.sleep(0)
    other.give()
    waiting.cancel()
    await asyncio.wait([waiting])
    share.give()
    assert resources.room("cpu=1") == 1


async def test_a_share_that_was_lent_twice_is_had_again_when_both_answers_are_there() -> None:
    resources = Resources({"gpu": 1, "cpu": 2})
    share = Share(resources, "cpu=1,gpu=1", lambda: None)
    share.lend()
    share.lend()
    await share.regain()
    assert resources.room("gpu=1") == 1
    await share.regain()
    assert (resources.room("gpu=1"), resources.room("cpu=1")) == (0, 1)


async def test_who_stands_in_line_twice_for_one_share_takes_it_once() -> None:
    resources = Resources({"cpu": 1})
    share = Share(resources, "cpu=1", lambda: None)
    share.lend()
    other = Share(resources, "cpu=1", lambda: None)
    first = asyncio.create_task(share.regain())
    await asyncio.sleep(0)
    share.lend()
    second = asyncio.create_task(share.regain())
    await asyncio.sleep(0)
    other.give()
    async with asyncio.timeout(5):
        await asyncio.gather(first, second)
    assert resources.room("cpu=1") == 0
    share.give()
    assert resources.room("cpu=1") == 1


async def test_what_is_lent_again_while_it_stands_in_line_is_left_to_others() -> None:
    resources = Resources({"cpu": 1})
    share = Share(resources, "cpu=1", lambda: None)
    share.lend()
    other = Share(resources, "cpu=1", lambda: None)
    first = asyncio.create_task(share.regain())
    await asyncio.sleep(0)
    share.lend()
    other.give()
    async with asyncio.timeout(5):
        await first
        assert resources.room("cpu=1") == 1
        await share.regain()
    assert resources.room("cpu=1") == 0
