"""Whatever is done to it, in whatever order, a database stands where the model in memory stands."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from genlock.errors import GenlockError
from genlock.ledger import schema, sweeping
from genlock.ledger.batch import Batch
from genlock.ledger.count import recount, recount_map
from genlock.ledger.memory.ledger import MemoryLedger
from genlock.ledger.records import EdgeSpec, Failure, JobFilter, JobSpec, NodeSpec, Taker, TaskRef
from genlock.ledger.spending import Budget, By, CallSpec, Decision, Delivery, Settlement
from genlock.ledger.sql import SqlLedger
from genlock.money import Money


class Twins:
    """Does everything twice, once to each ledger, and compares answers and rows."""

    def __init__(self, bench, seed: int, paying: float = 0.0) -> None:
        self.paying = paying  # how much of it is about money
        self.clock = bench.clock
        self.model = MemoryLedger(bench.clock)
        self.ledgers: list[tuple[Any, Any]] = [(self.model, self.model), (bench.ledger, bench.reader)]
        self.random = random.Random(seed)
        self.held: list[tuple[Any, Any]] = []
        self.jobs: list[str] = []
        self.story: list[str] = []

    async def both(self, verb: str, *args: Any, **options: Any) -> list[Any]:
        self.story.append(f"{verb} {args} {options}")
        answers = []
        for place, (ledger, _) in enumerate(self.ledgers):
            mine = [one[place] if isinstance(one, tuple) and one in self.held else one for one in args]
            try:
                answers.append(await getattr(ledger, verb)(*mine, **options))
            except GenlockError as error:
                answers.append(type(error))
        return answers

    def spec(self, id: str) -> JobSpec:
        names = [f"n{n}" for n in range(self.random.randint(1, 6))]
        nodes = [
            NodeSpec(
                name,
                mapped=self.random.random() < 0.3 * (not self.paying),
                need=self.random.choice([None, None, 1, 2]),
                resources=self.random.choice(["", "cpu=1"]),
                skipped=self.random.random() < 0.1,
            )
            for name in names
        ]
        edges = [
            EdgeSpec(names[up], names[down], optional=self.random.random() < 0.3)
            for down in range(len(names))
            for up in range(down)
            if self.random.random() < 0.4 * (not self.paying)
        ]
        deadline = self.random.choice([None, None, timedelta(seconds=self.random.randint(20, 200))])
        return JobSpec(id, "p", "{}", "{}", nodes, edges, deadline=deadline)

    async def step(self) -> None:
        moves = [self.claim] * 8 + [self.use] * 16
        moves += [self.steer, self.redo, self.signal, self.tick, self.reclaim, self.start]
        money = [self.use] * 20 + [self.say] * 16 + [self.cap] * 2 + [self.tick] * 3 + [self.start] * 8
        moves += money if self.paying else []
        await self.random.choice(moves)()
        await self.compare()

    async def start(self) -> None:
        states = [row.state.finished for row in await self.model.jobs(JobFilter(children=True))]
        if states.count(False) < 2 and len(states) < 12:
            self.jobs.append(f"job-{len(self.jobs)}")
            taker = self.random.choice([None, Taker(self.random.choice("xy"), "")])
            one, other = await self.both("create_job", self.spec(self.jobs[-1]), taker=taker)
            assert list(map(_bare, one.claimed)) == list(map(_bare, other.claimed)), self.story[-5:]
            self.held += zip(one.claimed, other.claimed, strict=True)

    async def claim(self) -> None:
        ready = []
        for row in await self.rows(1):
            ready += [ref for ref, task in row.items() if task.state == "ready"]
        if not ready:
            return
        ref = self.random.choice(sorted(ready))
        one, other = await self.both("claim", self.random.choice("xy"), tasks=[ref])
        assert len(one) == len(other), (ref, self.story[-5:])
        if one:
            mine, theirs = one[0], other[0]
            assert _bare(mine) == _bare(theirs), self.story[-5:]
            self.held.append((mine, theirs))

    async def use(self) -> None:
        if not self.held:
            return
        pair = self.random.choice(self.held)
        task = await self.model.task(pair[0].task) if await self._there(pair[0].task) else None
        if (task is None or task.state != "running") and self.random.random() < 0.9:
            self.held.remove(pair)
            return
        if task and task.mapped and self.random.random() < 0.8:
            items = [str(n) for n in range(self.random.randint(0, 3))]
            last = self.random.random() < 0.7
            self._same(await self.both("spread", pair, items, offset=task.children, last=last))
        else:
            await self.act(pair)

    async def act(self, pair: tuple[Any, Any]) -> None:
        later = self.clock.now() + timedelta(seconds=self.random.randint(0, 20))
        choice = self.random.random()
        if self.random.random() < self.paying:
            answers = await self.pay(pair)
        elif choice < 0.4:
            answers = await self.both("succeed", pair, str(self.random.random()), input_hash="h")
        elif choice < 0.5:
            answers = await self.both(
                "fail", pair, Failure("E", "m"), retry_at=self.random.choice([None, later])
            )
        elif choice < 0.58:
            answers = await self.both("skip", pair, "no")
        elif choice < 0.66:
            answers = await self.both("snooze", pair, later)
        elif choice < 0.76:
            answers = await self.both("park", pair, "r", signal="go", until=self.random.choice([None, later]))
        elif choice < 0.82:
            answers = await self.both("save", pair, "note", "1")
        else:
            child = f"job-{len(self.jobs)}"
            answers = await self.both("nest", pair, self.spec(child))
            if not isinstance(answers[0], type):
                self.jobs.append(child)
        self._same(answers)

    # Money: what a vendor or a person says of a call may come at any time, and more than once.

    async def pay(self, pair: tuple[Any, Any]) -> list[Any]:
        """An intent, what may follow one, or a wait for what was refused."""
        calls = [call.key for call in await self.model.calls()][:6] or ["gl_nothing"]
        choice, key = self.random.random(), self.random.choice(calls)
        if choice < 0.5:
            return await self.both("intend", pair, self.asked())
        if choice < 0.7:
            signals = ["place:acme", f"budget:{self.random.choice(SCOPES)}", f"call:{key}"]
            until = self.clock.now() + timedelta(seconds=self.random.randint(5, 50))
            return await self.both("park", pair, "p", signal=self.random.choice(signals), until=until)
        if choice < 0.8:
            return await self.both("answered", pair, key)
        return await self.both(self.random.choice(["resend", "absent"]), pair, key, self.random.randint(1, 2))

    def asked(self) -> CallSpec:
        scopes = self.random.sample(SCOPES, self.random.randint(0, 2))
        caps = [Budget(scope, self.random.choice([None, Money.of(1)])) for scope in scopes]
        price = Money.of(self.random.choice(["0", "0.3", "0.4"]))
        limit, once = self.random.choice([None, 1, 2]), self.random.choice([None, None, Money.of("0.35")])
        name = self.random.choice("ab")
        return CallSpec(name, "acme:x", "acme", "blind", '{"r":1}', "h", price, limit, once, caps)

    async def say(self) -> None:
        calls = (await self.model.calls())[:6]
        if not calls:
            return
        call = self.random.choice(calls)
        key, sends = call.key, call.sends if self.random.random() < 0.8 else self.random.randint(1, 2)
        cost = self.random.choice([None, Money.of("0.1"), Money.of("0.9")])
        handle, number = self.random.choice("hij"), self.random.randint(0, 30)
        decision = self.random.choice(list(Decision))
        made = Settlement(self.random.random() < 0.7, cost, computed=False, result="{}")
        whose = self.random.choice([{"key": key}, {"handle": handle}])
        verbs: list[tuple[Any, ...]] = [
            ("accept", key, sends, handle),
            ("accept", key, sends, handle),
            ("settle", key, made),
            ("settle", key, made),
            ("release", key, sends, "no"),
            ("doubt", key, sends, "who knows"),
            ("ask_cancel", key),
            ("deliver", Delivery("acme", f"d{number}", "{}", **whose)),
        ]
        verb, *args = self.random.choice(verbs)
        self._same(await self.both(verb, *args))
        if self.random.random() < 0.3:
            named = self.random.choice([None, handle])
            self._same(await self.both("resolve", key, decision, by="ann", handle=named))

    async def cap(self) -> None:
        scope, cap = self.random.choice(SCOPES), self.random.choice([None, Money.of(1), Money.of(2)])
        verbs: list[tuple[Any, ...]] = [("set_cap", scope, cap), ("freeze", scope, "stop"), ("thaw", scope)]
        verb, *args = self.random.choice([verbs[0], verbs[0], *verbs, verbs[2]])
        self._same(await self.both(verb, *args))

    async def compare_money(self) -> None:
        looks = [
            lambda reader: reader.calls(),
            lambda reader: reader.calls_left(),
            lambda reader: reader.budgets(),
            lambda reader, by=self.random.choice(list(By)): reader.costs(by),
        ]
        for look in looks:
            one, other = [await look(reader) for _, reader in self.ledgers]
            assert list(one) == list(other), "\n".join(self.story[-8:])

    async def _there(self, ref: TaskRef) -> bool:
        try:
            await self.model.task(ref)
        except GenlockError:
            return False
        return True

    async def steer(self) -> None:
        if self.jobs:
            verb = self.random.choice(["cancel", "pause", "resume", "resume", "retry", "retry", "retry"])
            if verb == "cancel" and self.random.random() < 0.6:
                return
            self._same(await self.both(verb, self.random.choice(self.jobs)))

    async def redo(self) -> None:
        done = [ref for row in await self.rows(1) for ref, task in row.items() if task.state in _FINISHED]
        if done:
            first = self.random.choice(sorted(done))
            more = [ref for ref in done if ref.job == first.job and self.random.random() < 0.2]
            keys = list(dict.fromkeys([first.key, *(ref.key for ref in more)]))
            planned = []
            for _, reader in self.ledgers:
                try:
                    planned.append(await reader.plan_redo(first.job, keys))
                except GenlockError as error:
                    planned.append(type(error))
            answers = await self.both("redo", first.job, keys)
            assert planned[0] == planned[1] == answers[0] == answers[1], self.story[-5:]

    async def signal(self) -> None:
        refs = [ref for row in await self.rows(1) for ref in row]
        if refs:
            self._same(await self.both("signal", self.random.choice(sorted(refs)), "go", "1"))

    async def tick(self) -> None:
        self.clock.turn(self.random.randint(1, 30))
        self._same(await self.both("expire"))

    async def reclaim(self) -> None:
        self._same(await self.both("reclaim", survivor="x", limit=2))

    def _same(self, answers: list[Any]) -> None:
        assert _plain(answers[0]) == _plain(answers[1]), "\n".join(self.story[-8:])

    async def rows(self, place: int) -> list[dict[TaskRef, Any]]:
        reader = self.ledgers[place][1]
        return [{row.ref: row for row in await reader.tasks(job)} for job in self.jobs]

    async def compare(self) -> None:
        if self.random.random() < self.paying / 2:
            await self.compare_money()
        every = JobFilter(children=True)
        one, other = [await reader.jobs(every) for _, reader in self.ledgers]
        assert list(one) == list(other), "\n".join(self.story[-8:])
        first, second = await self.rows(0), await self.rows(1)
        assert first == second, "\n".join(self.story[-8:])
        for job in self.jobs:
            events = [await reader.events(job, limit=10_000) for _, reader in self.ledgers]
            assert sorted(map(_told, events[0])) == sorted(map(_told, events[1])), "\n".join(self.story[-8:])
        counts = [await reader.ready_count() for _, reader in self.ledgers]
        assert counts[0] == counts[1]
        due = [await reader.outlook() for _, reader in self.ledgers]
        assert due[0] == due[1]


_FINISHED = ("done", "failed", "skipped")
SCOPES = ["day:x", "job:y", "user:z"]


def _bare(claim: Any) -> tuple[Any, ...]:
    return (claim.task, claim.attempt, claim.tries, claim.reclaims, claim.revision, claim.item, claim.kept)


def _told(event: Any) -> tuple[Any, ...]:
    return (event.kind, event.task or "", event.data)


def _plain(answer: Any) -> Any:
    if hasattr(answer, "ready"):
        return sorted(answer.ready), sorted(answer.finished)
    return sorted(answer) if isinstance(answer, list | tuple) else answer


class Either:
    """Several ledgers on one database, as processes have them: each verb goes to one of them by chance."""

    def __init__(self, ledgers: list[Any], seed: int) -> None:
        self._ledgers = ledgers
        self._random = random.Random(seed)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._random.choice(self._ledgers), verb)


@pytest.mark.parametrize("seed", range(12))
async def test_a_random_history_leaves_every_database_like_the_model(
    place, clock, bench_of, monkeypatch, seed
):
    """On PostgreSQL two processes have a hand in it: each verb and each look goes to one of them."""
    if seed % 2:
        monkeypatch.setattr(sweeping, "SLICE", 2)  # small maps are swept as big ones are
    await compare_histories(place, clock, bench_of, seed)


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_history_of_money_leaves_every_database_like_the_model(place, clock, bench_of, seed):
    await compare_histories(place, clock, bench_of, seed, paying=0.8)


async def compare_histories(place, clock, bench_of, seed: int, paying: float = 0.0) -> None:
    ledgers = [await SqlLedger.open(place, clock) for _ in range(1 if isinstance(place, Path) else 2)]
    try:
        bench = bench_of(Either(ledgers, seed), Either([one.reader for one in ledgers], seed))
        twins = Twins(bench, seed, paying)
        await twins.start()
        for _ in range(150 if paying else 100):
            await twins.step()
        await bench.check()
        await asyncio.to_thread(check_counters, ledgers[0])
    finally:
        for ledger in ledgers:
            await ledger.close()


def check_counters(ledger: SqlLedger) -> None:
    """Every counter says what counting the rows says."""

    def count(batch: Batch) -> None:
        for row in batch.select(select(schema.job)):
            job = batch.job(row.id)
            if not job.finished:  # nobody asks a finished job's
                recount(batch, job)
                assert (job.live, job.parked, job.failed) == (row.live, row.parked, row.failed), row.id
        for parent in batch.search(select(schema.task).where(schema.task.c.state == "spread")):
            if parent.is_map:
                known = (parent.unfinished, parent.lost)
                recount_map(batch, parent)
                assert (parent.unfinished, parent.lost) == known, parent.ref

    ledger._writer._transactions.commit(count)
