"""Running finished tasks again, on every ledger."""

from __future__ import annotations

import pytest

from genlock.errors import ClaimLost, Conflict, NotFound
from genlock.ledger.records import Kept, NodeSpec, TaskState


async def _film(bench):
    """plan > clip* > join > store, with audio beside; all done, each with an input hash."""
    await bench.start(
        "plan",
        "clip*",
        "audio",
        "join",
        "store",
        edges="plan>clip plan>audio clip>join audio?>join join>store",
    )
    await bench.do("plan", '"plan"', input_hash="p")
    await bench.spread("clip", "0", "1", "2")
    for n in range(3):
        await bench.do(f"clip/{n}", f'"clip {n}"', input_hash=f"c{n}")
    for key in ("audio", "join", "store"):
        await bench.do(key, f'"{key}"', input_hash=key)
    assert await bench.job_state() == "completed"


async def _redo(bench, *keys, job="job-1"):
    """Redo, having seen that the plan of it says the same."""
    planned = await bench.reader.plan_redo(job, keys)
    plan = await bench.ledger.redo(job, keys)
    assert planned == plan
    return plan


async def test_one_clip_again_blocks_what_follows_and_keeps_the_rest(bench):
    await _film(bench)
    plan = await _redo(bench, "clip/1")
    assert plan.redone == ("clip/1",)
    assert plan.maybe == ("join", "store")
    assert plan.kept == ("plan", "clip/0", "clip/2", "audio")
    assert await bench.states() == {
        "plan": "done",
        "clip": "spread",
        "clip/0": "done",
        "clip/1": "ready",
        "clip/2": "done",
        "audio": "done",
        "join": "blocked",
        "store": "blocked",
    }
    row = await bench.row()
    assert (row.state, row.finished_at) == ("running", None)
    claim = await bench.claim("clip/1")
    assert (claim.kept, claim.revision, claim.attempt, claim.item) == (None, 2, 1, "1")
    assert bench.keys((await bench.ledger.succeed(claim, '"new"')).ready) == ["join"]
    join = await bench.claim("join")
    assert (join.kept, join.revision) == (Kept("join", '"join"'), 2)
    await bench.ledger.succeed(join, '"join"', input_hash="join", kept=True)
    assert (await bench.kinds("join"))[-1] == "task.kept"
    store = await bench.claim("store")
    assert store.kept == Kept("store", '"store"')
    await bench.ledger.succeed(store, '"other"', input_hash="changed")
    assert await bench.job_state() == "completed"
    assert await bench.reader.revisions(bench.ref("store")) == [(1, TaskState.DONE, '"store"')]
    assert await bench.reader.revisions(bench.ref("clip/1")) == [(1, TaskState.DONE, '"clip 1"')]
    assert await bench.reader.revisions(bench.ref("clip/0")) == []


async def test_a_mapped_node_again_runs_all_its_children(bench):
    await _film(bench)
    plan = await _redo(bench, "clip")
    assert plan.redone == ("clip/0", "clip/1", "clip/2")
    assert plan.maybe == ("join", "store")
    assert await bench.state("clip") == "spread"
    for n in range(3):
        claim = await bench.claim(f"clip/{n}")
        assert claim.kept is None
        await bench.ledger.succeed(claim, "1")
    assert await bench.states() | {"join": "ready", "clip": "done"} == await bench.states()


@pytest.mark.parametrize("count", [0, 2, 5])
async def test_a_map_downstream_is_spread_anew_with_fewer_or_more(bench, count):
    await _film(bench)
    plan = await _redo(bench, "plan")
    assert plan.redone == ("plan",)
    assert plan.maybe == ("clip/0", "clip/1", "clip/2", "audio", "join", "store")
    assert plan.kept == ()
    states = await bench.states()
    assert states.pop("plan") == "ready"
    assert set(states.values()) == {"blocked"}
    await bench.do("plan", '"longer plan"')
    claim = await bench.claim("clip")
    assert claim.children == 0
    await bench.ledger.spread(claim, [f'"item {n}"' for n in range(count)], offset=0, last=True)
    keys = [row.ref.key for row in await bench.reader.tasks("job-1", node="clip")]
    assert keys == ["clip", *[f"clip/{n}" for n in range(count)]]
    for n in range(count):
        child = await bench.claim(f"clip/{n}")
        assert child.item == f'"item {n}"'
        assert child.kept == (Kept(f"c{n}", f'"clip {n}"') if n < 3 else None)
        assert child.revision == (2 if n < 3 else 1)
        await bench.ledger.succeed(child, "1")
    await bench.do("audio")
    assert await bench.state("join") == "ready"
    await bench.do("join")
    await bench.do("store")
    assert await bench.job_state() == "completed"


async def test_named_tasks_run_even_if_they_follow_from_other_named_ones(bench):
    await _film(bench)
    plan = await _redo(bench, "plan", "store")
    assert plan.redone == ("plan", "store")
    assert plan.maybe == ("clip/0", "clip/1", "clip/2", "audio", "join")
    assert await bench.state("store") == "blocked"
    await bench.do("plan")
    await bench.spread("clip")
    await bench.do("audio")
    await bench.do("join")
    claim = await bench.claim("store")
    assert (claim.kept, claim.revision) == (None, 2)


