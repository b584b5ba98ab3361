"""Waking what waits for code, when a program begins that has it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from genlock.engine.fit import SIGNAL
from genlock.engine.job import Jobs
from genlock.errors import Conflict, NotFound
from genlock.ledger.protocol import Ledger, LedgerReader
from genlock.ledger.records import TaskRef

AT_ONCE = 500  # tasks whose signals may be one transaction


async def wake_fitting(ledger: Ledger, reader: LedgerReader, jobs: Jobs) -> int:
    """Signal to every task that waits for code and has it here; how many there were."""

    async def wake(ref: TaskRef, name: str) -> bool:
        with suppress(Conflict, NotFound):  # cancelled or forgotten meanwhile
            job = await jobs.get(ref.job)
            fits = job.fit(job.graph.nodes[ref.node]).misfit is None
            return fits and await ledger.signal(ref, name, "true")
        return False

    found, woken = await reader.awaiting(SIGNAL), 0
    for start in range(0, len(found), AT_ONCE):
        page = found[start : start + AT_ONCE]
        woken += sum(await asyncio.gather(*(wake(ref, name) for ref, name in page)))
    return woken
