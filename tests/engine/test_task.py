"""What a body may do with the task it is, and what happens to it from outside."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from genlock import Task, Transient, pipeline, provided, stage
from genlock.errors import Conflict, StageError
from genlock.executors.embedded import STOPPED_WITHIN
from genlock.ledger.records import JobState, TaskState


class Log(list):
    """What the bodies of one test said."""


async def _first(engine, job, state):
    """Wait for the job to reach a state."""
    for _ in range(2000):
        view = await engine.show(job)
        if view.state is state:
            return view
        await asyncio.sleep(0.005)
    raise AssertionError(f"{job} is {view.state}, not {state}")


@stage
async def twice(n: int, *, log: Log = provided(), task: Task = provided()) -> int:
    async def roll() -> int:
        log.append("rolled")
        return n * 10

    value = await task.once("roll", roll)
    if task.attempt == 1:
        raise Transient("lost the line")
    return value + task.attempt


@pipeline
def dice(n: int) -> int:
    return twice(n)


async def test_what_was_kept_once_is_not_done_again(world):
    log = Log()
    engine = await world.start(dice, tools={Log: log})
    assert await engine.run(dice, 4) == 42
    assert log == ["rolled"]


@stage
async def muddled(n: int, *, task: Task = provided()) -> int:
    async def one() -> int:
        return 1

    return await task.once("x", one) + await task.once("x", one)


@pipeline
def muddle(n: int) -> int:
    return muddled(n)


async def test_a_name_is_used_once_in_a_task(world):
    engine = await world.start(muddle)
    with pytest.raises(StageError, match="'x' twice"):
        await engine.run(muddle, 1)


@stage
async def approval(n: int, *, log: Log = provided(), task: Task = provided()) -> str:
    log.append("asked")
    answer = await task.event("verdict", timeout=timedelta(seconds=n) if n else None)
    return f"{answer['who']} said {answer['what']}"


@pipeline
def review(n: int) -> str:
    return approval(n)


async def test_a_gate_holds_no_worker_and_goes_on_when_a_person_answers(world, until):
    log = Log()
    engine = await world.start(review, tools={Log: log})
    view = await engine.start("review", {"n": 0})
    view = await _first(engine, view.id, JobState.WAITING)
    await until(lambda: world.executors[0].busy == 0, "the worker")
    assert [t.waits_for for t in await engine.tasks(view.id)] == ["waits for verdict"]
    await engine.signal(view.id, "approval", "verdict", {"who": "Mo", "what": "yes"})
    assert await engine.result(review, view.id) == "Mo said yes"
    assert log == ["asked", "asked"]


async def test_an_answer_that_comes_first_is_not_lost_and_a_second_one_is_refused(world):
    engine = await world.start(review, tools={Log: Log()}, execute=False)
    view = await engine.start("review", {"n": 0})
    await engine.signal(view.id, "approval", "verdict", {"who": "Mo", "what": "yes"})
    with pytest.raises(Conflict, match="first answer stays"):
        await engine.signal(view.id, "approval", "verdict", {"who": "Jo", "what": "no"})
    running = await world.start(review, tools={Log: Log()})
    assert await running.result(review, view.id) == "Mo said yes"


@stage
async def impatient(n: int, *, task: Task = provided()) -> str:
    return str(await task.event("never", timeout=timedelta(milliseconds=50)))


@pipeline
def hurry(n: int) -> str:
    return impatient(n)


async def test_a_gate_that_nobody_answers_in_time_fails(world):
    engine = await world.start(hurry)
    with pytest.raises(StageError, match="no answer"):
        await engine.run(hurry, 1)


@stage
async def nap(n: int, *, log: Log = provided(), task: Task = provided()) -> int:
    begun = await task.once("begun", _moment(task, world_clock=log))
    from datetime import datetime

    await task.snooze(datetime.fromisoformat(begun) + timedelta(milliseconds=500))
    return task.attempt


def _moment(task, world_clock):
    async def now() -> str:
        from genlock.clock import SystemClock

        return SystemClock().now().isoformat()

    return now


@pipeline
def sleepy(n: int) -> int:
    return nap(n)


async def test_a_snoozing_task_comes_back_when_it_is_due_and_uses_up_no_tries(world):
    engine = await world.start(sleepy, tools={Log: Log()})
    assert await engine.run(sleepy, 1) == 2
    [job] = await engine.list()
    [task] = await engine.tasks(job.id)
    assert task.tries == 0


@stage
async def endless(n: int, *, log: Log = provided(), task: Task = provided()) -> int:
    log.append("begun")
    try:
        await task.report(0.25, "a quarter")
        await asyncio.sleep(3600)
    finally:
        log.append("ended")
    return n


@pipeline
def forever(n: int) -> int:
    return endless(n)


async def _begun(engine, log):
    view = await engine.start("forever", {"n": 1})
    async for event in engine.watch(view.id):
        if event.kind == "task.progress":
            return view.id
    raise AssertionError("ended before it began")


async def test_cancelling_ends_a_body_at_once_and_for_good(world):
    log = Log()
    engine = await world.start(forever, tools={Log: log})
    job = await _begun(engine, log)
    async with asyncio.timeout(STOPPED_WITHIN - 2):  # nobody waits until it may be left behind
        view = await engine.cancel(job, "changed my mind")
        assert log == ["begun", "ended"]
    assert view.state is JobState.CANCELLED
    with pytest.raises(Conflict):
        await engine.retry(job)


async def test_progress_is_seen_while_the_body_runs(world, until):
    log = Log()
    engine = await world.start(forever, tools={Log: log})
    job = await _begun(engine, log)

    async def seen():
        [stage] = (await engine.show(job)).stages
        return stage.progress == 0.25 and stage.note == "a quarter"

    await until(seen, "the progress")


@stage
async def tell(share: float | None, *, task: Task = provided()) -> str:
    await task.report(float("nan") if share is None else share, "frames of caf\udce9.jpg " + "." * 10_000)
    await task.event("never")
    return "told"


@pipeline
def telling(share: float | None) -> str:
    return tell(share)


async def test_whatever_words_a_body_finds_for_its_progress_they_can_be_kept(world):
    engine = await world.start(telling)
    view = await engine.start("telling", {"share": 7})
    await _first(engine, view.id, JobState.WAITING)
    [task] = await engine.tasks(view.id)
    assert task.progress == 1.0
    assert task.note.startswith("frames of caf\\udce9.jpg ....")
    assert len(task.note) < 600


async def test_progress_that_is_no_number_is_refused(world):
    engine = await world.start(telling)
    with pytest.raises(StageError, match="nan as its progress"):
        await engine.run(telling, None)


async def test_an_attempt_that_takes_too_long_is_ended_and_counts(world):
    log = Log()
    engine = await world.start(forever, tools={Log: log}, attempt_timeout=timedelta(milliseconds=30))
    with pytest.raises(StageError, match="longer than"):
        await engine.run(forever, 1)
    assert log == ["begun", "ended"] * 3


async def test_a_deadline_ends_the_job_and_retry_goes_on_from_there(world, until):
    log = Log()
    engine = await world.start(dice, forever, tools={Log: log})
    job = await _begun(engine, log)
    await world.set_deadline(job, timedelta(seconds=1))
    view = await _first(engine, job, JobState.FAILED)
    assert "deadline" in view.error.message
    await until(lambda: log == ["begun", "ended"], "the body to end")
    view = await engine.retry(job)
    await until(lambda: log[:3] == ["begun", "ended", "begun"], "the body to begin again")
    assert view.deadline_at > world.clock.now() - timedelta(seconds=1)


@stage
async def step(n: int, *, log: Log = provided()) -> int:
    log.append(n)
    return n + 1


@pipeline
def stairs(n: int) -> int:
    return step(step(step(n)))


async def test_a_paused_job_claims_nothing_until_it_is_resumed(world):
    log = Log()
    quiet = await world.start(stairs, tools={Log: log}, execute=False)
    view = await quiet.start("stairs", {"n": 1})
    await quiet.pause(view.id)
    engine = await world.start(stairs, tools={Log: log})
    other = await engine.start("stairs", {"n": 10})
    assert await engine.result(stairs, other.id) == 13
    assert log == [10, 11, 12]
    await engine.resume(view.id)
    assert await engine.result(stairs, view.id) == 4


async def test_a_busy_body_cannot_starve_the_others_of_their_turn(world):
    engine = await world.start(stairs, tools={Log: Log()}, concurrency=1)
    views = [await engine.start("stairs", {"n": n}) for n in range(5)]
    assert [await engine.result(stairs, v.id) for v in views] == [3, 4, 5, 6, 7]


async def test_what_ran_under_a_dead_owner_runs_again_at_once_and_what_was_done_does_not(world):
    log = Log()
    first = await world.start(dice, forever, stairs, tools={Log: log}, execute=False)
    view = await first.start("stairs", {"n": 1})
    [claim] = await world.ledger.claim("dead", limit=1)
    advance = await world.ledger.succeed(claim, "2", claim_next=1)
    assert [c.task.key for c in advance.claimed] == ["step-2"]  # and now that process is gone
    engine = await world.start(dice, forever, stairs, tools={Log: log})
    assert await engine.result(stairs, view.id) == 4
    assert log == [2, 3]
    task = next(t for t in await engine.tasks(view.id) if t.key == "step-2")
    assert (task.attempt, task.tries, task.reclaims) == (2, 0, 1)


async def test_stopping_gives_back_what_runs_and_costs_nothing(world):
    log = Log()
    engine = await world.start(forever, tools={Log: log})
    job = await _begun(engine, log)
    await world.executors[0].stop()
    [task] = await engine.tasks(job)
    assert (task.state, task.tries, task.reclaims) == (TaskState.READY, 0, 0)
    assert log == ["begun", "ended"]


class Gate(asyncio.Event):
    pass


@stage
async def linger(n: int, *, log: Log = provided(), gate: Gate = provided()) -> int:
    log.append(n)
    await gate.wait()
    return n + 1


@pipeline
def walk(n: int) -> int:
    return linger(linger(n))


async def test_a_stopping_executor_lets_what_runs_finish_and_begins_nothing_more(world, until):
    log, gate = Log(), Gate()
    engine = await world.start(walk, tools={Log: log, Gate: gate})
    view = await engine.start("walk", {"n": 1})
    await until(lambda: log, "the first task")
    stopping = asyncio.create_task(world.executors[0].stop(timedelta(seconds=60)))
    await asyncio.sleep(0)
    gate.set()
    await stopping
    states = [(task.state, task.attempt) for task in await engine.tasks(view.id)]
    assert states == [(TaskState.DONE, 1), (TaskState.READY, 0)]
    assert log == [1]


async def test_events_can_be_watched_to_the_end_without_gaps(world):
    engine = await world.start(stairs, tools={Log: Log()})
    view = await engine.start("stairs", {"n": 1})
    events = [e async for e in engine.watch(view.id)]
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert (events[0].kind, events[-1].kind) == ("job.created", "job.completed")