async def test_redo_while_the_job_runs_takes_the_claims_of_what_follows(bench):
    await bench.start("a", "b", "c", edges="a>b b>c")
    await bench.do("a", input_hash="a")
    claim = await bench.claim("b")
    await bench.ledger.save(claim, "seed", "1")
    plan = await _redo(bench, "a")
    assert (plan.redone, plan.maybe, plan.kept) == (("a",), ("b",), ())
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(claim, "1")
    assert await bench.states() == {"a": "ready", "b": "blocked", "c": "blocked"}
    await bench.do("a")
    again = await bench.claim("b")
    assert (again.revision, again.attempt, again.kept) == (2, 1, None)
    assert await bench.reader.notes(bench.ref("b")) == {}
    await bench.ledger.succeed(again, "1")
    await bench.do("c")
    assert await bench.job_state() == "completed"


async def test_an_approval_is_bound_to_its_revision(bench):
    await bench.start("cut", "gate", edges="cut>gate")
    await bench.do("cut")
    await bench.ledger.park(await bench.claim("gate"), "review", signal="ok")
    await bench.ledger.signal(bench.ref("gate"), "ok", "1")
    await bench.do("gate")
    await _redo(bench, "cut")
    await bench.do("cut")
    assert await bench.reader.notes(bench.ref("gate")) == {}
    await bench.ledger.park(await bench.claim("gate"), "review", signal="ok")
    assert await bench.state("gate") == "parked"


async def test_a_parked_task_downstream_is_blocked_again(bench):
    await bench.start("a", "gate", edges="a>gate")
    await bench.do("a")
    await bench.ledger.park(await bench.claim("gate"), "review", signal="ok")
    assert await bench.job_state() == "waiting"
    await _redo(bench, "a")
    assert await bench.states() == {"a": "ready", "gate": "blocked"}
    assert await bench.job_state() == "running"


async def test_a_result_without_a_hash_is_not_kept(bench):
    await bench.start("a", "b", edges="a>b")
    await bench.do("a")
    await bench.do("b")
    await _redo(bench, "a")
    await bench.do("a")
    assert (await bench.claim("b")).kept is None


async def test_only_finished_tasks_can_be_named(bench):
    await bench.start("a", "b", "c", "d", edges="a>b")
    await bench.claim("c")
    await bench.ledger.park(await bench.claim("d"), "why", signal="s")
    for key in ("a", "b", "c", "d"):
        for verb in (bench.ledger.redo, bench.reader.plan_redo):
            with pytest.raises(Conflict):
                await verb("job-1", [key])
    for verb in (bench.ledger.redo, bench.reader.plan_redo):
        with pytest.raises(NotFound):
            await verb("job-1", ["zzz"])
        with pytest.raises(NotFound):
            await verb("nope", ["a"])
        with pytest.raises(Conflict):
            await verb("job-1", [])
    await bench.ledger.cancel("job-1")
    for verb in (bench.ledger.redo, bench.reader.plan_redo):
        with pytest.raises(Conflict):
            await verb("job-1", ["a"])


async def test_a_refused_redo_changes_nothing(bench):
    await _film(bench)
    before = await bench.states(), (await bench.row()).last_event
    with pytest.raises(NotFound):
        await bench.ledger.redo("job-1", ["plan", "zzz"])
    assert (await bench.states(), (await bench.row()).last_event) == before


async def test_a_placed_skip_stays_skipped_and_what_it_skipped_too(bench):
    await bench.start(
        "plan",
        NodeSpec("music", skipped=True),
        "mix",
        "join",
        edges="plan>music music>mix mix?>join plan>join",
    )
    await bench.do("plan")
    await bench.do("join", input_hash="j")
    plan = await _redo(bench, "plan")
    assert (plan.maybe, plan.kept) == (("join",), ("music", "mix"))
    await bench.do("plan")
    assert await bench.states() == {"plan": "done", "music": "skipped", "mix": "skipped", "join": "ready"}
    await bench.do("join")
    assert await bench.job_state() == "completed"


async def test_what_its_body_skipped_is_asked_again(bench):
    await bench.start("plan", "music", "mix", edges="plan>music music>mix")
    await bench.do("plan")
    await bench.skip("music")
    assert await bench.job_state() == "completed"
    await _redo(bench, "plan")
    assert await bench.states() == {"plan": "ready", "music": "blocked", "mix": "blocked"}
    await bench.do("plan")
    await bench.do("music")
    await bench.do("mix")
    assert await bench.job_state() == "completed"


async def test_a_task_skipped_with_its_upstream_cannot_be_redone_alone(bench):
    await bench.start("a", "b", edges="a>b")
    await bench.skip("a")
    with pytest.raises(Conflict):
        await bench.ledger.redo("job-1", ["b"])
    await _redo(bench, "a", "b")
    assert await bench.states() == {"a": "ready", "b": "blocked"}


