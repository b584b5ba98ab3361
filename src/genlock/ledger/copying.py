"""Copies of a ledger in a file: made while it is being written, and looked into without changing them."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from genlock.errors import LedgerError, Unsupported
from genlock.ledger.database import is_shared
from genlock.ledger.keeping import sources

MARK = ".copy-"  # in the name of a copy that nobody has fetched yet
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a copy: its schema, and how many jobs, of which so many are not finished."""

    revision: str
    jobs: int
    unfinished: int


def copy_beside(connection: Connection) -> Path:
    """A copy beside the ledger's own file, as of one moment. Whoever writes meanwhile is not held up."""
    if is_shared(connection.engine):
        raise Unsupported(
            "this ledger is on a PostgreSQL server: back it up with pg_dump, and the store's files after it"
        )
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    ledger = Path(source.execute("PRAGMA database_list").fetchone()[2])
    place = ledger.with_name(f"{ledger.name}{MARK}{secrets.token_hex(4)}")
    try:
        place.touch(mode=0o600)
        target = sqlite3.connect(place)
        try:
            source.backup(target)  # in one step: it then is of one moment, and never begins anew
        finally:
            target.close()
    except (sqlite3.Error, OSError) as error:
        place.unlink(missing_ok=True)
        raise LedgerError(f"the ledger could not be copied to {place}: {error}") from error
    return place


def look_into(copy: Path) -> Contents:
    """What a copy holds. `LedgerError` if it is damaged or no ledger."""

    def look(connection: Connection) -> Contents:
        faults = [row[0] for row in connection.execute(text("PRAGMA quick_check(1)"))]
        if faults != ["ok"]:
            raise LedgerError(f"{copy} is damaged: {faults[0]}")
        count = (
            "SELECT count(*), count(*) FILTER (WHERE finished_at IS NULL) FROM job WHERE parent_job IS NULL"
        )
        jobs, unfinished = connection.execute(text(count)).one()
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        return Contents(str(revision), jobs, unfinished)

    engine = _open(copy)
    try:
        with engine.connect() as connection:
            return look(connection)
    except SQLAlchemyError as error:
        raise LedgerError(f"{copy} is no ledger: {getattr(error, 'orig', error)}") from error
    finally:
        engine.dispose()


def texts_in(copy: Path) -> Iterator[str]:
    """Every JSON text that the jobs in a copy of this version's schema hold."""
    engine = _open(copy)
    try:
        with engine.connect() as connection:
            for source in sources():
                found = connection.execution_options(yield_per=_PAGE).execute(source.statement)
                for row in found:
                    yield from source.texts(row)
    except SQLAlchemyError as error:
        raise LedgerError(f"{copy} could not be read: {getattr(error, 'orig', error)}") from error
    finally:
        engine.dispose()


def _open(copy: Path) -> Engine:
    """To be read only: not even a log is made beside it."""
    uri = f"{copy.resolve().as_uri()}?mode=ro&immutable=1"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True))
