"""A home whose ledger is on a database server, which goes away while clips are bought."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

import shop
from genlock import open_engine
from genlock.engine.engine import Engine
from genlock.errors import BadInput
from genlock.settings import load_settings
from genlock.testing.postgres import Server
from genlock.testing.proof.charge import charges_in, counted
from genlock.testing.proof.stand import Stand
from genlock.testing.simulator import SimulatorProcess


@pytest.fixture
def vendors(tmp_path: Path) -> Any:
    with SimulatorProcess(state=tmp_path / "vendors", work=0.3, width=64, frames=6, fps=12) as vendors:
        yield vendors


def settings(vendors: SimulatorProcess, server: Server, home: Path) -> dict[str, Any]:
    stand = Stand.of("findable")
    for name, rate in stand.rates.items():
        vendors.price(name, rate)
    return {**stand.settings(vendors), "home": home, "database_url": server.url}


async def bought(engine: Engine, count: int) -> None:
    """Until so many requests have been accepted."""
    async for event in engine.watch("reel-1"):
        count -= event.kind == "call.accepted"
        if count == 0:
            return


async def test_a_server_that_is_stopped_and_started_again_costs_nothing_twice(
    own_server: Server, vendors: SimulatorProcess, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with open_engine([shop.reel], **settings(vendors, own_server, home)) as engine:
        await engine.start("reel", {"count": 3}, id="reel-1")
        async with asyncio.timeout(60):
            await bought(engine, 2)
            own_server.stop(signal.SIGQUIT)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(own_server.start)
            clips = await engine.result(shop.reel, "reel-1")
        (cost,) = await engine.accounts.costs("job")
    assert len(clips) == 3
    charges = charges_in(tmp_path / "vendors")
    assert set(counted(charges).values()) == {1}
    assert cost.micros["spent"] == sum(charge.amount for charge in charges)
    assert not (home / "ledger.db").exists()


async def test_what_one_process_leaves_another_finds_on_the_server(
    own_server: Server, vendors: SimulatorProcess, tmp_path: Path
) -> None:
    chosen = settings(vendors, own_server, tmp_path / "home")
    async with open_engine([shop.reel], **chosen) as engine:
        await engine.start("reel", {"count": 1}, id="reel-1")
        first = await engine.result(shop.reel, "reel-1")
    async with open_engine([shop.reel], **chosen) as engine:
        assert await engine.result(shop.reel, "reel-1") == first


def test_only_a_postgresql_address_is_taken_and_its_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"GENLOCK_DATABASE_URL: .*postgresql://user@host/name") as caught:
        load_settings(database_url="mysql://me:secret@there/it")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(load_settings(database_url="postgresql://me:secret@there/it"))