async def test_a_failed_task_can_be_redone(bench):
    await bench.start("a", "b", edges="a>b")
    await bench.fail("a")
    await _redo(bench, "a")
    row = await bench.row()
    assert (row.state, row.error, row.failed_task) == ("running", None, None)
    await bench.do("a")
    await bench.do("b")
    assert await bench.job_state() == "completed"


async def test_a_failed_child_redone_opens_its_map(bench):
    await bench.start("clip*", "join", edges="clip>join")
    await bench.spread("clip", "0", "1")
    await bench.do("clip/0")
    await bench.fail("clip/1")
    await _redo(bench, "clip/1")
    assert await bench.states() == {"clip": "spread", "clip/0": "done", "clip/1": "ready", "join": "blocked"}
    assert bench.keys((await bench.do("clip/1")).ready) == ["join"]


async def test_a_done_child_redone_leaves_a_map_failed_that_cannot_be_done(bench):
    await bench.start("clip*")
    await bench.spread("clip", "0", "1")
    await bench.do("clip/0")
    await bench.fail("clip/1", "still broken")
    await _redo(bench, "clip/0")
    assert await bench.states() == {"clip": "failed", "clip/0": "ready", "clip/1": "failed"}
    await bench.do("clip/0")
    row = await bench.row()
    assert (row.state, row.error.message) == ("failed", "still broken")


async def test_redo_in_a_nested_job_opens_its_parents_and_blocks_what_follows(bench):
    await bench.start("film", "after", edges="film>after")
    await bench.nest("film", "kid", "a", "b", edges="a>b")
    await bench.do("kid:a", input_hash="a")
    await bench.do("kid:b", input_hash="b")
    await bench.do("after", input_hash="x")
    assert await bench.job_state() == "completed"
    await _redo(bench, "b", job="kid")
    assert await bench.states() == {"film": "spread", "after": "blocked"}
    assert await bench.states("kid") == {"a": "done", "b": "ready"}
    assert [await bench.job_state(job) for job in ("job-1", "kid")] == ["running"] * 2
    await bench.do("kid:b", '"new"')
    assert (await bench.task("film")).output == '{"$job":"kid"}'
    claim = await bench.claim("after")
    assert claim.kept == Kept("x", '"out"')
    await bench.ledger.succeed(claim, "1")
    assert await bench.job_state() == "completed"


async def test_redo_of_a_nesting_task_nests_anew(bench):
    await bench.start("film", "after", edges="film>after")
    await bench.nest("film", "kid", "a")
    await bench.do("kid:a")
    await bench.do("after")
    await _redo(bench, "film")
    assert await bench.states() == {"film": "ready", "after": "blocked"}
    await bench.nest("film", "kid-2", "a")
    await bench.ledger.redo("kid", ["a"])
    await bench.do("kid:a")
    assert await bench.states() == {"film": "spread", "after": "blocked"}
    await bench.do("kid-2:a")
    assert (await bench.task("film")).output == '{"$job":"kid-2"}'
    await bench.do("after")
    assert await bench.job_state() == "completed"


async def test_a_nested_job_under_way_is_called_off_when_its_task_must_wait_again(bench):
    await bench.start("plan", "film", edges="plan>film")
    await bench.do("plan")
    await bench.nest("film", "kid", "a")
    claim = await bench.claim("kid:a")
    await _redo(bench, "plan")
    assert await bench.states() == {"plan": "ready", "film": "blocked"}
    assert await bench.job_state("kid") == "cancelled"
    with pytest.raises(ClaimLost):
        await bench.ledger.succeed(claim, "1")
    await bench.do("plan")
    await bench.nest("film", "kid-2", "a")
    await bench.do("kid-2:a")
    assert await bench.job_state() == "completed"


async def test_redo_within_a_map_of_nested_jobs_opens_the_map(bench):
    await bench.start("short*", "after", edges="short>after")
    await bench.spread("short", "0", "1")
    for n in range(2):
        await bench.nest(f"short/{n}", f"kid-{n}", "a")
        await bench.do(f"kid-{n}:a")
    await bench.do("after")
    await _redo(bench, "a", job="kid-1")
    assert await bench.states() == {
        "short": "spread",
        "short/0": "done",
        "short/1": "spread",
        "after": "blocked",
    }
    assert bench.keys((await bench.do("kid-1:a")).ready) == ["after"]


async def test_redo_below_a_cancelled_job_is_refused(bench):
    await bench.start("film", "other")
    await bench.nest("film", "kid", "a", "b")
    await bench.do("kid:a")
    await bench.ledger.cancel("job-1")
    with pytest.raises(Conflict):
        await bench.ledger.redo("kid", ["a"])


async def test_a_redo_in_a_paused_job_waits_for_its_resumption(bench):
    await bench.start("a", "b")
    await bench.do("a")
    await bench.ledger.pause("job-1")
    await _redo(bench, "a")
    assert await bench.job_state() == "paused"
    assert not await bench.can_claim("a")
    assert sorted(bench.keys(await bench.ledger.resume("job-1"))) == ["a", "b"]
