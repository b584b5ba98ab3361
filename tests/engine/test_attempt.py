"""Bodies that end in other ways than they should, and what is written of it."""

from __future__ import annotations

import asyncio
import errno
from datetime import timedelta

import pytest

from genlock import Retry, Skip, Task, Transient, pipeline, provided, stage
from genlock.engine.failure import MESSAGE, TRACE
from genlock.errors import Permanent, StageError
from genlock.ledger.records import JobState, TaskRef, TaskState


class Log(list):
    pass


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


@stage
async def misbehave(how: str, *, log: Log = provided()) -> str:
    log.append(how)
    if how == "cancelled from inside":
        never = asyncio.get_running_loop().create_future()
        never.cancel()
        await never
    if how == "exit":
        raise SystemExit(3)
    if how == "generator":
        raise GeneratorExit
    if how == "unprintable":
        raise Unprintable
    if how == "not utf-8":
        raise Permanent("cannot read caf\udce9.jpg\0")
    if how == "long":
        raise Permanent("begin " + "x" * 1_000_000 + " end")
    return how


@pipeline
def mishap(how: str) -> str:
    return misbehave(how)


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("cancelled from inside", "StageError", "was cancelled"),
        ("exit", "StageError", "end the process with 3"),
        ("generator", "GeneratorExit", "GeneratorExit"),
        ("unprintable", "Unprintable", "cannot be printed"),
        ("not utf-8", "Permanent", "caf\\udce9.jpg"),
        ("long", "Permanent", " end"),
    ],
)
async def test_whatever_a_body_raises_is_written_down_as_its_failure(world, how, kind, words):
    engine = await world.start(mishap, tools={Log: Log()})
    view = await engine.start("mishap", {"how": how})
    async with asyncio.timeout(20):
        with pytest.raises(StageError):
            await engine.result(mishap, view.id)
    view = await engine.show(view.id)
    assert (view.state, view.error.kind) == (JobState.FAILED, kind)
    assert words in view.error.message
    row = await world.reader.task(TaskRef(view.id, "misbehave"))
    assert len(row.error.message) < MESSAGE + 100
    assert len(row.error.trace) < TRACE + 100


class Trouble(list):
    """Errors that a group of workers raises together, taken from the front."""


@stage(retry=Retry(attempts=3, base=timedelta(0)))
async def together(n: int, *, trouble: Trouble = provided(), task: Task = provided()) -> str:
    raised = trouble.pop(0) if trouble else []

    async def work(error: BaseException) -> None:
        raise error

    async with asyncio.TaskGroup() as group:
        for each in raised:
            group.create_task(work(each))
    if n:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(task.event("verdict"))
        return asked.result()
    return f"done by attempt {task.attempt}"


@pipeline
def crew(n: int) -> str:
    return together(n)


async def test_a_group_of_errors_is_tried_again_if_each_of_them_is(world):
    trouble = Trouble([[Transient("busy"), Transient("slow")], [Transient("lost")]])
    engine = await world.start(crew, tools={Trouble: trouble})
    assert await engine.run(crew, 0) == "done by attempt 3"


async def test_a_group_of_errors_fails_if_one_of_them_does_and_names_them(world):
    trouble = Trouble([[Transient("busy"), Permanent("refused")]])
    engine = await world.start(crew, tools={Trouble: trouble})
    with pytest.raises(StageError, match="busy; refused"):
        await engine.run(crew, 0)


async def test_a_group_with_one_error_is_that_error(world):
    engine = await world.start(crew, tools={Trouble: Trouble([[Permanent("refused"), Skip("no")]])})
    with pytest.raises(StageError, match="refused"):
        await engine.run(crew, 0)
    [job] = await engine.list()
    assert job.error.kind == "Permanent"


async def test_a_gate_inside_a_group_parks_the_task(world, until):
    engine = await world.start(crew, tools={Trouble: Trouble()})
    view = await engine.start("crew", {"n": 1})

    async def waits() -> bool:
        return (await engine.show(view.id)).state is JobState.WAITING

    await until(waits, "the gate")
    await engine.signal(view.id, "together", "verdict", "yes")
    assert await engine.result(crew, view.id) == "yes"


@stage
async def sulk(n: int, *, log: Log = provided()) -> int:
    log.append("begun")
    try:
        await asyncio.sleep(3600)
    finally:
        log.append("ended")
        raise RuntimeError("the camera cannot be closed")


@pipeline
def sulking(n: int) -> int:
    return sulk(n)


async def test_what_a_body_raises_when_it_is_stopped_is_not_its_failure(world, until):
    log = Log()
    engine = await world.start(sulking, tools={Log: log})
    view = await engine.start("sulking", {"n": 1})
    await until(lambda: log, "the body")
    await world.executors[0].stop()
    [task] = await engine.tasks(view.id)
    assert (log, task.state, task.tries) == (["begun", "ended"], TaskState.READY, 0)


def test_what_the_ledger_could_not_write_is_tried_again_whatever_the_stage_says():
    import random

    from genlock.clock import SystemClock
    from genlock.engine.retry import RetryDefault, retry_at
    from genlock.errors import LedgerError

    now, dice = SystemClock().now(), random.Random(1)
    picky = Retry(attempts=2, on=(Permanent,))
    for retry in (None, picky):
        assert retry_at(LedgerError("away"), retry, RetryDefault(), tries=1, now=now, rng=dice) is not None
    assert retry_at(LedgerError("away"), picky, RetryDefault(), tries=2, now=now, rng=dice) is None


def test_the_wait_before_a_late_try_is_still_a_wait():
    import random

    from genlock.clock import SystemClock
    from genlock.engine.retry import RetryDefault, retry_at

    now = SystemClock().now()
    patient = RetryDefault(attempts=10_000)
    for error in (Transient("busy"), Transient("busy", retry_after=timedelta.max)):
        at = retry_at(error, None, patient, tries=5000, now=now, rng=random.Random(1))
        assert now <= at <= now + timedelta(days=365)


@stage
async def write(name: str, *, log: Log = provided()) -> str:
    log.append(name)
    if len(log) == 1:
        raise OSError(errno.ENOSPC, "No space left on device")
    return name


@pipeline
def writing(name: str) -> str:
    return write(name)


async def test_a_full_disk_parks_a_task_which_goes_on_when_there_is_room(world, until, monkeypatch) -> None:
    monkeypatch.setattr("genlock.engine.attempt.ROOM_MAY_COME", timedelta(seconds=0.3))
    engine = await world.start(writing, tools={Log: Log()})
    job = (await engine.start("writing", {"name": "film"})).id

    async def parked() -> bool:
        return (await world.reader.task(TaskRef(job, "write"))).state is TaskState.PARKED

    await until(parked, "the task to park")
    assert "the disk is full" in (await world.reader.task(TaskRef(job, "write"))).parked_for
    assert await engine.result(writing, job) == "film"
    assert (await world.reader.task(TaskRef(job, "write"))).tries == 0
