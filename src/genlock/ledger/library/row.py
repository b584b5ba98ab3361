"""Rows of the library: found by owner, listed by what is sought, and as records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Select, Table, select

from genlock.errors import NotFound
from genlock.ledger.library.records import Asset, Campaign, Client, Sought
from genlock.ledger.library.schema import asset, campaign
from genlock.ledger.moment import from_micros
from genlock.ledger.wording import plain, plain_or_none

Lock = Literal["alone", "shared"]
_TEXTS = ("colours", "tags")


def find(link: Connection, table: Table, id: str, owner: str | None, *, lock: Lock | None = None) -> Any:
    """A row; `NotFound` for somebody else's as for none. `lock` keeps it from others until the commit."""
    if id != plain(id):  # no database would be asked for it
        raise NotFound(f"there is no {table.name} {plain(id)!r}")
    found = select(table).where(table.c.id == id)
    if owner is not None:
        found = found.where(table.c.owner == owner)
    if lock is not None:  # SQLite has one writer anyway
        found = found.with_for_update(read=lock == "shared", key_share=lock == "shared")
    row = link.execute(found).first()
    if row is None:
        raise NotFound(f"there is no {table.name} {id!r}")
    return row


def listed(link: Connection, table: Table, sought: Sought, after: str | None, limit: int) -> Sequence[Any]:
    """Rows behind `after`, newest first: ids sort by the time of creation."""
    asked = (after, sought.owner, sought.client, sought.campaign, sought.tag, sought.name)
    if any(each != plain_or_none(each) for each in asked):
        return []  # nobody has anything that is called so
    found = _sought(table, sought).order_by(table.c.id.desc()).limit(limit)
    if after is not None:
        found = found.where(table.c.id < after)
    return link.execute(found).fetchall()


def _sought(table: Table, sought: Sought) -> Select[Any]:
    found = select(table)
    if sought.owner is not None:
        found = found.where(table.c.owner == sought.owner)
    if sought.campaign is not None and table is asset:
        found = found.where(table.c.campaign == sought.campaign)
    if sought.client is not None and table is campaign:
        found = found.where(campaign.c.client == sought.client)
    elif sought.client is not None and table is asset:
        of_client = select(campaign.c.id).where(campaign.c.client == sought.client)
        found = found.where(asset.c.campaign.in_(of_client))
    if sought.tag is not None and table is asset:  # tags have no quotes in them, so this finds whole ones
        found = found.where(asset.c.tags.contains(text_of([sought.tag])[1:-1], autoescape=True))
    if sought.name is not None:
        found = found.where(table.c.name.icontains(sought.name, autoescape=True))
    return found


def text_of(words: Sequence[str]) -> str:
    """A list of words as the tables keep it."""
    return json.dumps(list(words), ensure_ascii=False)


def client_of(row: Any) -> Client:
    """A row of `client` as a record."""
    return Client(**_values(row))


def campaign_of(row: Any) -> Campaign:
    """A row of `campaign` as a record."""
    return Campaign(**_values(row))


def asset_of(row: Any) -> Asset:
    """A row of `asset` as a record."""
    values = _values(row)
    return Asset(**values | {name: tuple(json.loads(values[name])) for name in _TEXTS})


def _values(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    return values | {name: from_micros(values[name]) for name in ("created_at", "updated_at")}
