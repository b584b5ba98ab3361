"""Rows as they are worked on: read in a batch, changed in Python, and written back where they differ.

A draft is what its row will be after the batch. It remembers the row it was read from: the
UPDATE shows the state and token that were read, so a row that is not what it was is never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import Executable

from genlock.ledger import schema
from genlock.ledger.records import Claim, Kept, TaskRef, TaskState

BLOCKED, READY, RUNNING, SPREAD = (
    TaskState.BLOCKED.value,
    TaskState.READY.value,
    TaskState.RUNNING.value,
    TaskState.SPREAD.value,
)
PARKED, DONE, FAILED, SKIPPED, CANCELLED = (
    TaskState.PARKED.value,
    TaskState.DONE.value,
    TaskState.FAILED.value,
    TaskState.SKIPPED.value,
    TaskState.CANCELLED.value,
)
FINISHED = frozenset({DONE, FAILED, SKIPPED, CANCELLED})


@dataclass(slots=True, eq=False)
class TaskDraft:
    """One task; the fields are the columns of `schema.task`, in their order."""

    id: int
    job: str
    key: str
    node: str
    position: int
    idx: int
    mapped: int
    need: int | None
    queue: str
    resources: str
    pinned: int
    state: str
    held: int
    waits: int
    attempt: int
    tries: int
    reclaims: int
    revision: int
    token: str | None
    holder: str | None
    due_at: int | None
    signal: str | None
    parked_for: str | None
    progress: float | None
    progress_note: str | None
    started_at: int | None
    finished_at: int | None
    input_hash: str | None
    output: str | None
    error_kind: str | None
    error_message: str | None
    error_trace: str | None
    reason: str | None
    item: str | None
    kept_hash: str | None
    kept_output: str | None
    written: int
    opened: int
    unfinished: int
    lost: int
    child_job: str | None
    asleep: int
    was: tuple[Any, ...] = ()

    @classmethod
    def of(cls, row: Sequence[Any]) -> TaskDraft:
        """From what the database gave."""
        draft = cls(*row)
        draft.was = tuple(row)
        return draft

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.job, self.key)

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def is_map(self) -> bool:
        return bool(self.mapped) and self.idx < 0

    @property
    def required(self) -> int:
        """How many children of this map must be done."""
        return self.written if self.need is None else self.need

    def let_go(self) -> None:
        """Nobody holds it and it waits for nothing."""
        self.token = self.holder = self.due_at = self.signal = self.parked_for = None

    def clear_error(self) -> None:
        self.error_kind = self.error_message = self.error_trace = None

    def claim(self, epoch: int) -> Claim:
        assert self.token is not None
        assert self.holder is not None
        kept = None if self.kept_hash is None else Kept(self.kept_hash, self.kept_output or "null")
        return Claim(
            TaskRef(self.job, self.key),
            self.token,
            self.holder,
            self.attempt,
            self.tries,
            self.reclaims,
            self.revision,
            self.item,
            kept,
            self.written,
            self.resources,
            epoch,
            self.started_at or 0,
        )


@dataclass(slots=True, eq=False)
class JobDraft:
    """The part of a job that changes; the fields are those of `JOB_FIELDS`."""

    id: str
    state: str
    parent_job: str | None
    parent_key: str | None
    created_at: int
    updated_at: int
    started_at: int | None
    finished_at: int | None
    deadline: int | None
    deadline_at: int | None
    error_kind: str | None
    error_message: str | None
    error_trace: str | None
    failed_task: str | None
    last_event: int
    live: int
    parked: int
    failed: int
    unswept: int
    abroad: int
    deadline_left: int | None
    was: tuple[Any, ...] = ()

    @classmethod
    def of(cls, row: Sequence[Any]) -> JobDraft:
        """From what the database gave."""
        draft = cls(*row)
        draft.was = tuple(row)
        return draft

    @property
    def finished(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")

    @property
    def claimable(self) -> bool:
        return self.state in ("pending", "running", "waiting")

    @property
    def parent(self) -> TaskRef | None:
        return TaskRef(self.parent_job, self.parent_key) if self.parent_job and self.parent_key else None


TASK_FIELDS = tuple(column.name for column in schema.task.columns)
JOB_FIELDS = tuple(name for name in JobDraft.__dataclass_fields__ if name != "was")


@dataclass(frozen=True)
class Graph:
    """The unchanging shape of a job: nodes in order, and who waits for whom (and can do without)."""

    nodes: tuple[str, ...]
    ups: Mapping[str, tuple[tuple[str, bool], ...]]
    downs: Mapping[str, tuple[tuple[str, bool], ...]]

    @classmethod
    def of(cls, nodes: Iterable[str], edges: Iterable[tuple[str, str, int]]) -> Graph:
        """From what the database gave."""
        ups: dict[str, tuple[tuple[str, bool], ...]] = {}
        downs: dict[str, tuple[tuple[str, bool], ...]] = {}
        for upstream, downstream, optional in edges:
            ups[downstream] = (*ups.get(downstream, ()), (upstream, bool(optional)))
            downs[upstream] = (*downs.get(upstream, ()), (downstream, bool(optional)))
        return cls(tuple(nodes), ups, downs)

    def in_order(self) -> list[str]:
        """Upstream before downstream, whatever order the nodes were written in."""
        order: dict[str, None] = {}

        def visit(node: str) -> None:
            if node not in order:
                for up, _ in self.ups.get(node, ()):
                    visit(up)
                order[node] = None

        for node in self.nodes:
            visit(node)
        return list(order)


class Prepared:
    """A Core statement compiled once and handed to the driver as it is.

    Core's own execution asks up to 200 µs for a row of forty columns; the driver asks 10. Values and
    columns here are numbers and texts that need no conversion.
    """

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self._sql = str(compiled)
        self._names: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}

    def run(self, connection: Connection, **values: Any) -> None:
        """Run it for its effect."""
        self._execute(connection, values).close()

    def rows(self, connection: Connection, **values: Any) -> Sequence[Sequence[Any]]:
        """Its rows, as the driver gives them."""
        cursor = self._execute(connection, values)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        cursor.close()
        return rows

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> DBAPICursor:
        given = {**self._fixed, **values}
        cursor = connection.connection.cursor()
        bound: Any = given if self._names is None else tuple(given[name] for name in self._names)
        cursor.execute(self._sql, bound)
        return cursor

    def run_rows(self, connection: Connection, rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> int:
        """Run once a row, the row's values being those of `names`; answers how many rows it touched."""
        cursor = connection.connection.cursor()
        cursor.executemany(self._sql, self._bind_rows(rows, names))
        touched = cursor.rowcount
        cursor.close()
        return touched

    def _bind_rows(self, rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> Sequence[Any]:
        if self._names is None:
            return [dict(zip(names, row, strict=True)) for row in rows]
        if list(self._names) == list(names):
            return rows
        order = [names.index(name) for name in self._names]
        return [tuple(row[place] for place in order) for row in rows]
