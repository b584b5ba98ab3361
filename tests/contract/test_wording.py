"""Texts that a database could not keep: what is said to people is escaped, names are refused."""

from __future__ import annotations

import pytest

from genlock.errors import BadInput
from genlock.ledger.records import Failure

ODD, KEPT = "a\0b\ud800 ü", "a\\0b\\ud800 ü"


async def test_what_is_said_to_people_is_kept_whatever_is_in_it(bench):
    await bench.start("a", "b", "c", "d?", edges="")
    failed = await bench.claim("a")
    await bench.ledger.extend(failed, progress=0.5, note=ODD)
    assert (await bench.task("a")).progress_note == KEPT
    await bench.ledger.fail(failed, Failure(ODD, ODD, ODD), retry_at=None)
    assert (await bench.task("a")).error == Failure(KEPT, KEPT, KEPT)
    await bench.ledger.park(await bench.claim("b"), ODD)
    assert (await bench.task("b")).parked_for == KEPT
    await bench.skip("c", ODD)
    assert (await bench.task("c")).reason == KEPT
    await bench.ledger.pause(bench.job, ODD)
    assert (await bench.last("job.paused"))["reason"] == KEPT
    await bench.ledger.resume(bench.job)
    await bench.ledger.cancel(bench.job, ODD)
    assert (await bench.last("job.cancelled"))["reason"] == KEPT
    assert (await bench.last("task.failed"))["message"] == KEPT


async def test_a_name_that_no_ledger_could_keep_is_refused_everywhere(bench):
    await bench.start("a")
    claim = await bench.claim("a")
    before = await bench.row()
    for verb in (
        lambda: bench.ledger.save(claim, ODD, "1"),
        lambda: bench.ledger.park(claim, "waits", signal=ODD),
        lambda: bench.ledger.signal(bench.ref("a"), ODD, "1"),
        lambda: bench.start("a", id="job\0"),
        lambda: bench.start("a", id="job-2", owner="\ud800"),
        lambda: bench.start("a", id="job-2", dedup="\0"),
    ):
        with pytest.raises(BadInput, match="no ledger can keep"):
            await verb()
    assert await bench.row() == before


async def test_the_first_to_share_a_result_stays_whoever_else_does(bench):
    for job in ("one", "two"):
        await bench.start("a", id=job)
        await bench.do(f"{job}:a", f'"{job}"', input_hash="same", share=True)
    assert await bench.reader.shared("same") == '"one"'
