"""The connections that a ledger is looked at with: on threads of their own, never behind the writer.

One row of an SQLite file, found by its key, is read where it is asked for: a thread takes five times as long
to be woken, and to wake who waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.exc import SQLAlchemyError

from genlock.errors import LedgerError
from genlock.ledger.database import for_one_statement, is_gone, is_shared
from genlock.ledger.question import Question

_T = TypeVar("_T")


class Reading:
    """Answers statements over `engine`. Those asked `often`, and those that find one row `by_key`, are
    compiled once and for all.
    """

    def __init__(
        self, engine: Engine, often: Collection[Select[Any]] = (), by_key: Collection[Select[Any]] = ()
    ) -> None:
        self._engine = engine
        self._at_once = for_one_statement(engine)
        self._often = {statement: Question(statement, engine.dialect) for statement in (*often, *by_key)}
        self._by_key = frozenset(by_key)
        self._near = None if is_shared(engine) else _Near(engine)
        others = engine.pool.size() - (self._near is not None)  # type: ignore[attr-defined]
        self._threads = ThreadPoolExecutor(others, "genlock-reader")

    async def rows(self, statement: Select[Any], **values: Any) -> Sequence[Any]:
        """What one statement finds."""
        often = self._often.get(statement)
        if often is not None:
            if self._near is not None and statement in self._by_key:
                found = self._near.rows(often, values)
                if found is not None:
                    return found
            return await self._on_a_thread(self._at_once, lambda connection: often.rows(connection, **values))
        return await self._on_a_thread(
            self._at_once, lambda connection: connection.execute(statement, values).fetchall()
        )

    async def tuples(self, statement: Select[Any], **values: Any) -> Sequence[Sequence[Any]]:
        """What a statement that is asked often finds, by the thousand: columns have no names."""
        question = self._often[statement]
        return await self._on_a_thread(
            self._at_once, lambda connection: question.tuples(connection, **values)
        )

    async def read(self, look: Callable[[Connection], _T]) -> _T:
        """Several statements that see the same moment."""
        return await self._on_a_thread(self._engine, look)

    async def close(self) -> None:
        """Wait for who is looking, and let go of the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._near is not None:
            self._near.close()
        self._engine.dispose()

    async def _on_a_thread(self, engine: Engine, look: Callable[[Connection], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look, engine, look)


class _Near:
    """A connection that is always open, for who asks from whatever thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._mine = threading.Lock()

    def rows(self, question: Question, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """What it finds; None if the connection is in use."""
        if not self._mine.acquire(blocking=False):
            return None
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            found = question.rows(self._connection, **values)
            if self._connection.in_transaction():  # Core was asked, and would see this moment for ever
                self._connection.rollback()
        except SQLAlchemyError as error:
            self.close()
            raise LedgerError(f"the ledger could not be read: {getattr(error, 'orig', error)}") from error
        else:
            return found
        finally:
            self._mine.release()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _look(engine: Engine, look: Callable[[Connection], _T]) -> _T:
    for again in (True, False):
        try:
            with engine.connect() as connection:
                return look(connection)
        except SQLAlchemyError as error:
            if again and is_gone(error):  # it was lost while nobody used it, and the others with it
                continue
            what = "'s database does not answer" if is_gone(error) else " could not be read"
            raise LedgerError(f"the ledger{what}: {getattr(error, 'orig', error)}") from error
    raise AssertionError("the second time answers or raises")
