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
