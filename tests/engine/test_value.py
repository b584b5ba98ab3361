"""What the children of a map have in common is read once, and is never an old value."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from genlock import pipeline, provided, stage
from genlock.ledger.records import TaskRef


class Log(list):
    pass


class Style(dict):
    """What the style stage says today."""


@stage
async def choose(n: int, *, style: Style = provided()) -> list[str]:
    return [style["name"]]


@stage
async def draw(i: int, style: list[str], *, log: Log = provided()) -> str:
    log.append(f"{i} {style}")
    style.append("spoilt")
    await asyncio.sleep(0.001)
    return f"{i} {style[0]}"


@pipeline
def album(items: list[int]) -> list[str]:
    return draw.map(items, choose(0))


class CountingReader:
    """Counts how often each output is read."""

    def __init__(self, reader) -> None:
        self._reader, self.read = reader, []

    def __getattr__(self, name):
        return getattr(self._reader, name)

    async def output(self, ref: TaskRef):
        self.read.append(ref.key)
        return await self._reader.output(ref)


async def test_children_share_one_reading_and_each_has_a_value_of_its_own(world):
    world.reader = CountingReader(world.reader)
    log = Log()
    engine = await world.start(album, tools={Log: log, Style: Style(name="oil")})
    assert await engine.run(album, [0, 1, 2, 3]) == [f"{i} oil" for i in range(4)]
    assert sorted(log) == [f"{i} ['oil']" for i in range(4)]
    assert world.reader.read.count("choose") == 1


async def test_after_a_redo_upstream_no_child_sees_the_old_value_however_late_it_begins(world, until):
    log, style = Log(), Style(name="oil")
    engine = await world.start(album, tools={Log: log, Style: style}, concurrency=1)
    view = await engine.start("album", {"items": list(range(12))})
    await until(lambda: len(log) >= 3, "some children")
    style["name"] = "ink"
    await engine.redo(view.id, "choose")
    assert await engine.result(album, view.id) == [f"{i} ink" for i in range(12)]
    style["name"] = "chalk"
    await engine.redo(view.id, "choose")
    assert await engine.result(album, view.id) == [f"{i} chalk" for i in range(12)]


async def test_a_job_under_the_id_of_a_forgotten_one_has_its_own_values(world):
    style = Style(name="oil")
    engine = await world.start(album, tools={Log: Log(), Style: style})
    await engine.start("album", {"items": [1]}, id="mine")
    assert await engine.result(album, "mine") == ["1 oil"]
    assert await engine.forget(world.clock.now() + timedelta(seconds=1)) == ["mine"]
    style["name"] = "ink"
    await engine.start("album", {"items": [2, 3]}, id="mine")
    assert await engine.result(album, "mine") == ["2 ink", "3 ink"]
