"""How the change of one task moves the rest of its job, and the jobs around it.

Counters carry it: `waits` on a node says how many upstreams it still lacks, `unfinished` and `lost`
on a map's row speak for its children, `live`, `parked` and `failed` on a job for its tasks. So one
task costs the same whatever the size of its job.
"""

from __future__ import annotations

import json

from sqlalchemy import bindparam, select, text

from genlock.ledger import schema
from genlock.ledger.batch import Batch, Change
from genlock.ledger.count import ABROAD, ASLEEP, AWAKE, weight
from genlock.ledger.draft import BLOCKED, DONE, FAILED, READY, SKIPPED, SPREAD, JobDraft, TaskDraft
from genlock.ledger.moment import from_micros, to_micros
from genlock.ledger.records import FIRST, Failure, JobState, TaskRef
from genlock.ledger.spending import BOUGHT, is_attended

RUNNING_JOB, PENDING_JOB, WAITING_JOB, PAUSED_JOB = (
    JobState.RUNNING.value,
    JobState.PENDING.value,
    JobState.WAITING.value,
    JobState.PAUSED.value,
)
COMPLETED_JOB, FAILED_JOB, CANCELLED_JOB = (
    JobState.COMPLETED.value,
    JobState.FAILED.value,
    JobState.CANCELLED.value,
)

_FIRST = to_micros(FIRST)


def move(batch: Batch, task: TaskDraft, state: str) -> None:
    """Change a task's state and keep its job's counters true."""
    before = weigh(task)
    task.state = state
    shift(batch.job(task.job), before, weigh(task))


def weigh(task: TaskDraft) -> str | None:
    """Which counter of its job this task stands in."""
    attended = is_attended(task.signal, task.due_at is not None)
    return weight(task.state, task.idx < 0, task.child_job is not None, task.asleep, attended)


def shift(job: JobDraft, before: str | None, after: str | None) -> None:
    """Move one task from a counter of its job to another."""
    if before != after:
        for counter, by in ((before, -1), (after, 1)):
            if counter is not None:
                setattr(job, counter, getattr(job, counter) + by)


def make_ready(batch: Batch, task: TaskDraft, change: Change, due_at: int | None = None) -> None:
    """Anything -> ready; it counts as made ready if it can be claimed now. Who comes back from a provider is
    claimed before all that has not begun: what was bought is not kept there for long.
    """
    move(batch, task, READY)
    otherwise = _FIRST if (task.signal or "").startswith(BOUGHT) else batch.now
    task.let_go()
    task.due_at = otherwise if due_at is None else due_at
    task.held = 0 if batch.job(task.job).claimable else 1
    if not task.held and task.due_at <= batch.now:
        change.ready.append(task.ref)


def set_error(task: TaskDraft, failure: Failure) -> None:
    """Write down why a task failed."""
    task.error_kind, task.error_message, task.error_trace = failure.kind, failure.message, failure.trace


def log_failed(batch: Batch, task: TaskDraft, retry_at: int | None = None) -> None:
    """Add the event of a failure, final unless it is tried again."""
    batch.log(
        batch.job(task.job),
        "task.failed",
        task.key,
        kind=task.error_kind,
        message=task.error_message,
        final=retry_at is None,
        retry_at=None if retry_at is None else from_micros(retry_at).isoformat(),
    )


def finish(batch: Batch, task: TaskDraft, state: str, change: Change) -> None:
    """Anything unfinished -> done, failed or skipped, and what follows from it in this job."""
    move(batch, task, state)
    task.let_go()
    task.asleep = 0
    task.finished_at = batch.now
    if task.idx >= 0:
        _gather(batch, task, change)
    elif state == FAILED:
        blame(batch.job(task.job), task, task.key)
    else:
        _release(batch, task, change)


def blame(job: JobDraft, node: TaskDraft, culprit: str) -> None:
    """The first failure is the job's."""
    if job.error_kind is None:
        job.error_kind, job.error_message = node.error_kind, node.error_message
        job.error_trace, job.failed_task = node.error_trace, culprit


def _gather(batch: Batch, child: TaskDraft, change: Change) -> None:
    """spread -> done when the children are through; -> failed as soon as `need` is out of reach."""
    parent = batch.parent(child)
    parent.unfinished -= 1
    parent.lost += child.state == FAILED
    if parent.state != SPREAD:
        return
    job = batch.job(child.job)
    if parent.written - parent.lost < parent.required:
        set_error(parent, Failure(child.error_kind or "", child.error_message or "", child.error_trace or ""))
        move(batch, parent, FAILED)
        parent.finished_at = batch.now
        log_failed(batch, parent)
        blame(job, parent, child.key)
    elif not parent.unfinished:
        batch.log(job, "task.done", parent.key)
        finish(batch, parent, DONE, change)


