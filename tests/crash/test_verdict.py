"""What a proof judges by: doctored evidence, and time that runs ahead."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genlock.testing.proof.haste import MACHINE, HastyClock, HastyLoop, Pace
from genlock.testing.proof.order import Told
from genlock.testing.proof.sight import Sight
from genlock.testing.proof.verdict import Evidence, Whole, judge
from genlock.testing.simulator import Charge

CALL = {
    "key": "gl_1", "job": "proof", "task": "buy", "name": "clip", "number": 1, "revision": 1,
    "state": "settled", "handle": "v-1",
    "result": '{"files": []}', "spent": 500_000, "reserved": 0, "currency": "USD",
    "scopes": '["job:proof"]',
}  # fmt: skip
CHARGE = Charge(1, 0.0, "kling", "m", "v-1", "gl_1", None, "asked", 500_000, 1)
RESENT = [
    {"job": "proof", "seq": number, "kind": kind, "task": "buy", "data": json.dumps({"call": "gl_1", **data})}
    for number, kind, data in (
        (3, "call.doubt", {"reserved": 500_000}),
        (4, "call.resolved", {"decision": "resend"}),
    )
]
WHOLE = Whole(
    ["commit:1:before"], {"proof/buy/clip": "asked"}, {"asked": 1}, frozenset({"proof/buy"}), 500_000, 1.0
)


def evidence(home: Path) -> Evidence:
    """Of a job with one paid call that was made and charged, and was killed when all was done."""
    sight = Sight(
        tasks={"proof/buy": {"state": "done", "output": '"clip"'}},
        events={
            "proof": [
                {"job": "proof", "seq": 1, "kind": "task.claimed", "task": "buy", "data": "{}"},
                {"job": "proof", "seq": 2, "kind": "task.done", "task": "buy", "data": "{}"},
            ]
        },
        notes={"proof/buy/once:seed": "4"},
        calls={"gl_1": {**CALL}},
        budgets={"job:proof": {"spent": 500_000, "reserved": 0}},
    )
    told = Told(state="completed")
    return Evidence([(sight, [CHARGE])], sight, [CHARGE], told, home, may_doubt=True)


def resent(after: Sight) -> Sight:
    """The same, if its call was in doubt once and somebody had it sent again."""
    return replace(after, events={"proof": [*after.events["proof"], *RESENT]})


def test_a_job_with_nothing_wrong_is_found_to_be_so(tmp_path: Path) -> None:
    assert judge(evidence(tmp_path), WHOLE).complaints == []


def test_what_is_lost_or_changed_is_found(tmp_path: Path) -> None:
    whole = evidence(tmp_path)
    after = replace(
        whole.after,
        tasks={"proof/buy": {"state": "done", "output": '"another"'}},
        events={"proof": whole.after.events["proof"][:1]},
        notes={},
        calls={"gl_1": {**CALL, "result": '{"files": [1]}'}},
    )
    assert judge(replace(whole, after=after), WHOLE).lost == [
        "the history of proof has changed",
        "the note proof/buy/once:seed is gone or another one",
        "proof/buy was done and has come to something else",
        "the answer of proof/buy/clip is gone or another one",
    ]


def test_what_was_done_and_is_done_again_is_found(tmp_path: Path) -> None:
    whole = evidence(tmp_path)
    again = {"job": "proof", "seq": 3, "kind": "task.claimed", "task": "buy", "data": "{}"}
    after = replace(whole.after, events={"proof": [*whole.after.events["proof"], again]})
    assert judge(replace(whole, after=after), WHOLE).repeated == ["proof/buy was done and was claimed again"]


def test_a_second_charge_is_found_unless_a_person_accepted_it(tmp_path: Path) -> None:
    twice = replace(evidence(tmp_path), charges=[CHARGE, replace(CHARGE, number=2, id="v-2")])
    verdict = judge(twice, WHOLE)
    assert verdict.charged_twice == ["proof/buy/clip was charged 2 times"]
    assert verdict.money == ["of what was charged or is at risk, the ledger has $0.50 less"]
    assert judge(replace(twice, after=resent(twice.after)), WHOLE).charged_twice == []


def test_what_was_sent_again_costs_what_the_book_says_in_the_end_whenever_it_was_charged(
    tmp_path: Path,
) -> None:
    once = evidence(tmp_path)
    calls = {"gl_1": {**CALL, "spent": 1_000_000}}
    budgets = {"job:proof": {"spent": 1_000_000, "reserved": 0}}
    spent = replace(once.after, calls=calls, budgets=budgets)
    risky = replace(once, after=resent(spent))
    assert judge(risky, WHOLE).money == [], "the first sending was never charged for"
    late = replace(risky, charges=[CHARGE, replace(CHARGE, number=2, id="v-2")])
    assert judge(late, WHOLE).money == [], "it was, after somebody had decided"
    assert judge(replace(late, after=spent), WHOLE).charged_twice


def test_files_that_are_missing_or_not_what_they_are_called_are_found(tmp_path: Path) -> None:
    names = ["a" * 64, "b" * 64]
    files = [{"sha256": name, "size": 1, "media_type": "video/mp4"} for name in names]
    whole = evidence(tmp_path)
    (tmp_path / "objects" / "bb").mkdir(parents=True)
    (tmp_path / "objects" / "bb" / names[1]).write_text("something else")
    after = replace(
        whole.after, tasks={"proof/buy": {"state": "done", "output": json.dumps({"clips": files})}}
    )
    assert judge(replace(whole, after=after), WHOLE).damaged == [
        "artifact aaaaaaaaaaaa is missing",
        "artifact bbbbbbbbbbbb is not what it was",
    ]


def test_a_job_that_nobody_finished_and_a_doubt_that_need_not_be_are_found(tmp_path: Path) -> None:
    whole = evidence(tmp_path)
    doubt = {
        "job": "proof",
        "seq": 3,
        "kind": "call.doubt",
        "task": "buy",
        "data": '{"call": "gl_1", "reserved": 1}',
    }
    after = replace(
        whole.after,
        events={"proof": [*whole.after.events["proof"], doubt]},
        calls={"gl_1": {**CALL, "state": "accepted"}},
    )
    verdict = judge(replace(whole, after=after, told=None, may_doubt=False), WHOLE)
    assert verdict.unfinished == [
        "nobody carried the job to its end",
        "call gl_1 of proof/buy/clip is still accepted",
    ]
    assert verdict.needless == ["1 doubts, although the vendor can be asked"]


# Time


def in_haste(work: Callable[[HastyClock], Coroutine[Any, Any, Any]], speed: float = 1000.0) -> Any:
    pace = Pace(speed)
    clock = HastyClock(pace, datetime(2026, 1, 1, tzinfo=UTC))
    with asyncio.Runner(loop_factory=lambda: HastyLoop(pace)) as runner:
        return runner.run(work(clock))


def test_waiting_takes_a_fraction_of_what_it_says_and_exactly_that_by_its_own_clock() -> None:
    async def work(clock: HastyClock) -> timedelta:
        began = clock.now()
        await clock.sleep(3600)
        return clock.now() - began

    began = MACHINE.monotonic()
    passed = in_haste(work, 100_000.0)
    assert timedelta(hours=1) <= passed < timedelta(hours=1, seconds=30)
    assert MACHINE.monotonic() - began < 30


def test_what_has_arrived_comes_before_what_comes_due() -> None:
    """However long the machine was busy elsewhere: an answer that is there is no time-out."""

    async def work(clock: HastyClock) -> bytes:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            answer = asyncio.ensure_future(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                theirs.send(b"here")
                time.sleep(0.05)  # noqa: ASYNC251 - 50 seconds at this speed, if they counted
                return await answer

    assert in_haste(work) == b"here"


def test_a_clock_that_is_set_back_goes_on_from_there() -> None:
    async def work(clock: HastyClock) -> tuple[timedelta, float]:
        shown, measured = clock.now(), clock.monotonic()
        clock.jump(timedelta(hours=-5))
        await clock.sleep(60)
        return clock.now() - shown, clock.monotonic() - measured

    moved, measured = in_haste(work)
    assert timedelta(hours=-5) < moved < timedelta(hours=-4, minutes=-50)
    assert measured >= 60
