"""From a firing to its job: once, although it may be tried by several processes, or again after a crash."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from genlock.engine.purse import SCHEDULE
from genlock.engine.service import JobService
from genlock.errors import GenlockError, LedgerError, OwnerError
from genlock.ledger.schedules.protocol import ScheduleLedger
from genlock.ledger.schedules.records import FiringRow, ScheduleRow, ScheduleState

log = structlog.get_logger(__name__)

DUE = "due"  # the label of a job that says for which due time it was started


Opener = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Given a pipeline's name and parameters as they were planned: those that its job is started with."""


async def as_they_are(pipeline: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `Opener` where nothing has to be opened."""
    del pipeline
    return params


@dataclass(frozen=True)
class Starter:
    """Starts jobs for firings. The job's `dedup` names schedule and due time, so there is one a firing.

    Assets are planned by their ids and opened here: their files lie elsewhere by then if the home was moved,
    or on another server.
    """

    ledger: ScheduleLedger
    jobs: JobService
    opened: Opener = as_they_are

    async def start(self, row: ScheduleRow, firing: FiringRow) -> str | None:
        """The job, or None if it cannot be started, which counts as a failure of the schedule."""
        spec, due = row.spec, f"{firing.due_at:%Y-%m-%dT%H:%M:%S.%fZ}"
        try:
            job = await self.jobs.start(
                spec.pipeline,
                await self.opened(spec.pipeline, json.loads(spec.params)),
                owner=spec.owner,
                dedup=f"schedule:{spec.id}/{due}",
                labels={SCHEDULE: spec.id, DUE: due},
            )
        except (LedgerError, OwnerError):
            raise  # nothing is wrong with the schedule: it is tried again
        except GenlockError as error:
            await self._refuse(row, firing, str(error))
            return None
        except Exception as error:  # one that never starts must not hold up the others
            log.exception("a fault of genlock's own", action="fire", schedule=spec.id)
            await self._refuse(row, firing, f"a fault of genlock's own: {type(error).__name__}: {error}")
            return None
        await self.ledger.begin(spec.id, firing.due_at, job.id)
        log.info(f"Running {spec.name}", action="fire", schedule=spec.id, job=job.id, due=due)
        return job.id

    async def _refuse(self, row: ScheduleRow, firing: FiringRow, reason: str) -> None:
        after = await self.ledger.refuse(row.id, firing.due_at, reason)
        log.error(f"{row.spec.name} could not be started", action="fire", schedule=row.id)
        log.error(f"Error: {reason}", action="fire", schedule=row.id)
        if after is not None:
            tell_pause(after)


def tell_pause(row: ScheduleRow) -> None:
    """Say that a schedule has paused itself, if it has."""
    if row.state is ScheduleState.PAUSED and row.failures:
        log.warning(f"{row.spec.name} is paused: {row.reason}", action="pause", schedule=row.id)
