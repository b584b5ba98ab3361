"""Opening a database, and everything in which SQLite and PostgreSQL differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

_SQLITE_PRAGMAS = (
    "PRAGMA busy_timeout = 30000",
    "PRAGMA journal_mode = WAL",  # readers never wait for the writer
    "PRAGMA synchronous = FULL",  # what was acknowledged survives a power failure
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
)
_RETRIED = frozenset({"40P01", "40001"})  # PostgreSQL: deadlock, serialization failure


def url_of(place: str | Path) -> str:
    """A path is an SQLite file; anything with a scheme is a database URL."""
    text = str(place)
    return text if "://" in text else f"sqlite:///{text}"


def open_writer(url: str) -> Engine:
    """An engine whose transactions take the write lock when they begin."""
    return _open(url, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)


def open_reader(url: str, connections: int) -> Engine:
    """A pool of connections that only look."""
    return _open(url, "BEGIN", pool_size=connections, max_overflow=0)


def _open(url: str, begin: str, **pool: int) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, **pool)
    from sqlalchemy.pool import QueuePool

    engine = create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would open no transaction before a SELECT
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def worth_retrying(error: BaseException) -> bool:
    """Whether the database asks for the same transaction once more."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) in _RETRIED
