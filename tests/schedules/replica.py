"""One of several servers on one ledger, as a process: `python replica.py URL WORK READY SECONDS`.

It fires what is due and creates the jobs, once all of them are READY; a job's task is not run.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from desk import tick

from genlock.clock import SystemClock
from genlock.engine.engine import Engine
from genlock.ledger.schedules.sql import SqlSchedules
from genlock.ledger.sql import SqlLedger
from genlock.schedules.planner import Planner
from genlock.schedules.timer import ticking


async def main(url: str, work: str, ready: str, seconds: str) -> None:
    clock = SystemClock()
    ledger = await SqlLedger.open(url, clock)
    engine = Engine(ledger, ledger.reader, [tick], {}, clock=clock, work=Path(work))
    planner = Planner(SqlSchedules(ledger, clock), engine)
    print("ready", flush=True)
    while not Path(ready).exists():  # noqa: ASYNC110, ASYNC240 - so that all of them begin at once
        await asyncio.sleep(0.005)
    async with ticking(planner, shared=True):
        await asyncio.sleep(float(seconds))
    await ledger.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
