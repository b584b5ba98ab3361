"""Questions to the database that are asked all the time, compiled once."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Select

from genlock.ledger.draft import Prepared

_named: Any = namedtuple  # mypy wants to see the names


class Question:
    """A SELECT that goes to the driver as it is: Core takes four times as long for a row."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        self._statement = statement
        self._prepared = Prepared(statement, dialect)
        self._trouble = dialect.loaded_dbapi.Error
        names = [column.name for column in statement.selected_columns]
        self._row = _named("Row", names)._make

    def rows(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """What it finds; columns by their names."""
        try:
            found = self._prepared.rows(connection, **values)
        except self._trouble:  # Core says so in its own words, and knows what to do with a lost connection
            return connection.execute(self._statement, values).fetchall()
        return [self._row(row) for row in found]
