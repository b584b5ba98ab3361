"""What was spent on what, and what was saved by going on and by taking over, on every ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from genlock.ledger.records import Failure
from genlock.ledger.spending import By, CallFilter, CallState, Decision
from genlock.money import Money


def cents(costs, *names):
    """What these columns say in cents, by group; of one column not in a tuple."""
    rows = {cost.group: tuple(getattr(cost, name) // 10_000 for name in names or ["spent"]) for cost in costs}
    return rows if len(names) > 1 else {group: row[0] for group, row in rows.items()}


async def work(bench):
    """Two jobs of two people over two days: one with another nested in it."""
    await bench.start("clips*", "inner", owner="ann")
    await bench.spread("clips", "0", "1")
    await bench.settled(await bench.claim("clips/0"), cost="0.40")
    await bench.accepted(await bench.claim("clips/1"))
    await bench.nest("inner", "job-2", "voice", owner="ann")
    await bench.settled(await bench.claim("job-2:voice"), cost="0.10", adapter="acme:voice")
    bench.clock.turn(timedelta(days=1).total_seconds())
    await bench.start("clips", id="job-3", owner="bob")
    claim = await bench.claim("job-3:clips")
    call = await bench.call(claim, "first", vendor="other", adapter="other:two")
    await bench.ledger.doubt(call.key, 1, "nobody knows")
    given_up = await bench.call(claim, "second", vendor="other", adapter="other:two")
    await bench.ledger.doubt(given_up.key, 1, "nobody knows")
    await bench.ledger.resolve(given_up.key, Decision.GIVE_UP, by="ann")


async def test_money_is_grouped_by_whatever_is_asked(bench):
    await work(bench)
    costs = bench.reader.costs
    assert cents(await costs(By.JOB)) == {"job-1": 50, "job-3": 50}
    assert cents(await costs(By.STAGE)) == {"clips": 90, "voice": 10}
    assert cents(await costs(By.VENDOR)) == {"acme": 50, "other": 50}
    assert cents(await costs(By.ADAPTER)) == {"acme:one": 40, "acme:voice": 10, "other:two": 50}
    assert cents(await costs(By.OWNER)) == {"ann": 50, "bob": 50}
    days = await costs(By.DAY)
    assert [cost.group for cost in days] == ["2026-05-04", "2026-05-05"]
    columns = ("calls", "spent", "reserved", "doubt", "risk")
    told = [tuple(getattr(cost, name) for name in columns) for cost in days]
    assert told == [(3, 500_000, 500_000, 0, 0), (2, 500_000, 500_000, 500_000, 500_000)]
    assert [cost.group for cost in await costs(By.ADAPTER)] == ["other:two", "acme:one", "acme:voice"]


async def test_money_is_counted_of_what_a_filter_leaves(bench):
    await work(bench)

    async def spent(since=None, until=None, **where):
        found = await bench.reader.costs(By.JOB, CallFilter(**where), since=since, until=until)
        return cents(found)

    assert await spent(job="job-1") == {"job-1": 40}
    assert await spent(job="job-1", tree=True) == {"job-1": 50}
    assert await spent(job="job-2") == {"job-1": 10}
    assert await spent(owner="bob") == {"job-3": 50}
    assert await spent(vendor="acme") == {"job-1": 50}
    assert await spent(task=bench.ref("clips/0")) == {"job-1": 40}
    assert await spent(states=frozenset({CallState.ACCEPTED})) == {"job-1": 0}
    today = bench.clock.now().replace(hour=0)
    assert await spent(since=today) == {"job-3": 50}
    assert await spent(until=today) == {"job-1": 50}
    assert await spent(job="nothing") == {}


async def test_currencies_are_told_apart(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    await bench.accepted(claim, "one")
    in_euros = replace(bench.ask("two"), estimate=Money.of("0.70", "EUR"))
    assert (await bench.ledger.intend(claim, in_euros)).fresh
    told = [(cost.group, cost.currency, cost.reserved) for cost in await bench.reader.costs(By.VENDOR)]
    assert told == [("acme", "EUR", 700_000), ("acme", "USD", 500_000)]


async def saved(bench, by=By.JOB, **where):
    return cents(await bench.reader.costs(by, CallFilter(**where)), "saved_by_resume", "saved_by_reuse")


async def test_what_was_paid_before_the_process_died_was_saved_by_going_on(bench):
    await bench.start("a", "b", "inner")
    await bench.settled(await bench.claim("a"), cost="0.40")
    await bench.nest("inner", "job-2", "c")
    await bench.settled(await bench.claim("job-2:c"), "early", cost="0.30")
    bench.clock.turn(1)
    assert await saved(bench) == {"job-1": (0, 0)}
    await bench.ledger.reclaim(survivor="bob")
    bench.clock.turn(1)
    await bench.settled(await bench.claim("b"), cost="0.20")
    await bench.settled(await bench.claim("job-2:c"), "late", cost="0.10")
    assert await saved(bench) == {"job-1": (70, 0)}
    assert await saved(bench, By.STAGE) == {"a": (40, 0), "b": (0, 0), "c": (30, 0)}
    bench.clock.turn(1)
    await bench.ledger.reclaim(survivor="ann")
    assert await saved(bench) == {"job-1": (70, 0)}, "nothing was running any more"
    bench.clock.turn(1)
    await bench.ledger.reclaim(survivor="carl")
    assert await saved(bench) == {"job-1": (100, 0)}, "each call once, however often it was interrupted"


async def test_what_was_paid_before_a_retry_was_saved(bench):
    await bench.start("a", "b")
    claim = await bench.claim("a")
    await bench.settled(claim, cost="0.40")
    await bench.ledger.succeed(claim, "1")
    claim = await bench.claim("b")
    twice = await bench.settled(claim, cost="0.20")
    await bench.ledger.accept(twice.key, 1, "another")
    await bench.ledger.fail(claim, Failure("E", "m"), retry_at=None)
    bench.clock.turn(1)
    await bench.ledger.retry("job-1")
    assert await saved(bench) == {"job-1": (60, 0)}, "what was charged twice saves nothing"


async def test_a_result_that_another_job_shares_was_not_paid_again(bench):
    await bench.start("clip", owner="ann")
    claim = await bench.claim("clip")
    await bench.settled(claim, "one", cost="0.40")
    await bench.settled(claim, "two", cost="0.10")
    await bench.ledger.succeed(claim, "1", input_hash="same", share=True)
    bench.clock.turn(timedelta(days=1).total_seconds())
    await bench.start("short", "other", id="job-2", owner="bob")
    await bench.do("job-2:short", "1", input_hash="same", kept=True)
    await bench.do("job-2:other", "2", input_hash="else")
    assert await saved(bench) == {"job-1": (0, 0), "job-2": (0, 50)}
    assert await saved(bench, By.STAGE) == {"clip": (0, 0), "short": (0, 50)}
    assert await saved(bench, By.OWNER) == {"ann": (0, 0), "bob": (0, 50)}
    assert await saved(bench, By.VENDOR) == {"acme": (0, 50)}
    assert await saved(bench, By.DAY) == {"2026-05-04": (0, 0), "2026-05-05": (0, 50)}
    assert await saved(bench, job="job-2") == {"job-2": (0, 50)}
    assert await saved(bench, job="job-1") == {"job-1": (0, 0)}
    assert await saved(bench, owner="bob") == {"job-2": (0, 50)}
    assert await saved(bench, vendor="other") == {}


async def test_a_result_kept_after_a_redo_was_not_paid_again(bench):
    await bench.start("plan", "clip", edges="plan>clip")
    await bench.do("plan")
    claim = await bench.claim("clip")
    await bench.settled(claim, cost="0.40")
    await bench.ledger.succeed(claim, "1", input_hash="same")
    for _ in range(2):
        bench.clock.turn(1)
        await bench.ledger.redo("job-1", ["plan"])
        await bench.do("plan")
        await bench.do("clip", "1", input_hash="same", kept=True)
        assert await saved(bench) == {"job-1": (0, 40)}, "once for each task that takes over"
    await bench.ledger.redo("job-1", ["clip"])
    await bench.settled(await bench.claim("clip"), cost="0.30")
    costs = await bench.reader.costs(By.JOB)
    assert cents(costs, "spent", "saved_by_reuse") == {"job-1": (70, 40)}


async def test_what_was_paid_once_for_two_tasks_with_the_same_inputs_is_counted_once(bench):
    await bench.start("clips*")
    await bench.spread("clips", "0", "0", "0")
    for index in (1, 0, 2):
        claim = await bench.claim(f"clips/{index}")
        if index != 2:
            await bench.settled(claim, cost="0.40")
        bench.clock.turn(1)
        await bench.ledger.succeed(claim, "1", input_hash="same", share=True, kept=index == 2)
    assert await saved(bench) == {"job-1": (0, 40)}


async def test_a_task_that_took_over_what_cost_nothing_saved_nothing(bench):
    await bench.start("plan")
    await bench.do("plan", "1", input_hash="same", share=True)
    await bench.start("plan", id="job-2")
    await bench.do("job-2:plan", "1", input_hash="same", kept=True)
    assert await bench.reader.costs(By.JOB) == []


async def test_a_job_without_calls_has_cost_nothing_until_one_nested_in_it_makes_one(bench):
    await bench.start("inner", "plain")
    await bench.nest("inner", "job-2", "clip")
    await bench.start("other", id="job-3")
    await bench.settled(await bench.claim("job-3:other"))
    where = CallFilter(job="job-1", tree=True)
    assert await bench.reader.costs(By.OWNER, where) == []
    await bench.settled(await bench.claim("job-2:clip"), cost="0.40")
    [cost] = await bench.reader.costs(By.OWNER, where)
    assert (cost.calls, cost.spent) == (1, 400_000)
    assert await bench.reader.costs(By.OWNER, CallFilter(job="job-1")) == []
