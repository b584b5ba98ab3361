"""What a process does for a ledger that it shares with others, every few seconds.

It takes over from those that are gone, gives up what was taken from itself, and looks for what others have
made ready: nobody rings another process.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from genlock.engine.engine import Engine
from genlock.errors import GenlockError
from genlock.ledger.records import TaskRef

log = structlog.get_logger(__name__)

EVERY, JITTER = 2.0, 0.5  # seconds between two rounds, and by how much these differ


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found running under a dead owner at the start, and how long it took to free it."""

    jobs: tuple[str, ...]
    tasks: tuple[TaskRef, ...]
    seconds: float


async def patrol(
    engine: Engine,
    stop_lost: Callable[[], Awaitable[None]],
    *,
    reclaims: int,
    rng: random.Random | None = None,
) -> None:
    """Go round until cancelled. A ledger that does not answer is asked again in the next round."""
    rng = rng or random.Random()
    while True:
        await engine.clock.sleep(EVERY + rng.uniform(-JITTER, JITTER))
        try:
            freed = await engine.ledger.reclaim(limit=reclaims)
            await stop_lost()
        except GenlockError as error:
            log.warning("no patrol; trying again", action="patrol", error=str(error))
            continue
        if freed:
            jobs = sorted({ref.job for ref in freed})
            log.warning("taken over from a process that is gone", tasks=len(freed), jobs=jobs)
        engine.ring()
