"""`genlock serve`: own the home and run every job in it until told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from genlock.errors import HomeTaken

if TYPE_CHECKING:
    from genlock.bootstrap import Home
    from genlock.cli.session import Interrupt
    from genlock.ledger.records import JobRow
    from genlock.settings import Settings

PAGE = 500


def serve() -> None:
    """Run every job of this home until told to stop.

    SIGTERM and Ctrl-C stop it; jobs go on at the next start.
    """
    from genlock.log import log_to_stderr
    from genlock.cli.session import run_async
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings, at_most="info")

    async def act(interrupt: Interrupt) -> int:
        return await _serve(settings, interrupt)

    raise typer.Exit(run_async(act))


async def _serve(settings: Settings, interrupt: Interrupt) -> int:
    import structlog

    from genlock.cli.session import connect
    from genlock.owner import owner_of

    log = structlog.get_logger("genlock")
    async with connect(settings, command="genlock serve", execute=True) as session:
        if session.home is None:
            raise HomeTaken(
                f"{owner_of(settings) or 'another process'} owns {settings.home} already: a home has one "
                "owner. Set GENLOCK_HOME to serve another home"
            )
        log.info("Checking for orphaned jobs from previous shutdown...")
        await _tell_recovery(session.home)
        await session.open_socket()
        log.info(f"Serving {settings.home} on {settings.socket}")
        await interrupt.asked.wait()
        log.info("Shutting down - pipelines will recover on restart")
    return 0


async def _tell_recovery(home: Home) -> None:
    """Say what goes on from before."""
    import structlog

    log = structlog.get_logger("genlock")
    rows = await _orphans(home)
    if not rows:
        log.info("No orphaned jobs found")
        return
    log.info(f"Found {len(rows)} orphaned jobs, resuming", seconds=round(home.recovery.seconds, 4))
    for row in rows:
        log.info(f"Recovering job {row.id}{_campaign(row)}")


async def _orphans(home: Home) -> list[JobRow]:
    from genlock.ledger.records import JobFilter, JobState

    where = JobFilter(states=frozenset((JobState.PENDING, JobState.RUNNING)))
    found: list[JobRow] = []
    while page := await home.engine.reader.jobs(where, after=found[-1].id if found else None, limit=PAGE):
        found += page
    return found[::-1]


def _campaign(row: JobRow) -> str:
    import json

    campaign = json.loads(row.labels).get("campaignId")
    return f" for campaign {campaign}" if campaign else ""
