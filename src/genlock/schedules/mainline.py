"""The built-in schedule: the main pipeline, registered whenever a server starts."""

from __future__ import annotations

from datetime import timedelta

import structlog

from genlock.errors import BadInput, NotFound
from genlock.ledger.schedules.records import Kind, ScheduleSpec, Timing
from genlock.schedules.planner import Planner
from genlock.schedules.view import Plan
from genlock.span import short_span, told_span

log = structlog.get_logger(__name__)

MAIN, WORKFLOW, NAME, OWNER = "main_pipeline_v2", "main_pipeline", "Main Video Pipeline", "system"
EVERY, PIPELINE = "GENLOCK_MAIN_EVERY", "GENLOCK_MAIN_PIPELINE"


async def register_main(planner: Planner, every: timedelta | None, pipeline: str) -> None:
    """Register the main pipeline without moving its next run if it is there already; None: take it away.

    A pipeline that does not exist is no reason not to serve: the schedule is there, paused, and says what
    to set. It runs as soon as a server starts that has the pipeline.
    """
    if every is None:
        await _take_away(planner)
        return
    plan = Plan(name=NAME, pipeline=pipeline, every=short_span(every), workflow=WORKFLOW)
    unfit = None
    try:
        spec, timing = await planner.planned(MAIN, OWNER, plan)
    except BadInput as error:
        unfit = f"{error}. Set {PIPELINE} to a pipeline, or to script:NAME, and restart"
        spec, timing = _bare(planner, pipeline, every)
    row = await planner.ledger.register(spec, timing, unfit=unfit)
    planner.ring()
    log.info(
        f"Main pipeline job registered successfully: {MAIN} (runs every {told_span(every)})",
        action="register",
        schedule=MAIN,
    )
    if row.is_unfit:
        log.warning(f"{NAME} is paused: it {row.reason}", action="register", schedule=MAIN)


async def _take_away(planner: Planner) -> None:
    try:
        await planner.ledger.remove(MAIN)
    except NotFound:
        return
    log.info(f"{NAME} was taken away: {EVERY} is off", action="register", schedule=MAIN)


def _bare(planner: Planner, pipeline: str, every: timedelta) -> tuple[ScheduleSpec, Timing]:
    """What can be kept of a schedule whose pipeline is not there."""
    now = planner.engine.clock.now()
    spec = ScheduleSpec(
        id=MAIN,
        name=NAME,
        owner=OWNER,
        workflow=WORKFLOW,
        pipeline=pipeline,
        params="{}",
        kind=Kind.INTERVAL,
        expression=f"{every.total_seconds():.0f}",
        zone="UTC",
    )
    return spec, Timing(now, now + every)
