"""The connections that a ledger is looked at with: on threads of their own, never behind the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.exc import SQLAlchemyError

from genlock.errors import LedgerError
from genlock.ledger.database import for_one_statement, is_gone
from genlock.ledger.question import Question

_T = TypeVar("_T")


class Reading:
    """Answers statements over `engine`. Those asked `often` are compiled once and for all."""

    def __init__(self, engine: Engine, often: Collection[Select[Any]] = ()) -> None:
        self._engine = engine
        self._at_once = for_one_statement(engine)
        self._often = {statement: Question(statement, engine.dialect) for statement in often}
        self._threads = ThreadPoolExecutor(engine.pool.size(), "genlock-reader")  # type: ignore[attr-defined]

    async def rows(self, statement: Select[Any], **values: Any) -> Sequence[Any]:
        """What one statement finds."""
        often = self._often.get(statement)
        if often is not None:
            return await self._on_a_thread(self._at_once, lambda connection: often.rows(connection, **values))
        return await self._on_a_thread(
            self._at_once, lambda connection: connection.execute(statement, values).fetchall()
        )

    async def read(self, look: Callable[[Connection], _T]) -> _T:
        """Several statements that see the same moment."""
        return await self._on_a_thread(self._engine, look)

    async def close(self) -> None:
        """Wait for who is looking, and let go of the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _on_a_thread(self, engine: Engine, look: Callable[[Connection], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look, engine, look)


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
