"""One transaction of the writer: drafts of the rows it touches, and the events it adds.

A job's row is the lock of the job: of its state, its tasks and the numbers of its events. On SQLite the
transaction has locked everything. Where others write too, a batch waits only at its beginning, for all
jobs it is known to need, in the order of their ids; any other job it must get without waiting, or it
starts anew with that one among the known (`JobsBusy`). Nobody waits while holding what comes
later in the order, so batches cannot wait for each other in a ring.

Verbs look at drafts and change drafts. They refuse before they change anything, so a refusal costs
its neighbours nothing; any other error ends the whole batch. Statements that change rows by the
thousand go round the drafts: `sweep` writes what is pending first and reads the drafts anew after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, select
from sqlalchemy.sql.expression import Executable

from genlock.errors import NotFound
from genlock.ledger import schema
from genlock.ledger.database import is_locked, lock_money
from genlock.ledger.draft import TASK_FIELDS, Graph, JobDraft, TaskDraft
from genlock.ledger.encoding import encode
from genlock.ledger.flush import flush_job, flush_tasks, job_values, task_values
from genlock.ledger.recall import Recall
from genlock.ledger.records import Advance, Claim, TaskRef
from genlock.ledger.statement import Statements, Wait

_T = TypeVar("_T")
_PAGE = 256
_EVENT_FIELDS = ("job", "seq", "at", "kind", "task", "data")


@dataclass
class Change:
    """What one verb has made possible so far."""

    ready: list[TaskRef] = field(default_factory=list)
    claimed: list[Claim] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def advance(self) -> Advance:
        return Advance(tuple(self.ready), tuple(self.claimed), tuple(self.finished))


class JobsBusy(Exception):
    """Another process is at work on these jobs: roll back, and begin by waiting for them."""

    def __init__(self, jobs: Collection[str]) -> None:
        super().__init__(f"busy: {', '.join(sorted(jobs))}")
        self.jobs = frozenset(jobs)


class Batch:
    """The rows that verbs of one transaction have met. `now` is one moment for all of them."""

    now: int

    def __init__(self, connection: Connection, statements: Statements, recall: Recall | None = None) -> None:
        self.connection = connection
        self.statements = statements
        self._recall = recall or Recall()
        self._jobs, self._tasks = self._recall.jobs, self._recall.tasks
        self._absent: set[tuple[str, str]] = set()
        self._events: list[tuple[Any, ...]] = []
        self.stirred: dict[str, bool] = {}  # jobs that have new events, and whether they have ended
        # What verbs have been handed since the last flush between two verbs: only these can differ.
        self._met: dict[int, TaskDraft] = {}
        self._met_jobs: dict[str, JobDraft] = {}
        self._flushed, self._flushes = False, 0
        self.left: list[tuple[str, int]] = []  # sweeps that go on after the commit: job and number
        self._holds_money = False
        self.said: list[tuple[Any, ...]] = []  # events, if anybody listens
        self.heard = False

    # Reading

    def job(self, id: str) -> JobDraft:
        found = self.find_job(id)
        if found is None:
            raise NotFound(f"there is no job {id!r}")
        return found

    def find_job(self, id: str) -> JobDraft | None:
        """The job if it exists."""
        if id not in self._jobs:
            self.fetch_jobs([id])
        found = self._jobs.get(id)
        if found is not None:
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

    def fetch_jobs(self, ids: Iterable[str], wait: Wait = Wait.NOT) -> bool:
        """Read and lock these jobs in few statements; those that do not exist are left out.

        Answers whether others could change any of them until now, so that what was read of it
        before has to be read again. `JobsBusy` if one is not to be had without waiting.
        """
        wanted = sorted({job for job in ids if job not in self._jobs})
        for page, size in _pages(wanted):
            values = {f"id_{place}": page[min(place, len(page) - 1)] for place in range(size)}
            try:
                rows = self.statements.read_jobs(size, wait).rows(self.connection, **values)
            except Exception as error:
                if wait is Wait.NOT and is_locked(error):
                    raise JobsBusy(wanted) from None
                raise
            for row in rows:
                self._jobs[row[0]] = JobDraft.of(row)
        return bool(wanted) and self.statements.shared

    def holds(self, job: str) -> bool:
        """Whether the job is locked, so that what is read of it stays true."""
        return job in self._jobs or not self.statements.shared

    def lock_money(self) -> None:
        """Hold all calls and budgets until the commit. Whoever waits for this holds jobs, and whoever has it
        waits for nothing.
        """
        if not self._holds_money:
            lock_money(self.connection)
            self._holds_money = True

    def look_ahead(self, refs: Sequence[TaskRef], jobs: Collection[str] = ()) -> None:
        """Read what the verbs of a whole batch are about: their jobs, their tasks, and what these free."""
        self.fetch_jobs([*(ref.job for ref in refs), *jobs], Wait.LONG)
        self.now = self.statements.tell_time(self.connection)  # later than whoever had the jobs before
        names = [(ref.job, ref.key) for ref in refs]
        for ref in refs:
            job = self._jobs.get(ref.job)
            graph = None if job is None else self.statements.graphs.get((job.id, job.created_at))
            if graph is not None:
                names += [(ref.job, down) for down, _ in graph.downs.get(ref.key, ())]
        self.fetch(names)

    def fetch(self, names: Iterable[tuple[str, str]]) -> None:
        """Read these tasks (job, key) in few statements; those that do not exist are left out."""
        wanted = [
            name for name in dict.fromkeys(names) if name not in self._tasks and name not in self._absent
        ]
        if not wanted:
            return
        self.fetch_jobs({job for job, _ in wanted})
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

    def search(self, statement: Executable) -> list[TaskDraft]:
        """The tasks that a statement finds; looked for again until the jobs of all were locked before."""
        rows = self.select(statement)
        while self.fetch_jobs({row.job for row in rows}):
            rows = self.select(statement)
        return self.take_in(rows)

    def graph(self, job: str) -> Graph:
        name = (job, self.job(job).created_at)
        found = self.statements.graphs.get(name)
        if found is None:
            task, edge = schema.task.c, schema.edge.c
            nodes = self.select(
                select(task.node).where(task.job == job, task.idx < 0).order_by(task.position)
            )
            edges = self.select(select(edge.upstream, edge.downstream, edge.optional).where(edge.job == job))
            found = Graph.of((row[0] for row in nodes), ((up, down, opt) for up, down, opt in edges))
            self.statements.keep(name, found)
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
        self.tell(job, kind, task, encode(data))

    def tell(self, job: JobDraft, kind: str, task: str | None, data: str) -> None:
        """As `log`, of data that is JSON already."""
        job.last_event += 1
        self.stirred.setdefault(job.id, False)
        job.updated_at = self.now
        self._events.append((job.id, job.last_event, self.now, kind, task, data))

    def adopt(self, job: JobDraft) -> None:
        """A job that was inserted just now."""
        job.was = job_values(job)
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

    def let_go(self, names: Iterable[tuple[str, str]]) -> None:
        """Rows (job, key) were changed without their drafts, which were flushed before."""
        for name in names:
            draft = self._tasks.pop(name, None)
            if draft is not None:
                self._met.pop(draft.id, None)

    def drop(self, jobs: Sequence[str]) -> None:
        """Delete jobs with all their rows; nested ones stand after those they are nested in."""
        self.flush()
        gone, nested_first = set(jobs), list(reversed(jobs))
        for start in range(0, len(nested_first), 500):
            page = nested_first[start : start + 500]
            self.connection.execute(delete(schema.job).where(schema.job.c.id.in_(page)))
        for job in gone:
            draft = self._jobs.pop(job, None)
            self._met_jobs.pop(job, None)
            if draft is not None:
                self.statements.graphs.pop((job, draft.created_at), None)
        for name in [name for name in self._tasks if name[0] in gone]:
            del self._tasks[name]
        self._met = {key: task for key, task in self._met.items() if task.job not in gone}
        self.missed()

    def missed(self) -> None:
        """Rows were added: what was not there may be there now."""
        self._absent.clear()

    def flush(self) -> None:
        """Write what differs from what was read: tasks, jobs, events."""
        self._flushed = True
        self._flushes += 1
        flush_tasks(self.connection, self.statements, self._met.values())
        for job in self._met_jobs.values():
            flush_job(self.connection, self.statements, job)
        if self._events:
            self.statements.add_event.run_rows(self.connection, self._events, _EVENT_FIELDS)
            if self.heard:
                self.said += self._events
            self._events = []

    def leave(self) -> None:
        """It was committed, and nobody asks it any more. If it wrote once, all that it met is known."""
        if self._flushes == 1:
            self._recall.keep(self._met_jobs.values(), self._met.values())
        else:
            self._recall.forget()

    def turn(self) -> None:
        """The next verb begins: nobody holds a draft, so those that were written can be left in peace."""
        if self._flushed:
            self._met = {key: task for key, task in self._met.items() if task_values(task) != task.was}
            self._met_jobs = {key: job for key, job in self._met_jobs.items() if job_values(job) != job.was}
            self._flushed = False


def _pages(wanted: Sequence[_T]) -> Iterator[tuple[Sequence[_T], int]]:
    """Pages and the size of the statement for each: a power of two, so that there are few statements."""
    for start in range(0, len(wanted), _PAGE):
        page = wanted[start : start + _PAGE]
        yield page, 1 << (len(page) - 1).bit_length()
