"""What people do to whole jobs, and what the clock does: cancel, pause, resume, signal, deadlines.

All of these act on the tree of nested jobs in one transaction.
"""

from __future__ import annotations

from sqlalchemy import select, update

from genlock.errors import Conflict
from genlock.ledger import schema
from genlock.ledger.advance import (
    CANCELLED_JOB,
    FAILED_JOB,
    PAUSED_JOB,
    PENDING_JOB,
    RUNNING_JOB,
    close,
    keep_time,
    settle,
    tell_owner,
)
from genlock.ledger.attempt import add_note, read_note
from genlock.ledger.batch import Batch, Change
from genlock.ledger.claiming import release, wake, wake_due
from genlock.ledger.draft import BLOCKED, CANCELLED, PARKED, READY, RUNNING, SPREAD, JobDraft
from genlock.ledger.moment import from_micros
from genlock.ledger.records import TaskRef
from genlock.ledger.sweeping import hold, take_up

_task = schema.task.c
_PAGE = 500


def tree(batch: Batch, job: JobDraft) -> list[JobDraft]:
    """The job and the jobs nested in it that still belong to their tasks, parents first."""
    found, level = [job.id], [job.id]
    nested = schema.job.c
    while level:
        batch.fetch_jobs(level)  # locked: nothing is nested in them from here on
        below: list[str] = []
        for start in range(0, len(level), _PAGE):
            rows = batch.select(
                select(nested.id)
                .join(schema.task, _task.child_job == nested.id)
                .where(
                    nested.parent_job.in_(level[start : start + _PAGE]),
                    _task.job == nested.parent_job,
                    _task.key == nested.parent_key,
                )
            )
            below += [row[0] for row in rows]
        found += below
        level = below
    return [batch.job(one) for one in found]


def settle_up(batch: Batch, job: JobDraft, change: Change) -> None:
    """Bring a job and those it is nested in into step, from the inside out."""
    settle(batch, job, change)
    if job.parent_job:
        settle_up(batch, batch.job(job.parent_job), change)


def _refuse_finished(job: JobDraft, verb: str) -> None:
    if job.finished:
        raise Conflict(f"job {job.id} is {job.state} and cannot be {verb} any more")


def cancel(batch: Batch, job_id: str, reason: str) -> list[TaskRef]:
    """Everything unfinished in the tree -> cancelled."""
    job = batch.job(job_id)
    if job.state == CANCELLED_JOB:
        return []
    _refuse_finished(job, "cancelled")
    return call_off(batch, job, reason, Change())


def call_off(batch: Batch, job: JobDraft, reason: str, change: Change) -> list[TaskRef]:
    """Whatever is unfinished in this job and those nested in it -> cancelled; answers what was running."""
    running: list[TaskRef] = []
    unfinished = [one for one in tree(batch, job) if not one.finished]
    for one in unfinished:
        rows = batch.select(
            select(_task.key)
            .where(_task.job == one.id, _task.state == RUNNING)
            .order_by(_task.position, _task.idx)
        )
        running += [TaskRef(one.id, row[0]) for row in rows]
        batch.sweep(
            one.id,
            update(schema.task)
            .where(_task.job == one.id, _task.state.in_((BLOCKED, READY, RUNNING, SPREAD, PARKED)))
            .values(dict.fromkeys(("token", "holder", "due_at", "signal", "parked_for")))
            .values(state=CANCELLED, finished_at=batch.now, held=0, asleep=0),
        )
        one.live = one.abroad = one.parked = 0
    for one in reversed(unfinished):
        close(batch, one, CANCELLED_JOB, change, reason=reason)
        tell_owner(batch, one, change)
    return running


def pause(batch: Batch, job_id: str, reason: str) -> None:
    """Hold everything in the tree that could be claimed."""
    job = batch.job(job_id)
    _refuse_finished(job, "paused")
    going = [one for one in tree(batch, job) if not one.finished and one.state != PAUSED_JOB]
    for one in going:
        one.state = PAUSED_JOB
        batch.log(one, "job.paused", reason=reason)
        hold(batch, one)
    for one in reversed(going):
        settle_up(batch, one, Change())


def resume(batch: Batch, job_id: str) -> list[str]:
    """Let go of what `pause` held; answers which jobs go on."""
    job = batch.job(job_id)
    if job.state != PAUSED_JOB:
        raise Conflict(f"job {job_id} is {job.state}, not paused")
    paused = [one for one in tree(batch, job) if one.state == PAUSED_JOB]
    for one in paused:
        one.state = PENDING_JOB if one.started_at is None else RUNNING_JOB
        batch.log(one, "job.resumed")
        hold(batch, one)
    for one in reversed(paused):
        settle_up(batch, one, Change())
    return [one.id for one in paused]


def signal(batch: Batch, ref: TaskRef, name: str, value: str) -> bool:
    """Keep a signal, and wake the task if it waits for it."""
    task = batch.task(ref)
    if task.finished:
        raise Conflict(f"{ref} is {task.state}: nothing waits for {name!r} there any more")
    if read_note(batch, task, f"signal:{name}") is not None:
        return False
    add_note(batch, task, f"signal:{name}", value)
    batch.log(batch.job(ref.job), "task.signalled", ref.key, name=name)
    if task.state == PARKED and task.signal == name:
        wake(batch, task, Change())
    return True


def expire(batch: Batch) -> list[TaskRef]:
    """Wake what is due and fail what is late."""
    change, job, freed = Change(), schema.job.c, list[TaskRef]()
    late = select(job.id).where(schema.HAS_DEADLINE, job.deadline_at <= batch.now)
    for row in batch.select(late.order_by(job.deadline_at, job.id)):
        found = batch.job(row[0])
        if not found.finished and found.deadline_at is not None and found.deadline_at <= batch.now:
            freed += _pass_deadline(batch, found, change)
    wake_due(batch, change)
    woken = [
        ref for ref in change.ready if (task := batch.find(ref)) and task.state == READY and not task.held
    ]
    take_up(batch)
    return [*woken, *freed]


def _pass_deadline(batch: Batch, job: JobDraft, change: Change) -> list[TaskRef]:
    """The job and those nested in it -> failed; their tasks stay, running ones are let go: the answer."""
    freed = []
    at = from_micros(job.deadline_at or batch.now).isoformat()
    unfinished = [one for one in tree(batch, job) if not one.finished]
    for one in unfinished:
        batch.log(one, "job.deadline", at=at, passed=True)
        one.state = FAILED_JOB
        one.error_kind, one.failed_task, one.error_trace = "DeadlinePassed", None, ""
        one.error_message = f"job {job.id} was not finished by its deadline, {at}"
        running = select(schema.task).where(_task.job == one.id, _task.state == RUNNING)
        for task in batch.take_in(batch.select(running.order_by(_task.position, _task.idx))):
            release(batch, task, change)
            freed.append(task.ref)
        hold(batch, one)
    for one in reversed(unfinished):
        close(batch, one, FAILED_JOB, change)
    tell_owner(batch, job, change)
    return freed


def set_deadline(batch: Batch, job_id: str, deadline: int | None) -> None:
    """Give an unfinished job this long from now, or for ever."""
    job = batch.job(job_id)
    _refuse_finished(job, "given a deadline")
    job.deadline = deadline
    job.deadline_at = None if deadline is None else batch.now + deadline
    job.deadline_left = None
    at = None if job.deadline_at is None else from_micros(job.deadline_at).isoformat()
    batch.log(job, "job.deadline", at=at, passed=False)
    keep_time(batch, job)
