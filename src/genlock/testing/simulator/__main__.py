"""`python -m genlock.testing.simulator`: prints its address, and ends with the process that started it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from genlock.testing.simulator.server import serve
from genlock.testing.simulator.world import World

_WATCH = 0.25  # seconds between two looks at whether the parent is still there


async def run(port: int, state: Path | None) -> None:
    """Serve until a signal ends it or the parent is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_outlive_nobody(os.getppid(), stop))
    await serve(port, state, _started, stop)
    watching.cancel()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m genlock.testing.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes one that is free")
    parser.add_argument("--state", type=Path, help="folder in which to keep what happened, and find it again")
    given = parser.parse_args()
    asyncio.run(run(given.port, given.state))


def _started(world: World, port: int) -> None:
    del world
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()


async def _outlive_nobody(parent: int, stop: asyncio.Event) -> None:
    """A parent that is gone leaves its children to another: then there is nobody to serve."""
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(_WATCH)
    stop.set()


if __name__ == "__main__":
    main()
