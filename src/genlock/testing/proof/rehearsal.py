"""A small job that a warm process does once: what is worked out at the first use is there for its children.

Most of that are the statements of the ledger, which are put together anew in every process.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from genlock import Task, pipeline, provided, stage
from genlock.bootstrap import open_home
from genlock.ledger.spending import CallFilter
from genlock.settings import load_settings

COUNT = 2


@stage
async def numbers(count: int, *, task: Task = provided()) -> list[int]:
    """So many, by a note."""

    async def make() -> int:
        return count

    return list(range(await task.once("count", make, int)))


@stage
async def double(number: int) -> int:
    """Of each of them."""
    return 2 * number


@stage
async def total(numbers: list[int]) -> int:
    """Of all of them."""
    return sum(numbers)


@pipeline
def rehearsal(count: int) -> int:
    """One of each kind of verb that every job needs."""
    return total(double.map(numbers(count)))


def rehearse() -> None:
    """Do it in a home of its own, and leave nothing behind: no file, no thread."""
    with tempfile.TemporaryDirectory(prefix="genlock-rehearsal-") as folder:
        asyncio.run(_rehearse(Path(folder) / "home"))


async def _rehearse(home: Path) -> None:
    settings = load_settings(home=home, concurrency=1)
    async with open_home(settings, more=[rehearsal]) as opened:
        job = await opened.engine.start(rehearsal.name, {"count": COUNT})
        await opened.engine.result(rehearsal, job.id)
        await opened.engine.show(job.id)
        await opened.engine.reader.awaiting("")
        await opened.engine.reader.calls(CallFilter())
