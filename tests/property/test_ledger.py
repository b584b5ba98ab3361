"""Any history of verbs, crashes and late deliveries leaves a database that says what `plain` says."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from plain import OVER, Plain
from psycopg.rows import dict_row

from books import Row, faults
from genlock.errors import GenlockError
from genlock.ledger import sweeping
from genlock.ledger.records import Claim, EdgeSpec, Failure, JobSpec, NodeSpec, TaskRef
from genlock.ledger.sql import SqlLedger
from genlock.testing import FakeClock

HOLDERS = ("x", "y")
CLAIMABLE = {"pending", "running", "waiting"}
RECLAIMS = 2
MOST_JOBS = 8

picks = st.integers(0, 30)
spans = st.integers(0, 20)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """What a job is made of, but for its id: upstreams are named before what waits for them."""
    names = [f"n{place}" for place in range(draw(st.integers(1, 5)))]
    nodes = [
        NodeSpec(
            name,
            mapped=draw(st.sampled_from([False, False, True])),
            need=draw(st.sampled_from([None, None, 1, 2])),
            skipped=draw(st.sampled_from([False] * 9 + [True])),
        )
        for name in names
    ]
    wires = [(up, down) for down in range(len(names)) for up in range(down)]
    edges = [
        EdgeSpec(names[up], names[down], optional=draw(st.sampled_from([False, False, True])))
        for up, down in wires
        if draw(st.booleans())
    ]
    late = draw(st.sampled_from([None, None, 30, 90]))
    return {"nodes": nodes, "edges": edges, "deadline": None if late is None else timedelta(seconds=late)}


class Verb:
    """The same thing to do, said to a ledger and to the model."""

    def __init__(self, name: str, real: Callable[[], Awaitable[Any]], plain: Callable[[], Any]) -> None:
        self.name, self.real, self.plain = name, real, plain


class History(RuleBasedStateMachine):
    """Everything that can be done to a ledger, by anybody, at any time."""

    def __init__(self, open_place: Callable[[], Any]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.place_scope = open_place()
        self.place, self.query = self.place_scope.__enter__()
        self.clock, self.model = FakeClock(), Plain()
        self.model.now = self.clock.now()
        self.claims: list[Claim] = []
        self.results: dict[tuple[TaskRef, int], str] = {}
        self.told: dict[str, list[Row]] = {}
        self.ledger: SqlLedger = self.run(SqlLedger.open(self.place, self.clock))

    def run(self, work: Awaitable[Any]) -> Any:
        async def alone() -> Any:
            return await work

        return self.runner.run(alone())

    def teardown(self) -> None:
        self.run(self.ledger.close())
        self.runner.close()
        self.place_scope.__exit__(None, None, None)

    # Doing

    def do(self, *verbs: Verb) -> None:
        """Say these to the ledger all at once, and to the model one after the other; compare answers."""

        async def say() -> list[Any]:
            return await asyncio.gather(*(verb.real() for verb in verbs), return_exceptions=True)

        for verb, answer in zip(verbs, self.run(say()), strict=True):
            expected, ready, finished = self.foresee(verb)
            note(f"{verb.name} -> {answer}")
            if isinstance(answer, BaseException):
                if not isinstance(answer, GenlockError):
                    raise answer
                assert expected is type(answer), (verb.name, answer)
                continue
            assert not isinstance(expected, type), f"{verb.name} is not refused with {expected}"
            if expected is not None:
                assert answer == expected
            if hasattr(answer, "ready") and hasattr(answer, "finished"):
                assert set(answer.ready) == ready
                assert set(answer.finished) == finished
                assert len(answer.ready) == len(ready)
        self.forget_dropped()

    def foresee(self, verb: Verb) -> tuple[Any, set[TaskRef], set[str]]:
        """What the model answers, the tasks that can be claimed from now on, and the jobs that are over."""
        claimable, over = self.claimable(), self.over()
        try:
            answer = verb.plain()
        except GenlockError as refusal:
            return type(refusal), set(), set()
        return answer, self.claimable() - claimable, self.over() - over

    def claimable(self) -> set[TaskRef]:
        return {ref for ref in self.model.refs() if self.model.claimable(ref)}

    def over(self) -> set[str]:
        return {job for job, state in self.model.job_states().items() if state in OVER}

    def forget_dropped(self) -> None:
        there = set(self.model.refs())
        self.results = {name: output for name, output in self.results.items() if name[0] in there}

    def took(self, claims: list[Claim]) -> None:
        for claim in claims:
            assert self.model.claimable(claim.task), f"{claim} was not to be had"
            fact = self.model.fact(claim.task)
            self.model.claim(claim)
            assert (claim.attempt, claim.tries, claim.reclaims) == (fact.attempt, fact.tries, fact.reclaims)
            assert (claim.revision, claim.children) == (fact.revision, fact.written)
            assert (claim.kept.output if claim.kept else None) == fact.kept
            self.claims.append(claim)

    def live(self) -> list[Claim]:
        return [claim for claim in self.claims if self.is_live(claim)]

    def pick_claim(self, pick: int, *, stale: bool = False) -> Claim:
        """One of the claims that still hold, if there are any; `stale`: any that was ever given out."""
        found = self.claims if stale else self.live() or self.claims
        return found[-1 - pick % len(found)]

    def is_live(self, claim: Claim) -> bool:
        known = self.model.jobs[claim.task.job].facts.get(claim.task.key)
        return known is not None and known.token == claim.token

    def pick_ref(self, pick: int, *states: str) -> TaskRef | None:
        refs = [
            ref
            for ref in self.model.refs()
            if (not states or self.model.state(ref) in states) and not self.pinned(ref)
        ]
        return refs[pick % len(refs)] if refs else None

    def pinned(self, ref: TaskRef) -> bool:
        return self.model.jobs[ref.job].node(ref.key).skipped

    # Verbs of a claim, by name

    def verb(self, name: str, claim: Claim, span: int) -> Verb:
        later = self.clock.now() + timedelta(seconds=span)
        when = later if span % 3 else None
        ledger, model = self.ledger, self.model
        output, hashed = json.dumps(f"{claim.token}"), "hash" if span % 2 else None
        real: dict[str, Callable[[], Awaitable[Any]]] = {
            "succeed": lambda: ledger.succeed(claim, output, input_hash=hashed),
            "fail": lambda: ledger.fail(claim, Failure("Oops", "no"), retry_at=when),
            "skip": lambda: ledger.skip(claim, "nothing to do"),
            "snooze": lambda: ledger.snooze(claim, later),
            "park": lambda: ledger.park(claim, "waits", signal="go", until=when),
            "save": lambda: ledger.save(claim, "note", json.dumps(span)),
            "extend": lambda: ledger.extend(claim, progress=0.5),
        }
        plain: dict[str, Callable[[], Any]] = {
            "succeed": lambda: self.succeeded(claim, output, hashed),
            "fail": lambda: model.fail(claim, when),
            "skip": lambda: model.skip(claim),
            "snooze": lambda: model.snooze(claim, later),
            "park": lambda: model.park(claim, "go", when),
            "save": lambda: model.save(claim, "note", json.dumps(span)),
            "extend": lambda: model.extend(claim),
        }
        return Verb(f"{name} {claim.task} {claim.token[:4]}", real[name], plain[name])

    def succeeded(self, claim: Claim, output: str, hashed: str | None) -> None:
        self.model.succeed(claim, output, hashed)
        name = (claim.task, claim.revision)
        assert name not in self.results, f"{name} has come to something twice"
        self.results[name] = output

    # Rules

    @initialize(shape=shapes())
    def begin(self, shape: dict[str, Any]) -> None:
        self.start(shape)

    @rule(shape=shapes())
    @precondition(lambda self: sum(job.parent is None for job in self.model.jobs.values()) < 2)
    def start(self, shape: dict[str, Any]) -> None:
        spec = JobSpec(f"job-{len(self.model.jobs)}", "p", "{}", "{}", **shape)
        self.do(
            Verb(
                f"create_job {spec}",
                lambda: self.ledger.create_job(spec),
                lambda: self.model.create_job(spec),
            )
        )

    @rule(pick=picks, holder=st.sampled_from(HOLDERS))
    def claim_one(self, pick: int, holder: str) -> None:
        ready = sorted(self.claimable())
        refs = ready or self.model.refs()
        ref = refs[pick % len(refs)]
        claims = self.run(self.ledger.claim(holder, tasks=[ref]))
        note(f"claim {ref} -> {claims}")
        assert len(claims) == bool(ready)
        self.took(claims)

    @rule(
        steps=st.lists(
            st.tuples(picks, st.sampled_from(["succeed", "succeed", "fail", "nest", "nest"]), spans),
            min_size=1,
            max_size=6,
        ),
        shape=shapes(),
    )
    @precondition(lambda self: self.claimable())
    def go_on(self, steps: list[tuple[int, str, int]], shape: dict[str, Any]) -> None:
        """Steps forward: claim something and do what comes next for it."""
        for pick, name, span in steps:
            if not self.claimable():
                return
            self.claim_one(pick, HOLDERS[pick % 2])
            claim = self.claims[-1]
            if self.is_map(claim.task):
                self.spread(0, span % 4, last=True, slip=1)
            elif name == "nest" and len(self.model.jobs) < MOST_JOBS:
                self.nest(0, shape)
            else:
                self.do(self.verb("succeed" if name == "nest" else name, claim, span))

    @rule(limit=st.integers(1, 4), holder=st.sampled_from(HOLDERS))
    def claim_some(self, limit: int, holder: str) -> None:
        ready = len(self.claimable())
        claims = self.run(self.ledger.claim(holder, limit=limit))
        note(f"claim {limit} -> {claims}")
        assert len(claims) == min(limit, ready)
        self.took(claims)

    @rule(limit=st.integers(2, 6), holder=st.sampled_from(HOLDERS), odd=picks, span=spans)
    @precondition(lambda self: len(self.claimable()) > 1)
    def work_together(self, limit: int, holder: str, odd: int, span: int) -> None:
        """Several tasks are claimed at once and finished at once, one of them perhaps in another way."""
        before = len(self.claims)
        self.claim_some(limit, holder)
        ours = [claim for claim in self.claims[before:] if not self.is_map(claim.task)]
        names = ["fail" if place == odd else "succeed" for place in range(len(ours))]
        self.do(*(self.verb(name, claim, span) for name, claim in zip(names, ours, strict=True)))

    @rule(
        name=st.sampled_from(["succeed"] * 4 + ["fail", "skip", "snooze", "park", "save", "extend"]),
        pick=picks,
        span=spans,
    )
    @precondition(lambda self: self.live())
    def use(self, name: str, pick: int, span: int) -> None:
        self.do(self.verb(name, self.pick_claim(pick), span))

    @rule(
        name=st.sampled_from(["succeed", "fail", "skip", "park", "save", "extend"]),
        pick=picks,
        span=spans,
        stale=st.booleans(),
    )
    @precondition(lambda self: self.claims)
    def deliver_twice(self, name: str, pick: int, span: int, stale: bool) -> None:
        """At once, or long after the claim was used up."""
        claim = self.pick_claim(pick, stale=stale)
        self.do(*(self.verb(name, claim, span) for _ in range(2)))

    @rule(
        names=st.lists(
            st.tuples(
                st.sampled_from(["succeed", "succeed", "fail", "skip", "park", "save"]),
                picks,
                spans,
                st.booleans(),
            ),
            min_size=2,
            max_size=5,
        )
    )
    @precondition(lambda self: self.live())
    def use_many_at_once(self, names: list[tuple[str, int, int, bool]]) -> None:
        self.do(*(self.verb(name, self.pick_claim(pick, stale=old), span) for name, pick, span, old in names))

    @rule(pick=picks, count=st.integers(0, 3), last=st.sampled_from([True, True, False]), slip=picks)
    @precondition(lambda self: self.live())
    def spread(self, pick: int, count: int, last: bool, slip: int) -> None:
        maps = [claim for claim in reversed(self.live()) if self.is_map(claim.task)]
        claim = maps[pick % len(maps)] if maps else self.pick_claim(pick)
        known = self.model.jobs[claim.task.job].facts.get(claim.task.key)
        offset = (known.written if known else 0) + (slip == 0)
        items = [json.dumps(n) for n in range(count)]
        self.do(
            Verb(
                f"spread {claim.task} {count} from {offset}, last {last}",
                lambda: self.ledger.spread(claim, items, offset=offset, last=last),
                lambda: self.model.spread(claim, items, offset, last=last),
            )
        )

    def is_map(self, ref: TaskRef) -> bool:
        return ref.index is None and self.model.jobs[ref.job].node(ref.key).mapped

    @rule(pick=picks, shape=shapes())
    @precondition(lambda self: self.live() and len(self.model.jobs) < MOST_JOBS)
    def nest(self, pick: int, shape: dict[str, Any]) -> None:
        claim = self.pick_claim(pick)
        spec = JobSpec(f"job-{len(self.model.jobs)}", "p", "{}", "{}", **shape)
        self.do(
            Verb(
                f"nest {claim.task}: {spec}",
                lambda: self.ledger.nest(claim, spec),
                lambda: self.model.nest(claim, spec),
            )
        )

    @rule(pick=picks)
    def signal(self, pick: int) -> None:
        ref = self.pick_ref(pick, "parked") or self.pick_ref(pick)
        if ref is None:
            return
        self.do(
            Verb(
                f"signal {ref}",
                lambda: self.ledger.signal(ref, "go", "1"),
                lambda: self.model.signal(ref, "go", "1"),
            )
        )

    @rule(
        verb=st.sampled_from(["pause", "pause", "resume", "resume", "retry", "retry", "retry", "cancel"]),
        pick=picks,
        blindly=st.integers(0, 9).map(lambda number: number == 9),
    )
    def steer(self, verb: str, pick: int, blindly: bool) -> None:
        fitting = {"pause": CLAIMABLE, "resume": {"paused"}, "retry": {"failed"}, "cancel": CLAIMABLE}[verb]
        states = self.model.job_states()
        jobs = [job for job, state in states.items() if blindly or state in fitting]
        if not jobs:
            return
        job = jobs[pick % len(jobs)]
        running = {ref for one in self.model.tree(job) for ref in self.running(one.spec.id)}
        answer = getattr(self.ledger, verb)
        self.do(
            Verb(
                f"{verb} {job}",
                lambda: self.same(answer(job), running) if verb == "cancel" else self.steered(answer(job)),
                lambda: getattr(self.model, verb)(job),
            )
        )

    async def steered(self, verb: Awaitable[Any]) -> None:
        await verb

    def running(self, job: str) -> list[TaskRef]:
        return [ref for ref in self.model.refs() if ref.job == job and self.model.fact(ref).word == "running"]

    async def same(self, verb: Awaitable[Any], refs: set[TaskRef]) -> None:
        assert set(await verb) == refs

    @rule(pick=picks, more=st.lists(picks, max_size=2))
    def redo(self, pick: int, more: list[int]) -> None:
        first = self.pick_ref(pick, "done", "failed", "skipped")
        if first is None:
            return
        others = [self.pick_ref(one, "done", "failed", "skipped") for one in more]
        keys = [first.key, *(ref.key for ref in others if ref and ref.job == first.job)]
        self.do(
            Verb(
                f"redo {first.job} {keys}",
                lambda: self.steered(self.ledger.redo(first.job, keys)),
                lambda: self.model.redo(first.job, keys),
            )
        )

    @rule(span=st.sampled_from([0, 1, 5, 10, 25, 60]))
    def tick(self, span: int) -> None:
        self.clock.advance(span)
        self.model.pass_time(self.clock.now())
        self.do(Verb("expire", lambda: self.steered(self.ledger.expire()), self.model.expire))

    @rule(holder=st.sampled_from(HOLDERS), in_order=st.booleans())
    def lose(self, holder: str, in_order: bool) -> None:
        """A process ends, or is thought dead: what it says from now on comes too late."""
        (survivor,) = set(HOLDERS) - {holder}
        ended = self.ledger.retire(holder) if in_order else None
        ended = ended or self.ledger.reclaim(survivor=survivor, limit=RECLAIMS)
        self.do(
            Verb(
                f"{holder} {'retires' if in_order else 'dies'}",
                lambda: self.steered(ended),
                lambda: self.model.let_go({holder}, None if in_order else RECLAIMS),
            )
        )

    @rule(
        names=st.lists(st.tuples(st.sampled_from(["succeed", "fail", "park"]), picks, spans), max_size=3),
        keep=st.booleans(),
    )
    @precondition(lambda self: self.claims)
    def crash(self, names: list[tuple[str, int, int]], keep: bool) -> None:
        """The process ends with verbs under way whose answers nobody hears; another one goes on."""
        verbs = [self.verb(name, self.pick_claim(pick), span) for name, pick, span in names]
        self.run(self.die(verbs))
        for verb in verbs:
            note(f"{verb.name}, and nobody heard what came of it")
            self.foresee(verb)
        self.ledger = self.run(SqlLedger.open(self.place, self.clock))
        if not keep:
            for holder in HOLDERS:
                self.lose(holder, in_order=False)

    async def die(self, verbs: list[Verb]) -> None:
        tasks = [asyncio.ensure_future(verb.real()) for verb in verbs]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await self.ledger.close()

    # What must hold

    @invariant()
    def check(self) -> None:
        self.rows_are_what_follows_from_the_history()
        self.rows_agree_with_each_other()
        self.no_result_is_lost()
        self.history_is_only_added_to()

    def rows_are_what_follows_from_the_history(self) -> None:
        rows = {
            TaskRef(row["job"], row["key"]): row for row in self.query("SELECT * FROM task ORDER BY job, id")
        }
        assert differs({ref: row["state"] for ref, row in rows.items()}, self.model.states()) == {}
        for ref, row in rows.items():
            fact = self.model.fact(ref)
            known = (fact.revision, fact.attempt, fact.tries, fact.reclaims, fact.token, fact.holder)
            names = ("revision", "attempt", "tries", "reclaims", "token", "holder")
            assert tuple(row[name] for name in names) == known, ref
        jobs = {row["id"]: row["state"] for row in self.query("SELECT id, state FROM job")}
        assert differs(jobs, self.model.job_states()) == {}

    def rows_agree_with_each_other(self) -> None:
        wrong = faults(self.query)
        assert not wrong, wrong

    def no_result_is_lost(self) -> None:
        now = self.query("SELECT job, key, revision, state, output FROM task")
        past = self.query(
            "SELECT job, key, revision.revision, revision.state, revision.output "
            "FROM revision JOIN task ON task.id = revision.task"
        )
        kept = {
            (TaskRef(row["job"], row["key"]), row["revision"]): (row["state"], row["output"])
            for row in now + past
        }
        found = {name: kept.get(name) for name in self.results}
        assert differs(found, {name: ("done", output) for name, output in self.results.items()}) == {}

    def history_is_only_added_to(self) -> None:
        told: dict[str, list[Row]] = {}
        for event in self.query("SELECT * FROM event ORDER BY job, seq"):
            told.setdefault(event["job"], []).append(event)
        for job, events in self.told.items():
            assert told[job][: len(events)] == events
        self.told = told


def differs(found: dict[Any, Any], derived: dict[Any, Any]) -> dict[Any, Any]:
    """What was found and what must be, where these are not the same."""
    names = found.keys() | derived.keys()
    return {n: (found.get(n), derived.get(n)) for n in names if found.get(n) != derived.get(n)}


# Where histories happen


@pytest.fixture
def sqlite_home() -> Iterator[Callable[[], Any]]:
    """A new file for each history, copied from one that has its tables."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        template, path = Path(folder, "template.db"), Path(folder, "ledger.db")
        asyncio.run(_make(template))

        @contextmanager
        def lend() -> Iterator[Any]:
            for old in Path(folder).glob("ledger.db*"):
                old.unlink()
            shutil.copy(template, path)
            with closing(sqlite3.connect(path)) as database:
                database.row_factory = sqlite3.Row
                yield path, lambda statement: [dict(row) for row in database.execute(statement)]

        yield lend


