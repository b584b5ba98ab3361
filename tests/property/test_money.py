"""Any history of paid calls leaves money that adds up, within all caps, and nobody asleep who could go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from test_ledger import History, Verb, picks, postgres_home, spans, sqlite_home

from genlock.errors import BadInput, ClaimLost, Conflict, GenlockError
from genlock.ledger.records import Claim, NodeSpec, TaskRef
from genlock.ledger.spending import Budget, By, CallSpec, Decision, Delivery, Intent, Settlement
from genlock.ledger.sql import SqlLedger
from genlock.money import Money
from tally import faults_of_money

__all__ = ["postgres_home", "sqlite_home"]
SCOPES = ("day:x", "user:y")
CAP, LIMIT = 100, 2  # millionths, places
REFUSALS = (BadInput, Conflict, ClaimLost)

words = st.sampled_from(
    ["accept"] * 4 + ["settle"] * 4 + ["release", "doubt", "doubt", "deliver", "deliver", "ask_cancel"]
)


class Spending(History):
    """The histories of jobs, with calls made by their tasks and words of vendors and people about these.

    What is woken is taken from the ledger and looked at: nobody may be woken for nothing, nor sleep on.
    """

    def said(self, what: str, verb: Awaitable[Any]) -> Any:
        """The ledger's answer, or the refusal that it raised."""

        async def listen() -> Any:
            try:
                return await verb
            except REFUSALS as refusal:
                return refusal

        parked = self.parked()
        answer = self.run(listen())
        note(f"{what} -> {answer}")
        self.follow(parked)
        return answer

    def parked(self) -> dict[TaskRef, str]:
        rows = self.query("SELECT job, key, signal FROM task WHERE state = 'parked'")
        return {TaskRef(row["job"], row["key"]): row["signal"] for row in rows}

    def follow(self, before: dict[TaskRef, str]) -> list[str]:
        """Tell the model who was woken; their signals."""
        woken = before.keys() - self.parked().keys()
        for ref in woken:
            assert before[ref].startswith(("call:", "budget:", "place:")), f"{ref} was woken for nothing"
            self.model.fact(ref).become("open", self.model.now)
        return [before[ref] for ref in woken]

    def calls(self) -> list[dict[str, Any]]:
        return self.query("SELECT * FROM call ORDER BY intended_at, key")

    def waiters(self) -> int:
        """How many could use a place that becomes free."""
        waiting = [ref for ref, signal in self.parked().items() if signal == "place:acme"]
        return sum(self.model.job_state(self.model.jobs[ref.job]) != "paused" for ref in waiting)

    # Rules

    @initialize()
    def open_shop(self) -> None:
        """A job that has nothing to do but to buy."""
        self.start({"nodes": [NodeSpec(f"s{n}") for n in range(5)], "edges": [], "deadline": None})

    @rule(steps=st.lists(st.tuples(picks, st.sampled_from([5, 5, 20, 45]), words), min_size=2, max_size=8))
    def shop(self, steps: list[tuple[int, int, str]]) -> None:
        """Steps forward: something is claimed, bought or waited for, and something is said of it."""
        for pick, price, word in steps:
            if self.claimable():
                self.claim_one(pick, "xy"[pick % 2])
            if self.live():
                self.intend(0, "ab"[pick % 2], price, waits=pick % 4 != 0)
            if self.calls():
                self.say(pick, word)

    @rule(pick=picks, name=st.sampled_from("ab"), price=st.sampled_from([0, 20, 45, 60]), waits=st.booleans())
    @precondition(lambda self: self.live())
    def intend(self, pick: int, name: str, price: int, waits: bool) -> None:
        """A call within the caps, or a wait for what it was refused."""
        claim = self.pick_claim(pick)
        budgets = [Budget(scope, Money(CAP)) for scope in SCOPES[: 1 + pick % 2]]
        once = Money(50) if price == 60 and pick % 2 else None
        terms = ("acme:one", "acme", "blind", "{}", "h", Money(price), LIMIT, once, budgets)
        before = {row["key"]: row["sends"] for row in self.calls()}
        intent = self.said(f"intend {claim.task} {name}", self.ledger.intend(claim, CallSpec(name, *terms)))
        if isinstance(intent, GenlockError):
            assert isinstance(intent, ClaimLost)
            return
        if intent.fresh:
            assert intent.call.sends == before.get(intent.call.key, 0) + 1
            self.is_within_its_limits(intent)
        elif waits:
            self.wait(claim, intent)

    def is_within_its_limits(self, intent: Intent) -> None:
        [live] = self.query("SELECT count(*) AS n FROM call WHERE state IN ('intended', 'accepted')")
        assert live["n"] <= LIMIT
        for row in self.query("SELECT * FROM budget"):
            if intent.call is not None and row["scope"] in intent.call.scopes:
                cap = CAP if row["cap"] is None else row["cap"]
                assert row["spent"] + row["reserved"] <= cap, row
                assert row["frozen"] is None

    def wait(self, claim: Claim, intent: Intent) -> None:
        """Park as the engine does, for a while or until it is woken."""
        if intent.over is not None and intent.over.scope == "call":
            return
        scope = None if intent.over is None else f"budget:{intent.over.scope}"
        signal = f"call:{intent.call.key}" if intent.call else scope or "place:acme"
        self.park_for(claim, signal, None)

    def park_for(self, claim: Claim, signal: str, until: Any) -> None:
        answer = self.said(
            f"park {claim.task} for {signal}", self.ledger.park(claim, "p", signal=signal, until=until)
        )
        if isinstance(answer, GenlockError):
            assert isinstance(answer, ClaimLost)
            return
        [row] = self.query(
            f"SELECT state FROM task WHERE job = '{claim.task.job}' AND key = '{claim.task.key}'"
        )
        fact = self.model.fact(claim.task)
        if row["state"] == "ready":
            fact.become("open", self.model.now)
        else:
            fact.become("parked", until, signal)

    @rule(pick=picks, span=spans, which=picks)
    @precondition(lambda self: self.live() and self.calls())
    def park_for_a_call(self, pick: int, span: int, which: int) -> None:
        claim = self.pick_claim(pick)
        calls = [one for one in self.calls() if (one["job"], one["task"]) == (claim.task.job, claim.task.key)]
        if calls:
            call = calls[which % len(calls)]
            later = self.clock.now() + timedelta(seconds=span) if span % 2 else None
            self.park_for(claim, f"call:{call['key']}", later)

    @rule(pick=picks, verb=st.sampled_from(["resend", "absent", "answered"]), right=st.booleans())
    @precondition(lambda self: self.claims and self.calls())
    def go_on_with_a_call(self, pick: int, verb: str, right: bool) -> None:
        claim = self.pick_claim(pick, stale=not right)
        call = self.calls()[-1 - pick % min(4, len(self.calls()))]
        args = [] if verb == "answered" else [call["sends"]]
        self.said(f"{verb} {call['key']}", getattr(self.ledger, verb)(claim, call["key"], *args))

    def word(self, call: dict[str, Any], word: str, pick: int) -> Verb:
        key, sends, handle = call["key"], call["sends"] - (pick % 7 == 0), "hij"[pick % 3]
        handle = handle if pick % 5 == 0 else f"of {key}"
        cost = None if pick % 3 else Money(pick % 80)
        report = Delivery("acme", f"d{pick % 9}", "{}", *((key, None) if pick % 2 else (None, handle)))
        ledger = self.ledger
        real: dict[str, Callable[[], Awaitable[Any]]] = {
            "accept": lambda: ledger.accept(key, sends, handle),
            "settle": lambda: ledger.settle(key, Settlement(bool(pick % 4), cost, computed=False)),
            "release": lambda: ledger.release(key, sends, "no"),
            "doubt": lambda: ledger.doubt(key, sends, "who knows"),
            "ask_cancel": lambda: ledger.ask_cancel(key),
            "deliver": lambda: ledger.deliver(report),
        }
        return Verb(f"{word} {key}", real[word], lambda: None)

    @rule(pick=picks, word=words)
    @precondition(lambda self: self.calls())
    def say(self, pick: int, word: str) -> None:
        """A vendor says something of a call, whoever wants it by now."""
        calls = self.calls()
        call = calls[-1 - pick % min(5, len(calls))]
        parked, waiters = self.parked(), self.waiters()
        verb = self.word(call, word, pick)
        answer = self.said(verb.name, verb.real())
        ended = {row["key"]: row["state"] for row in self.calls()}[call["key"]]
        freed = call["state"] in ("intended", "accepted") and ended not in ("intended", "accepted")
        asleep = [ref for ref, signal in parked.items() if signal == "place:acme" and ref in self.parked()]
        places = sum(signal == "place:acme" for signal in parked.values()) - len(asleep)
        assert places >= min(1, waiters) if freed else not places
        heard = f"call:{call['key']}" in parked.values()
        told = call["state"] == "doubt" if word == "accept" else word in ("settle", "deliver")
        by_key = word != "deliver" or (answer is True and pick % 2)
        if heard and told and by_key and not isinstance(answer, GenlockError) and call["state"] != ended:
            assert f"call:{call['key']}" not in self.parked().values()

    @rule(pick=picks, decision=st.sampled_from(list(Decision)))
    @precondition(lambda self: any(call["state"] == "doubt" for call in self.calls()))
    def decide(self, pick: int, decision: Decision) -> None:
        doubts = [call for call in self.calls() if call["state"] == "doubt"]
        key = doubts[pick % len(doubts)]["key"]
        answer = self.said(
            f"resolve {key} {decision}", self.ledger.resolve(key, decision, by="ann", handle="h")
        )
        assert not isinstance(answer, GenlockError)
        assert f"call:{key}" not in self.parked().values()

    @rule(scope=st.sampled_from(SCOPES), cap=st.sampled_from([None, 50, 100, 300, 300]), what=picks)
    def steer_money(self, scope: str, cap: int | None, what: int) -> None:
        ledger = self.ledger
        if what % 5:
            self.said(f"cap {scope} {cap}", ledger.set_cap(scope, None if cap is None else Money(cap)))
        elif what % 2:
            self.said(f"freeze {scope}", ledger.freeze(scope, "stop"))
        if what % 4 == 0:
            self.said(f"thaw {scope}", ledger.thaw(scope))

    @rule(some=st.lists(st.tuples(picks, words), min_size=1, max_size=4), dies=st.booleans())
    @precondition(lambda self: self.calls())
    def say_many_at_once(self, some: list[tuple[int, str]], dies: bool) -> None:
        """Several at one moment, whose answers nobody hears if the process ends in it."""
        calls, parked = self.calls(), self.parked()
        verbs = [self.word(calls[-1 - pick % min(5, len(calls))], word, pick) for pick, word in some]
        note(f"at once: {[verb.name for verb in verbs]}, dies {dies}")
        if dies:
            self.run(self.die(verbs))
            self.ledger = self.run(SqlLedger.open(self.place, self.clock))
        else:
            self.run(self.all_of(verbs))
        self.follow(parked)

    async def all_of(self, verbs: list[Verb]) -> None:
        for answer in await asyncio.gather(*(verb.real() for verb in verbs), return_exceptions=True):
            if isinstance(answer, BaseException) and not isinstance(answer, REFUSALS):
                raise answer

    # What must hold

    @invariant()
    def money_adds_up(self) -> None:
        wrong = faults_of_money(self.query)
        assert not wrong, wrong

    @invariant()
    def nobody_sleeps_who_could_pay(self) -> None:
        budgets = {row["scope"]: row for row in self.query("SELECT * FROM budget")}
        for row in self.query(
            "SELECT job, key, signal, wanted, most FROM task JOIN refusal ON refusal.task = task.id "
            "WHERE state = 'parked' AND signal = awaited AND signal LIKE 'budget:%'"
        ):
            budget = budgets[row["signal"].removeprefix("budget:")]
            cap = row["most"] if budget["cap"] is None else budget["cap"]
            over = cap is not None and budget["spent"] + budget["reserved"] + row["wanted"] > cap
            assert over or budget["frozen"] is not None, row

    @invariant()
    def costs_are_what_calls_have_spent(self) -> None:
        calls = self.calls()
        if len(calls) % 4 == 1:
            for by in (By.JOB, By.STAGE):
                costs = self.run(self.ledger.reader.costs(by))
                assert sum(cost.spent for cost in costs) == sum(call["spent"] for call in calls)
                assert sum(cost.reserved for cost in costs) == sum(call["reserved"] for call in calls)
                assert all(json.dumps(cost.saved_by_reuse).isdigit() for cost in costs)


def test_every_history_of_money_on_sqlite_adds_up(sqlite_home, profile: settings, prove: bool) -> None:
    chosen = settings(profile, max_examples=2000 if prove else 15, stateful_step_count=60)
    run_state_machine_as_test(lambda: Spending(sqlite_home), settings=chosen)


@pytest.mark.parametrize("steps", [50])
def test_every_history_of_money_on_postgres_adds_up(
    postgres_home, profile: settings, prove: bool, steps: int
) -> None:
    chosen = settings(profile, max_examples=200 if prove else 5, stateful_step_count=steps)
    run_state_machine_as_test(lambda: Spending(postgres_home), settings=chosen)
