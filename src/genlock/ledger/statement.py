"""The writer's statements, compiled once; and the graphs of the jobs it has met."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum, auto
from functools import cached_property
from itertools import count, repeat

from sqlalchemy import Connection, Engine, bindparam, insert, select, text, update
from sqlalchemy.sql.expression import Executable

from genlock.ledger import schema
from genlock.ledger.database import is_shared
from genlock.ledger.draft import JOB_FIELDS, TASK_FIELDS, Graph, Prepared

_KEPT_GRAPHS = 4096


class Wait(Enum):
    """How long to wait for the lock of a job that another process is at work on."""

    LONG = auto()  # until it is free
    NOT = auto()  # that is an error
    LEAVE_OUT = auto()  # and answer without it


class Statements:
    """Kept as long as the writer, and each made when it is first asked for."""

    def __init__(self, engine: Engine, tell_time: Callable[[Connection], int]) -> None:
        self._dialect = engine.dialect
        self.shared = is_shared(engine)
        self.tell_time = tell_time
        self._prepared: dict[Hashable, Prepared] = {}
        self._tokens = map("{}{:x}".format, repeat(secrets.token_hex(8)), count())
        # By id and time of creation: another process may forget a job, and a new one come to its id.
        self.graphs: OrderedDict[tuple[str, int], Graph] = OrderedDict()

    @cached_property
    def add_event(self) -> Prepared:
        return self.prepare(insert(schema.event))

    @cached_property
    def add_job(self) -> Prepared:
        return self.prepare(insert(schema.job))

    @cached_property
    def add_edge(self) -> Prepared:
        return self.prepare(insert(schema.edge))

    @cached_property
    def add_note(self) -> Prepared:
        return self.prepare(insert(schema.note))

    def prepare(self, statement: Executable) -> Prepared:
        return Prepared(statement, self._dialect)

    def token(self) -> str:
        """A fence that no other claim has, whoever writes."""
        return next(self._tokens)

    def named(self, name: Hashable, make: Callable[[], Executable]) -> Prepared:
        """The statement of this name, made the first time it is asked for."""
        if name not in self._prepared:
            self._prepared[name] = self.prepare(make())
        return self._prepared[name]

    def read_jobs(self, count: int, wait: Wait) -> Prepared:
        return self.named(("jobs", count, wait), lambda: _read_jobs(count, wait))

    def read_tasks(self, count: int) -> Prepared:
        return self.named(("read", count), lambda: _read_tasks(count))

    def write_tasks(self, fields: tuple[str, ...]) -> Prepared:
        return self.named(("write", fields), lambda: _write_tasks(fields))

    def write_job(self, fields: tuple[str, ...]) -> Prepared:
        return self.named(("job", fields), lambda: _write_job(fields))

    def keep(self, job: tuple[str, int], graph: Graph) -> None:
        self.graphs[job] = graph
        if len(self.graphs) > _KEPT_GRAPHS:
            self.graphs.popitem(last=False)


def _read_jobs(count: int, wait: Wait) -> Executable:
    """Locked in the order of their ids, so that two writers cannot wait for each other."""
    columns = [schema.job.c[name] for name in JOB_FIELDS]
    wanted = schema.job.c.id.in_([bindparam(f"id_{place}") for place in range(count)])
    found = select(*columns).where(wanted).order_by(schema.job.c.id)
    return found.with_for_update(nowait=wait is Wait.NOT, skip_locked=wait is Wait.LEAVE_OUT)


def _read_tasks(count: int) -> Executable:
    """A join with the wanted keys: SQLite scans the table for `(job, key) IN (…)`."""
    wanted = ", ".join(f"(:job_{place}, :key_{place})" for place in range(count))
    columns = ", ".join(f"task.{name}" for name in TASK_FIELDS)
    return text(
        f"WITH wanted(job, key) AS (VALUES {wanted}) "  # noqa: S608 - only names of our own columns
        f"SELECT {columns} FROM wanted CROSS JOIN task WHERE task.job = wanted.job AND task.key = wanted.key"
    )


def _write_tasks(fields: tuple[str, ...]) -> Executable:
    columns = schema.task.c
    return (
        update(schema.task)
        .where(
            columns.id == bindparam("row_id"),
            columns.state == bindparam("was_state"),
            columns.token.is_not_distinct_from(bindparam("was_token")),
        )
        .values({name: bindparam(name) for name in fields})
    )


def _write_job(fields: tuple[str, ...]) -> Executable:
    columns = schema.job.c
    return (
        update(schema.job)
        .where(columns.id == bindparam("row_id"), columns.last_event == bindparam("was_event"))
        .values({name: bindparam(name) for name in fields})
    )
