"""Jobs and the code that is to run them, when the code is no longer what it was."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from genlock import pipeline, provided, stage
from genlock.ledger.records import JobState, TaskRef, TaskState


class Log(list):
    pass


def film(words: str = "loud", version: int = 1) -> Any:
    """The pipeline `film`, as it was or as it has become."""

    @stage(name="listen")
    async def listen(n: int, *, log: Log = provided()) -> int:
        log.append("listen")
        return n

    @stage(name="speak", version=version)
    async def speak(n: int, *, log: Log = provided()) -> str:
        log.append(words)
        return words * n

    @stage(name="speak")
    async def speak_up(n: int, volume: int, *, log: Log = provided()) -> str:
        return words * n * volume

    @stage(name="whisper")
    async def whisper(n: int) -> str:
        return words * n

    @pipeline(name="film")
    def film(n: int) -> str:
        heard = listen(n)
        return {"whisper": whisper, "speak up": lambda n: speak_up(n, 2)}.get(words, speak)(heard)

    return film


@stage
async def greet(n: int) -> str:
    return f"hello {n}"


@pipeline
def other(n: int) -> str:
    return greet(n)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ([other], "belongs to pipeline 'film', and this program has no pipeline 'film'"),
        ([film("whisper")], "was declared as speak(n: int) -> str and is gone: film has listen, whisper"),
        (
            [film("speak up")],
            "was declared as speak(n: int) -> str and is now speak(n: int, volume: int) -> str: "
            "'volume' has no value in this job",
        ),
    ],
)
async def test_a_job_without_its_code_waits_and_says_so_and_can_be_looked_at(world, until, now, why):
    before = await world.start(film(), tools={Log: Log()}, execute=False)
    view = await before.start("film", {"n": 1})
    [claim] = await world.ledger.claim("me", tasks=[TaskRef(view.id, "listen")])
    await world.ledger.succeed(claim, "1")
    engine = await world.start(*now, other, tools={Log: Log()})

    async def waits() -> bool:
        return (await engine.show(view.id)).state is JobState.WAITING

    await until(waits, "the job to wait")
    task = (await engine.tasks(view.id))[1]
    assert (task.state, task.tries) == (TaskState.PARKED, 0)
    assert why in task.waits_for
    assert task.due_at <= world.clock.now() + timedelta(minutes=1)
    assert [job.id for job in await engine.list()] == [view.id]
    assert [node["name"] for node in (await engine.graph(view.id)).nodes] == ["listen", "speak"]
    async with asyncio.timeout(20):
        assert await engine.run(other, 1) == "hello 1"
    assert (await engine.cancel(view.id)).state is JobState.CANCELLED


async def test_a_result_of_an_older_version_of_a_stage_is_not_taken_over(world):
    log = Log()
    old, new = film(), film("quiet", version=2)
    engine = await world.start(old, tools={Log: log})
    view = await engine.start("film", {"n": 1})
    assert await engine.result(old, view.id) == "loud"
    await world.executors[0].stop()
    engine = await world.start(new, tools={Log: log})
    await engine.redo(view.id, "listen")
    assert await engine.result(new, view.id) == "quiet"
    assert log == ["listen", "loud", "listen", "quiet"]
    await engine.redo(view.id, "listen")
    assert await engine.result(new, view.id) == "quiet"
    assert log == ["listen", "loud", "listen", "quiet", "listen"]
