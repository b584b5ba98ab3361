"""Questions to the database that are asked all the time, compiled once: when they are first asked."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Dialect, Select

from genlock.ledger.draft import Prepared

_named: Any = namedtuple  # mypy wants to see the names


class Question:
    """A SELECT that goes to the driver as it is: Core takes four times as long for a row."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        self._statement = statement
        self._dialect = dialect
        self._trouble = dialect.loaded_dbapi.Error

    @cached_property
    def _prepared(self) -> Prepared:
        return Prepared(self._statement, self._dialect)

    @cached_property
    def _row(self) -> Any:
        return _named("Row", [column.name for column in self._statement.selected_columns])._make

    def rows(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """What it finds; columns by their names."""
        return [self._row(row) for row in self.tuples(connection, **values)]

    def tuples(self, connection: Connection, **values: Any) -> Sequence[Sequence[Any]]:
        """What it finds, without the names: for rows by the thousand."""
        try:
            return self._prepared.rows(connection, **values)
        except self._trouble:  # Core says so in its own words, and knows what to do with a lost connection
            return connection.execute(self._statement, values).fetchall()
