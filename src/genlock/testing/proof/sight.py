"""A home as it lies on the disk while no process has it: rows that are read, files that are hashed.

A ledger on a server is read there, at one moment.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.ledger.spending import Decision

FINISHED = ("done", "skipped")
DATABASE = "ledger.db"
Row = dict[str, Any]


@dataclass(frozen=True)
class Doubt:
    """A call that was in doubt, by its place in the job, with what was at risk (millionths), and what was
    decided.
    """

    place: str
    decision: Decision
    amount: int


@dataclass(frozen=True)
class Sight:
    """The rows of a ledger: tasks and calls by their names, events by their jobs."""

    tasks: dict[str, Row]
    events: dict[str, list[Row]]
    notes: dict[str, str]
    calls: dict[str, Row]
    budgets: dict[str, Row]

    @classmethod
    def of(cls, home: Path, scratch: Path) -> Sight:
        """Look at a copy in `scratch`: whoever opens the ledger next finds it as the kill left it."""
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for file in home.glob(f"{DATABASE}*") if home.is_dir() else ():
            shutil.copy2(file, scratch)
        path = scratch / DATABASE
        if not path.exists():
            return cls({}, {}, {}, {}, {})
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            found = cls._read(lambda statement: _rows(database, statement))
        shutil.rmtree(scratch)
        return found

    @classmethod
    def of_server(cls, url: str) -> Sight:
        """Look at a ledger on PostgreSQL as of its last commit."""
        import psycopg
        from psycopg.rows import dict_row

        with closing(psycopg.connect(url, row_factory=dict_row)) as database:
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return cls._read(database.execute)

    @classmethod
    def _read(cls, rows: Callable[[str], Iterable[Row]]) -> Sight:

        events: dict[str, list[Row]] = {}
        for row in rows("SELECT job, seq, kind, task, data FROM event ORDER BY job, seq"):
            events.setdefault(row["job"], []).append(row)
        notes = rows(
            "SELECT task.job || '/' || key || '/' || name AS place, value FROM note "
            "JOIN task ON task.id = note.task AND task.revision = note.revision"
        )
        return cls(
            tasks={f"{row['job']}/{row['key']}": row for row in rows("SELECT * FROM task")},
            events=events,
            notes={row["place"]: row["value"] for row in notes},
            calls={row["key"]: row for row in rows("SELECT * FROM call")},
            budgets={row["scope"]: row for row in rows("SELECT * FROM budget")},
        )

    @property
    def finished(self) -> dict[str, Row]:
        """Tasks that were done or skipped."""
        return {key: row for key, row in self.tasks.items() if row["state"] in FINISHED}

    @property
    def settled(self) -> dict[str, Row]:
        """Calls that were made, paid for and kept."""
        return {key: row for key, row in self.calls.items() if row["state"] == "settled"}

    @property
    def recorded(self) -> int:
        """Millionths that are written down as spent or reserved."""
        return sum(row["spent"] + row["reserved"] for row in self.calls.values())

    @property
    def doubtful(self) -> int:
        """How often a call came in doubt."""
        return sum(row["kind"] == "call.doubt" for row in self.all_events())

    @property
    def decided(self) -> list[Doubt]:
        """The doubts about which somebody decided."""
        found: list[Doubt] = []
        amounts: dict[str, int] = {}
        for event in self.all_events():
            if event["kind"] not in ("call.doubt", "call.resolved"):
                continue
            told = data_of(event)
            key = told["call"]
            if event["kind"] == "call.doubt":
                amounts[key] = told["reserved"]
            else:
                found.append(Doubt(place_of(self.calls[key]), Decision(told["decision"]), amounts[key]))
        return found

    def all_events(self) -> Iterator[Row]:
        """Of all jobs."""
        for events in self.events.values():
            yield from events

    def artifacts(self) -> set[str]:
        """The hash of every file of the store that a task's result or a call's result speaks of."""
        texts = [row["output"] for row in self.tasks.values() if row["output"]]
        return self.bought() | {name for text in texts for name in _references(json.loads(text))}

    def bought(self) -> set[str]:
        """The hash of every file that came of a paid call."""
        texts = [row["result"] for row in self.calls.values() if row["result"]]
        return {name for text in texts for name in _references(json.loads(text))}


def _rows(database: sqlite3.Connection, statement: str) -> Iterator[Row]:
    try:
        yield from map(dict, database.execute(statement))
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise  # else the process died before there were tables


def _references(value: Any) -> Iterator[str]:
    """The hashes of the artifacts that stand in a JSON value."""
    if isinstance(value, dict):
        if value.keys() >= {"sha256", "size", "media_type"}:
            yield value["sha256"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def place_of(row: Row) -> str:
    """Where in its job a call is made: job/task/name."""
    return f"{row['job']}/{row['task']}/{row['name']}"


def data_of(event: Row) -> dict[str, Any]:
    """What an event tells."""
    found: dict[str, Any] = json.loads(event["data"])
    return found


def broken(store: Path, wanted: set[str]) -> Iterator[str]:
    """Files that the store should have and does not, and those whose bytes are not what they were."""
    for name in sorted(wanted):
        path = store / "objects" / name[:2] / name
        if not path.is_file():
            yield f"artifact {name[:12]} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != name:
            yield f"artifact {name[:12]} is not what it was"
