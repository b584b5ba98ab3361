"""What is written down of the library, and what can be looked up.

`owner` None speaks for everybody, as an admin does. What belongs to somebody else is answered with
`NotFound`, exactly as if it did not exist. Every verb is one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from genlock.ledger.library.records import (
    Asset,
    Campaign,
    Client,
    Kept,
    NewAsset,
    NewCampaign,
    NewClient,
    Sought,
)


class Library(Protocol):
    """The writing half."""

    async def add_client(self, new: NewClient) -> Client: ...

    async def update_client(self, id: str, owner: str | None, *, name: str, details: str) -> Client: ...

    async def delete_client(self, id: str, owner: str | None) -> None:
        """`Conflict` while it has campaigns or jobs in progress, saying which."""
        ...

    async def add_campaign(self, new: NewCampaign) -> Campaign:
        """`NotFound` if its owner has no such client."""
        ...

    async def update_campaign(
        self, id: str, owner: str | None, *, name: str, client: str | None, details: str
    ) -> Campaign: ...

    async def delete_campaign(self, id: str, owner: str | None) -> None:
        """`Conflict` while it has assets or jobs in progress, saying which."""
        ...

    async def add_asset(self, new: NewAsset) -> Kept:
        """The same picture of one owner in one campaign is one asset: the one that is there is answered."""
        ...

    async def update_asset(
        self, id: str, owner: str | None, *, name: str, campaign: str | None, tags: Sequence[str]
    ) -> Asset:
        """`Conflict` if the campaign it is moved to has the same picture."""
        ...

    async def delete_asset(self, id: str, owner: str | None) -> None: ...


class LibraryReader(Protocol):
    """The looking half. Lists are newest first; `after` is the last id of the page before."""

    async def client(self, id: str, owner: str | None) -> Client: ...

    async def clients(
        self, sought: Sought = Sought(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[Client]: ...

    async def campaign(self, id: str, owner: str | None) -> Campaign: ...

    async def campaigns(
        self, sought: Sought = Sought(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[Campaign]: ...

    async def asset(self, id: str, owner: str | None) -> Asset: ...

    async def assets(
        self, sought: Sought = Sought(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[Asset]: ...
