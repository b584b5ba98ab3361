"""Opening a database, and everything in which SQLite and PostgreSQL differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from genlock.clock import Clock
from genlock.errors import LedgerError
from genlock.ledger.moment import from_micros, to_micros

_LOCKING = "BEGIN IMMEDIATE"
_PATIENT = "PRAGMA busy_timeout = 30000"
_SQLITE_PRAGMAS = (
    _PATIENT,
    "PRAGMA journal_mode = WAL",  # readers never wait for the writer
    "PRAGMA synchronous = FULL",  # what was acknowledged survives a power failure
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
    "PRAGMA wal_autocheckpoint = 4000",  # pages: a checkpoint is worth dozens of commits, and syncs twice
)
_POSTGRES = {
    "application_name": "genlock",
    "client_encoding": "utf8",
    "connect_timeout": 5,  # seconds, as those below
    # A network that swallows packets is found out within about 20 s instead of hours.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20000,
}
# A process that is stopped in the middle of a batch does not keep its jobs locked for ever. A batch pauses
# for no longer than a lease lasts; whoever reads may look at what was found, a page at a time.
_WRITER_PAUSES = 10  # seconds
_READER_PAUSES = 30
_LOCKED = 5  # seconds after which a writer that waits for locks looks at who has them
_RETRIED = frozenset(
    {
        "40P01",  # deadlock
        "40001",  # serialization failure
        "23505",  # somebody else wrote that key at the same time: now it is there to be found
    }
)
_GONE = frozenset(
    {"57P01", "57P02", "57P03", "57P05", "53300", "25P03"}
)  # shut down, starting, full, timed out


def url_of(place: str | Path) -> str:
    """A path is an SQLite file; anything with a scheme is a database URL."""
    written = str(place)
    if "://" not in written:
        return f"sqlite:///{written}"
    scheme, _, rest = written.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else written


def shown(url: str) -> str:
    """The URL for people to read: without its password."""
    return make_url(url).render_as_string(hide_password=True)


def open_writer(url: str) -> Engine:
    """An engine whose transactions take the write lock when they begin; PostgreSQL locks job by job."""
    session = f"-c idle_in_transaction_session_timeout={_WRITER_PAUSES}s -c lock_timeout={_LOCKED}s"
    return _open(url, _LOCKING, {"pool_size": 1, "max_overflow": 0}, session)


def open_reader(url: str, connections: int) -> Engine:
    """A pool of connections that only look; each transaction sees one moment."""
    pool = {"pool_size": connections, "max_overflow": 0}
    if _is_sqlite(url):
        return _open(url, "BEGIN", pool, "")
    session = f"-c idle_in_transaction_session_timeout={_READER_PAUSES}s"
    looking = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return _open(url, "BEGIN", pool | {"execution_options": looking}, session)


def for_one_statement(engine: Engine) -> Engine:
    """The same connections without a transaction: a statement sees one moment anyway, in one round trip."""
    return engine.execution_options(isolation_level="AUTOCOMMIT") if is_shared(engine) else engine


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _open(url: str, begin: str, options: dict[str, Any], session: str) -> Engine:
    return _open_sqlite(url, begin, options) if _is_sqlite(url) else _open_postgres(url, options, session)


def _open_sqlite(url: str, begin: str, options: dict[str, Any]) -> Engine:
    from sqlalchemy.pool import QueuePool

    engine = create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would open no transaction before a SELECT
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            driver.execute(begin).close()  # Core would take as long as some commits do

    return engine


def _open_postgres(url: str, options: dict[str, Any], session: str) -> Engine:
    if not url.startswith("postgresql+psycopg://"):
        raise LedgerError(f"{shown(url)} is no ledger: name a file, or a postgresql:// URL")
    connect = _POSTGRES | {"options": f"{session} -c jit=off"}
    try:
        return create_engine(url, connect_args=connect, **options)
    except ImportError as error:
        raise LedgerError(
            f"the ledger {shown(url)} needs psycopg: install genlock with its extra, genlock[postgres]"
        ) from error


def begin(connection: Connection) -> None:
    """Begin to write. SQLite is told here what Core would tell it, which takes as long as some statements."""
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().execute(_LOCKING)
    else:
        connection.begin()


def be_patient(connection: Connection, patient: bool) -> None:
    """Whether to wait, from now on, while another process writes to the same SQLite file."""
    connection.connection.cursor().execute(_PATIENT if patient else "PRAGMA busy_timeout = 0")


def commit(connection: Connection) -> None:
    """End what `begin` has begun, whether Core has met it or not."""
    if connection.in_transaction():
        connection.commit()
    else:
        connection.connection.commit()


def end_stalled(engine: Engine) -> int:
    """End the sessions of genlock that hold locks and were not heard of for as long as a lease; how many.

    The server's own idle_in_transaction_session_timeout is not enough: it is not in force after a message
    that is no query, such as the Flush at the end of a driver's pipeline (seen with PostgreSQL 15.18).
    """
    stalled = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = current_user AND application_name = :name "
        "AND backend_xid IS NOT NULL AND wait_event = 'ClientRead' "
        "AND state_change < clock_timestamp() - make_interval(secs => :pauses)"
    )
    with for_one_statement(engine).connect() as connection:
        known = {"name": _POSTGRES["application_name"], "pauses": _WRITER_PAUSES}
        ended: int = connection.execute(stalled, known).scalar_one()
        return ended


def is_shared(engine: Engine) -> bool:
    """Whether other processes may be writing at the same time, so that jobs must be locked."""
    return engine.dialect.name != "sqlite"


def alone(connection: Connection) -> None:
    """Let nobody else bring tables up to date meanwhile; on SQLite the transaction does so by itself."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # tables may take minutes
        connection.execute(text("SELECT pg_advisory_xact_lock(7236573849)"))


def lock_money(connection: Connection) -> None:
    """Let nobody else move money until the commit; SQLite's one writer needs no telling."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236573850)")


def tell_time(engine: Engine, clock: Clock) -> Callable[[Connection], int]:
    """How to learn what time it is: by this machine's clock, or by the database's where there are many."""
    if not is_shared(engine):
        return lambda _: to_micros(clock.now())

    def ask(connection: Connection) -> int:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        row = cursor.fetchone()
        cursor.close()
        assert row is not None
        return to_micros(clock.adjust(from_micros(row[0])))

    return ask


def worth_retrying(error: BaseException) -> bool:
    """Whether the database asks for the same transaction once more."""
    return _state(error) in _RETRIED


def is_busy(error: BaseException) -> bool:
    """Whether another process is writing to the SQLite file, and was not waited for."""
    cause = _cause(error)
    return (
        isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )


def is_locked(error: BaseException) -> bool:
    """Whether a lock was not to be had without waiting, or not in time."""
    return _state(error) == "55P03"


def is_gone(error: BaseException) -> bool:
    """Whether the connection is lost: the server was stopped, or the way to it."""
    state, cause = _state(error), _cause(error)
    if state is not None:
        return state in _GONE or state.startswith("08")
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    of_psycopg = type(cause).__module__.startswith("psycopg")
    return of_psycopg and bool(kinds & {OperationalError.__name__, InterfaceError.__name__})


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _state(error: BaseException) -> str | None:
    return getattr(_cause(error), "sqlstate", None)
