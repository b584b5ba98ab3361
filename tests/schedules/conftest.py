"""A ledger of each kind with a clock to turn, and schedules on it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from genlock.ledger.sql import SqlLedger
from genlock.testing.clock import FakeClock

sys.path.insert(0, str(Path(__file__).parent))

from desk import NOON, Desk


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture(params=["sqlite", "postgres"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    on_server = request.param == "postgres"
    place = request.getfixturevalue("postgres_url") if on_server else tmp_path / "ledger.db"
    ledger = await SqlLedger.open(place, clock)
    yield Desk(ledger, clock, tmp_path / "work")
    await ledger.close()


@pytest.fixture
async def desk_here(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    """On SQLite, for what does not depend on the database."""
    ledger = await SqlLedger.open(tmp_path / "ledger.db", clock)
    yield Desk(ledger, clock, tmp_path / "work")
    await ledger.close()
