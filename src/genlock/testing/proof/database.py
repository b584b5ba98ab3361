"""A database server that goes away when it is told to, and comes back: for homes whose ledger is there."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import LiteralString, Self, TypeVar

from genlock.errors import BadInput, LedgerError
from genlock.testing.postgres import Server, find_binaries
from genlock.testing.proof.haste import MACHINE

T = TypeVar("T")

AWAY = (0.0, 0.05, 0.3)  # seconds until it is started again, in turn
PATIENCE = 60.0  # seconds for a start
PAUSE = 0.002
TEMPLATE = "genlock_template"


def why_not() -> str | None:
    """Why no server can be started here; None if it can."""
    try:
        find_binaries()
    except BadInput as error:
        return str(error)
    return (
        None
        if find_spec("psycopg")
        else "psycopg is missing: install genlock with its extra, genlock[postgres]"
    )


class Keeper:
    """A PostgreSQL server of our own. A thread starts it again whenever it has ended."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._up, self._leaving = threading.Event(), threading.Event()
        self._failed: BaseException | None = None
        self._numbers = count(1)
        self._thread = threading.Thread(target=self._keep, name="keeper of a database", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait_until_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._server is not None:
            self._server.stop(signal.SIGQUIT)
        self._thread.join()

    @property
    def pid(self) -> int:
        """Of the server that runs now."""
        self._wait_until_up()
        return self._running.pid

    def when_up(self, look: Callable[[], T]) -> T:
        """What a look at the server comes to, as soon as it answers."""
        import psycopg

        end = MACHINE.monotonic() + PATIENCE
        while True:
            self._wait_until_up()
            try:
                return look()
            except psycopg.OperationalError as error:
                if MACHINE.monotonic() > end:
                    raise LedgerError(f"the proof's own PostgreSQL does not answer: {error}") from error
                time.sleep(PAUSE)

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of a new database with the tables of a ledger, until the `with` ends."""
        name = f"trial_{next(self._numbers)}"
        self.when_up(lambda: self._call("CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE))
        try:
            yield self._at(name)
        finally:
            self.when_up(lambda: self._call("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))

    @property
    def _running(self) -> Server:
        assert self._server is not None
        return self._server

    def _at(self, name: str) -> str:
        return self._running.url.replace("/postgres?", f"/{name}?")

    def _call(self, statement: LiteralString, *names: str) -> None:
        import psycopg
        from psycopg import sql

        with closing(psycopg.connect(self._running.url, autocommit=True)) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _wait_until_up(self) -> None:
        if not self._up.wait(PATIENCE) or self._failed is not None:
            raise LedgerError(f"PostgreSQL did not start: {self._failed or 'nobody says why'}")

    # In the thread

    def _keep(self) -> None:
        try:
            self._server = Server()
            self._server.start()
            self._fill()
            for number in count():
                self._up.set()
                self._server.wait()
                self._up.clear()
                if self._leaving.wait(AWAY[number % len(AWAY)]):
                    break
                self._server.start()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the server
            self._failed = error
        finally:
            self._up.set()
            if self._server is not None:
                self._server.discard()

    def _fill(self) -> None:
        from genlock.ledger.database import url_of
        from genlock.ledger.migration import bring_up

        self._call("CREATE DATABASE {}", TEMPLATE)
        bring_up(url_of(self._at(TEMPLATE)))


def stop_at_once(pid: int) -> None:
    """End the server of this process as a crash would, and return when it is gone."""
    os.kill(pid, signal.SIGQUIT)
    while Path(f"/proc/{pid}").exists():
        time.sleep(PAUSE)
