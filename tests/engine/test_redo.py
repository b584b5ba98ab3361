"""Doing finished things again, and no more of them than is touched."""

from __future__ import annotations

import pytest

from genlock import Task, pipeline, provided, stage
from genlock.errors import Conflict, NotFound


class Log(list):
    pass


@stage
async def listing(n: int, *, log: Log = provided()) -> list[int]:
    log.append("listing")
    return list(range(n))


@stage
async def take(i: int, *, log: Log = provided(), task: Task = provided()) -> str:
    log.append(f"take {i}")
    return f"{i}.{task.revision}"


@stage
async def lengths(takes: list[str], *, log: Log = provided()) -> int:
    log.append("lengths")
    return len(takes)


@stage
async def joined(takes: list[str], *, log: Log = provided()) -> str:
    log.append("joined")
    return " ".join(takes)


@stage
async def report(text: str, count: int, *, log: Log = provided()) -> str:
    log.append("report")
    return f"{count}: {text}"


@pipeline
def reel(n: int) -> str:
    takes = take.map(listing(n))
    count = lengths(takes)
    return report(joined(takes), count)


async def test_one_task_done_again_reruns_only_what_its_result_reaches(world):
    log = Log()
    engine = await world.start(reel, tools={Log: log})
    view = await engine.start("reel", {"n": 3})
    assert await engine.result(reel, view.id) == "3: 0.1 1.1 2.1"
    log.clear()
    preview = await engine.redo(view.id, "take/1", dry_run=True)
    assert (preview.redone, preview.dry_run) == (["take/1"], True)
    assert {"take/0", "take/2", "listing"} <= set(preview.kept)
    assert log == []
    done = await engine.redo(view.id, "take/1")
    assert (done.redone, done.maybe, done.kept) == (preview.redone, preview.maybe, preview.kept)
    assert await engine.result(reel, view.id) == "3: 0.1 1.2 2.1"
    assert sorted(log) == ["joined", "lengths", "report", "take 1"]


async def test_what_comes_out_the_same_is_not_passed_on(world):
    log = Log()
    engine = await world.start(reel, tools={Log: log})
    view = await engine.start("reel", {"n": 2})
    await engine.result(reel, view.id)
    log.clear()
    await engine.redo(view.id, "listing")
    assert await engine.result(reel, view.id) == "2: 0.1 1.1"
    assert log == ["listing"]
    kinds = [e.kind for e in await engine.events(view.id, limit=10_000)]
    assert kinds.count("task.kept") == 5


async def test_a_whole_stage_can_be_done_again(world):
    log = Log()
    engine = await world.start(reel, tools={Log: log})
    view = await engine.start("reel", {"n": 2})
    await engine.result(reel, view.id)
    await engine.redo(view.id, "take")
    assert await engine.result(reel, view.id) == "2: 0.2 1.2"


async def test_what_is_not_there_or_not_done_cannot_be_done_again(world):
    engine = await world.start(reel, tools={Log: Log()}, execute=False)
    view = await engine.start("reel", {"n": 2})
    with pytest.raises(NotFound):
        await engine.redo(view.id, "retake")
    with pytest.raises(Conflict):
        await engine.redo(view.id, "listing")


@stage(reuse=True)
async def buy(what: str, *, log: Log = provided(), task: Task = provided()) -> str:
    log.append(f"bought {what}")
    return f"{what} {task.revision}"


@pipeline
def shop(what: str) -> str:
    return buy(what)


async def test_what_one_job_has_made_another_one_reuses_unless_it_is_asked_for_again(world):
    log = Log()
    engine = await world.start(shop, tools={Log: log})
    assert await engine.run(shop, "clip") == await engine.run(shop, "clip") == "clip 1"
    assert await engine.run(shop, "song") == "song 1"
    assert log == ["bought clip", "bought song"]
    newest = (await engine.list())[0]
    await engine.redo(newest.id, "buy")
    assert await engine.result(shop, newest.id) == "song 2"
    assert await engine.run(shop, "song") == "song 1"
