"""Schedules put together from the settings of a home."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from genlock.engine.engine import Engine
from genlock.ledger.schedules.protocol import ScheduleLedger
from genlock.schedules.mainline import EVERY, MAIN, register_main
from genlock.schedules.planner import Check, Planner
from genlock.schedules.starter import Opener
from genlock.schedules.timer import ticking
from genlock.settings import Settings


def planner_of(
    settings: Settings, book: ScheduleLedger, engine: Engine, checks: Mapping[str, Check], opener: Opener
) -> Planner:
    """What plans the schedules of a home."""
    built_in = {} if settings.main_every is None else {MAIN: EVERY}
    return Planner(book, engine, checks=checks, built_in=built_in, opener=opener)


@asynccontextmanager
async def keep_time(settings: Settings, planner: Planner) -> AsyncIterator[None]:
    """While this lasts, schedules fire; the main pipeline's is registered first."""
    await register_main(planner, settings.main_every, settings.main_pipeline)
    async with ticking(planner, shared=settings.database_url is not None):
        yield
