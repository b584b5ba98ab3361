"""Schedules on a ledger, whose jobs end when a test says so."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genlock import pipeline, stage
from genlock.engine.engine import Engine
from genlock.ledger.records import Failure, JobFilter, JobRow, TaskRef
from genlock.ledger.schedules.records import FiringRow, Kind, ScheduleRow, ScheduleSpec, Timing
from genlock.ledger.schedules.sql import SqlSchedules
from genlock.ledger.sql import SqlLedger
from genlock.schedules.planner import Planner
from genlock.schedules.timer import Timer
from genlock.schedules.view import Plan
from genlock.testing.clock import FakeClock

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@stage
async def work(subject: str) -> str:
    return subject


@pipeline
def tick(subject: str) -> str:
    return work(subject)


@dataclass
class Desk:
    """Schedules on a ledger. Its jobs are those of `tick`, and nothing runs them."""

    ledger: SqlLedger
    clock: FakeClock
    work: Path
    built_in: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.book = SqlSchedules(self.ledger, self.clock)
        self.engine = Engine(
            self.ledger,
            self.ledger.reader,
            [tick],
            {},
            clock=self.clock,
            work=self.work,
            rng=random.Random(1),
        )
        self.planner = Planner(self.book, self.engine, built_in=self.built_in, rng=random.Random(2))
        self.timer = Timer(self.book, self.planner.starter)
        self.planner.ring = self.timer.ring

    def spec(self, id: str = "s", **options: Any) -> ScheduleSpec:
        given = {"name": f"the {id}", "owner": "ann", "workflow": "w", "pipeline": "tick", "zone": "UTC"}
        given |= {"params": '{"subject":"x"}', "kind": Kind.INTERVAL, "expression": "3600"} | options
        return ScheduleSpec(id=id, **given)

    def timing(self, after: timedelta = HOUR) -> Timing:
        return Timing(self.clock.now(), self.clock.now() + after)

    async def add(self, id: str = "s", **options: Any) -> ScheduleRow:
        return await self.book.add(self.spec(id, **options), self.timing())

    async def plan(self, id: str = "s", **options: Any) -> ScheduleRow:
        given = {"name": f"the {id}", "pipeline": "tick", "params": {"subject": "x"}, **options}
        if "cron" not in given:
            given.setdefault("every", "1h")
        await self.planner.create(Plan(**given), owner="ann", id=id)
        return await self.book.schedule(id)

    async def pass_time(self, span: timedelta, *, rounds: int = 3) -> None:
        """Turn the clock and let the timer do all there is to do."""
        self.clock.advance(span)
        for _ in range(rounds):
            await self.timer.round()

    async def history(self, id: str = "s") -> list[FiringRow]:
        """The oldest first."""
        return list(await self.book.firings(id, limit=1000))[::-1]

    async def told(self, id: str = "s") -> list[str]:
        """The history as `kind state` at so many minutes past noon."""
        return [
            f"{(each.due_at - NOON) / timedelta(minutes=1):g} {each.kind} {each.state}"
            for each in await self.history(id)
        ]

    async def jobs(self) -> list[JobRow]:
        """The oldest first."""
        return list(await self.ledger.reader.jobs(JobFilter(), limit=1000))[::-1]

    async def finish(self, job: str | None, *, error: str | None = None) -> None:
        assert job is not None
        (claim,) = await self.ledger.claim("ann", tasks=[TaskRef(job, "work")])
        if error is None:
            await self.ledger.succeed(claim, '"done"')
        else:
            await self.ledger.fail(claim, Failure("Oops", error), retry_at=None)

    async def finish_all(self, **options: Any) -> None:
        for row in await self.jobs():
            if not row.state.finished:
                await self.finish(row.id, **options)
