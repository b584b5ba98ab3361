"""The library as people use it: clients, campaigns, and pictures from files and addresses.

`owner` None speaks for everybody, as an admin does; things of others are not there, as if nobody had them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

from genlock.clock import Clock
from genlock.errors import BadInput, BadPicture, GenlockError
from genlock.ledger.library.protocol import Library as LibraryLedger
from genlock.ledger.library.protocol import LibraryReader
from genlock.ledger.library.records import Asset, Campaign, Client, Kept, NewAsset, NewCampaign, NewClient
from genlock.library.fetch import Fetcher
from genlock.library.label import details_text, file_name, new_id, tag_list, title
from genlock.library.lending import Lending
from genlock.library.limit import Limits
from genlock.library.reception import SMALL, Arrival, Received, Reception
from genlock.library.shelf import Shelf
from genlock.store.artifact import Artifact, Store

MOST_ADDRESSES = 100
AT_ONCE = 8  # addresses fetched side by side for one request
LISTED = 3000  # characters of a list of bad pictures in a message


@dataclass(frozen=True, slots=True)
class Target:
    """Where new assets go: whose they are, in which campaign, with which tags."""

    owner: str
    campaign: str | None = None
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that was not taken in, and why, in a sentence that begins with its name."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of several pictures: those that are assets now, in their order, and the others."""

    kept: list[Kept]
    left_out: list[LeftOut]


@dataclass(frozen=True, slots=True)
class Link:
    """What became of one address: an asset, or the error that says why not."""

    url: str
    kept: Kept | None
    error: GenlockError | None


