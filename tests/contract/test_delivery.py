"""Reports of providers: kept once, matched by key or id, heard by the task that waits, on every ledger."""

from __future__ import annotations

import asyncio

from genlock.ledger.spending import Delivery, Settlement


async def parked(bench, *, accept: bool = True):
    """A task that waits for its call."""
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await (bench.accepted(claim) if accept else bench.call(claim))
    await bench.ledger.park(claim, "is made", signal=f"call:{call.key}")
    return call


async def test_a_report_wakes_the_task_that_waits_for_it(bench):
    call = await parked(bench)
    assert await bench.job_state() == "waiting"
    report = Delivery("acme", "d-1", '{"status":"done"}', key=call.key)
    assert await bench.ledger.deliver(report) is True
    assert (await bench.state("clip"), await bench.job_state()) == ("ready", "running")
    assert await bench.reader.notes(bench.ref("clip")) == {}
    assert await bench.reader.deliveries(key=call.key) == [report]
    assert (await bench.last("call.delivered"))["id"] == "d-1"


async def test_a_report_may_name_the_id_of_the_provider_alone(bench):
    call = await parked(bench)
    assert await bench.ledger.deliver(Delivery("other", "d-1", "{}", handle=call.handle)) is True
    assert await bench.state("clip") == "parked", "another provider's id"
    assert await bench.ledger.deliver(Delivery("acme", "d-1", "{}", handle=call.handle)) is True
    assert await bench.state("clip") == "ready"
    assert len(await bench.reader.deliveries(handle=call.handle)) == 2


async def test_a_report_counts_once(bench):
    call = await parked(bench)
    reports = [Delivery("acme", "d-1", "{}", key=call.key) for _ in range(3)]
    first = await asyncio.gather(*(bench.ledger.deliver(report) for report in reports))
    assert sorted(first) == [False, False, True]
    assert len(await bench.reader.deliveries(key=call.key)) == 1
    assert (await bench.kinds("clip")).count("call.delivered") == 1


async def test_a_report_that_comes_before_the_task_has_parked_is_heard_once(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.accepted(claim)
    await bench.ledger.deliver(Delivery("acme", "d-1", "{}", key=call.key))
    advance = await bench.ledger.park(claim, "is made", signal=f"call:{call.key}")
    assert bench.keys(advance.ready) == ["clip"]
    claim = await bench.claim("clip")
    assert bench.keys((await bench.ledger.park(claim, "is made", signal=f"call:{call.key}")).ready) == []
    assert await bench.state("clip") == "parked"


async def test_a_report_may_outrun_the_answer_it_is_about(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.call(claim)
    report = Delivery("acme", "d-1", '{"status":"done"}', handle="h-1")
    assert await bench.ledger.deliver(report) is True
    assert await bench.reader.deliveries(handle="h-1") == [report]
    await bench.ledger.accept(call.key, 1, "h-1")
    advance = await bench.ledger.park(claim, "is made", signal=f"call:{call.key}")
    assert bench.keys(advance.ready) == ["clip"]


async def test_a_report_about_nothing_known_is_kept(bench):
    report = Delivery("acme", "d-1", "{\0}", key="gl_nothing", handle="h-9")
    assert await bench.ledger.deliver(report) is True
    assert await bench.ledger.deliver(report) is False
    (kept,) = await bench.reader.deliveries(key="gl_nothing")
    assert (kept.body, kept.handle) == ("{\\0}", "h-9")
    assert await bench.reader.deliveries(handle="h-9", key="other") == [kept]
    assert await bench.reader.deliveries() == []


async def test_a_report_about_a_task_that_does_not_wait_changes_nothing_else(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.settled(claim)
    await bench.ledger.succeed(claim, "1")
    assert await bench.ledger.deliver(Delivery("acme", "d-1", "{}", key=call.key)) is True
    assert (await bench.state("clip"), await bench.job_state()) == ("done", "completed")
    assert await bench.reader.call(call.key) == call


async def test_old_reports_go_with_the_jobs_they_are_about(bench):
    await bench.start("clip")
    claim = await bench.claim("clip")
    call = await bench.settled(claim)
    await bench.ledger.succeed(claim, "1")
    await bench.start("clip", id="job-2")
    other = await bench.accepted(await bench.claim("job-2:clip"))
    for number, key in enumerate((call.key, other.key, "gl_nothing")):
        await bench.ledger.deliver(Delivery("acme", f"d-{number}", "{}", key=key))
    bench.clock.turn(10)
    assert await bench.ledger.forget(bench.clock.now()) == ["job-1"]
    assert await bench.reader.deliveries(key=call.key) == []
    assert await bench.reader.deliveries(key="gl_nothing") == []
    assert len(await bench.reader.deliveries(key=other.key)) == 1
    await bench.ledger.settle(other.key, Settlement(False, None, computed=True))
