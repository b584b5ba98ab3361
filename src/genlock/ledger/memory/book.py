"""The pages of the in-memory ledger: its rows, and how one change of a task moves the rest of a job.

Everything is found out by looking at the rows; nothing is counted on the side. That makes this
slow for big maps and easy to believe, which is what a reference model is for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from genlock.clock import Clock
from genlock.errors import ClaimLost, NotFound
from genlock.ledger.memory.row import Change, Job, Task
from genlock.ledger.records import (
    FIRST,
    Claim,
    Event,
    Failure,
    JobState,
    TaskRef,
    TaskState,
)
from genlock.ledger.spending import BOUGHT, is_attended


class Book:
    """All jobs, and the moves that several verbs share."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.jobs: dict[str, Job] = {}
        self.shared: dict[str, tuple[str, str]] = {}  # job and output by input hash
        self._waiting: set[asyncio.Future[None]] = set()

    async def stirred(self) -> None:
        """Return after the next event of any job."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def doomed(self, before: datetime, spared: Collection[str]) -> list[str]:
        """Jobs of people that finished before a moment, and all that is nested in them, but for these."""
        found: list[str] = []
        for name, job in self.jobs.items():  # a nested job is younger than its parent
            old = job.finished_at is not None and job.finished_at < before and name not in spared
            if job.parent.job in found if job.parent else old:
                found.append(name)
        return found

    def forget(self, before: datetime, spared: Collection[str]) -> list[str]:
        gone = self.doomed(before, spared)
        for name in gone:
            del self.jobs[name]
        self.shared = {key: kept for key, kept in self.shared.items() if kept[0] not in gone}
        return gone

    def job(self, id: str) -> Job:
        if id not in self.jobs:
            raise NotFound(f"there is no job {id!r}")
        return self.jobs[id]

    def task(self, ref: TaskRef) -> Task:
        job = self.job(ref.job)
        found = job.nodes.get(ref.node)
        if found and ref.index is not None:
            children = job.maps[ref.node] if found.is_map else []
            found = children[ref.index] if ref.index < len(children) else None
        if found is None:
            raise NotFound(f"job {ref.job!r} has no task {ref.key!r}")
        return found

    def held(self, claim: Claim) -> Task:
        """The task behind a claim that still stands."""
        try:
            task = self.task(claim.task)
        except NotFound as error:
            raise ClaimLost(f"{claim.task} is gone: drop what you have") from error
        if task.state is not TaskState.RUNNING or task.token != claim.token:
            raise ClaimLost(f"{claim.task} is {task.state} and no longer yours: drop what you have")
        return task

    def tree(self, job: Job) -> list[Job]:
        """The job and the jobs nested in it that still belong to their tasks, parents first."""
        found = [job]
        for task in job.tasks():
            if task.child_job:
                found += self.tree(self.jobs[task.child_job])
        return found

    def log(self, job: Job, kind: str, task: Task | None = None, /, **data: Any) -> None:
        self.tell(job, kind, task.ref.key if task else None, **data)

    def tell(self, job: Job, kind: str, key: str | None, /, **data: Any) -> None:
        """Add an event about a task that may be gone."""
        now = self.clock.now()
        job.updated_at = now
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        job.events.append(Event(job.spec.id, len(job.events) + 1, now, kind, key, text))
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def ready(self, task: Task, change: Change, due_at: datetime | None = None) -> None:
        """Anything -> ready; it counts as made ready if it can be claimed now. Who comes back from a provider
        is claimed before all that has not begun.
        """
        now = self.clock.now()
        otherwise = FIRST if (task.signal or "").startswith(BOUGHT) else now
        task.state, task.due_at = TaskState.READY, due_at or otherwise
        task.token = task.holder = task.signal = task.parked_for = None
        if task.due_at <= now and self.jobs[task.ref.job].state.claimable:
            change.ready.append(task.ref)

    def finish(self, task: Task, state: TaskState, change: Change) -> None:
        """Anything unfinished -> done, failed or skipped, and what follows from it in this job."""
        job = self.jobs[task.ref.job]
        task.state, task.finished_at = state, self.clock.now()
        task.token = task.holder = task.due_at = task.signal = task.parked_for = None
        if task.ref.index is not None:
            self.gather(job, task, change)
        elif state is TaskState.FAILED:
            self.blame(job, task, task)
        else:
            self.release(job, task, change)

    def blame(self, job: Job, node: Task, culprit: Task) -> None:
        if job.error is None:
            job.error, job.failed_task = node.error, culprit.ref.key

    def gather(self, job: Job, child: Task, change: Change) -> None:
        """spread -> done when the children are through; -> failed as soon as `need` is out of reach."""
        parent = job.nodes[child.ref.node]
        if parent.state is not TaskState.SPREAD:
            return
        children = job.maps[child.ref.node]
        failed = sum(one.state is TaskState.FAILED for one in children)
        need = len(children) if parent.spec.need is None else parent.spec.need
        if len(children) - failed < need:
            parent.error = child.error
            parent.state, parent.finished_at = TaskState.FAILED, self.clock.now()
            self.log_failed(job, parent)
            self.blame(job, parent, child)
        elif all(one.state.finished for one in children):
            self.log(job, "task.done", parent)
            self.finish(parent, TaskState.DONE, change)

    def log_failed(
        self, job: Job, task: Task, retry_at: datetime | None = None, *, final: bool = True
    ) -> None:
        """Add the event of a failure."""
        error = task.error or Failure("Unknown", "")
        self.log(
            job,
            "task.failed",
            task,
            kind=error.kind,
            message=error.message,
            final=final,
            retry_at=retry_at.isoformat() if retry_at else None,
        )

    def release(self, job: Job, task: Task, change: Change) -> None:
        """Free what waited for a node that is done or skipped, or skip it too."""
        for down, optional in job.downs(task.ref.node):
            if down.state is not TaskState.BLOCKED:
                continue
            if task.state is TaskState.SKIPPED and not optional:
                down.reason = f"{task.ref.node} was skipped"
                self.log(job, "task.skipped", down, reason=down.reason)
                self.finish(down, TaskState.SKIPPED, change)
            elif job.satisfied(down.ref.node):
                self.ready(down, change)

    def settle(self, job: Job, change: Change) -> None:
        """Bring the job's state in step with its tasks, then its parent's."""
        if job.state.finished:
            return
        before = (job.state, job.abroad)
        if not any(self._weigh(job.tasks())):
            failed = any(node.state is TaskState.FAILED for node in job.nodes.values())
            self.close(job, JobState.FAILED if failed else JobState.COMPLETED, change)
            self.tell_owner(job, change)
        else:
            self.restate(job)
        if job.parent and (JobState.WAITING in (before[0], job.state) or before[1] is not job.abroad):
            self.settle(self.jobs[job.parent.job], change)

    def restate(self, job: Job) -> None:
        """pending, running or waiting, by the tasks of a job that goes on."""
        before, (live, abroad, _) = job.state, self._weigh(job.tasks())
        if before is not JobState.PAUSED:
            running = JobState.RUNNING if job.started_at else JobState.PENDING
            job.state = running if live or abroad else JobState.WAITING
        if job.state is JobState.WAITING is not before:
            self.log(job, "job.waiting")
        job.abroad = abroad and not live
        self.keep_time(job, stands=not live or job.state in (JobState.WAITING, JobState.PAUSED))

    def keep_time(self, job: Job, *, stands: bool) -> None:
        """Let the deadline of an unfinished job stand still, or come nearer again."""
        now = self.clock.now()
        if stands and job.deadline_at is not None:
            job.deadline_left, job.deadline_at = max(timedelta(0), job.deadline_at - now), None
        elif not stands and job.deadline_left is not None:
            job.deadline_at, job.deadline_left = now + job.deadline_left, None

    def _weigh(self, tasks: Iterable[Task]) -> tuple[bool, bool, bool]:
        """Whether any of them can still move, is at a provider's, waits for something else outside."""
        live = abroad = parked = False
        for task in tasks:
            nested = self.jobs[task.child_job] if task.child_job else None
            attended = is_attended(task.signal, task.due_at is not None)
            if task.state in (TaskState.READY, TaskState.RUNNING):
                live = True
                break
            if task.state is TaskState.PARKED:
                abroad, parked = abroad or attended, parked or not attended
            elif task.state is TaskState.SPREAD and nested is not None:
                waits = nested.state is JobState.WAITING
                parked |= waits
                abroad |= nested.abroad and not waits
                live |= not waits and not nested.abroad
        return live, abroad, parked

    def close(self, job: Job, state: JobState, change: Change, **data: Any) -> None:
        """The job is over: say so."""
        job.state, job.finished_at = state, self.clock.now()
        if state is JobState.FAILED and job.error:
            data = {"kind": job.error.kind, "message": job.error.message, "task": job.failed_task} | data
        self.log(job, f"job.{state}", **data)
        change.finished.append(job.spec.id)

    def tell_owner(self, job: Job, change: Change) -> None:
        """The task that waits for this finished job comes to what the job came to."""
        task = self.task(job.parent) if job.parent else None
        if not task or task.state is not TaskState.SPREAD or task.child_job != job.spec.id:
            return
        parent = self.jobs[task.ref.job]
        if job.state is JobState.COMPLETED:
            task.output = json.dumps({"$job": job.spec.id}, separators=(",", ":"))
            self.log(parent, "task.done", task)
            self.finish(task, TaskState.DONE, change)
        else:
            error = job.error if job.state is JobState.FAILED else None
            why = f": {error.message}" if error else ""
            task.error = Failure(
                error.kind if error else "Cancelled", f"nested job {job.spec.id} {job.state}{why}"
            )
            self.log_failed(parent, task)
            self.finish(task, TaskState.FAILED, change)
        self.settle(parent, change)
