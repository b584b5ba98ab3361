"""The tables of clients, campaigns, assets and reviews; conventions as in `genlock.ledger.schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, text

from genlock.ledger.schema import metadata, partial, words

IN_NONE = text("campaign IS NULL")

client = Table(
    "client",
    metadata,
    Column("id", words, primary_key=True),
    Column("owner", words, nullable=False),
    Column("name", words, nullable=False),
    Column("details", words, nullable=False),  # JSON
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("client_owner", "owner", "id"),
)

campaign = Table(
    "campaign",
    metadata,
    Column("id", words, primary_key=True),
    Column("owner", words, nullable=False),
    Column("client", words, ForeignKey("client.id", ondelete="RESTRICT")),
    Column("name", words, nullable=False),
    Column("details", words, nullable=False),  # JSON
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("campaign_owner", "owner", "id"),
    Index("campaign_client", "client"),
)

asset = Table(
    "asset",
    metadata,
    Column("id", words, primary_key=True),
    Column("owner", words, nullable=False),
    Column("campaign", words, ForeignKey("campaign.id", ondelete="RESTRICT")),
    Column("name", words, nullable=False),
    Column("sha256", words, nullable=False),
    Column("media_type", words, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes
    Column("width", Integer, nullable=False),  # pixels, as it is to be looked at
    Column("height", Integer, nullable=False),
    Column("thumbnail", words, nullable=False),  # SHA-256
    Column("thumbnail_size", BigInteger, nullable=False),  # bytes
    Column("colours", words, nullable=False),  # JSON
    Column("tags", words, nullable=False),  # JSON
    Column("source", words),  # the address that it was fetched from
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("asset_owner", "owner", "id"),
    Index("asset_campaign", "campaign", "id"),
    # The same picture of one owner in one campaign, or in none, is one asset.
    Index("asset_same", "owner", "sha256", "campaign", unique=True),
    partial("asset_same_in_none", "owner", "sha256", where=IN_NONE, unique=True),
)

# What a person said of a film. A film is the work of a job; each time it is made anew is a revision.
review = Table(
    "review",
    metadata,
    Column("job", words, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sha256", words, nullable=False),
    Column("verdict", words, nullable=False),  # approved or rejected
    Column("reason", words, nullable=False),
    Column("by", words, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("job", "revision"),
)
