"""A job as it is shown, put together once for each event of it, however many look."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import NamedTuple

from genlock.clock import Clock
from genlock.engine.job import Jobs
from genlock.engine.present import present_job
from genlock.engine.value import Values
from genlock.engine.views import JobView
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import JobRow, JobState, TaskState

KEPT = 1024  # jobs that are looked at
FOR = 1.0  # seconds; rows of very large jobs go on changing for a moment after the event that tells of it
RUNNING = 200  # tasks at work that are looked at for a job's progress


class _Kept(NamedTuple):
    row: JobRow
    at: float
    view: JobView


class Snapshots:
    """Everything that is shown of a job changes with an event, so a job whose newest event is known has not
    changed. What is asked of the ledger then is its own row, which tells.
    """

    def __init__(self, reader: LedgerReader, jobs: Jobs, values: Values, clock: Clock) -> None:
        self._reader, self._jobs, self._values, self._clock = reader, jobs, values, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._making: dict[str, tuple[JobRow, asyncio.Task[JobView]]] = {}

    async def of(self, row: JobRow) -> JobView:
        """The job of this row, without what it has cost."""
        kept = self._kept.get(row.id)
        if kept is not None and kept.row == row and self._clock.monotonic() - kept.at < FOR:
            return kept.view
        return await asyncio.shield(self._begun(row))

    def _begun(self, row: JobRow) -> asyncio.Task[JobView]:
        """Whoever asks for the same while it is made waits for the same."""
        known = self._making.get(row.id)
        if known is not None and known[0] == row:
            return known[1]
        task = asyncio.create_task(self._keep(row), name=f"genlock-snapshot {row.id}")
        self._making[row.id] = row, task
        task.add_done_callback(lambda ended: self._ended(row, ended))
        return task

    def _ended(self, row: JobRow, task: asyncio.Task[JobView]) -> None:
        if self._making.get(row.id, (None, None))[1] is task:
            del self._making[row.id]
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more

    async def _keep(self, row: JobRow) -> JobView:
        view = await self._make(row)
        self._kept[row.id] = _Kept(row, self._clock.monotonic(), view)
        self._kept.move_to_end(row.id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return view

    async def _make(self, row: JobRow) -> JobView:
        job = self._jobs.of(row)
        nodes = {task.ref.node: task for task in await self._reader.nodes(row.id)}
        states = {TaskState.RUNNING}
        running = () if row.state.finished else await self._reader.tasks(row.id, states=states, limit=RUNNING)
        result = await self._values.result(job) if row.state is JobState.COMPLETED else None
        return present_job(row, job.graph, nodes, await self._reader.counts(row.id), running, result)
