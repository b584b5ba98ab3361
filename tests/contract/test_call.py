"""Paid calls: intended before they leave, and recorded whatever comes of them, on every ledger."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from genlock.errors import BadInput, ClaimLost, Conflict, NotFound
from genlock.ledger.records import Failure, TaskRef
from genlock.ledger.spending import CallFilter, CallState, Decision, Settlement, call_key
from genlock.money import Money

MADE = Settlement(True, Money.of("0.40"), computed=False, result='{"made":1}')
BROKE = Settlement(False, Money.of(0), computed=False, reason="the model was overloaded")


async def test_an_intent_is_written_before_anything_leaves(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    intent = await bench.ledger.intend(claim, bench.ask(caps={"job:job-1": "2.00"}))
    assert (intent.fresh, intent.over, intent.busy) == (True, None, False)
    call = await bench.reader.call(intent.call.key)
    assert call == intent.call
    assert re.fullmatch(r"gl_[a-z2-7]{26}", call.key)
    assert call.path == "job-1/clip/1/clip#1"
    assert (call.state, call.sends, call.reserved, call.spent) == (CallState.INTENDED, 1, 500_000, 0)
    assert (call.request, call.scopes, call.intended_at) == ('{"asked":1}', ("job:job-1",), bench.clock.now())
    assert await bench.money("job:job-1") == (0, 50)
    assert (await bench.last("call.intended"))["call"] == call.key
    with pytest.raises(NotFound):
        await bench.reader.call("gl_nothing")


async def test_a_key_is_told_by_the_whole_path(bench):
    task = TaskRef("job", "clip/3")
    keys = {
        call_key(task, 1, "a", 1),
        call_key(task, 2, "a", 1),
        call_key(task, 1, "b", 1),
        call_key(task, 1, "a", 2),
        call_key(TaskRef("job", "clip"), 3, "1/a", 1),
        call_key(TaskRef("job/clip", "3"), 1, "a", 1),
    }
    assert len(keys) == 6
    assert call_key(task, 1, "a", 1) == call_key(TaskRef("job", "clip/3"), 1, "a", 1)


async def test_who_comes_after_finds_the_call_and_does_not_send_it(bench):
    await bench.start("clip")
    call = await bench.call(await bench.claim("clip"), caps={"job:job-1": None})
    await bench.ledger.reclaim(survivor="bob")
    again = await bench.ledger.intend(await bench.claim("clip"), bench.ask(caps={"job:job-1": None}))
    assert (again.fresh, again.call) == (False, call)
    assert await bench.money("job:job-1") == (0, 50)


async def test_an_intent_needs_the_claim(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    await bench.ledger.reclaim(survivor="bob")
    with pytest.raises(ClaimLost):
        await bench.ledger.intend(claim, bench.ask())
    assert await bench.reader.calls() == []


async def test_what_was_accepted_is_settled_for_what_it_cost(bench):
    await bench.start("clip")
    call = await bench.accepted(await bench.claim("clip"), caps={"user:ann": "2.00", "day:x": None})
    assert (call.state, call.handle, call.reserved) == ("accepted", f"h-{call.key}", 500_000)
    ended = await bench.ledger.settle(call.key, MADE)
    assert (ended.state, ended.spent, ended.reserved, ended.result) == ("settled", 400_000, 0, '{"made":1}')
    assert (ended.computed, ended.ended_at) == (False, bench.clock.now())
    assert [await bench.money(scope) for scope in ("user:ann", "day:x")] == [(40, 0), (40, 0)]
    assert await bench.ledger.settle(call.key, BROKE) == ended
    assert await bench.money("user:ann") == (40, 0)
    kinds = [kind for kind in await bench.kinds("clip") if kind.startswith("call.")]
    assert kinds == ["call.intended", "call.accepted", "call.settled"]


async def test_what_answers_at_once_is_settled_without_a_handle(bench):
    await bench.start("clip")
    call = await bench.call(await bench.claim("clip"))
    ended = await bench.ledger.settle(call.key, Settlement(True, None, computed=False, result="1"))
    assert (ended.state, ended.spent, ended.computed, ended.handle) == ("settled", 500_000, True, None)


async def test_a_failed_call_is_followed_by_another_one(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    first = await bench.accepted(claim, caps={"job:job-1": None})
    ended = await bench.ledger.settle(first.key, BROKE)
    assert (ended.state, ended.reason, ended.spent) == ("failed", "the model was overloaded", 0)
    second = await bench.call(claim, caps={"job:job-1": None})
    assert (second.number, second.path) == (2, "job-1/clip/1/clip#2")
    assert second.key != first.key
    assert await bench.money("job:job-1") == (0, 50)


async def test_a_released_call_is_sent_once_more_under_its_key(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.call(claim, caps={"job:job-1": None})
    released = await bench.ledger.release(call.key, 1, "429: come back later")
    assert (released.state, released.reserved, released.reason) == ("released", 0, "429: come back later")
    assert await bench.money("job:job-1") == (0, 0)
    bench.clock.turn(60)
    again = await bench.call(claim, caps={"job:job-1": None})
    assert (again.key, again.number, again.sends, again.state) == (call.key, 1, 2, "intended")
    assert (again.intended_at, again.sent_at) == (call.intended_at, bench.clock.now())
    assert await bench.money("job:job-1") == (0, 50)
    with pytest.raises(Conflict):
        await bench.ledger.release(call.key, 1, "an answer to the first sending")


async def test_only_one_sends_again_what_may_have_been_sent(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.call(claim)
    await bench.ledger.absent(claim, call.key, 1)
    absent = await bench.ledger.absent(claim, call.key, 1)
    assert (absent.absences, absent.absent_at) == (2, bench.clock.now())
    resent = await bench.ledger.resend(claim, call.key, 1)
    assert (resent.state, resent.sends, resent.absences, resent.absent_at) == ("intended", 2, 0, None)
    for verb in (bench.ledger.resend, bench.ledger.absent):
        with pytest.raises(Conflict):
            await verb(claim, call.key, 1)
    await bench.ledger.fail(claim, Failure("E", "m"), retry_at=bench.clock.now())
    with pytest.raises(ClaimLost):
        await bench.ledger.resend(claim, call.key, 2)


async def test_a_call_of_another_task_is_not_sent_by_this_one(bench):
    await bench.start("clip", "other")
    call = await bench.call(await bench.claim("clip"))
    with pytest.raises(Conflict):
        await bench.ledger.resend(await bench.claim("other"), call.key, 1)


async def test_an_id_is_recorded_whoever_holds_the_task_by_now(bench):
    await bench.start("clip")
    call = await bench.call(await bench.claim("clip"))
    await bench.ledger.reclaim(survivor="bob")
    await bench.claim("clip", "bob")
    assert (await bench.ledger.accept(call.key, 1, "h-1")).handle == "h-1"
    again = await bench.ledger.accept(call.key, 1, "h-1")
    assert (again.spent, again.risk) == (0, 0)
    assert (await bench.kinds("clip")).count("call.accepted") == 1


async def test_a_second_id_is_a_second_charge(bench):
    await bench.start("clip")
    call = await bench.accepted(await bench.claim("clip"), caps={"job:job-1": "0.60"})
    twice = await bench.ledger.accept(call.key, 2, "h-2")
    assert (twice.state, twice.handle) == ("accepted", call.handle)
    assert (twice.spent, twice.risk, twice.reserved) == (500_000, 500_000, 500_000)
    assert await bench.money("job:job-1") == (50, 50)
    ended = await bench.ledger.settle(call.key, MADE)
    assert (ended.spent, ended.risk) == (900_000, 500_000)
    late = await bench.ledger.accept(call.key, 3, "h-3")
    assert (late.state, late.spent, late.risk) == ("settled", 1_400_000, 1_000_000)
    assert await bench.money("job:job-1") == (140, 0)
    assert (await bench.last("call.twice"))["handle"] == "h-3"


async def test_doubt_keeps_the_money_and_frees_the_place(bench):
    await bench.start("clip")
    call = await bench.call(await bench.claim("clip"), caps={"job:job-1": None})
    assert await bench.reader.live_calls("acme") == 1
    doubted = await bench.ledger.doubt(call.key, 1, "the connection was lost")
    assert (doubted.state, doubted.reserved, doubted.reason) == ("doubt", 500_000, "the connection was lost")
    assert await bench.reader.live_calls("acme") == 0
    assert await bench.money("job:job-1") == (0, 50)
    with pytest.raises(Conflict):
        await bench.ledger.doubt(call.key, 1, "once more")
    with pytest.raises(Conflict):
        await bench.ledger.settle(call.key, MADE)


async def test_the_provider_may_deny_what_it_had_accepted(bench):
    await bench.start("clip")
    call = await bench.accepted(await bench.claim("clip"))
    doubted = await bench.ledger.doubt(call.key, 1, "404")
    assert (doubted.state, doubted.handle) == ("doubt", call.handle)
    found = await bench.ledger.accept(call.key, 1, "h-found")
    assert (found.state, found.handle, found.risk) == ("accepted", "h-found", 0)


async def doubtful(bench, **options):
    """A task that waits for a person to decide about its call."""
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.call(claim, caps={"job:job-1": None}, **options)
    await bench.ledger.doubt(call.key, 1, "nobody knows")
    await bench.ledger.park(claim, "in doubt", signal=f"call:{call.key}")
    assert await bench.job_state() == "waiting"
    return call


async def test_what_ran_after_all_is_adopted(bench):
    call = await doubtful(bench)
    with pytest.raises(BadInput):
        await bench.ledger.resolve(call.key, Decision.ADOPT, by="ann")
    adopted = await bench.ledger.resolve(call.key, Decision.ADOPT, by="ann", handle="h-7")
    assert (adopted.state, adopted.handle, adopted.decided_by) == ("accepted", "h-7", "ann")
    assert (adopted.reserved, adopted.risk) == (500_000, 0)
    assert (await bench.state("clip"), await bench.job_state()) == ("ready", "running")
    told = {"by": "ann", "decision": "adopt", "handle": "h-7"}
    assert told.items() <= (await bench.last("call.resolved")).items()
    with pytest.raises(Conflict):
        await bench.ledger.resolve(call.key, Decision.GIVE_UP, by="bob")


async def test_what_is_sent_again_may_be_paid_twice(bench):
    call = await doubtful(bench)
    released = await bench.ledger.resolve(call.key, Decision.RESEND, by="ann")
    assert (released.state, released.spent, released.risk) == ("released", 500_000, 500_000)
    assert await bench.money("job:job-1") == (50, 0)
    again = await bench.call(await bench.claim("clip"), caps={"job:job-1": None})
    assert (again.key, again.sends, again.spent, again.reserved) == (call.key, 2, 500_000, 500_000)
    await bench.ledger.accept(again.key, 2, "h-2")
    ended = await bench.ledger.settle(again.key, MADE)
    assert (ended.spent, ended.risk, ended.decided_by) == (900_000, 500_000, "ann")
    assert await bench.money("job:job-1") == (90, 0)


async def test_what_was_given_up_is_made_anew_only_when_somebody_retries(bench):
    call = await doubtful(bench)
    given_up = await bench.ledger.resolve(call.key, Decision.GIVE_UP, by="ann")
    assert (given_up.state, given_up.spent, given_up.risk) == ("abandoned", 500_000, 500_000)
    claim = await bench.claim("clip")
    for _ in range(2):  # the first process dies before it has said so
        told = await bench.ledger.intend(claim, bench.ask())
        assert (told.fresh, told.call.state) == (False, "abandoned")
        await bench.ledger.reclaim(survivor="nobody")
        claim = await bench.claim("clip")
    await bench.ledger.fail(claim, Failure("GivenUp", "given up"), retry_at=None)
    await bench.ledger.retry("job-1")
    anew = await bench.call(await bench.claim("clip"), caps={"job:job-1": None})
    assert (anew.number, anew.state) == (2, "intended")
    assert await bench.money("job:job-1") == (50, 50)
    late = await bench.ledger.accept(call.key, 1, "h-late")
    assert (late.state, late.handle, late.spent) == ("abandoned", "h-late", 500_000)


async def in_vain(bench, claim, cost="0.40"):
    call = await bench.accepted(claim, caps={"job:job-1": None})
    return await bench.ledger.settle(call.key, Settlement(False, Money.of(cost), False, reason="no film"))


async def test_what_cost_money_twice_and_came_to_nothing_is_made_anew_only_when_somebody_retries(bench):
    await bench.start("clip")
    for taken in (2, 4):
        claim = await bench.claim("clip")
        await in_vain(bench, claim)
        last = await in_vain(bench, claim)
        for _ in range(2):  # the first process dies before it has said so
            told = await bench.ledger.intend(claim, bench.ask())
            assert (told.fresh, told.call) == (False, last)
            await bench.ledger.reclaim(survivor="nobody")
            claim = await bench.claim("clip")
        await bench.ledger.fail(claim, Failure("InVain", "twice"), retry_at=None)
        await bench.ledger.retry("job-1")
        assert last.number == taken
    assert await bench.money("job:job-1") == (160, 0)


async def test_what_failed_free_of_charge_is_asked_for_as_often_as_it_takes(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    await in_vain(bench, claim)
    for number in (2, 3, 4):
        assert (await in_vain(bench, claim, "0.00")).number == number
    assert (await bench.call(claim, name="other")).number == 1
    assert (await in_vain(bench, claim)).number == 5
    assert not (await bench.ledger.intend(claim, bench.ask())).fresh


async def test_who_has_lost_the_task_casts_no_doubt_on_what_another_may_be_sending(bench):
    await bench.start("clip")
    lost = await bench.claim("clip")
    await bench.ledger.reclaim(survivor="nobody")
    claim = await bench.claim("clip")
    call = await bench.call(claim)
    with pytest.raises(ClaimLost):
        await bench.ledger.doubt(call.key, 1, "found so", claim=lost)
    assert (await bench.reader.call(call.key)).state == "intended"
    assert (await bench.ledger.doubt(call.key, 1, "found so", claim=claim)).state == "doubt"


@pytest.mark.parametrize("wake", ["accept", "resolve", "settle"])
async def test_word_of_a_call_wakes_its_task(bench, wake):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.accepted(claim)
    if wake != "settle":
        await bench.ledger.doubt(call.key, 1, "404")
    await bench.ledger.park(claim, "waits", signal=f"call:{call.key}")
    assert await bench.job_state() == "waiting"
    if wake == "accept":
        await bench.ledger.accept(call.key, 1, "h-2")
    elif wake == "resolve":
        await bench.ledger.resolve(call.key, Decision.RESEND, by="ann")
    else:
        await bench.ledger.settle(call.key, MADE)
    assert (await bench.state("clip"), await bench.job_state()) == ("ready", "running")
    assert await bench.reader.notes(bench.ref("clip")) == {}


async def test_a_decision_that_comes_before_the_task_has_parked_is_not_slept_through(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.call(claim)
    await bench.ledger.doubt(call.key, 1, "nobody knows")
    await bench.ledger.resolve(call.key, Decision.ADOPT, by="ann", handle="h-1")
    advance = await bench.ledger.park(claim, "in doubt", signal=f"call:{call.key}")
    assert bench.keys(advance.ready) == ["clip"]
    claim = await bench.claim("clip")
    assert (await bench.ledger.intend(claim, bench.ask())).call.state == "accepted"
    await bench.ledger.park(claim, "is made", signal=f"call:{call.key}")
    assert await bench.state("clip") == "parked"


async def test_a_task_may_park_for_the_call_it_has_just_released(bench):
    """Of an account without credit, say: nothing has come that it would not know of."""
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.call(claim)
    await bench.ledger.release(call.key, 1, "no credit")
    await bench.ledger.park(
        claim, "no credit", signal=f"call:{call.key}", until=bench.clock.now() + timedelta(minutes=1)
    )
    assert await bench.state("clip") == "parked"
    bench.clock.turn(60)
    await bench.ledger.expire()
    assert (await bench.call(await bench.claim("clip"))).sends == 2


async def test_an_attempt_that_is_given_a_result_is_counted_once(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.settled(claim)
    await bench.ledger.answered(claim, call.key)
    assert (await bench.reader.call(call.key)).answers == 0, "it made that call itself"
    for count in (1, 2):
        await bench.ledger.snooze(claim, bench.clock.now())
        claim = await bench.claim("clip")
        await bench.ledger.answered(claim, call.key)
        await bench.ledger.answered(claim, call.key)
        assert (await bench.reader.call(call.key)).answers == count


async def test_a_redo_makes_calls_of_its_own(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    first = await bench.settled(claim)
    await bench.ledger.succeed(claim, "1")
    await bench.ledger.redo("job-1", ["clip"])
    second = await bench.call(await bench.claim("clip"))
    assert (second.revision, second.number) == (2, 1)
    assert second.key != first.key


async def test_late_results_are_recorded_as_cost_and_revive_nothing(bench):
    await bench.start("clip", "other")
    call = await bench.call(await bench.claim("clip"), caps={"job:job-1": None})
    accepted = await bench.accepted(await bench.claim("other"), caps={"job:job-1": None})
    await bench.ledger.cancel("job-1")
    await bench.ledger.accept(call.key, 1, "h-1")
    for key in (call.key, accepted.key):
        await bench.ledger.settle(key, MADE)
    assert await bench.money("job:job-1") == (80, 0)
    assert (await bench.state("clip"), await bench.job_state()) == ("cancelled", "cancelled")


async def test_calls_nobody_comes_back_to_are_found(bench):
    await bench.start("redone", "done", "running", "doubted")
    keys = {}
    for name in ("redone", "done", "running", "doubted"):
        claim = await bench.claim(name)
        keys[name] = (await bench.call(claim)).key
        if name != "running":
            await bench.ledger.succeed(claim, "1")
        bench.clock.turn(1)
    await bench.ledger.redo("job-1", ["redone"])
    await bench.ledger.doubt(keys["doubted"], 1, "nobody knows")
    left = [call.task.key for call in await bench.reader.calls_left()]
    assert left == ["redone", "done", "doubted"], "a person's come last"
    assert [call.task.key for call in await bench.reader.calls_left(limit=1)] == ["redone"]
    asked = await bench.ledger.ask_cancel(keys["done"])
    assert (asked.cancel_asked, asked.state) == (True, "intended")
    assert await bench.reader.live_calls("acme") == 3
    await bench.ledger.settle(keys["done"], BROKE)
    assert (await bench.ledger.ask_cancel(keys["done"])).state == "failed"
    assert "done" not in [call.task.key for call in await bench.reader.calls_left()]


async def test_calls_of_a_job_past_its_deadline_are_found_and_kept_for_its_retry(bench):
    await bench.start("clip", deadline=timedelta(seconds=10))
    call = await bench.accepted(await bench.claim("clip"))
    assert await bench.reader.calls_left() == []
    bench.clock.turn(11)
    await bench.ledger.expire()
    assert [one.key for one in await bench.reader.calls_left()] == [call.key]
    await bench.ledger.retry("job-1")
    assert await bench.reader.calls_left() == []
    assert (await bench.ledger.intend(await bench.claim("clip"), bench.ask())).call.key == call.key


async def test_calls_of_children_that_a_redo_has_taken_away_are_found(bench):
    await bench.start("items", "clips*", edges="items>clips")
    await bench.do("items")
    await bench.spread("clips", "0", "1")
    call = await bench.accepted(await bench.claim("clips/1"))
    await bench.do("clips/0")
    await bench.ledger.redo("job-1", ["items"])
    await bench.do("items", '"fewer"')
    await bench.spread("clips", "0")
    assert [one.key for one in await bench.reader.calls_left()] == [call.key]
    assert (await bench.ledger.settle(call.key, MADE)).state == "settled"


async def test_calls_are_listed_newest_first_by_the_page(bench):
    await bench.start("a", "b", owner="ann")
    await bench.start("clip", id="job-2", owner="bob")
    calls = []
    for key in ("a", "b", "job-2:clip"):
        claim = await bench.claim(key)
        calls += [await bench.call(claim, name, vendor=key[-1]) for name in ("one", "two")]
        bench.clock.turn(1)
    newest = sorted(calls, key=lambda call: (call.intended_at, call.key), reverse=True)
    assert await bench.reader.calls() == newest
    assert await bench.reader.calls(limit=2) == newest[:2]
    assert await bench.reader.calls(after=newest[1].key, limit=2) == newest[2:4]
    assert await bench.reader.calls(after="gl_nothing") == []
    await bench.ledger.release(calls[0].key, 1, "no")

    async def found(**where):
        return {call.path for call in await bench.reader.calls(CallFilter(**where))}

    assert await found(job="job-2") == {"job-2/clip/1/one#1", "job-2/clip/1/two#1"}
    assert await found(owner="bob") == await found(vendor="p") == await found(job="job-2")
    assert await found(task=bench.ref("b")) == {"job-1/b/1/one#1", "job-1/b/1/two#1"}
    ours = await bench.reader.calls(CallFilter(task=bench.ref("b")))
    assert await bench.reader.calls_of(bench.ref("b")) == ours
    assert await bench.reader.calls_of(bench.ref("none")) == []
    assert await found(states=frozenset({CallState.RELEASED})) == {"job-1/a/1/one#1"}


async def test_calls_of_nested_jobs_belong_to_the_tree(bench):
    await bench.start("inner")
    await bench.nest("inner", "job-2", "deep")
    await bench.nest("job-2:deep", "job-3", "clip")
    call = await bench.call(await bench.claim("job-3:clip"))
    assert await bench.reader.calls(CallFilter(job="job-1")) == []
    assert await bench.reader.calls(CallFilter(job="job-1", tree=True)) == [call]


async def test_jobs_are_kept_while_a_call_of_theirs_is_open(bench):
    await bench.start("inner")
    await bench.nest("inner", "job-2", "clip")
    call = await bench.accepted(await bench.claim("job-2:clip"))
    await bench.start("clip", id="job-3")
    claim = await bench.claim("job-3:clip")
    await bench.settled(claim)
    await bench.ledger.succeed(claim, "1")
    await bench.ledger.cancel("job-1")
    bench.clock.turn(10)
    later = bench.clock.now()
    texts = [text async for text in bench.reader.texts(unless_finished_before=later)]
    assert texts.count('{"asked":1}') == 1
    assert await bench.ledger.forget(later) == ["job-3"]
    assert [one.key for one in await bench.reader.calls()] == [call.key]
    await bench.ledger.settle(call.key, MADE)
    assert {text async for text in bench.reader.texts()} >= {'{"asked":1}', '{"made":1}'}
    assert set(await bench.ledger.forget(later)) == {"job-1", "job-2"}
    assert await bench.reader.calls() == []


async def test_a_name_no_database_could_keep_is_refused(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    for ask in (bench.ask("a\0b"), bench.ask(vendor="a\0"), bench.ask(caps={"user:\0": None})):
        with pytest.raises(BadInput):
            await bench.ledger.intend(claim, ask)
    call = await bench.call(claim)
    assert (await bench.ledger.accept(call.key, 1, "h\0")).handle == "h\\0"


async def test_verbs_of_money_may_all_come_at_once(bench):
    await bench.start(*(f"clip{n}" for n in range(6)))
    claims = await bench.ledger.claim("ann", limit=6)
    calls = await asyncio.gather(*(bench.call(claim, caps={"job:job-1": None}) for claim in claims))
    await asyncio.gather(*(bench.ledger.accept(call.key, 1, call.key) for call in calls))
    await asyncio.gather(*(bench.ledger.settle(call.key, MADE) for call in calls for _ in range(2)))
    assert await bench.money("job:job-1") == (240, 0)
