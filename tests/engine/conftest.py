"""An engine with a real executor, over each ledger there is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock.clock import Clock, SystemClock
from genlock.engine.attempt import Limits
from genlock.engine.engine import Engine
from genlock.engine.retry import RetryDefault
from genlock.executors.embedded import Embedded
from genlock.executors.resource import Resources
from genlock.ledger.memory.ledger import MemoryLedger


@dataclass
class World:
    """A ledger, and engines started over it one after the other, as processes would be."""

    ledger: Any
    reader: Any
    clock: Clock
    work: Path
    stack: AsyncExitStack
    engines: list[Engine] = field(default_factory=list)
    executors: list[Embedded] = field(default_factory=list)

    async def start(
        self,
        *pipelines: Any,
        tools: dict[Any, object] | None = None,
        resources: dict[str, int] | None = None,
        attempt_timeout: timedelta = timedelta(minutes=1),
        deadline: timedelta | None = timedelta(hours=1),
        execute: bool = True,
        **options: Any,
    ) -> Engine:
        """Start an engine that runs what is ready; a retry follows at once."""
        quick = RetryDefault(attempts=3, base=timedelta(0))
        engine = Engine(
            self.ledger,
            self.reader,
            pipelines,
            tools or {},
            clock=self.clock,
            work=self.work,
            limits=Limits(attempt_timeout, quick),
            deadline=deadline,
            rng=random.Random(1),
        )
        self.engines.append(engine)
        if execute:
            holder = f"holder-{len(self.engines)}"
            executor = Embedded(engine, Resources(resources or {}), holder=holder, **options)
            self.executors.append(executor)
            await executor.start()
            self.stack.push_async_callback(executor.stop)
            await engine.wake_fitting()
        return engine

    async def set_deadline(self, job: str, deadline: timedelta) -> None:
        """Give a job that runs already this long from now."""
        await self.ledger.set_deadline(job, deadline)
        for executor in self.executors:
            executor.ring()


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    clock = SystemClock()
    if request.param == "memory":
        ledger: Any = MemoryLedger(clock)
        reader: Any = ledger
    else:
        from genlock.ledger.sql import SqlLedger

        ledger = await SqlLedger.open(tmp_path / "ledger.db", clock)
        reader = ledger.reader
    async with AsyncExitStack() as stack:
        stack.push_async_callback(ledger.close)
        yield World(ledger, reader, clock, tmp_path / "work", stack)


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Wait until something is so, at most ten seconds; say what it was waiting for if it never is."""

    async def wait(is_so: Callable[[], Any], what: str = "it") -> None:
        for _ in range(2000):
            answer = is_so()
            if hasattr(answer, "__await__"):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"waited ten seconds for {what}")

    return wait