def _release(batch: Batch, task: TaskDraft, change: Change) -> None:
    """Free what waited for a node that is done or skipped, or skip it too."""
    downs = batch.graph(task.job).downs.get(task.node, ())
    batch.fetch((task.job, name) for name, _ in downs)
    for name, optional in downs:
        down = batch.task(TaskRef(task.job, name))
        if down.state != BLOCKED:
            continue
        if task.state == SKIPPED and not optional:
            down.reason = f"{task.node} was skipped"
            batch.log(batch.job(task.job), "task.skipped", down.key, reason=down.reason)
            finish(batch, down, SKIPPED, change)
            continue
        down.waits -= 1
        if not down.waits:
            make_ready(batch, down, change)


def settle(batch: Batch, job: JobDraft, change: Change) -> None:
    """Bring a job's state in step with its counters, then the jobs it is nested in."""
    if job.finished:
        return
    if not (job.live or job.abroad or job.parked):
        close(batch, job, FAILED_JOB if job.failed else COMPLETED_JOB, change)
        tell_owner(batch, job, change)
        return
    restate(batch, job)
    if job.parent:
        _tell_waiting(batch, job, change)


def restate(batch: Batch, job: JobDraft) -> None:
    """pending, running or waiting, by the counters of a job that goes on."""
    before = job.state
    if before != PAUSED_JOB:
        running = PENDING_JOB if job.started_at is None else RUNNING_JOB
        job.state = running if job.live or job.abroad else WAITING_JOB
    if job.state == WAITING_JOB != before:
        batch.log(job, "job.waiting")
    keep_time(batch, job)


def keep_time(batch: Batch, job: JobDraft) -> None:
    """Let the deadline of an unfinished job come nearer while something of it can be done here, and stand
    still while all of it waits for people, for money or for providers, or is paused.
    """
    stands = not job.live or job.state in (WAITING_JOB, PAUSED_JOB)
    if stands and job.deadline_at is not None:
        job.deadline_left, job.deadline_at = max(0, job.deadline_at - batch.now), None
    elif not stands and job.deadline_left is not None:
        job.deadline_at, job.deadline_left = batch.now + job.deadline_left, None


def sleep_of(job: JobDraft) -> int:
    """How a nested job is in the eyes of the task that waits for it."""
    if job.state == WAITING_JOB:
        return ASLEEP
    return ABROAD if job.abroad and not job.live else AWAKE


def _tell_waiting(batch: Batch, job: JobDraft, change: Change) -> None:
    """A nested job that waits parks its task in the eyes of the job around it."""
    if job.parent and not batch.holds(job.parent.job) and _knows(batch, job):
        return
    owner = owning(batch, job)
    if owner is None or owner.state != SPREAD:
        return
    asleep = sleep_of(job)
    if owner.asleep != asleep:
        before = weigh(owner)
        owner.asleep = asleep
        parent = batch.job(owner.job)
        shift(parent, before, weigh(owner))
        settle(batch, parent, change)


def _knows(batch: Batch, job: JobDraft) -> bool:
    """Whether the task around a job is in step with it already, seen without locking its job.

    Only verbs of the nested job change that, and none else while this one is at work; so the job around
    it, which all its nested jobs share, is locked when there is something to tell.
    """
    task = schema.task.c
    statement = batch.statements.named(
        "asleep",
        lambda: select(task.asleep).where(
            task.job == bindparam("job_id"), task.key == bindparam("key_is"), task.state == text("'spread'")
        ),
    )
    rows = statement.rows(batch.connection, job_id=job.parent_job, key_is=job.parent_key)
    return not rows or rows[0][0] == sleep_of(job)


def close(batch: Batch, job: JobDraft, state: str, change: Change, **data: object) -> None:
    """The job is over: say so."""
    job.state, job.finished_at = state, batch.now
    batch.stirred[job.id] = True
    if state == FAILED_JOB and job.error_kind is not None:
        data = {"kind": job.error_kind, "message": job.error_message, "task": job.failed_task}
    batch.log(job, f"job.{state}", **data)
    change.finished.append(job.id)


def owning(batch: Batch, job: JobDraft) -> TaskDraft | None:
    """The task that a nested job decides, unless it was run again and has another job now."""
    if job.parent is None:
        return None
    task = batch.task(job.parent)
    decided = task.child_job == job.id
    return task if decided and task.state in (SPREAD, DONE, FAILED, "cancelled") else None


def tell_owner(batch: Batch, job: JobDraft, change: Change) -> None:
    """The task that waits for this finished job comes to what the job came to."""
    task = owning(batch, job)
    if task is None or task.state != SPREAD:
        return
    if job.state == COMPLETED_JOB:
        task.output = json.dumps({"$job": job.id}, separators=(",", ":"))
        batch.log(batch.job(task.job), "task.done", task.key)
        finish(batch, task, DONE, change)
    else:
        failed = job.state == FAILED_JOB and job.error_kind is not None
        why = f": {job.error_message}" if failed else ""
        kind = job.error_kind if failed and job.error_kind else "Cancelled"
        set_error(task, Failure(kind, f"nested job {job.id} {job.state}{why}"))
        log_failed(batch, task)
        finish(batch, task, FAILED, change)
    settle(batch, batch.job(task.job), change)
