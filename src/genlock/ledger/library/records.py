"""The library's rows: clients, campaigns and assets. Their details are JSON that the ledger does not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

# Labels by which a job says what it was made from: deleting that is refused while the job is unfinished.
CAMPAIGN, CLIENT = "campaign", "client"


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody for whom campaigns are made."""

    id: str
    owner: str
    name: str
    details: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Campaign:
    """What films are made about, for a client or for nobody in particular."""

    id: str
    owner: str
    client: str | None
    name: str
    details: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Asset:
    """A picture of the library: the file as it came, by its SHA-256, and what looking at it has shown.

    Width and height are pixels of the upright picture, `size` is bytes, `colours` are `#rrggbb`, the
    commonest first; `source` is where it was fetched from.
    """

    id: str
    owner: str
    campaign: str | None
    name: str
    sha256: str
    media_type: str
    size: int
    width: int
    height: int
    thumbnail: str
    thumbnail_size: int
    colours: tuple[str, ...]
    tags: tuple[str, ...]
    source: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client to be written down."""

    id: str
    owner: str
    name: str
    details: str = "{}"


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign to be written down."""

    id: str
    owner: str
    name: str
    client: str | None = None
    details: str = "{}"


@dataclass(frozen=True, slots=True)
class NewAsset:
    """An asset to be written down; its files are in the store already."""

    id: str
    owner: str
    name: str
    sha256: str
    media_type: str
    size: int
    width: int
    height: int
    thumbnail: str
    thumbnail_size: int
    colours: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    campaign: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rows are listed. `owner` None: everybody's. `name` is a part of the name, in either case."""

    owner: str | None = None
    client: str | None = None
    campaign: str | None = None
    tag: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a new asset: `fresh` is false if the same picture was there already."""

    asset: Asset
    fresh: bool = field(default=True)
