"""Budgets and places: nothing leaves that is not paid for, and who waits is woken, on every ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from genlock.errors import BadInput
from genlock.ledger.spending import Budget, BudgetRow, Decision, Over, Settlement
from genlock.money import Money

FREE = Settlement(False, Money.of(0), computed=False, reason="made nothing")


async def test_a_cap_stops_the_call_that_would_exceed_it(bench):
    await bench.start(*(f"clip{n}" for n in range(5)))
    claims = await bench.ledger.claim("ann", limit=5)
    for claim in claims[:4]:
        await bench.call(claim, caps={"job:job-1": "2.00"})
    refused = await bench.ledger.intend(claims[4], bench.ask(caps={"job:job-1": "2.00"}))
    assert (refused.call, refused.fresh, refused.busy) == (None, False, False)
    assert refused.over == Over("job:job-1", 2_000_000, 0, 2_000_000, 500_000, "USD")
    assert len(await bench.reader.calls()) == 4
    assert await bench.money("job:job-1") == (0, 200)


async def test_money_is_reserved_in_every_budget_or_in_none(bench):
    await bench.start("a", "b")
    caps = {"job:job-1": "5.00", "day:x": "0.70", "user:ann": None}
    await bench.call(await bench.claim("a"), caps=caps)
    claim = await bench.claim("b")
    refused = await bench.ledger.intend(claim, bench.ask(caps=caps))
    assert refused.over is not None
    assert (refused.over.scope, refused.over.reserved) == ("day:x", 500_000)
    assert [row.reserved for row in await bench.reader.budgets()] == [500_000] * 3
    assert (await bench.ledger.intend(claim, bench.ask(estimate="0.20", caps=caps))).fresh


async def test_one_call_may_cost_no_more_than_its_own_cap(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    refused = await bench.ledger.intend(claim, bench.ask(once_cap=Money.of("0.49"), caps={"job:job-1": None}))
    assert refused.over == Over("call", 490_000, 0, 0, 500_000, "USD")
    assert await bench.reader.budgets() == []
    assert (await bench.ledger.intend(claim, bench.ask(once_cap=Money.of("0.50")))).fresh


async def test_a_scope_without_a_cap_is_counted(bench):
    await bench.start("a")
    await bench.settled(await bench.claim("a"), estimate="900.00", cost="800.00", caps={"user:ann": None})
    assert await bench.reader.budgets() == [BudgetRow("user:ann", "USD", None, 800_000_000, 0)]
    assert await bench.reader.budgets(["user:bob"]) == []


async def test_the_cap_that_was_set_for_a_scope_counts_instead_of_the_settings(bench):
    await bench.start("a", "b", "c")
    row = await bench.ledger.set_cap("job:job-1", Money.of("0.60"))
    assert row == BudgetRow("job:job-1", "USD", 600_000, 0, 0)
    await bench.call(await bench.claim("a"), caps={"job:job-1": "9.00"})
    second = await bench.claim("b")
    refused = await bench.ledger.intend(second, bench.ask(caps={"job:job-1": "9.00"}))
    assert refused.over is not None
    assert refused.over.cap == 600_000
    assert (await bench.ledger.set_cap("job:job-1", None)).cap is None
    await bench.call(second, caps={"job:job-1": "1.00"})
    refused = await bench.ledger.intend(await bench.claim("c"), bench.ask(caps={"job:job-1": "1.00"}))
    assert refused.over is not None
    assert refused.over.cap == 1_000_000


async def test_the_lowest_of_two_caps_of_one_scope_counts(bench):
    await bench.start("a")
    budgets = [Budget("day:x", cap) for cap in (Money.of(9), Money.of("0.10"), None)]
    refused = await bench.ledger.intend(await bench.claim("a"), bench.ask(budgets=budgets))
    assert refused.over is not None
    assert refused.over.cap == 100_000


async def test_nothing_is_spent_in_a_frozen_scope(bench):
    await bench.start("a", "b")
    assert (await bench.ledger.freeze("user:ann", "somebody has her key")).frozen == "somebody has her key"
    claim = await bench.claim("a")
    refused = await bench.ledger.intend(claim, bench.ask(caps={"user:ann": None}))
    assert refused.over is not None
    assert (refused.over.scope, refused.over.frozen) == ("user:ann", "somebody has her key")
    await bench.ledger.park(claim, "frozen", signal="budget:user:ann")
    await bench.ledger.set_cap("user:ann", Money.of(100))
    assert await bench.state("a") == "parked"
    assert (await bench.ledger.thaw("user:ann")).frozen is None
    assert await bench.state("a") == "ready"
    await bench.call(await bench.claim("a"), caps={"user:ann": None})


async def test_amounts_of_two_currencies_are_never_added(bench):
    await bench.start("a", "b")
    claim = await bench.claim("a")
    euros = Money.of("0.50", "EUR")
    with pytest.raises(BadInput):
        await bench.ledger.intend(claim, bench.ask(budgets=[Budget("day:x", euros)]))
    with pytest.raises(BadInput):
        await bench.ledger.intend(claim, bench.ask(once_cap=euros))
    with pytest.raises(BadInput):
        await bench.ledger.intend(claim, bench.ask(estimate="-0.01"))
    await bench.ledger.freeze("day:x", "for a moment")
    await bench.ledger.thaw("day:x")
    call = await bench.call(claim, caps={"day:x": None})
    with pytest.raises(BadInput):
        await bench.ledger.settle(call.key, Settlement(True, euros, computed=False))
    with pytest.raises(BadInput):
        await bench.ledger.set_cap("day:x", euros)
    assert await bench.reader.budgets() == [BudgetRow("day:x", "USD", None, 0, 500_000)]
    other = await bench.claim("b")
    foreign = replace(bench.ask(caps={"a:first": None, "day:x": None}), estimate=euros)
    with pytest.raises(BadInput):
        await bench.ledger.intend(other, foreign)
    assert [row.scope for row in await bench.reader.budgets()] == ["day:x"]


async def over_budget(bench, key, cap="1.00", **options):
    """A task that waits because its call would exceed the budget of the job."""
    claim = await bench.claim(key)
    refused = await bench.ledger.intend(claim, bench.ask(caps={"job:job-1": cap}, **options))
    assert refused.over is not None
    await bench.ledger.park(claim, "over budget", signal="budget:job:job-1")
    return claim


async def test_money_that_becomes_free_wakes_who_waits_for_it(bench):
    await bench.start("a", "b", "small", "big")
    first = await bench.call(await bench.claim("a"), caps={"job:job-1": "1.00"})
    second = await bench.accepted(await bench.claim("b"), caps={"job:job-1": "1.00"})
    await over_budget(bench, "small", estimate="0.20")
    await over_budget(bench, "big", estimate="0.80")
    await bench.ledger.settle(second.key, Settlement(True, Money.of("0.40"), computed=False))
    assert (await bench.state("small"), await bench.state("big")) == ("parked", "parked")
    await bench.ledger.release(first.key, 1, "not accepted")
    assert (await bench.state("small"), await bench.state("big")) == ("ready", "parked")
    assert await bench.reader.notes(bench.ref("small")) == {}
    await bench.ledger.set_cap("job:job-1", Money.of("1.20"))
    assert await bench.state("big") == "ready"


async def test_a_higher_cap_sets_a_waiting_job_going(bench):
    await bench.start("a", "b")
    await bench.settled(await bench.claim("a"), caps={"job:job-1": "0.60"})
    await over_budget(bench, "b", cap="0.60")
    assert await bench.job_state() == "running", "the first task is not done"
    await bench.ledger.set_cap("job:job-1", Money.of("0.90"))
    assert await bench.state("b") == "parked"
    await bench.ledger.set_cap("job:job-1", Money.of(2))
    assert (await bench.state("b"), await bench.job_state()) == ("ready", "running")
    await bench.call(await bench.claim("b"), caps={"job:job-1": "0.60"})


async def test_money_that_became_free_before_the_task_has_parked_is_not_slept_through(bench):
    await bench.start("a", "b", "c")
    call = await bench.call(await bench.claim("a"), caps={"job:job-1": "0.60"})
    claim, other = await bench.claim("b"), await bench.claim("c")
    for one in (claim, other):
        assert (await bench.ledger.intend(one, bench.ask(caps={"job:job-1": "0.60"}))).over is not None
    await bench.ledger.release(call.key, 1, "not accepted")
    assert bench.keys((await bench.ledger.park(claim, "over", signal="budget:job:job-1")).ready) == ["b"]
    await bench.ledger.freeze("job:job-1", "stop")
    await bench.ledger.park(other, "over", signal="budget:job:job-1")
    assert await bench.state("c") == "parked"
    await bench.ledger.thaw("job:job-1")
    assert await bench.state("c") == "ready"


async def test_what_becomes_of_a_budget_is_told_in_the_jobs_it_concerns(bench):
    await bench.start("a")
    await bench.start("b", id="job-2")
    await bench.ledger.park(await bench.claim("job-2:b"), "over", signal="budget:day:x")
    await bench.ledger.set_cap("job:job-1", Money.of("2.50"))
    await bench.ledger.freeze("job:job-1", "left alone")
    await bench.ledger.thaw("job:job-1")
    await bench.ledger.set_cap("job:job-1", None)
    await bench.ledger.freeze("day:x", "enough")
    await bench.ledger.set_cap("user:nobody", Money.of(1))
    await bench.ledger.set_cap("job:none", Money.of(1))
    assert await bench.kinds() == [
        "job.created",
        "budget.capped",
        "budget.frozen",
        "budget.thawed",
        "budget.capped",
    ]
    assert await bench.last("budget.capped") == {"scope": "job:job-1", "cap": None, "currency": "USD"}
    assert await bench.last("budget.frozen") == {"scope": "job:job-1", "reason": "left alone"}
    assert await bench.last("budget.frozen", job="job-2") == {"scope": "day:x", "reason": "enough"}
    await bench.ledger.thaw("day:x")
    assert (await bench.kinds(job="job-2"))[-1] == "budget.thawed"
    assert await bench.state("job-2:b") == "ready"


async def test_who_waits_for_money_looks_again_when_settings_may_be_others(bench):
    await bench.start("a", "b", "c", "gate")
    await over_budget(bench, "a", "0.10")
    await over_budget(bench, "b", "0.10")
    claim = await bench.claim("c")
    await bench.ledger.freeze("day:x", "enough")
    assert (await bench.ledger.intend(claim, bench.ask(caps={"day:x": None}))).over is not None
    await bench.ledger.park(claim, "frozen", signal="budget:day:x")
    await bench.ledger.park(await bench.claim("gate"), "waits", signal="budget")
    assert bench.keys(await bench.ledger.reconsider()) == ["a", "b"]
    assert [await bench.state(key) for key in ("c", "gate")] == ["parked", "parked"]
    await bench.call(await bench.claim("a"), caps={"job:job-1": "9.00"})
    assert list(await bench.ledger.reconsider()) == []


async def test_who_parks_for_a_budget_it_was_not_refused_by_sleeps(bench):
    await bench.start("a")
    await bench.ledger.park(await bench.claim("a"), "waits", signal="budget:job:job-1")
    assert await bench.state("a") == "parked"
    await bench.ledger.set_cap("job:job-1", Money.of(1))
    assert await bench.state("a") == "ready"


# Places


async def busy(bench, key, limit=2):
    """A task that waits for a place."""
    claim = await bench.claim(key)
    assert (await bench.ledger.intend(claim, bench.ask(limit=limit))).busy
    await bench.ledger.park(claim, "busy", signal="place:acme")
    bench.clock.turn(1)
    return claim


async def test_an_account_has_so_many_places(bench):
    await bench.start("a", "b", "c", "d")
    await bench.call(await bench.claim("a"), limit=2)
    second = await bench.accepted(await bench.claim("b"), limit=2)
    claim = await bench.claim("c")
    refused = await bench.ledger.intend(claim, bench.ask(limit=2, caps={"job:job-1": "9.00"}))
    assert (refused.busy, refused.call, refused.over) == (True, None, None)
    assert await bench.reader.budgets() == []
    assert await bench.reader.live_calls("acme") == 2
    assert (await bench.ledger.intend(claim, bench.ask(limit=1, vendor="other"))).fresh
    other = await bench.claim("d")
    assert (await bench.ledger.intend(other, bench.ask(limit=2))).busy
    await bench.ledger.settle(second.key, FREE)
    assert (await bench.ledger.intend(other, bench.ask(limit=2))).fresh


@pytest.mark.parametrize("end", ["settle", "release", "doubt"])
async def test_a_freed_place_wakes_exactly_the_longest_parked(bench, end):
    await bench.start("a", "b", "late", "early", "middle")
    call = await bench.call(await bench.claim("a"), limit=2)
    await bench.call(await bench.claim("b"), limit=2)
    for key in ("early", "middle", "late"):
        await busy(bench, key)
    verbs = {
        "settle": lambda: bench.ledger.settle(call.key, FREE),
        "release": lambda: bench.ledger.release(call.key, 1, "no"),
        "doubt": lambda: bench.ledger.doubt(call.key, 1, "no"),
    }
    await verbs[end]()
    assert [await bench.state(key) for key in ("early", "middle", "late")] == ["ready", "parked", "parked"]
    assert (await bench.ledger.intend(await bench.claim("early"), bench.ask(limit=2))).fresh


async def test_a_place_that_became_free_before_the_task_has_parked_is_not_slept_through(bench):
    await bench.start("a", "b")
    call = await bench.call(await bench.claim("a"), limit=1)
    claim = await bench.claim("b")
    assert (await bench.ledger.intend(claim, bench.ask(limit=1))).busy
    await bench.ledger.doubt(call.key, 1, "no")
    assert bench.keys((await bench.ledger.park(claim, "busy", signal="place:acme")).ready) == ["b"]


async def test_who_has_no_money_for_a_place_hands_it_on(bench):
    await bench.start("a", "poor", "next")
    call = await bench.call(await bench.claim("a"), limit=1)
    for key in ("poor", "next"):
        await busy(bench, key, limit=1)
    await bench.ledger.settle(call.key, FREE)
    assert [await bench.state(key) for key in ("poor", "next")] == ["ready", "parked"]
    refused = await bench.ledger.intend(await bench.claim("poor"), bench.ask(limit=1, caps={"day:x": "0.10"}))
    assert refused.over is not None
    assert await bench.state("next") == "ready"


async def test_who_is_paused_looks_again_for_a_place_when_it_goes_on(bench):
    await bench.start("a")
    await bench.start("paused", id="job-2")
    await bench.start("next", id="job-3")
    call = await bench.call(await bench.claim("a"), limit=1)
    for key in ("job-2:paused", "job-3:next"):
        await busy(bench, key, limit=1)
    await bench.ledger.pause("job-2")
    await bench.ledger.settle(call.key, FREE)
    assert [await bench.state(key) for key in ("job-2:paused", "job-3:next")] == ["ready", "ready"]
    assert not await bench.can_claim("job-2:paused")
    await bench.ledger.resume("job-2")
    assert await bench.can_claim("job-2:paused")


async def test_an_adopted_call_takes_a_place_even_if_there_is_none(bench):
    await bench.start("a", "b", "c")
    doubted = await bench.call(await bench.claim("a"), limit=1)
    await bench.ledger.doubt(doubted.key, 1, "no")
    await bench.call(await bench.claim("b"), limit=1)
    await bench.ledger.resolve(doubted.key, Decision.ADOPT, by="ann", handle="h")
    assert await bench.reader.live_calls("acme") == 2
    assert (await bench.ledger.intend(await bench.claim("c"), bench.ask(limit=2))).busy


async def test_a_wait_for_a_place_ends_in_time(bench):
    await bench.start("a", "b")
    await bench.call(await bench.claim("a"), limit=1)
    claim = await bench.claim("b")
    assert (await bench.ledger.intend(claim, bench.ask(limit=1))).busy
    until = bench.clock.now() + timedelta(seconds=30)
    await bench.ledger.park(claim, "busy", signal="place:acme", until=until)
    assert bench.keys(await bench.ledger.expire()) == []
    bench.clock.turn(30)
    assert bench.keys(await bench.ledger.expire()) == ["b"]


async def test_a_released_call_leaves_nothing_in_budgets_it_is_not_in_any_more(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    call = await bench.call(claim, caps={"day:1": None})
    await bench.ledger.release(call.key, 1, "midnight")
    again = await bench.call(claim, caps={"day:2": None})
    assert again.scopes == ("day:2",)
    await bench.ledger.settle(again.key, Settlement(True, None, computed=True))
    assert [await bench.money(scope) for scope in ("day:1", "day:2")] == [(0, 0), (50, 0)]