async def _make(path: Path) -> None:
    await (await SqlLedger.open(path, FakeClock())).close()


@pytest.fixture
def postgres_home(postgres_url: str) -> Callable[[], Any]:
    """One database, emptied for each history."""

    @contextmanager
    def lend() -> Iterator[Any]:
        with psycopg.connect(postgres_url, autocommit=True, row_factory=dict_row) as database:
            database.execute("TRUNCATE job, holder, budget, delivery CASCADE")
            yield postgres_url, lambda statement: database.execute(statement).fetchall()

    return lend


@pytest.mark.parametrize("slice_of", [sweeping.SLICE, 2])
def test_every_history_on_sqlite_comes_to_what_was_done(
    sqlite_home, profile: settings, prove: bool, monkeypatch, slice_of: int
) -> None:
    monkeypatch.setattr(sweeping, "SLICE", slice_of)  # 2: small maps are swept as big ones are
    chosen = settings(profile, max_examples=2000 if prove else 20, stateful_step_count=60)
    run_state_machine_as_test(lambda: History(sqlite_home), settings=chosen)


def test_every_history_on_postgres_comes_to_what_was_done(
    postgres_home, profile: settings, prove: bool
) -> None:
    chosen = settings(profile, max_examples=200 if prove else 6, stateful_step_count=50)
    run_state_machine_as_test(lambda: History(postgres_home), settings=chosen)
