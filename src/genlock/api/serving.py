"""A home in service: what was left is told and goes on, it is watched over, and its socket is open."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from genlock.api.dependency import Services
from genlock.api.listener import answering
from genlock.api.oversight import oversee
from genlock.bootstrap import Home, scheduled
from genlock.ledger.library.records import CAMPAIGN
from genlock.ledger.records import JobFilter, JobRow, JobState
from genlock.owner import Ownership

log = structlog.get_logger("genlock")
PAGE = 500  # jobs read at a time
FAREWELL = "Shutting down - pipelines will recover on restart"


@asynccontextmanager
async def serving(home: Home, ownership: Ownership) -> AsyncIterator[Services]:
    """What an application for everybody is made around, for as long as this lasts."""
    log.info("Checking for orphaned jobs from previous shutdown...")
    await _tell_recovery(home)
    await _welcome(home)
    async with oversee(home) as oversight, scheduled(home):
        services = replace(Services.of(home), oversight=oversight)
        own = replace(Services.of(home, trusted=True), oversight=oversight, channels=services.channels)
        async with answering(ownership, lambda: own):
            log.info(f"Serving {home.settings.home} on {home.settings.socket}")
            try:
                yield services
            finally:
                services.stop()
                log.info(FAREWELL)


async def _welcome(home: Home) -> None:
    """The first admin's token, the first time. It is for whoever reads this, and in no log of ours."""
    token = await home.access.welcome()
    if token is not None:
        print(f"The admin's token, which is shown only now: {token}", file=sys.stderr, flush=True)  # noqa: T201


async def _tell_recovery(home: Home) -> None:
    rows = await _orphans(home)
    if not rows:
        log.info("No orphaned jobs found")
        return
    log.info(f"Found {len(rows)} orphaned jobs, resuming", seconds=round(home.recovery.seconds, 4))
    for row in rows:
        log.info(f"Recovering job {row.id}{_campaign(row)}")


async def _orphans(home: Home) -> list[JobRow]:
    if home.settings.database_url is not None:  # what else is at work, is at work elsewhere
        return [await home.engine.reader.job(job) for job in home.recovery.jobs]
    where = JobFilter(states=frozenset((JobState.PENDING, JobState.RUNNING)))
    found: list[JobRow] = []
    while page := await home.engine.reader.jobs(where, after=found[-1].id if found else None, limit=PAGE):
        found += page
    return found[::-1]


def _campaign(row: JobRow) -> str:
    campaign = json.loads(row.labels).get(CAMPAIGN)
    return f" for campaign {campaign}" if campaign else ""
