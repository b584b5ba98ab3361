"""The looking half of the in-memory ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from genlock.errors import Unsupported
from genlock.ledger.memory.accounts import MemoryAccounts
from genlock.ledger.memory.book import Book
from genlock.ledger.memory.redo import plan
from genlock.ledger.memory.row import Job, Task
from genlock.ledger.memory.till import Till
from genlock.ledger.records import (
    Event,
    JobFilter,
    JobRow,
    NodeCount,
    Outlook,
    RedoPlan,
    TaskRef,
    TaskRow,
    TaskState,
    page_lost,
)


class MemoryReader(MemoryAccounts):
    """`LedgerReader` over a book in memory."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._till = Till(book)

    async def job(self, job: str) -> JobRow:
        return _job_row(self._book.job(job))

    async def jobs(
        self, where: JobFilter = JobFilter(), *, after: str | None = None, limit: int = 100
    ) -> Sequence[JobRow]:
        newest = sorted(self._book.jobs.values(), key=lambda job: (job.created_at, job.spec.id), reverse=True)
        if after is not None:
            ids = [job.spec.id for job in newest]
            if after not in ids:
                raise page_lost(after)
            newest = newest[ids.index(after) + 1 :]
        return [_job_row(job) for job in newest if _fits(job, where)][:limit]

    async def task(self, ref: TaskRef) -> TaskRow:
        return _task_row(self._book.task(ref))

    async def tasks(
        self,
        job: str,
        *,
        node: str | None = None,
        states: Collection[TaskState] | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[TaskRow]:
        rows = list(self._book.jobs[job].tasks()) if job in self._book.jobs else []
        if after is not None:
            keys = [row.ref.key for row in rows]
            rows = rows[keys.index(after) + 1 :] if after in keys else []
        fitting = [
            row for row in rows if node in (None, row.ref.node) and (states is None or row.state in states)
        ]
        return [_task_row(row) for row in fitting[:limit]]

    async def nodes(self, job: str) -> Sequence[TaskRow]:
        return [row for row in await self.tasks(job, limit=10**9) if row.ref.index is None]

    async def counts(self, job: str) -> Sequence[NodeCount]:
        found: Counter[tuple[str, TaskState]] = Counter()
        if known := self._book.jobs.get(job):
            found.update((row.ref.node, row.state) for row in known.tasks() if not row.hides(known))
        return [NodeCount(node, state, count) for (node, state), count in found.items()]

    async def output(self, ref: TaskRef) -> tuple[TaskState, str | None]:
        task = self._book.task(ref)
        return task.state, task.output

    async def outputs(self, job: str, node: str) -> AsyncIterator[Sequence[tuple[TaskState, str | None]]]:
        yield [(child.state, child.output) for child in self._book.job(job).maps[node]]

    async def notes(self, ref: TaskRef) -> dict[str, str]:
        return dict(self._book.task(ref).notes)

    async def revisions(self, ref: TaskRef) -> Sequence[tuple[int, TaskState, str | None]]:
        return list(self._book.task(ref).history)

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        events = self._book.jobs[job].events if job in self._book.jobs else []
        return events[after : after + limit]

    async def changed(self, job: str, after: int, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                while len(self._book.job(job).events) <= after:
                    await self._book.stirred()
        except TimeoutError:
            return False
        return True

    async def ended(self, job: str, timeout: float) -> JobRow:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._book.job(job).state.finished:
                    await self._book.stirred()
        return await self.job(job)

    async def held(self, holder: str) -> Mapping[TaskRef, tuple[int, int]]:
        tasks = [task for job in self._book.jobs.values() for task in job.tasks() if task.holder == holder]
        return {task.ref: (task.revision, task.attempt) for task in tasks}

    async def ready_count(self) -> int:
        now = self._book.clock.now()
        return sum(
            task.state is TaskState.READY and task.due_at is not None and task.due_at <= now
            for job in self._book.jobs.values()
            if job.state.claimable
            for task in job.tasks()
        )

    async def outlook(self) -> Outlook:
        now, due = self._book.clock.now(), []
        kinds: set[str] = set()
        for job in self._book.jobs.values():
            if job.deadline_at and not job.state.finished:
                due.append(job.deadline_at)
            if job.state.claimable:
                due += [at for task in job.tasks() if (at := _due_later(task, now))]
                kinds |= {task.spec.resources for task in job.tasks() if task.state is TaskState.READY}
        return Outlook(tuple(sorted(kinds)), min(due) - now if due else None)

    async def awaiting(self, prefix: str) -> Sequence[tuple[TaskRef, str]]:
        jobs = (job for job in self._book.jobs.values() if job.state.claimable)
        parked = (task for job in jobs for task in job.tasks() if task.state is TaskState.PARKED)
        return [(t.ref, t.signal) for t in parked if t.signal and t.signal.startswith(prefix)]

    async def children(self, job: str) -> Sequence[JobRow]:
        return [
            _job_row(one)
            for _, one in sorted(self._book.jobs.items())
            if one.parent and one.parent.job == job
        ]

    async def plan_redo(self, job: str, keys: Sequence[str]) -> RedoPlan:
        return plan(self._book, self._book.job(job), keys).plan

    async def shared(self, input_hash: str) -> str | None:
        found = self._book.shared.get(input_hash)
        return found[1] if found else None

    async def copy(self) -> str:
        raise Unsupported("a ledger in memory cannot be copied: it ends with its process")

    async def texts(self, *, unless_finished_before: datetime | None = None) -> AsyncIterator[str]:
        before, spared = unless_finished_before, self._till.unpaid()
        left_out = self._book.doomed(before, spared) if before else []
        for name, job in list(self._book.jobs.items()):
            if name in left_out:
                continue
            for text in [job.spec.input, *(text for task in job.tasks() for text in _texts(task))]:
                yield text
        for call in self._till.calls.values():
            if call.task.job not in left_out:
                yield call.request
                if call.result is not None:
                    yield call.result


def _texts(task: Task) -> list[str]:
    kept = [task.kept.output] if task.kept else []
    found = [task.item, task.output, *task.notes.values(), *kept, *(output for _, _, output in task.history)]
    return [text for text in found if text is not None]


def _fits(job: Job, where: JobFilter) -> bool:
    return (
        (not where.states or job.state in where.states)
        and where.pipeline in (None, job.spec.pipeline)
        and where.owner in (None, job.spec.owner)
        and (where.children or job.parent is None)
    )


def _due_later(task: Task, now: datetime) -> datetime | None:
    if task.state is TaskState.PARKED:
        return task.due_at
    return task.due_at if task.state is TaskState.READY and task.due_at and task.due_at > now else None


def _job_row(job: Job) -> JobRow:
    spec = job.spec
    return JobRow(
        id=spec.id,
        pipeline=spec.pipeline,
        state=job.state,
        graph=spec.graph,
        input=spec.input,
        labels=spec.labels,
        owner=spec.owner,
        executor=spec.executor,
        parent=job.parent,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        deadline=job.deadline,
        deadline_at=job.deadline_at,
        error=job.error,
        failed_task=job.failed_task,
        last_event=len(job.events),
    )


def _task_row(task: Task) -> TaskRow:
    return TaskRow(
        ref=task.ref,
        state=task.state,
        attempt=task.attempt,
        tries=task.tries,
        reclaims=task.reclaims,
        revision=task.revision,
        queue=task.spec.queue,
        resources=task.spec.resources,
        holder=task.holder,
        due_at=task.due_at,
        parked_for=task.parked_for,
        progress=task.progress,
        progress_note=task.progress_note,
        started_at=task.started_at,
        finished_at=task.finished_at,
        input_hash=task.input_hash,
        output=task.output,
        error=task.error,
        reason=task.reason,
        mapped=task.is_map,
        need=task.spec.need if task.ref.index is None else None,
        children=task.written,
        child_job=task.child_job,
    )
