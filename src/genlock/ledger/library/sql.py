"""The library in the ledger's database: a verb is one transaction of the ledger's writer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from genlock.errors import Conflict
from genlock.ledger import schema
from genlock.ledger.library import schema as table
from genlock.ledger.library.records import (
    CAMPAIGN,
    CLIENT,
    Asset,
    Campaign,
    Client,
    Kept,
    NewAsset,
    NewCampaign,
    NewClient,
    Sought,
)
from genlock.ledger.library.row import asset_of, campaign_of, client_of, find, listed, text_of
from genlock.ledger.records import JobState
from genlock.ledger.sql import SqlLedger

SHOWN = 3  # of the things that are in the way
_asset, _campaign = table.asset.c, table.campaign.c


class SqlLibrary:
    """`Library` and `LibraryReader` on a ledger's connections."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._change, self._look = ledger.change, ledger.look

    async def add_client(self, new: NewClient) -> Client:
        values = {"id": new.id, "owner": new.owner, "name": new.name, "details": new.details}
        return await self._change(lambda link, now: client_of(_add(link, table.client, values, now)))

    async def update_client(self, id: str, owner: str | None, *, name: str, details: str) -> Client:
        values = {"name": name, "details": details}
        return await self._change(
            lambda link, now: client_of(_alter(link, table.client, id, owner, values, now))
        )

    async def delete_client(self, id: str, owner: str | None) -> None:
        def act(link: Connection, _: int) -> None:
            found = find(link, table.client, id, owner, lock="alone")
            _refuse_while(link, f"client {found.name!r}", select(_campaign.name), _campaign.client == id)
            _refuse_while_working(link, f"client {found.name!r}", CLIENT, id)
            link.execute(delete(table.client).where(table.client.c.id == id))

        await self._change(act)

    async def add_campaign(self, new: NewCampaign) -> Campaign:
        def act(link: Connection, now: int) -> Campaign:
            _must_have(link, table.client, new.client, new.owner)
            values = {"id": new.id, "owner": new.owner, "name": new.name, "details": new.details}
            return campaign_of(_add(link, table.campaign, values | {"client": new.client}, now))

        return await self._change(act)

    async def update_campaign(
        self, id: str, owner: str | None, *, name: str, client: str | None, details: str
    ) -> Campaign:
        def act(link: Connection, now: int) -> Campaign:
            found = find(link, table.campaign, id, owner)
            _must_have(link, table.client, client, found.owner)
            values = {"name": name, "client": client, "details": details}
            return campaign_of(_alter(link, table.campaign, id, owner, values, now))

        return await self._change(act)

    async def delete_campaign(self, id: str, owner: str | None) -> None:
        def act(link: Connection, _: int) -> None:
            found = find(link, table.campaign, id, owner, lock="alone")
            _refuse_while(link, f"campaign {found.name!r}", select(_asset.name), _asset.campaign == id)
            _refuse_while_working(link, f"campaign {found.name!r}", CAMPAIGN, id)
            link.execute(delete(table.campaign).where(_campaign.id == id))

        await self._change(act)

    async def add_asset(self, new: NewAsset) -> Kept:
        def act(link: Connection, now: int) -> Kept:
            _must_have(link, table.campaign, new.campaign, new.owner)
            same = _same(link, new.owner, new.campaign, new.sha256)
            if same is not None:
                return Kept(asset_of(same), fresh=False)
            return Kept(asset_of(_add(link, table.asset, _columns(new), now)))

        return await self._change(act)

    async def update_asset(
        self, id: str, owner: str | None, *, name: str, campaign: str | None, tags: Sequence[str]
    ) -> Asset:
        def act(link: Connection, now: int) -> Asset:
            found = find(link, table.asset, id, owner)
            _must_have(link, table.campaign, campaign, found.owner)
            same = _same(link, found.owner, campaign, found.sha256)
            if same is not None and same.id != id:
                raise Conflict(f"that campaign has the same picture already: {same.name!r}, asset {same.id}")
            values = {"name": name, "campaign": campaign, "tags": text_of(tags)}
            return asset_of(_alter(link, table.asset, id, owner, values, now))

        return await self._change(act)

    async def delete_asset(self, id: str, owner: str | None) -> None:
        def act(link: Connection, _: int) -> None:
            find(link, table.asset, id, owner, lock="alone")
            link.execute(delete(table.asset).where(_asset.id == id))

        await self._change(act)

    async def client(self, id: str, owner: str | None) -> Client:
        return client_of(await self._look(lambda link: find(link, table.client, id, owner)))

    async def clients(
        self, sought: Sought = Sought(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[Client]:
        rows = await self._look(lambda link: listed(link, table.client, sought, after, limit))
        return [client_of(row) for row in rows]

    async def campaign(self, id: str, owner: str | None) -> Campaign:
        return campaign_of(await self._look(lambda link: find(link, table.campaign, id, owner)))

    async def campaigns(
        self, sought: Sought = Sought(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[Campaign]:
        rows = await self._look(lambda link: listed(link, table.campaign, sought, after, limit))
        return [campaign_of(row) for row in rows]

    async def asset(self, id: str, owner: str | None) -> Asset:
        return asset_of(await self._look(lambda link: find(link, table.asset, id, owner)))

    async def assets(
        self, sought: Sought = Sought(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[Asset]:
        rows = await self._look(lambda link: listed(link, table.asset, sought, after, limit))
        return [asset_of(row) for row in rows]


def _add(link: Connection, to: Table, values: dict[str, Any], now: int) -> Any:
    link.execute(insert(to).values(**values, created_at=now, updated_at=now))
    return find(link, to, values["id"], None)


def _alter(link: Connection, of: Table, id: str, owner: str | None, values: dict[str, Any], now: int) -> Any:
    find(link, of, id, owner)
    link.execute(update(of).where(of.c.id == id).values(**values, updated_at=now))
    return find(link, of, id, None)


def _columns(new: NewAsset) -> dict[str, Any]:
    values = {name: getattr(new, name) for name in NewAsset.__slots__}
    return values | {"colours": text_of(new.colours), "tags": text_of(new.tags)}


def _must_have(link: Connection, what: Table, id: str | None, owner: str) -> None:
    """`NotFound` unless the owner has it; it is not deleted until the commit."""
    if id is not None:
        find(link, what, id, owner, lock="shared")


def _same(link: Connection, owner: str, campaign: str | None, sha256: str) -> Any:
    where = (
        _asset.owner == owner,
        _asset.campaign.is_not_distinct_from(campaign),
        _asset.sha256 == sha256,
    )
    return link.execute(select(table.asset).where(*where)).first()


def _refuse_while(link: Connection, what: str, names: Any, where: Any) -> None:
    found = list(link.scalars(names.where(where).limit(SHOWN + 1)))
    if found:
        kind = "campaigns" if what.startswith("client") else "assets"
        raise Conflict(f"{what} still has {kind}: {_some(found)}; delete or move them first")


def _refuse_while_working(link: Connection, what: str, label: str, id: str) -> None:
    """Jobs say in their labels what they are made from."""
    job = schema.job.c
    open_states = [state.value for state in JobState if not state.finished]
    rows = link.execute(
        select(job.id, job.labels).where(job.state.in_(open_states), job.labels.contains(id, autoescape=True))
    )
    found = [row.id for row in rows if json.loads(row.labels).get(label) == id]
    if found:
        raise Conflict(f"jobs in progress are made from {what}: {_some(found)}; let them end, or cancel them")


def _some(names: Sequence[str]) -> str:
    more = " and others" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
