"""Run a pipeline to its end in memory."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from genlock.clock import Clock, SystemClock
from genlock.engine.declare import Pipeline
from genlock.engine.engine import Engine
from genlock.executors.embedded import Embedded
from genlock.executors.resource import Resources
from genlock.ledger.memory.ledger import MemoryLedger

P = ParamSpec("P")
R = TypeVar("R")


async def run_to_end(
    pipeline: Pipeline[P, R],
    *args: Any,
    tools: Mapping[Any, object] | None = None,
    clock: Clock | None = None,
    seed: int = 0,
) -> R:
    """The pipeline's result, by way of a real engine over a ledger in memory. `StageError` if the job fails.

    `tools` are what `provided()` hands out, by annotation: put your fakes there.
    """
    clock = clock or SystemClock()
    ledger = MemoryLedger(clock)
    with tempfile.TemporaryDirectory(prefix="genlock-") as work:
        engine = Engine(
            ledger, ledger, [pipeline], tools or {}, clock=clock, work=Path(work), rng=random.Random(seed)
        )
        executor = Embedded(engine, Resources({}), holder="test")
        await executor.start()
        try:
            run: Callable[..., Awaitable[R]] = engine.run
            return await run(pipeline, *args)
        finally:
            await executor.stop()
