"""Many workers after the last money and the last place: never too much, and nobody sleeps for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from genlock.clock import SystemClock
from genlock.ledger.records import Claim, JobSpec, NodeSpec, TaskRef
from genlock.ledger.spending import Budget, CallSpec, CallState, Decision, Intent, Settlement
from genlock.ledger.sql import SqlLedger
from genlock.money import Money

WORKERS = 20
CENT = 10_000


@pytest.fixture
async def ledgers(place) -> AsyncIterator[list[SqlLedger]]:
    """One for each worker, as on many machines; SQLite has one for all."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(1 if isinstance(place, Path) else WORKERS):
            found.append(await SqlLedger.open(place, SystemClock()))
            stack.push_async_callback(found[-1].close)
        yield found


class Race:
    """Jobs of one task each that all want something of the same account and the same budget."""

    def __init__(self, ledgers: list[SqlLedger], **terms: object) -> None:
        self.ledgers, self.terms = ledgers, terms
        self.random = random.Random(4)
        self.most_live = self.most_spent = self.busy = 0
        self.said: list[asyncio.Task[object]] = []  # by others, meanwhile

    async def start(self, jobs: int) -> None:
        for number in range(jobs):
            nodes = [NodeSpec("clip")]
            await self.ledgers[0].create_job(JobSpec(f"job-{number}", "film", "{}", "{}", nodes, []))

    async def run(self, work) -> None:
        """Everybody claims what is ready, until nothing moves any more."""
        watch = asyncio.create_task(self.watch())
        workers = self.ledgers * (WORKERS // len(self.ledgers))
        async with asyncio.timeout(90):
            taken = [(ledger, (await ledger.claim(f"w{n}"))[0]) for n, ledger in enumerate(workers)]
            await asyncio.gather(*(work(ledger, claim) for ledger, claim in taken))  # all at one moment
            await asyncio.gather(*(self.worker(ledger, f"w{n}", work) for n, ledger in enumerate(workers)))
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await self.look()

    async def worker(self, ledger: SqlLedger, name: str, work) -> None:
        idle = 0
        while idle < 3:
            self.busy += 1
            claims = await ledger.claim(name)
            for claim in claims:
                await work(ledger, claim)
            self.busy -= 1
            going_on = claims or self.busy or not all(one.done() for one in self.said)
            idle = 0 if going_on else idle + 1
            await asyncio.sleep(0 if claims else 0.03)

    async def intend(self, ledger: SqlLedger, claim: Claim, cents: int = 30) -> Intent:
        budgets = [Budget(f"job:{claim.task.job}"), Budget("user:ann", Money(100 * CENT))]
        terms = {"adapter": "acme:one", "vendor": "acme", "policy": "blind", "request": "{}"}
        spec = CallSpec("clip", **terms, request_hash="", estimate=Money(cents * CENT), budgets=budgets)
        for name, value in self.terms.items():
            object.__setattr__(spec, name, value)
        intent = await ledger.intend(claim, spec)
        if intent.over is not None:
            await ledger.park(claim, "over", signal=f"budget:{intent.over.scope}")
        elif intent.busy:
            await ledger.park(claim, "busy", signal="place:acme")
        return intent

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.002)

    async def look(self) -> None:
        reader = self.ledgers[0].reader
        self.most_live = max(self.most_live, await reader.live_calls("acme"))
        for row in await reader.budgets(["user:ann"]):
            self.most_spent = max(self.most_spent, row.spent + row.reserved)


async def test_twenty_workers_never_spend_more_than_the_last_dollar(ledgers):
    race = Race(ledgers)
    await race.start(24)
    gone = set()

    async def work(ledger: SqlLedger, claim: Claim) -> None:
        intent = await race.intend(ledger, claim)
        if intent.call is None:
            return
        call = await ledger.accept(intent.call.key, intent.call.sends, intent.call.key)
        cost = None if race.random.random() < 0.4 else Money(race.random.randint(1, 20) * CENT)
        await ledger.settle(call.key, Settlement(True, cost, computed=False, result="{}"))
        await ledger.succeed(claim, "1")
        gone.add(claim.task.job)

    await race.run(work)
    calls = await ledgers[0].reader.calls()
    [budget] = await ledgers[0].reader.budgets(["user:ann"])
    assert race.most_spent <= 100 * CENT
    assert {call.task.job for call in calls} == gone
    assert (budget.reserved, budget.spent) == (0, sum(call.spent for call in calls))
    if len(gone) < 24:
        assert budget.spent > 70 * CENT, "somebody sleeps although there is money"


async def test_an_account_never_has_more_calls_than_places_and_none_stays_empty(ledgers):
    race = Race(ledgers, limit=3, budgets=())
    await race.start(40)

    async def work(ledger: SqlLedger, claim: Claim) -> None:
        intent = await race.intend(ledger, claim)
        if intent.call is None:
            return
        call = intent.call
        if not intent.fresh:
            assert call.state in (CallState.ACCEPTED, CallState.ABANDONED)
        elif race.random.random() < 0.2:
            await ledger.doubt(call.key, call.sends, "lost")
            asked = race.random.choice([Decision.GIVE_UP, Decision.RESEND])
            await ledger.resolve(call.key, asked, by="ann")
        elif race.random.random() < 0.2:
            await ledger.release(call.key, call.sends, "no")
        else:
            await ledger.accept(call.key, call.sends, call.key)
            await ledger.settle(call.key, Settlement(race.random.random() < 0.8, None, computed=True))
        await ledger.succeed(claim, "1")

    await race.run(work)
    assert 1 <= race.most_live <= 3
    rows = [await ledgers[0].reader.task(TaskRef(f"job-{n}", "clip")) for n in range(40)]
    assert {row.state for row in rows} == {"done"}, "nobody sleeps although there are places"
    assert await ledgers[0].reader.live_calls("acme") == 0


async def test_decisions_and_reports_race_with_those_who_park_for_them(ledgers):
    race = Race(ledgers, budgets=())
    await race.start(30)

    async def work(ledger: SqlLedger, claim: Claim) -> None:
        intent = await race.intend(ledger, claim)
        call = intent.call
        assert call is not None
        if not intent.fresh:
            assert call.state is CallState.ACCEPTED
            await ledger.settle(call.key, Settlement(True, None, computed=True))
            await ledger.succeed(claim, "1")
            return
        await ledger.doubt(call.key, 1, "lost")
        somebody = race.random.choice(ledgers)
        decided = somebody.resolve(call.key, Decision.ADOPT, by="ann", handle=call.key)
        race.said.append(asyncio.create_task(decided))
        await ledger.park(claim, "in doubt", signal=f"call:{call.key}")

    await race.run(work)
    await asyncio.gather(*race.said)
    states = [(await ledgers[0].reader.job(f"job-{n}")).state for n in range(30)]
    assert set(states) == {"completed"}