class Library:
    """Clients, campaigns and assets over a ledger and a store."""

    def __init__(
        self,
        ledger: LibraryLedger,
        reader: LibraryReader,
        store: Store,
        reception: Reception,
        fetcher: Fetcher,
        shelf: Shelf,
        clock: Clock,
        rng: Random,
        *,
        limits: Limits,
        lending: Lending,
    ) -> None:
        self.reader, self.reception, self.limits, self.lending = reader, reception, limits, lending
        self._ledger, self._store, self._fetcher, self._shelf = ledger, store, fetcher, shelf
        self._clock, self._rng = clock, rng

    async def create_client(self, owner: str, name: str, details: Mapping[str, Any]) -> Client:
        """A new client of this owner."""
        new = NewClient(self._id("cl"), owner, title(name, "client"), details_text(details))
        return await self._ledger.add_client(new)

    async def update_client(
        self, id: str, owner: str | None, *, name: str, details: Mapping[str, Any]
    ) -> Client:
        """Say all of a client anew."""
        kept = title(name, "client")
        return await self._ledger.update_client(id, owner, name=kept, details=details_text(details))

    async def delete_client(self, id: str, owner: str | None) -> None:
        """`Conflict` says what is in the way."""
        await self._ledger.delete_client(id, owner)

    async def create_campaign(
        self, owner: str, name: str, client: str | None, details: Mapping[str, Any]
    ) -> Campaign:
        """A new campaign of this owner, for one of their clients or for none."""
        new = NewCampaign(self._id("ca"), owner, title(name, "campaign"), client, details_text(details))
        return await self._ledger.add_campaign(new)

    async def update_campaign(
        self, id: str, owner: str | None, *, name: str, client: str | None, details: Mapping[str, Any]
    ) -> Campaign:
        """Say all of a campaign anew."""
        kept, text = title(name, "campaign"), details_text(details)
        return await self._ledger.update_campaign(id, owner, name=kept, client=client, details=text)

    async def delete_campaign(self, id: str, owner: str | None) -> None:
        """`Conflict` says what is in the way."""
        await self._ledger.delete_campaign(id, owner)

    async def update_asset(
        self, id: str, owner: str | None, *, name: str, campaign: str | None, tags: Sequence[str]
    ) -> Asset:
        """Say anew what an asset is called, where it belongs and how it is tagged."""
        kept, labels = file_name(name), tag_list(tags)
        return await self._ledger.update_asset(id, owner, name=kept, campaign=campaign, tags=labels)

    async def delete_asset(self, id: str, owner: str | None) -> None:
        """The file goes when the home is cleaned, unless something else reaches it."""
        await self._ledger.delete_asset(id, owner)

    async def check(self, target: Target) -> Target:
        """The target with tags as they are kept. `NotFound` if its owner has no such campaign."""
        if target.campaign is not None:
            await self.reader.campaign(target.campaign, target.owner)
        return Target(target.owner, target.campaign, tag_list(target.tags))

    async def take(self, arrivals: Sequence[Arrival], target: Target, *, skip_bad: bool = False) -> Taken:
        """Take files in. `BadPicture` names all that cannot be used, and then none is kept; with `skip_bad`
        the others are, if there are any.
        """
        target = await self.check(target)
        found = await self.reception.look(arrivals)
        left_out = [
            LeftOut(arrival.name, str(each))
            for arrival, each in zip(arrivals, found, strict=True)
            if isinstance(each, BadPicture)
        ]
        good = [each for each in found if isinstance(each, Received)]
        if left_out and not (skip_bad and good):
            raise BadPicture(_told(left_out, len(arrivals)))
        return Taken([await self._keep(each, target) for each in good], left_out)

    async def take_from(self, url: str, target: Target) -> Kept:
        """Fetch a picture and take it in."""
        target = await self.check(target)
        async with self.reception.room() as folder:
            return await self._take_from(url, target, folder / "0.picture")

    async def take_from_all(self, urls: Sequence[str], target: Target) -> list[Link]:
        """Fetch pictures and take in those that can be had; what became of each, in their order."""
        if not 1 <= len(urls) <= MOST_ADDRESSES:
            raise BadInput(f"from 1 to {MOST_ADDRESSES} addresses are fetched at once, not {len(urls)}")
        target, turn = await self.check(target), asyncio.Semaphore(AT_ONCE)

        async def one(url: str, path: Path) -> Link:
            try:
                async with turn:
                    return Link(url, await self._take_from(url, target, path), None)
            except GenlockError as error:
                return Link(url, None, error)

        async with self.reception.room() as folder, asyncio.TaskGroup() as group:
            paths = [folder / f"{number}.picture" for number in range(len(urls))]
            taking = [group.create_task(one(url, path)) for url, path in zip(urls, paths, strict=True)]
        return [each.result() for each in taking]

    async def _take_from(self, url: str, target: Target, path: Path) -> Kept:
        name = _name_in(url)
        fetched = await self._fetcher.fetch(url, path)
        [found] = await self.reception.look([Arrival(fetched.path, name, fetched.source)])
        if isinstance(found, BadPicture):
            raise found
        return await self._keep(found, target)

    async def _keep(self, received: Received, target: Target) -> Kept:
        picture, small = await self.reception.keep(received)
        report = received.look.report
        return await self._ledger.add_asset(
            NewAsset(
                self._id("as"),
                target.owner,
                received.arrival.name,
                picture.sha256,
                picture.media_type,
                picture.size,
                report.width,
                report.height,
                small.sha256,
                small.size,
                received.look.colours,
                tuple(target.tags),
                target.campaign,
                received.arrival.source,
            )
        )

    async def picture(self, asset: Asset) -> Path:
        """The file as it came."""
        return await self._store.path(artifact_of(asset))

    async def thumbnail(self, asset: Asset) -> Path:
        """The small JPEG of it."""
        small = Artifact(sha256=asset.thumbnail, size=asset.thumbnail_size, media_type=SMALL)
        return await self._store.path(small)

    async def paths(self, assets: Sequence[str], owner: str | None) -> list[Path]:
        """Files of these assets for an order, in order: by names that people know, and without a copy.

        `NotFound` names the first that its owner does not have.
        """
        found = [await self.reader.asset(each, owner) for each in assets]
        return [await self._shelf.show(asset.name, await self.picture(asset)) for asset in found]

    async def artifacts(self, assets: Sequence[str], owner: str | None) -> list[Artifact]:
        """The same as references to the store."""
        return [artifact_of(await self.reader.asset(each, owner)) for each in assets]

    async def tidy(self, keep: Collection[str]) -> None:
        """Take away the names of files that are not kept any more."""
        await asyncio.to_thread(self._shelf.clean, keep)

    def _id(self, kind: str) -> str:
        return new_id(kind, self._clock.now(), self._rng)


def artifact_of(asset: Asset) -> Artifact:
    """An asset's file in the store."""
    return Artifact(sha256=asset.sha256, size=asset.size, media_type=asset.media_type)


def _name_in(url: str) -> str:
    """A name for what is fetched: the last part of the way there."""
    try:
        last = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
        return file_name(last[-200:].replace("/", "_").replace("\\", "_"))
    except (ValueError, BadInput):
        return "picture"


def _told(left_out: Sequence[LeftOut], count: int) -> str:
    """What is wrong with one picture, or a line for each of several, as many as fit into a message."""
    if count == 1:
        return left_out[0].why
    lines, room = [], LISTED
    for number, each in enumerate(left_out):
        room -= len(each.why) + 1
        if room < 0:
            lines.append(f"and {len(left_out) - number} more")
            break
        lines.append(each.why)
    return f"{len(left_out)} of {count} pictures cannot be used:\n" + "\n".join(lines)
