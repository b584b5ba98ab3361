"""What every contract test gets: a ledger of each kind, a clock to turn, and a bench to work at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock.ledger.memory.ledger import MemoryLedger
from genlock.ledger.protocol import Ledger, LedgerReader
from genlock.ledger.records import (
    Advance,
    Claim,
    EdgeSpec,
    Failure,
    JobFilter,
    JobRow,
    JobSpec,
    NodeSpec,
    TaskRef,
    TaskRow,
)
from genlock.ledger.spending import Budget, CallRow, CallSpec, Settlement
from genlock.money import Money


class TurnedClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self._now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def adjust(self, at: datetime) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)

    def turn(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now


def _node(text: str | NodeSpec) -> NodeSpec:
    return text if isinstance(text, NodeSpec) else NodeSpec(text.rstrip("*"), mapped=text.endswith("*"))


def _edge(text: str) -> EdgeSpec:
    upstream, _, downstream = text.partition(">")
    return EdgeSpec(upstream.rstrip("?"), downstream, optional=upstream.endswith("?"))


@dataclass
class Bench:
    """A ledger with short words for what the tests do all the time. `job` is the job they speak of."""

    ledger: Ledger
    reader: LedgerReader
    clock: TurnedClock
    job: str = "job-1"
    claims: dict[TaskRef, Claim] = field(default_factory=dict)

    def spec(self, id: str, *nodes: str | NodeSpec, edges: str = "", **options: Any) -> JobSpec:
        """`"clips*"` is a mapped node, `"a>b"` an edge and `"a?>b"` an optional one."""
        rows = [_node(node) for node in nodes]
        wires = [_edge(edge) for edge in edges.split()]
        return JobSpec(id, "film", '{"graph":1}', '{"input":1}', rows, wires, **options)

    async def start(self, *nodes: str | NodeSpec, edges: str = "", **options: Any) -> tuple[TaskRef, ...]:
        spec = self.spec(options.pop("id", self.job), *nodes, edges=edges, **options)
        return (await self.ledger.create_job(spec)).ready

    def ask(self, name: str = "clip", estimate: str = "0.50", **options: Any) -> CallSpec:
        """A call to be made; `caps` are budgets, `"job:job-1": "2.00"` or with None for no cap."""
        caps = options.pop("caps", {})
        budgets = [Budget(scope, None if cap is None else Money.of(cap)) for scope, cap in caps.items()]
        given = {"adapter": "acme:one", "vendor": "acme", "policy": "blind", "request": '{"asked":1}'}
        given |= {"request_hash": "hash", "estimate": Money.of(estimate), "budgets": budgets} | options
        return CallSpec(name, **given)

    async def call(self, claim: Claim, name: str = "clip", **options: Any) -> CallRow:
        """A call that is intended now."""
        intent = await self.ledger.intend(claim, self.ask(name, **options))
        assert intent.fresh, intent
        assert intent.call is not None
        return intent.call

    async def accepted(self, claim: Claim, name: str = "clip", **options: Any) -> CallRow:
        call = await self.call(claim, name, **options)
        return await self.ledger.accept(call.key, call.sends, f"h-{call.key}")

    async def settled(self, claim: Claim, name: str = "clip", cost: str = "0.50", **options: Any) -> CallRow:
        call = await self.accepted(claim, name, **options)
        made = Settlement(True, Money.of(cost), computed=False, result='{"made":1}')
        return await self.ledger.settle(call.key, made)

    async def money(self, scope: str) -> tuple[int, int]:
        """What a budget has spent and reserved, in cents."""
        (row,) = await self.reader.budgets([scope])
        return row.spent // 10_000, row.reserved // 10_000

    def ref(self, key: str) -> TaskRef:
        job, colon, rest = key.rpartition(":")
        return TaskRef(job if colon else self.job, rest)

    async def claim(self, key: str, holder: str = "ann") -> Claim:
        """The claim of one task that must be to be had; `"job:key"` names another job's."""
        (claim,) = await self.ledger.claim(holder, tasks=[self.ref(key)])
        return claim

    async def do(self, key: str, output: str = '"out"', **options: Any) -> Advance:
        return await self.ledger.succeed(await self.claim(key), output, **options)

    async def fail(self, key: str, message: str = "no", retry_at: datetime | None = None) -> Advance:
        return await self.ledger.fail(await self.claim(key), Failure("Oops", message), retry_at=retry_at)

    async def skip(self, key: str, reason: str = "nothing to do") -> Advance:
        return await self.ledger.skip(await self.claim(key), reason)

    async def spread(self, key: str, *items: str) -> Advance:
        return await self.ledger.spread(await self.claim(key), items, offset=0, last=True)

    async def nest(self, key: str, child: str, *nodes: str | NodeSpec, **options: Any) -> Advance:
        return await self.ledger.nest(await self.claim(key), self.spec(child, *nodes, **options))

    async def can_claim(self, key: str) -> bool:
        """Whether the task is to be had; takes it if so."""
        return bool(await self.ledger.claim("ann", tasks=[self.ref(key)]))

    async def task(self, key: str) -> TaskRow:
        return await self.reader.task(self.ref(key))

    async def row(self, job: str | None = None) -> JobRow:
        return await self.reader.job(job or self.job)

    async def state(self, key: str) -> str:
        return str((await self.task(key)).state)

    async def states(self, job: str | None = None) -> dict[str, str]:
        return {row.ref.key: str(row.state) for row in await self.reader.tasks(job or self.job)}

    async def job_state(self, job: str | None = None) -> str:
        return str((await self.row(job)).state)

    async def kinds(self, key: str | None = None, job: str | None = None) -> list[str]:
        """The kinds of events of one task, or of the job itself."""
        events = await self.reader.events(job or self.job)
        return [event.kind for event in events if event.task == key]

    async def last(self, kind: str, job: str | None = None) -> dict[str, Any]:
        """The data of the newest event of this kind."""
        events = await self.reader.events(job or self.job)
        data: dict[str, Any] = json.loads([event.data for event in events if event.kind == kind][-1])
        return data

    def keys(self, refs: Sequence[TaskRef]) -> list[str]:
        return [ref.key if ref.job == self.job else f"{ref.job}:{ref.key}" for ref in refs]

    async def check(self) -> None:
        """What must be true of any ledger at any time."""
        for row in await self.reader.jobs(JobFilter(children=True), limit=1000):
            events = await self.reader.events(row.id, limit=100_000)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert row.last_event == len(events)
            tasks = await self.reader.tasks(row.id, limit=100_000)
            live = any(task.state in ("ready", "running") for task in tasks)
            assert not (live and row.state in ("completed", "cancelled", "waiting"))
            assert (row.finished_at is not None) == row.state.finished
            for task in tasks:
                assert (task.holder is not None) == (task.state == "running")


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def bench_of(clock: TurnedClock) -> Callable[[Any, Any], Bench]:
    """A bench for a ledger and a reader that a test has opened itself."""
    return lambda ledger, reader: Bench(ledger, reader, clock)


DATABASES = ["sqlite", "postgres"]  # a database joins here and in `place`


def _place(request: pytest.FixtureRequest, kind: str) -> str | Path:
    """Where a database of this kind is opened."""
    if kind == "sqlite":
        return Path(request.getfixturevalue("tmp_path"), "ledger.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest) -> str | Path:
    """A path or URL for each kind of database, with nobody's jobs in it."""
    return _place(request, request.param)


@pytest.fixture(params=["memory", *DATABASES])
async def bench(request: pytest.FixtureRequest, clock: TurnedClock) -> AsyncIterator[Bench]:
    """A bench for each kind of ledger."""
    if request.param == "memory":
        memory = MemoryLedger(clock)
        bench = Bench(memory, memory, clock)
        yield bench
        await bench.check()
        return
    async for bench in _lend(_place(request, request.param), clock):
        yield bench


async def _lend(place: str | Path, clock: TurnedClock) -> AsyncIterator[Bench]:
    from genlock.ledger.sql import SqlLedger

    ledger = await SqlLedger.open(place, clock)
    bench = Bench(ledger, ledger.reader, clock)
    try:
        yield bench
        await bench.check()
    finally:
        await ledger.close()
