"""A ledger in memory: the contract written down as plainly as it can be.

It is for tests of what stands on a ledger, and the model that the database ledgers are compared
with. Nothing survives the process.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from genlock.clock import Clock
from genlock.errors import Conflict
from genlock.ledger.memory import redo as redoing
from genlock.ledger.memory.birth import bear, spread_page
from genlock.ledger.memory.book import Book
from genlock.ledger.memory.end import call_off, pass_deadline, take_back
from genlock.ledger.memory.payments import MemoryPayments
from genlock.ledger.memory.reader import MemoryReader
from genlock.ledger.memory.row import Change, Job, Task
from genlock.ledger.records import (
    Advance,
    Claim,
    Failure,
    JobCreated,
    JobSpec,
    JobState,
    RedoPlan,
    Taker,
    TaskRef,
    TaskState,
)
from genlock.ledger.wording import named, plain, plain_or_none


class MemoryLedger(MemoryPayments, MemoryReader):
    """Both faces of a ledger over dictionaries. Every verb runs without a pause, hence atomically."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Book(clock))
        self._holders: set[str] = set()

    @property
    def reader(self) -> MemoryReader:
        """The looking half, as every ledger has one."""
        return self

    async def create_job(self, spec: JobSpec, *, taker: Taker | None = None) -> JobCreated:
        if known := self._known(spec):
            return JobCreated(known.spec.id, created=False)
        change = Change()
        job = bear(self._book, spec, None, change)
        self._book.settle(job, change)
        if taker is not None:
            self._take_next(change, taker.holder, 1, (taker.resources,))
        return JobCreated(spec.id, True, tuple(change.ready), job.created_at, tuple(change.claimed))

    def _known(self, spec: JobSpec) -> Job | None:
        same = (job for job in self._book.jobs.values() if spec.dedup and job.spec.dedup == spec.dedup)
        return self._book.jobs.get(spec.id) or next(same, None)

    async def enlist(self, holder: str, lease: timedelta) -> None:  # noqa: ARG002 - renewed while it lives
        self._holders.add(holder)

    async def retire(self, holder: str) -> Sequence[TaskRef]:
        self._holders.discard(holder)
        change = Change()
        for task in self._running():
            if task.holder == holder:
                self._book.log(self._book.job(task.ref.job), "task.released", task)
                self._book.ready(task, change)
        return change.ready

    def _running(self) -> list[Task]:
        return [
            task
            for job in self._book.jobs.values()
            for task in job.tasks()
            if task.state is TaskState.RUNNING
        ]

    async def claim(
        self,
        holder: str,
        *,
        tasks: Sequence[TaskRef] | None = None,
        limit: int = 1,
        resources: Collection[str] | None = None,
        queues: Collection[str] | None = None,
    ) -> Sequence[Claim]:
        change = Change()
        fitting = [
            task
            for task in self._claimable()
            if (tasks is None or task.ref in tasks)
            and (resources is None or task.spec.resources in resources)
            and (queues is None or task.spec.queue in queues)
        ]
        for task in fitting if tasks is not None else fitting[:limit]:
            self._take(task, holder, change)
        return change.claimed

    def _claimable(self) -> list[Task]:
        now = self._book.clock.now()
        found = [
            task
            for job in self._book.jobs.values()
            if job.state.claimable
            for task in job.tasks()
            if task.state is TaskState.READY and task.due_at is not None and task.due_at <= now
        ]
        return sorted(found, key=lambda task: task.due_at or now)

    def _take(self, task: Task, holder: str, change: Change) -> None:
        book, job = self._book, self._book.job(task.ref.job)
        if job.started_at is None:
            job.started_at = book.clock.now()
            book.log(job, "job.started")
        task.state, task.holder, task.token = TaskState.RUNNING, holder, secrets.token_hex(8)
        task.due_at, task.attempt, task.started_at = None, task.attempt + 1, book.clock.now()
        task.progress = task.progress_note = None
        book.log(job, "task.claimed", task, attempt=task.attempt, holder=holder)
        change.claimed.append(task.claim(epoch=job.nodes[task.ref.node].revision))
        book.settle(job, change)

    async def extend(self, claim: Claim, *, progress: float | None = None, note: str | None = None) -> None:
        task = self._book.held(claim)
        if progress is None and note is None:
            return
        task.progress = task.progress if progress is None else progress
        note = plain_or_none(note)
        task.progress_note = task.progress_note if note is None else note
        self._log(task, "task.progress", progress=progress, note=note)

    def _log(self, task: Task, kind: str, **data: object) -> None:
        self._book.log(self._book.job(task.ref.job), kind, task, **data)

    async def save(self, claim: Claim, name: str, value: str) -> str:
        task = self._book.held(claim)
        if named(name, "the name") not in task.notes:
            task.notes[name] = value
            self._log(task, "task.noted", name=name)
        return task.notes[name]

    async def succeed(
        self,
        claim: Claim,
        output: str,
        *,
        input_hash: str | None = None,
        kept: bool = False,
        share: bool = False,
        claim_next: int = 0,
        resources: Collection[str] | None = None,
    ) -> Advance:
        task, change = self._book.held(claim), Change()
        task.output, task.input_hash, task.error = output, input_hash, None
        seconds = (self._book.clock.now() - (task.started_at or self._book.clock.now())).total_seconds()
        self._log(task, "task.kept" if kept else "task.done", seconds=seconds)
        if share and input_hash is not None:
            self._book.shared.setdefault(input_hash, (claim.task.job, output))
        self._end(task, TaskState.DONE, change)
        self._take_next(change, claim.holder, claim_next, resources)
        return change.advance()

    def _take_next(self, change: Change, holder: str, limit: int, kinds: Collection[str] | None) -> None:
        for ref in list(change.ready):
            task = self._book.task(ref)
            if len(change.claimed) < limit and (kinds is None or task.spec.resources in kinds):
                self._take(task, holder, change)

    def _end(self, task: Task, state: TaskState, change: Change) -> None:
        self._book.finish(task, state, change)
        self._book.settle(self._book.job(task.ref.job), change)

    async def spread(self, claim: Claim, page: Sequence[str], *, offset: int, last: bool) -> Advance:
        task, change = self._book.held(claim), Change()
        spread_page(self._book, task, page, offset, last, change)
        return change.advance()

    async def nest(self, claim: Claim, spec: JobSpec) -> Advance:
        task, change = self._book.held(claim), Change()
        known = self._known(spec)
        if known and (known.parent != task.ref or known.state is JobState.CANCELLED):
            raise Conflict(f"job {known.spec.id} exists already and cannot be nested in {task.ref}")
        if task.is_map:
            raise Conflict(f"{task.ref} is mapped: spread it, its children may nest")
        task.state, task.child_job = TaskState.SPREAD, known.spec.id if known else spec.id
        task.token = task.holder = None
        self._log(task, "task.nested", job=task.child_job)
        theirs = replace(spec, owner=self._book.job(task.ref.job).spec.owner)
        child = known or bear(self._book, theirs, task.ref, change)
        if child.state.finished:
            self._book.tell_owner(child, change)
        self._book.settle(child, change)
        self._book.settle(self._book.job(task.ref.job), change)
        return change.advance()

    async def park(
        self, claim: Claim, reason: str, *, signal: str | None = None, until: datetime | None = None
    ) -> Advance:
        task, change, at = self._book.held(claim), Change(), until.isoformat() if until else None
        reason, signal = plain(reason), signal and named(signal, "the signal")
        self._log(task, "task.parked", reason=reason, signal=signal, until=at)
        if signal is not None and (self._till.has_come(task, signal) or f"signal:{signal}" in task.notes):
            self._log(task, "task.woken")
            task.signal = signal
            self._book.ready(task, change)
        else:
            task.state, task.parked_for, task.signal, task.due_at = TaskState.PARKED, reason, signal, until
            task.token = task.holder = None
        self._book.settle(self._book.job(task.ref.job), change)
        return change.advance()

    async def snooze(self, claim: Claim, until: datetime) -> None:
        task = self._book.held(claim)
        self._log(task, "task.snoozed", until=until.isoformat())
        self._book.ready(task, Change(), until)

    async def fail(self, claim: Claim, failure: Failure, *, retry_at: datetime | None) -> Advance:
        task, change = self._book.held(claim), Change()
        task.error, task.tries = failure, task.tries + 1
        self._book.log_failed(self._book.job(task.ref.job), task, retry_at, final=retry_at is None)
        if retry_at is None:
            self._end(task, TaskState.FAILED, change)
        else:
            self._book.ready(task, change, retry_at)
        return change.advance()

    async def skip(self, claim: Claim, reason: str) -> Advance:
        task, change = self._book.held(claim), Change()
        task.reason = plain(reason)
        self._log(task, "task.skipped", reason=task.reason)
        self._end(task, TaskState.SKIPPED, change)
        return change.advance()

    async def cancel(self, job: str, reason: str = "") -> Sequence[TaskRef]:
        found = self._book.job(job)
        if found.state is JobState.CANCELLED:
            return ()
        self._refuse_finished(found, "cancelled")
        return call_off(self._book, found, plain(reason), Change())

    def _refuse_finished(self, job: Job, verb: str) -> None:
        if job.state.finished:
            raise Conflict(f"job {job.spec.id} is {job.state} and cannot be {verb} any more")

    async def retry(self, job: str) -> Sequence[TaskRef]:
        found, change = self._book.job(job), Change()
        redoing.refuse_cancelled(self._book, found)
        if found.state is JobState.COMPLETED:
            raise Conflict(f"job {job} is {found.state}: there is nothing to retry")
        revived: list[Job] = []
        if not redoing.revive(self._book, found, revived, change):
            raise Conflict(f"job {job} has no failed task: there is nothing to retry")
        redoing.reopen(self._book, found, change)
        redoing.settle_up(self._book, found, change)
        return [task.ref for task in self._claimable() if self._book.job(task.ref.job) in revived]

    async def redo(self, job: str, keys: Sequence[str]) -> RedoPlan:
        found, change = self._book.job(job), Change()
        redo = redoing.plan(self._book, found, keys)
        self._book.log(found, "job.redone", keys=list(keys), redone=len(redo.plan.redone))
        redoing.apply(self._book, found, redo, change)
        redoing.settle_up(self._book, found, change)
        return redo.plan

    async def pause(self, job: str, reason: str = "") -> None:
        found = self._book.job(job)
        self._refuse_finished(found, "paused")
        tree = self._book.tree(found)
        going = [one for one in tree if not one.state.finished and one.state is not JobState.PAUSED]
        for one in going:
            one.state = JobState.PAUSED
            self._book.log(one, "job.paused", reason=plain(reason))
        for one in reversed(going):
            redoing.settle_up(self._book, one, Change())

    async def resume(self, job: str) -> Sequence[TaskRef]:
        found, change = self._book.job(job), Change()
        if found.state is not JobState.PAUSED:
            raise Conflict(f"job {job} is {found.state}, not paused")
        paused = [one for one in self._book.tree(found) if one.state is JobState.PAUSED]
        for one in paused:
            one.state = JobState.RUNNING if one.started_at else JobState.PENDING
            self._book.log(one, "job.resumed")
        for one in reversed(paused):
            redoing.settle_up(self._book, one, change)
        resumed = {one.spec.id for one in paused}
        return [task.ref for task in self._claimable() if task.ref.job in resumed]

    async def signal(self, task: TaskRef, name: str, value: str) -> bool:
        found, change = self._book.task(task), Change()
        if found.state.finished:
            raise Conflict(f"{task} is {found.state}: nothing waits for {name!r} there any more")
        if f"signal:{named(name, 'the signal')}" in found.notes:
            return False
        found.notes[f"signal:{name}"] = value
        self._log(found, "task.signalled", name=name)
        if found.state is TaskState.PARKED and found.signal == name:
            self._wake(found, change)
        return True

    def _wake(self, task: Task, change: Change) -> None:
        self._log(task, "task.woken")
        self._book.ready(task, change)
        self._book.settle(self._book.job(task.ref.job), change)

    async def reclaim(
        self, *, survivor: str | None = None, gone: str | None = None, limit: int = 5
    ) -> Sequence[TaskRef]:
        self._holders.discard(gone or "")
        change, alive = Change(), self._holders if survivor is None else {survivor}
        for task in self._running():
            if task.holder not in alive:
                take_back(self._book, task, limit, change)
        return change.ready

    async def expire(self) -> Sequence[TaskRef]:
        change, freed, now = Change(), list[TaskRef](), self._book.clock.now()
        for job in list(self._book.jobs.values()):
            if job.deadline_at and job.deadline_at <= now and not job.state.finished:
                freed += pass_deadline(self._book, job, change)
        for job in self._book.jobs.values():
            for task in job.tasks() if job.state.claimable else ():
                if task.state is TaskState.PARKED and task.due_at and task.due_at <= now:
                    self._wake(task, change)
        claimable = {task.ref for task in self._claimable()}
        return [*(ref for ref in change.ready if ref in claimable), *freed]

    async def set_deadline(self, job: str, deadline: timedelta | None) -> None:
        found = self._book.job(job)
        self._refuse_finished(found, "given a deadline")
        found.deadline = deadline
        found.deadline_at = None if deadline is None else self._book.clock.now() + deadline
        at = found.deadline_at.isoformat() if found.deadline_at else None
        found.deadline_left = None
        self._book.log(found, "job.deadline", at=at, passed=False)
        self._book.restate(found)

    async def forget(self, finished_before: datetime) -> Sequence[str]:
        gone = self._book.forget(finished_before, self._till.unpaid())
        self._till.forget(gone, finished_before)
        return gone

    async def close(self) -> None:
        """Nothing to let go of."""
