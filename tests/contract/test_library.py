"""Clients, campaigns and assets in every database: whose they are, what is one, and what is in the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from genlock.errors import Conflict, NotFound
from genlock.ledger.library.records import CAMPAIGN, NewAsset, NewCampaign, NewClient, Sought
from genlock.ledger.library.sql import SqlLibrary
from genlock.ledger.records import JobSpec, NodeSpec
from genlock.ledger.sql import SqlLedger


def asset(id: str, owner: str = "ann", **more: Any) -> NewAsset:
    given = {"sha256": "a" * 64, "thumbnail": "b" * 64, "thumbnail_size": 9, "name": f"{id}.jpg", **more}
    return NewAsset(id, owner, media_type="image/jpeg", size=10, width=4, height=3, **given)


@pytest.fixture
async def ledgers(place: Any, clock: Any) -> AsyncIterator[list[SqlLedger]]:
    """Two processes' ledgers on a server, or one that owns its file."""
    opened = [await SqlLedger.open(place, clock) for _ in range(1 if isinstance(place, Path) else 2)]
    yield opened
    for each in opened:
        await each.close()


@pytest.fixture
async def books(ledgers: list[SqlLedger]) -> SqlLibrary:
    found = SqlLibrary(ledgers[0])
    await found.add_client(NewClient("cl_1", "ann", "Ärzte"))
    await found.add_campaign(NewCampaign("ca_1", "ann", "Spring", "cl_1", '{"a":1}'))
    return found


async def test_what_was_written_is_read(books: SqlLibrary, clock: Any) -> None:
    client, campaign = await books.client("cl_1", "ann"), await books.campaign("ca_1", None)
    assert (client.name, client.details, campaign.client, campaign.details) == (
        "Ärzte",
        "{}",
        "cl_1",
        '{"a":1}',
    )
    assert client.created_at == client.updated_at == campaign.created_at
    kept = await books.add_asset(asset("as_1", tags=("ä", "b"), colours=("#000000",), campaign="ca_1"))
    assert kept.fresh
    assert kept.asset == await books.asset("as_1", "ann")
    assert (kept.asset.tags, kept.asset.colours) == (("ä", "b"), ("#000000",))
    clock.turn(5)
    changed = await books.update_asset("as_1", "ann", name="x.jpg", campaign=None, tags=["c"])
    assert (changed.name, changed.campaign, changed.tags) == ("x.jpg", None, ("c",))
    assert changed.updated_at > changed.created_at


async def test_somebody_elses_is_not_there(books: SqlLibrary) -> None:
    await books.add_asset(asset("as_1"))
    for look in (books.client("cl_1", "bob"), books.campaign("ca_1", "bob"), books.asset("as_1", "bob")):
        with pytest.raises(NotFound, match="there is no"):
            await look
    for act in (
        books.update_client("cl_1", "bob", name="x", details="{}"),
        books.delete_client("cl_1", "bob"),
        books.update_campaign("ca_1", "bob", name="x", client=None, details="{}"),
        books.delete_campaign("ca_1", "bob"),
        books.update_asset("as_1", "bob", name="x", campaign=None, tags=[]),
        books.delete_asset("as_1", "bob"),
        books.add_campaign(NewCampaign("ca_2", "bob", "Autumn", "cl_1")),
        books.add_asset(asset("as_2", "bob", campaign="ca_1")),
    ):
        with pytest.raises(NotFound, match="there is no"):
            await act
    assert await books.assets(Sought(owner="bob")) == []


async def test_the_same_picture_is_one_asset_whoever_comes_first(
    ledgers: list[SqlLedger], books: SqlLibrary
) -> None:
    hands = [SqlLibrary(each) for each in ledgers]
    for campaign in (None, "ca_1"):
        adding = [
            hands[number % len(hands)].add_asset(asset(f"as_{campaign}_{number}", campaign=campaign))
            for number in range(12)
        ]
        kept = await asyncio.gather(*adding)
        assert len({each.asset.id for each in kept}) == 1
        assert [each.fresh for each in kept].count(True) == 1
    await books.add_asset(asset("as_bob", "bob"))
    assert len(await books.assets()) == 3
    moved = await books.assets(Sought(campaign="ca_1"))
    with pytest.raises(Conflict, match="has the same picture already"):
        await books.update_asset(moved[0].id, "ann", name="x", campaign=None, tags=[])


