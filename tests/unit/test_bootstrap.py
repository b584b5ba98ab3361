"""A home is closed as a whole, however it is left."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from genlock import pipeline, provided, stage
from genlock.bootstrap import open_home
from genlock.errors import GraphError
from genlock.settings import load_settings


class Camera:
    pass


@stage
async def shoot(n: int, *, camera: Camera = provided()) -> int:
    return n


@pipeline
def filmed(n: int) -> int:
    return shoot(n)


class Begun(asyncio.Event):
    pass


@stage
async def slow_to_stop(n: int, *, begun: Begun = provided()) -> int:
    begun.set()
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.2)
    return n


@pipeline
def slow(n: int) -> int:
    return slow_to_stop(n)


def _writers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "genlock-ledger"]


async def test_a_home_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="camera"):
        async with open_home(load_settings(home=tmp_path), more=[filmed]):
            pass
    assert _writers() == []


async def test_a_home_whose_closing_is_called_off_gives_its_tasks_back_and_is_closed(tmp_path: Path) -> None:
    settings, begun = load_settings(home=tmp_path, grace=30), Begun()

    async def work() -> None:
        async with open_home(settings, more=[slow], tools={Begun: begun}) as home:
            await home.engine.start("slow", {"n": 1}, id="mine")
            await asyncio.sleep(3600)

    working = asyncio.create_task(work())
    async with asyncio.timeout(30):
        await begun.wait()
        working.cancel()  # it lets the body finish for a while …
        await asyncio.sleep(0.1)
        working.cancel()  # … and now it does not
        with pytest.raises(asyncio.CancelledError):
            await working
    assert _writers() == []
    async with open_home(settings, more=[slow], tools={Begun: begun}, execute=False) as home:
        [task] = await home.engine.tasks("mine")
        assert (task.state, task.reclaims) == ("ready", 0)
