"""Claims: who gets what, and what becomes of the claims of the dead, on every ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from genlock.errors import ClaimLost
from genlock.ledger.records import NodeSpec

LEASE = timedelta(seconds=9)


async def test_a_task_is_claimed_once(bench):
    await bench.start("a")
    first = await bench.ledger.claim("ann", tasks=[bench.ref("a")])
    second = await bench.ledger.claim("bob", tasks=[bench.ref("a")])
    assert (len(first), len(second)) == (1, 0)


async def test_what_is_not_to_be_had_is_left_out(bench):
    await bench.start("a", "b", edges="a>b")
    refs = [bench.ref("b"), bench.ref("a"), bench.ref("zzz"), bench.ref("nope:a")]
    claims = await bench.ledger.claim("ann", tasks=refs)
    assert [claim.task.key for claim in claims] == ["a"]


async def test_the_longest_ready_come_first_whatever_their_job(bench):
    await bench.start("a", id="job-2")
    bench.clock.turn(1)
    await bench.start("a", "b", id="job-1")
    bench.clock.turn(1)
    await bench.start("a", id="job-0")
    claims = await bench.ledger.claim("ann", limit=3)
    assert [str(claim.task) for claim in claims] == ["job-2/a", "job-1/a", "job-1/b"]


async def test_resources_and_queues_narrow_a_claim(bench):
    await bench.start(
        NodeSpec("a", resources="cpu=1"),
        NodeSpec("b", resources="gpu=1"),
        NodeSpec("c", resources="cpu=1", queue="slow"),
        NodeSpec("d"),
    )
    assert await bench.ledger.claim("ann", resources=["tpu=1"]) == []
    cpu = await bench.ledger.claim("ann", limit=9, resources=["cpu=1"], queues=["slow"])
    assert [claim.task.key for claim in cpu] == ["c"]
    some = await bench.ledger.claim("ann", limit=9, resources=["cpu=1", ""])
    assert [claim.task.key for claim in some] == ["a", "d"]
    assert await bench.ledger.claim("ann", tasks=[bench.ref("b")], resources=["cpu=1"]) == []
    rest = await bench.ledger.claim("ann", limit=9, queues=["default"])
    assert [claim.task.key for claim in rest] == ["b"]


async def test_many_claims_share_out_what_is_ready(bench):
    await bench.start("m*")
    await bench.spread("m", *[str(n) for n in range(10)])
    import asyncio

    claims = await asyncio.gather(*(bench.ledger.claim(f"w{n}", limit=3) for n in range(5)))
    taken = [claim.task.key for one in claims for claim in one]
    assert sorted(taken) == sorted(f"m/{n}" for n in range(10))
    assert [len(one) for one in claims] == [3, 3, 3, 1, 0]


async def test_tasks_of_a_dead_holder_are_ready_again(bench):
    await bench.start("a", "b")
    await bench.ledger.enlist("ann", LEASE)
    mine = await bench.claim("a", holder="ann")
    lost = await bench.claim("b", holder="dead")
    assert bench.keys(await bench.ledger.reclaim()) == ["b"]
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(lost, "1")
    await bench.ledger.succeed(mine, "1")
    again = await bench.claim("b")
    assert (again.attempt, again.tries, again.reclaims) == (2, 0, 1)
    assert await bench.last("task.reclaimed") == {"reclaims": 1}


async def test_a_holder_that_lives_keeps_its_claims_however_late_it_is(bench):
    await bench.start("a")
    await bench.ledger.enlist("ann", LEASE)
    claim = await bench.claim("a", holder="ann")
    bench.clock.turn(3600)
    assert await bench.ledger.reclaim() == []
    await bench.ledger.succeed(claim, "1")


async def test_the_survivor_takes_over_everything(bench):
    await bench.start("a", "b")
    await bench.ledger.enlist("old", LEASE)
    await bench.ledger.enlist("new", LEASE)
    await bench.claim("a", holder="old")
    await bench.claim("b", holder="new")
    assert bench.keys(await bench.ledger.reclaim(survivor="new")) == ["a"]
    assert await bench.states() == {"a": "ready", "b": "running"}


async def test_a_task_that_kills_its_process_again_and_again_fails(bench):
    await bench.start("a", "b", edges="a>b")
    for _ in range(2):
        await bench.claim("a", holder="dead")
        assert bench.keys(await bench.ledger.reclaim(limit=2)) == ["a"]
    await bench.claim("a", holder="dead")
    assert await bench.ledger.reclaim(limit=2) == []
    row = await bench.task("a")
    assert (row.state, row.reclaims, row.error.kind) == ("failed", 3, "Poison")
    assert await bench.job_state() == "failed"
    assert bench.keys(await bench.ledger.retry("job-1")) == ["a"]
    assert (await bench.claim("a")).reclaims == 0


async def test_a_holder_that_retires_gives_its_tasks_back_at_no_cost(bench):
    await bench.start("a", "b")
    await bench.ledger.enlist("ann", LEASE)
    await bench.claim("a", holder="ann")
    await bench.claim("b", holder="bob")
    assert bench.keys(await bench.ledger.retire("ann")) == ["a"]
    claim = await bench.claim("a")
    assert (claim.attempt, claim.tries, claim.reclaims) == (2, 0, 0)
    assert "task.released" in await bench.kinds("a")


async def test_a_reclaimed_task_of_a_paused_job_waits(bench):
    await bench.start("a")
    await bench.claim("a", holder="dead")
    await bench.ledger.pause("job-1")
    assert await bench.ledger.reclaim() == []
    assert await bench.state("a") == "ready"
    assert not await bench.can_claim("a")
    assert bench.keys(await bench.ledger.resume("job-1")) == ["a"]


async def test_what_waits_to_be_claimed_says_what_it_asks_for(bench):
    await bench.start(
        NodeSpec("a", resources="cpu=1"),
        NodeSpec("b", resources="cpu=1"),
        "c",
        NodeSpec("d", resources="gpu=1"),
    )
    assert (await bench.reader.outlook()).kinds == ("", "cpu=1", "gpu=1")
    assert (await bench.claim("a")).resources == "cpu=1"
    assert (await bench.claim("d")).resources == "gpu=1"
    assert (await bench.reader.outlook()).kinds == ("", "cpu=1")
    await bench.ledger.pause("job-1")
    assert (await bench.reader.outlook()).kinds == ()


async def test_the_epoch_of_a_claim_changes_when_what_is_upstream_may_have_changed(bench):
    await bench.start("up", "m*", edges="up>m")
    await bench.do("up")
    assert (await bench.claim("m")).epoch == 1
    await bench.ledger.retire("ann")
    await bench.spread("m", "0", "1", "2")
    await bench.do("m/0")
    assert (await bench.claim("m/1")).epoch == 1
    await bench.ledger.redo("job-1", ["m/0"])
    claim = await bench.claim("m/0")
    assert (claim.revision, claim.epoch) == (2, 1)
    await bench.ledger.redo("job-1", ["up"])
    await bench.do("up")
    await bench.spread("m", "0", "1", "2")
    claims = [await bench.claim(f"m/{n}") for n in range(3)]
    assert [claim.revision for claim in claims] == [3, 2, 1]
    assert [claim.epoch for claim in claims] == [2, 2, 2]