async def test_nothing_is_deleted_that_something_hangs_on(
    ledgers: list[SqlLedger], books: SqlLibrary
) -> None:
    await books.add_asset(asset("as_1", campaign="ca_1"))
    with pytest.raises(Conflict, match="client 'Ärzte' still has campaigns: Spring"):
        await books.delete_client("cl_1", "ann")
    with pytest.raises(Conflict, match=r"campaign 'Spring' still has assets: as_1\.jpg"):
        await books.delete_campaign("ca_1", "ann")
    await books.delete_asset("as_1", "ann")
    spec = JobSpec("job-1", "p", "{}", "{}", [NodeSpec("a")], [], labels=f'{{"{CAMPAIGN}":"ca_1"}}')
    await ledgers[0].create_job(spec)
    with pytest.raises(Conflict, match="jobs in progress are made from campaign 'Spring': job-1"):
        await books.delete_campaign("ca_1", "ann")
    await ledgers[0].cancel("job-1")
    await books.delete_campaign("ca_1", "ann")
    await books.delete_client("cl_1", "ann")
    assert await books.clients() == []


async def test_a_client_that_is_deleted_gets_no_campaign_meanwhile(
    ledgers: list[SqlLedger], books: SqlLibrary
) -> None:
    """Either the campaign is there and the client stays, or the client is gone and there is no campaign."""
    hands = [SqlLibrary(each) for each in ledgers]
    for number in range(8):
        client = f"cl_x{number}"
        await books.add_client(NewClient(client, "ann", "x"))
        said = await asyncio.gather(
            hands[0].delete_client(client, "ann"),
            hands[-1].add_campaign(NewCampaign(f"ca_x{number}", "ann", "x", client)),
            return_exceptions=True,
        )
        failed = [each for each in said if isinstance(each, Exception)]
        assert len(failed) == 1
        assert isinstance(failed[0], Conflict | NotFound), failed


@pytest.mark.parametrize("name", ["\0", "x\0y", "\ud800"])
async def test_what_no_database_could_keep_is_not_there(books: SqlLibrary, name: str) -> None:
    for look in (books.client, books.campaign, books.asset):
        with pytest.raises(NotFound):
            await look(name, "ann")
    for sought in (Sought(owner=name), Sought(campaign=name), Sought(tag=name), Sought(name=name)):
        assert await books.assets(sought) == []
    assert await books.clients(after=name) == []
    with pytest.raises(NotFound):
        await books.add_asset(asset("as_1", campaign=name))


async def test_lists_are_narrowed_down_and_come_in_pages(books: SqlLibrary) -> None:
    for number in range(6):
        more = {"campaign": "ca_1" if number % 2 else None, "sha256": f"{number}" * 64}
        await books.add_asset(asset(f"as_{number}", tags=(f"n{number}", "all"), **more))
    ids = [each.id for each in await books.assets(Sought(owner="ann", tag="all"), limit=4)]
    assert ids == ["as_5", "as_4", "as_3", "as_2"]
    assert [each.id for each in await books.assets(after="as_2")] == ["as_1", "as_0"]
    assert [each.id for each in await books.assets(Sought(client="cl_1"))] == ["as_5", "as_3", "as_1"]
    assert [each.id for each in await books.assets(Sought(campaign="ca_1", tag="n3"))] == ["as_3"]
    assert await books.assets(Sought(tag="n")) == []
    assert [each.id for each in await books.assets(Sought(name="S_4.J"))] == ["as_4"]
    assert await books.assets(Sought(name="%")) == []
    assert [each.id for each in await books.campaigns(Sought(client="cl_1", name="spr"))] == ["ca_1"]
    assert await books.campaigns(Sought(client="cl_2")) == []


async def test_what_assets_reach_is_among_the_texts_that_keep_files(
    ledgers: list[SqlLedger], books: SqlLibrary, clock: Any
) -> None:
    await books.add_asset(asset("as_1"))
    for before in (None, clock.now()):
        told = [text async for text in ledgers[0].reader.texts(unless_finished_before=before)]
        assert {"a" * 64, "b" * 64} <= {json.loads(text)["sha256"] for text in told}
