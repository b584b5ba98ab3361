"""A home in service with a pipeline of its own, as `genlock serve` has it, in a process to be killed.

python tests/service.py HOME PORT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from genlock import pipeline, stage
from genlock.api.listener import bind
from genlock.api.server import Server
from genlock.api.serving import serving
from genlock.bootstrap import open_home
from genlock.log import log_to_stderr
from genlock.owner import Ownership
from genlock.settings import Settings

WORK = 0.1  # seconds of each task


@stage
async def count(number: int) -> list[int]:
    await asyncio.sleep(WORK)
    return list(range(number))


@stage
async def double(one: int) -> int:
    await asyncio.sleep(WORK)
    return 2 * one


@stage
async def total(doubled: list[int]) -> int:
    await asyncio.sleep(WORK)
    return sum(doubled)


@pipeline
def doubling(number: int) -> int:
    return total(double.map(count(number)))


async def main(home: Path, port: int) -> None:
    settings = Settings(home=home, concurrency=8, reclaims=1000, log_level="error")
    log_to_stderr(settings)
    ownership = Ownership.take(settings)
    assert ownership is not None, "whoever had the home was killed before this was started"
    with ownership, bind("127.0.0.1", port) as bound:
        async with open_home(settings, more=[doubling]) as opened, serving(opened, ownership) as services:
            await Server(services).serve(bound)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
