"""Histories that once came to something wrong, as short as they can be."""

from __future__ import annotations

from genlock.ledger.records import NodeSpec


async def test_a_task_whose_condition_is_false_is_not_let_go_by_another_one_that_is_skipped(bench):
    skipped = [NodeSpec(name, skipped=True) for name in ("a", "b", "c")]
    assert await bench.start(*skipped, "d", edges="a>b b?>c c?>d") == (bench.ref("d"),)
    assert await bench.states() == {"a": "skipped", "b": "skipped", "c": "skipped", "d": "ready"}
    assert (await bench.task("b")).reason == "its condition is false"
