"""What people do to nested jobs, and what becomes of the job around them."""

from __future__ import annotations

from genlock import Permanent, pipeline, provided, stage
from genlock.ledger.records import JobState


class Gate:
    """Closed, a body waits for an answer that nobody gives."""

    def __init__(self) -> None:
        self.open = False


@stage
async def shoot(shot: int, *, gate: Gate = provided()) -> int:
    if not gate.open:
        raise Permanent("the gate is closed")
    return shot + 1


@pipeline
def short(shot: int) -> int:
    return shoot(shot)


@pipeline
def series(shot: int) -> int:
    return short(shot)


async def test_a_nested_job_that_was_cancelled_is_made_anew_when_the_job_around_it_is_retried(world, until):
    gate = Gate()
    idle = await world.start(series, tools={Gate: gate}, execute=False)
    view = await idle.start("series", {"shot": 1})
    (claim,) = await world.ledger.claim("me")
    await idle.attempts.run(claim)
    (child,) = await world.reader.children(view.id)
    await idle.cancel(child.id)
    assert (await idle.show(view.id)).state is JobState.FAILED
    gate.open = True
    engine = await world.start(series, tools={Gate: gate})
    await engine.retry(view.id)
    assert await engine.result(series, view.id) == 2
    assert (await engine.show(child.id)).state is JobState.CANCELLED


@stage
async def list_shots(shots: int) -> list[int]:
    return list(range(shots))


@stage
async def add(items: list[int], one: int, other: int) -> int:
    return sum(items) + one + other


@pipeline
def twice(shots: int) -> int:
    return add(short.map(list_shots(shots)), short(10), short(20))


async def test_a_pipeline_nested_once_for_each_item_and_once_more_makes_as_many_jobs(world):
    """Among them `short/2`, the third item, and `short-2`, the second place."""
    gate = Gate()
    gate.open = True
    engine = await world.start(twice, tools={Gate: gate})
    assert await engine.run(twice, 3) == (1 + 2 + 3) + 11 + 21
