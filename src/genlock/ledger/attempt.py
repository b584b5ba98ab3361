"""The verbs that show a claim: what a running task may do to its row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from genlock.errors import ClaimLost, NotFound
from genlock.ledger import schema
from genlock.ledger.advance import finish, log_failed, make_ready, move, set_error, settle
from genlock.ledger.batch import Batch, Change
from genlock.ledger.claiming import take_next
from genlock.ledger.draft import DONE, FAILED, PARKED, RUNNING, SKIPPED, TaskDraft
from genlock.ledger.keeping import share
from genlock.ledger.moment import to_micros, to_micros_or_none
from genlock.ledger.page import Success
from genlock.ledger.records import Advance, Claim, Failure
from genlock.ledger.waiting import has_come


def held(batch: Batch, claim: Claim) -> TaskDraft:
    """The task behind a claim that still stands."""
    try:
        task = batch.task(claim.task)
    except NotFound as error:
        raise ClaimLost(f"{claim.task} is gone: drop what you have") from error
    if task.state != RUNNING or task.token != claim.token:
        raise ClaimLost(f"{claim.task} is {task.state} and no longer yours: drop what you have")
    return task


def extend(batch: Batch, claim: Claim, progress: float | None, note: str | None) -> None:
    """Record progress of a running task."""
    task = held(batch, claim)
    if progress is None and note is None:
        return
    task.progress = task.progress if progress is None else progress
    task.progress_note = task.progress_note if note is None else note
    batch.log(batch.job(task.job), "task.progress", task.key, progress=progress, note=note)


def save(batch: Batch, claim: Claim, name: str, value: str) -> str:
    """Keep a note; the answer is the first value of its name."""
    task = held(batch, claim)
    known = read_note(batch, task, name)
    if known is not None:
        return known
    add_note(batch, task, name, value)
    batch.log(batch.job(task.job), "task.noted", task.key, name=name)
    return value


def read_note(batch: Batch, task: TaskDraft, name: str) -> str | None:
    """The note of this name of the task's present revision."""
    note = schema.note.c
    statement = batch.statements.named(
        "note",
        lambda: select(note.value).where(
            note.task == bindparam("id"),
            note.revision == bindparam("revision"),
            note.name == bindparam("name"),
        ),
    )
    rows = statement.rows(batch.connection, id=task.id, revision=task.revision, name=name)
    return str(rows[0][0]) if rows else None


def add_note(batch: Batch, task: TaskDraft, name: str, value: str) -> None:
    """Insert a note of the present revision."""
    values = {"task": task.id, "revision": task.revision, "name": name, "value": value}
    batch.statements.add_note.run(batch.connection, **values)


def succeed(batch: Batch, done: Success) -> Advance:
    """running -> done, and what follows from it."""
    task, change = held(batch, done.claim), Change()
    job = batch.job(task.job)
    seconds = (batch.now - (task.started_at or batch.now)) / 1e6
    batch.log(job, "task.kept" if done.kept else "task.done", task.key, seconds=seconds)
    task.output, task.input_hash = done.output, done.input_hash
    task.clear_error()
    finish(batch, task, DONE, change)
    settle(batch, job, change)
    take_next(batch, change, done.claim.holder, done.claim_next, done.resources)
    if done.share and done.input_hash is not None:
        share(batch, done.input_hash, task.job, done.output)
    return change.advance()


def park(batch: Batch, claim: Claim, reason: str, signal: str | None, until: datetime | None) -> Advance:
    """running -> parked, or ready at once if what it waits for is there already."""
    task, change = held(batch, claim), Change()
    job = batch.job(task.job)
    at = until.isoformat() if until else None
    batch.log(job, "task.parked", task.key, reason=reason, signal=signal, until=at)
    if signal is not None and (
        has_come(batch, task, signal) or read_note(batch, task, f"signal:{signal}") is not None
    ):
        batch.log(job, "task.woken", task.key)
        task.signal = signal
        make_ready(batch, task, change)
    else:
        task.let_go()
        task.parked_for, task.signal, task.due_at = reason, signal, to_micros_or_none(until)
        move(batch, task, PARKED)
        task.held = int(not job.claimable)
    settle(batch, job, change)
    return change.advance()


def snooze(batch: Batch, claim: Claim, until: datetime) -> None:
    """running -> ready, due later."""
    task = held(batch, claim)
    batch.log(batch.job(task.job), "task.snoozed", task.key, until=until.isoformat())
    make_ready(batch, task, Change(), to_micros(until))


def fail(batch: Batch, claim: Claim, failure: Failure, retry_at: datetime | None) -> Advance:
    """running -> ready for another try, or failed."""
    task, change = held(batch, claim), Change()
    set_error(task, failure)
    task.tries += 1
    log_failed(batch, task, to_micros_or_none(retry_at))
    if retry_at is None:
        finish(batch, task, FAILED, change)
        settle(batch, batch.job(task.job), change)
    else:
        make_ready(batch, task, change, to_micros(retry_at))
    return change.advance()


def skip(batch: Batch, claim: Claim, reason: str) -> Advance:
    """running -> skipped, and what cannot do without it."""
    task, change = held(batch, claim), Change()
    task.reason = reason
    batch.log(batch.job(task.job), "task.skipped", task.key, reason=reason)
    finish(batch, task, SKIPPED, change)
    settle(batch, batch.job(task.job), change)
    return change.advance()
