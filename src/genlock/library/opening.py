"""A library put together from the settings of a home."""

from __future__ import annotations

import random
from typing import Protocol

from genlock.clock import Clock
from genlock.ledger.library.protocol import Library as LibraryLedger
from genlock.ledger.library.protocol import LibraryReader
from genlock.library.address import Allowed
from genlock.library.fetch import Fetcher
from genlock.library.lending import Lending
from genlock.library.library import Library
from genlock.library.limit import Limits
from genlock.library.reception import Reception
from genlock.library.shelf import Shelf
from genlock.media.operation import MODULES
from genlock.media.pool import RenderPool
from genlock.settings import Settings
from genlock.store.artifact import Store

LOOK = "portray_picture"
ARRIVALS = "arrivals"  # in the folder for work under way, which is emptied when a home is opened


class Rows(LibraryLedger, LibraryReader, Protocol):
    """Both halves of the library's ledger."""


def pool_of(settings: Settings) -> RenderPool:
    """Processes of the library's own that look at pictures, which start with the first one: a person who
    waits for an upload does not queue behind a film's frames. To be closed.
    """
    return RenderPool(
        workers=max(1, settings.cpu // 2),
        memory=settings.child_memory_mb << 20,
        stall=settings.child_stall.total_seconds(),
        nice=0,
        modules={LOOK: MODULES[LOOK]},
    )


def library_of(
    settings: Settings, rows: Rows, store: Store, clock: Clock, lending: Lending, pool: RenderPool
) -> Library:
    """The library of a home, which looks at pictures in the processes of `pool`."""
    reception = Reception(
        pool,
        store,
        settings.work / ARRIVALS,
        pixels=settings.upload_pixels,
        reserve=settings.disk_reserve,
    )
    fetcher = Fetcher(
        largest=settings.upload_mb << 20,
        seconds=settings.fetch_time.total_seconds(),
        allowed=Allowed(settings.fetch_allow.split(",")),
    )
    shelf, rng, limits = Shelf(settings.shelf), random.SystemRandom(), Limits.of(settings)
    return Library(rows, rows, store, reception, fetcher, shelf, clock, rng, limits=limits, lending=lending)
