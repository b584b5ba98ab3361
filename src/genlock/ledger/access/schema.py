"""The tables of users, tokens, answers and the audit; conventions as in `genlock.ledger.schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table

from genlock.ledger.schema import metadata, serial, words

user = Table(
    "user",
    metadata,
    Column("name", words, primary_key=True),
    Column("admin", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
)

token = Table(
    "token",
    metadata,
    Column("id", words, primary_key=True),
    Column("user", words, ForeignKey("user.name", ondelete="CASCADE"), nullable=False),
    Column("label", words, nullable=False),
    Column("hash", words, nullable=False, unique=True),  # SHA-256 of the secret: it has 256 random bits
    Column("scopes", words, nullable=False),  # JSON
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("token_user", "user"),
)

# What was answered to a request with an Idempotency-Key. Without a status it is at work still: `holder` is
# who answers it, until its lease is over.
answer = Table(
    "answer",
    metadata,
    Column("user", words, nullable=False),
    Column("route", words, nullable=False),
    Column("key", words, nullable=False),
    Column("request_hash", words, nullable=False),
    Column("status", Integer),
    Column("headers", words),
    Column("body", words),
    Column("holder", words, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("user", "route", "key"),
    Index("answer_created", "created_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("user", words, nullable=False),
    Column("token", words),
    Column("action", words, nullable=False),
    Column("target", words, nullable=False),
    Column("data", words, nullable=False),  # JSON, such as the hash of the bytes that were approved
    Index("audit_target", "target", "seq"),
    Index("audit_user", "user", "seq"),
)
