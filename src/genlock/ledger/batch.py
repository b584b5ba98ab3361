"""One transaction of the writer: drafts of the rows it touches, and the events it adds.

Verbs look at drafts and change drafts. They refuse before they change anything, so a refusal costs
its neighbours nothing; any other error ends the whole batch. Statements that change rows by the
thousand go round the drafts: `sweep` writes what is pending first and reads the drafts anew after.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from json.encoder import encode_basestring
from math import isfinite
from operator import attrgetter, ne
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.sql.expression import Executable

from genlock.errors import LedgerError, NotFound
from genlock.ledger import schema
from genlock.ledger.draft import JOB_FIELDS, READY, TASK_FIELDS, Graph, JobDraft, TaskDraft
from genlock.ledger.records import Advance, Claim, TaskRef
from genlock.ledger.statement import Statements

_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_task_values = attrgetter(*TASK_FIELDS)
_job_values = attrgetter(*JOB_FIELDS)
_T = TypeVar("_T")
_PAGE = 256
_EVENT_FIELDS = ("job", "seq", "at", "kind", "task", "data")


def _encode(data: Mapping[str, Any]) -> str:
    """A flat object as JSON: events are small and many, and the general encoder takes its time to start."""
    return "{" + ",".join([f'"{name}":{_encode_value(value)}' for name, value in data.items()]) + "}"


def _encode_value(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int or (kind is float and isfinite(value)):
        return repr(value)
    return "null" if value is None else _encode_any(value)


@dataclass
class Change:
    """What one verb has made possible so far."""

    ready: list[TaskRef] = field(default_factory=list)
    claimed: list[Claim] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def advance(self) -> Advance:
        return Advance(tuple(self.ready), tuple(self.claimed), tuple(self.finished))


class Batch:
    """The rows that verbs of one transaction have met. `now` is one moment for all of them."""

    def __init__(self, connection: Connection, statements: Statements, now: int) -> None:
        self.connection = connection
        self.statements = statements
        self.now = now
        self._jobs: dict[str, JobDraft] = {}
        self._tasks: dict[tuple[str, str], TaskDraft] = {}
        self._absent: set[tuple[str, str]] = set()
        self._events: list[tuple[Any, ...]] = []
        self.stirred: set[str] = set()  # jobs that have new events
        # What verbs have been handed since the last flush between two verbs: only these can differ.
        self._met: dict[int, TaskDraft] = {}
        self._met_jobs: dict[str, JobDraft] = {}
        self._flushed = False

    # Reading

    def job(self, id: str) -> JobDraft:
        found = self._jobs.get(id)
        if found is None:
            self.fetch_jobs([id])
            found = self._jobs.get(id)
        if found is None:
            raise NotFound(f"there is no job {id!r}")
        self._met_jobs[id] = found
        return found

    def task(self, ref: TaskRef) -> TaskDraft:
        name = (ref.job, ref.key)
        if name not in self._tasks:
            self.fetch([name])
        found = self._tasks.get(name)
        if found is None:
            self.job(ref.job)
            raise NotFound(f"job {ref.job!r} has no task {ref.key!r}")
        self._met[found.id] = found
        return found

    def find(self, ref: TaskRef) -> TaskDraft | None:
        """The task if it exists; of no cost once it was fetched."""
        self.fetch([(ref.job, ref.key)])
        found = self._tasks.get((ref.job, ref.key))
        if found is not None:
            self._met[found.id] = found
        return found

    def parent(self, child: TaskDraft) -> TaskDraft:
        """The map's own row."""
        return self.task(TaskRef(child.job, child.node))

    def fetch_jobs(self, ids: Iterable[str]) -> None:
        """Read these jobs in few statements; those that do not exist are left out."""
        wanted = sorted(set(ids) - self._jobs.keys())
        for page, size in _pages(wanted):
            values = {f"id_{place}": page[min(place, len(page) - 1)] for place in range(size)}
            for row in self.statements.read_jobs(size).rows(self.connection, **values):
                self._jobs[row[0]] = JobDraft.of(row)

    def look_ahead(self, refs: Sequence[TaskRef]) -> None:
        """Read what the verbs of a whole batch are about: their jobs, their tasks, and what these free."""
        self.fetch_jobs(ref.job for ref in refs)
        names = [(ref.job, ref.key) for ref in refs]
        graphs = self.statements.graphs
        names += [
            (ref.job, down)
            for ref in refs
            if ref.job in graphs
            for down, _ in graphs[ref.job].downs.get(ref.key, ())
        ]
        self.fetch(names)

    def fetch(self, names: Iterable[tuple[str, str]]) -> None:
        """Read these tasks (job, key) in few statements; those that do not exist are left out."""
        wanted = [
            name for name in dict.fromkeys(names) if name not in self._tasks and name not in self._absent
        ]
        for page, size in _pages(wanted):
            values: dict[str, str] = {}
            for place in range(size):
                values[f"job_{place}"], values[f"key_{place}"] = page[min(place, len(page) - 1)]
            self.take_in(self.statements.read_tasks(size).rows(self.connection, **values))
            self._absent.update(name for name in page if name not in self._tasks)

    def take_in(self, rows: Iterable[Sequence[Any]]) -> list[TaskDraft]:
        """Drafts of whole rows of tasks; a row that is known already keeps its draft."""
        drafts = []
        for row in rows:
            known = self._tasks.get((row[1], row[2]))
            if known is None:
                known = self._tasks[row[1], row[2]] = TaskDraft.of(row)
            self._met[known.id] = known
            drafts.append(known)
        return drafts

    def graph(self, job: str) -> Graph:
        found = self.statements.graphs.get(job)
        if found is None:
            task, edge = schema.task.c, schema.edge.c
            nodes = self.select(
                select(task.node).where(task.job == job, task.idx < 0).order_by(task.position)
            )
            edges = self.select(select(edge.upstream, edge.downstream, edge.optional).where(edge.job == job))
            found = Graph.of((row[0] for row in nodes), ((up, down, opt) for up, down, opt in edges))
            self.statements.keep(job, found)
        return found

    def nodes(self, job: str) -> dict[str, TaskDraft]:
        """The rows of a job's nodes, without children, in the order of its graph."""
        names = self.graph(job).nodes
        self.fetch((job, name) for name in names)
        return {name: self.task(TaskRef(job, name)) for name in names}

    def select(self, statement: Executable) -> list[Any]:
        """Rows of a Core statement, after writing what is pending."""
        self.flush()
        return list(self.connection.execute(statement).fetchall())

    # Writing

    def log(self, job: JobDraft, kind: str, task: str | None = None, /, **data: Any) -> None:
        """Add an event; its number is the next of the job."""
        job.last_event += 1
        self.stirred.add(job.id)
        job.updated_at = self.now
        self._events.append((job.id, job.last_event, self.now, kind, task, _encode(data)))

    def adopt(self, job: JobDraft) -> None:
        """A job that was inserted just now."""
        job.was = _job_values(job)
        self._jobs[job.id] = self._met_jobs[job.id] = job

    def sweep(self, job: str, statement: Executable) -> int:
        """Change many rows of a job in one statement; drafts of its tasks are brought up to date."""
        self.flush()
        touched = self.connection.execute(statement).rowcount
        self._refresh(job)
        return touched

    def _refresh(self, job: str) -> None:
        drafts = {name: task for name, task in self._tasks.items() if name[0] == job}
        for name in drafts:
            del self._tasks[name]
        self._absent.clear()
        self.fetch(drafts)
        for name, draft in drafts.items():
            fresh = self._tasks.get(name)
            if fresh is not None:
                for place, value in enumerate(fresh.was):
                    setattr(draft, TASK_FIELDS[place], value)
                draft.was = fresh.was
                self._tasks[name] = self._met[draft.id] = draft

    def drop(self, jobs: Sequence[str]) -> None:
        """Delete jobs with all their rows; nested ones stand after those they are nested in."""
        self.flush()
        gone, nested_first = set(jobs), list(reversed(jobs))
        for start in range(0, len(nested_first), 500):
            page = nested_first[start : start + 500]
            self.connection.execute(delete(schema.job).where(schema.job.c.id.in_(page)))
        for job in gone:
            self._jobs.pop(job, None)
            self._met_jobs.pop(job, None)
            self.statements.graphs.pop(job, None)
        self._tasks = {name: task for name, task in self._tasks.items() if name[0] not in gone}
        self._met = {key: task for key, task in self._met.items() if task.job not in gone}
        self.missed()

    def missed(self) -> None:
        """Rows were added: what was not there may be there now."""
        self._absent.clear()

    def flush(self) -> None:
        """Write what differs from what was read: tasks, jobs, events."""
        self._flushed = True
        self._flush_tasks()
        for job in self._met_jobs.values():
            self._flush_job(job)
        if self._events:
            self.statements.add_event.run_rows(self.connection, self._events, _EVENT_FIELDS)
            self._events = []

    def turn(self) -> None:
        """The next verb begins: nobody holds a draft, so those that were written can be left in peace."""
        if self._flushed:
            self._met = {key: task for key, task in self._met.items() if _task_values(task) != task.was}
            self._met_jobs = {key: job for key, job in self._met_jobs.items() if _job_values(job) != job.was}
            self._flushed = False

    def _flush_tasks(self) -> None:
        by_fields: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for task in self._met.values():
            now, was = _task_values(task), task.was
            if now != was:
                differs = tuple(map(ne, now, was))
                fields = tuple(compress(TASK_FIELDS, differs))
                by_fields[fields].append((*compress(now, differs), task.id, was[_STATE], was[_TOKEN]))
                task.was = now
        for fields, rows in by_fields.items():
            names = (*fields, "row_id", "was_state", "was_token")
            touched = self.statements.write_tasks(fields).run_rows(self.connection, rows, names)
            if touched != len(rows):
                raise LedgerError(f"{len(rows) - touched} tasks were changed by another writer meanwhile")

    def _flush_job(self, job: JobDraft) -> None:
        now = _job_values(job)
        if now == job.was:
            return
        fields = tuple(name for name, new, old in zip(JOB_FIELDS, now, job.was, strict=True) if new != old)
        row = (*(getattr(job, name) for name in fields), job.id, job.was[_LAST_EVENT])
        names = (*fields, "row_id", "was_event")
        if self.statements.write_job(fields).run_rows(self.connection, [row], names) != 1:
            raise LedgerError(f"job {job.id} was changed by another writer meanwhile")
        job.was = now

    # Counting anew, for verbs that change many rows at once

    def recount(self, job: JobDraft) -> None:
        """live, parked and failed of a job from its rows."""
        task = schema.task.c
        grouped = select(task.state, task.idx < 0, task.asleep, task.child_job.is_not(None), func.count())
        rows = self.select(
            grouped.where(task.job == job.id).group_by(
                task.state, task.idx < 0, task.asleep, task.child_job.is_not(None)
            )
        )
        job.live = job.parked = job.failed = 0
        for state, is_node, asleep, nested, count in rows:
            kind = weight(state, bool(is_node), bool(nested), bool(asleep))
            if kind is not None:
                setattr(job, kind, getattr(job, kind) + count)

    def recount_map(self, parent: TaskDraft) -> None:
        """Unfinished and lost children of a map from their rows."""
        task = schema.task.c
        rows = self.select(
            select(task.state, func.count())
            .where(task.job == parent.job, task.position == parent.position, task.idx >= 0)
            .group_by(task.state)
        )
        counts = {state: count for state, count in rows}  # noqa: C416 - rows are no pairs to mypy
        parent.lost = counts.get("failed", 0)
        finished = sum(counts.get(state, 0) for state in ("done", "failed", "skipped", "cancelled"))
        parent.unfinished = sum(counts.values()) - finished


def _pages(wanted: Sequence[_T]) -> Iterator[tuple[Sequence[_T], int]]:
    """Pages and the size of the statement for each: a power of two, so that there are few statements."""
    for start in range(0, len(wanted), _PAGE):
        page = wanted[start : start + _PAGE]
        yield page, 1 << (len(page) - 1).bit_length()


_STATE = TASK_FIELDS.index("state")
_TOKEN = TASK_FIELDS.index("token")
_LAST_EVENT = JOB_FIELDS.index("last_event")


def weight(state: str, is_node: bool, nested: bool, asleep: bool) -> str | None:
    """Which counter of its job a task stands in."""
    if state in (READY, "running"):
        return "live"
    if state == "parked":
        return "parked"
    if state == "spread" and nested:
        return "parked" if asleep else "live"
    return "failed" if state == "failed" and is_node else None
