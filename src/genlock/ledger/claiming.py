"""Who runs what: claims given out, taken back from the dead, and tasks woken in time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, tuple_, update

from genlock.ledger import page, schema
from genlock.ledger.advance import RUNNING_JOB, finish, log_failed, make_ready, move, set_error, settle
from genlock.ledger.batch import Batch, Change, JobsBusy
from genlock.ledger.draft import FAILED, READY, RUNNING, Prepared, TaskDraft
from genlock.ledger.records import Claim, Failure, TaskRef
from genlock.ledger.statement import Wait

_task = schema.task.c


@dataclass(frozen=True, slots=True)
class Wish:
    """What one caller of `claim` asked for."""

    holder: str
    tasks: tuple[TaskRef, ...] | None
    limit: int
    resources: frozenset[str] | None
    queues: frozenset[str] | None

    def fits(self, task: TaskDraft) -> bool:
        return (self.resources is None or task.resources in self.resources) and (
            self.queues is None or task.queue in self.queues
        )


def take(batch: Batch, task: TaskDraft, holder: str) -> Claim:
    """ready -> running."""
    job = batch.job(task.job)
    if job.started_at is None:
        job.started_at = batch.now
        batch.log(job, "job.started")
    move(batch, task, RUNNING)
    task.let_go()
    task.holder, task.token = holder, batch.statements.token()
    task.attempt, task.started_at = task.attempt + 1, batch.now
    task.progress = task.progress_note = None
    batch.log(job, "task.claimed", task.key, attempt=task.attempt, holder=holder)
    if job.state != RUNNING_JOB:
        settle(batch, job, Change())
    return task.claim(batch.parent(task).revision if task.idx >= 0 else task.revision)


def take_next(
    batch: Batch, change: Change, holder: str, limit: int, resources: Collection[str] | None
) -> None:
    """ready -> running for the first of what a verb has made ready, as far as its resources are listed."""
    for ref in change.ready:
        if len(change.claimed) >= limit:
            break
        task = batch.task(ref)
        if resources is None or task.resources in resources:
            change.claimed.append(take(batch, task, holder))


_Row = Sequence[Any]  # of `page.CLAIMED` columns
_Kind = tuple[frozenset[str] | None, frozenset[str] | None]  # resources and queues


def grant(batch: Batch, wishes: Sequence[Wish]) -> list[list[Claim]]:
    """Serve callers in their order; those who asked for the same kind of task share one search."""
    batch.fetch((ref.job, ref.key) for wish in wishes for ref in wish.tasks or ())
    sought: dict[_Kind, int] = {}
    for wish in wishes:
        if wish.tasks is None:
            sought[wish.resources, wish.queues] = sought.get((wish.resources, wish.queues), 0) + wish.limit
    if any(wish.tasks is not None for wish in wishes):
        return [_serve(batch, wish) for wish in wishes]
    found = {kind: iter(_longest_ready(batch, *kind, count)) for kind, count in sought.items()}
    taken: set[int] = set()
    return [_share_out(batch, wish, found[wish.resources, wish.queues], taken) for wish in wishes]


def _serve(batch: Batch, wish: Wish) -> list[Claim]:
    if wish.tasks is None:
        rows = _longest_ready(batch, wish.resources, wish.queues, wish.limit)
        return _share_out(batch, wish, iter(rows), set())
    offered = [task for ref in wish.tasks if (task := batch.find(ref)) and wish.fits(task)]
    return [take(batch, task, wish.holder) for task in offered if _claimable(batch, task)]


def _share_out(batch: Batch, wish: Wish, rows: Iterator[_Row], taken: set[int]) -> list[Claim]:
    """Its share of what was found; kinds that overlap have found the same."""
    free = (row for row in rows if row[page.ID] not in taken and batch.job(row[page.JOB]).claimable)
    mine = list(islice(free, wish.limit))
    taken.update(row[page.ID] for row in mine)
    return page.claim(batch, mine, wish.holder)


def _claimable(batch: Batch, task: TaskDraft) -> bool:
    due = task.state == READY and not task.held and task.due_at is not None and task.due_at <= batch.now
    return due and batch.job(task.job).claimable  # its row may lag behind its job


def _longest_ready(
    batch: Batch, resources: Collection[str] | None, queues: Collection[str] | None, count: int
) -> list[_Row]:
    """The tasks longest ready of jobs that no other process is at work on, unless there are no such tasks."""
    batch.flush()
    rows = _candidates(batch, resources, queues, count)
    if batch.fetch_jobs({row[page.JOB] for row in rows}, Wait.LEAVE_OUT):
        rows = _candidates(batch, resources, queues, count)
    free = [row for row in rows if batch.holds(row[page.JOB])]
    if rows and not free:
        raise JobsBusy({row[page.JOB] for row in rows})
    return free


def _candidates(
    batch: Batch, resources: Collection[str] | None, queues: Collection[str] | None, count: int
) -> list[_Row]:
    """Merged from one short range of the index for each fitting lane."""
    statement = _lane_statement(batch)
    ranges = [
        statement.rows(batch.connection, queue=queue, resources=resource, now=batch.now, count=count)
        for queue, resource in _lanes(batch)
        if (queues is None or queue in queues) and (resources is None or resource in resources)
    ]
    return list(islice(merge(*ranges, key=lambda row: (row[page.DUE_AT], row[page.ID])), count))


def _lane_statement(batch: Batch) -> Prepared:
    columns = [_task[name] for name in page.CLAIMED]
    return batch.statements.named(
        "lane",
        lambda: (
            select(*columns)
            .where(
                schema.IS_READY,
                _task.queue == bindparam("queue"),
                _task.resources == bindparam("resources"),
                _task.due_at <= bindparam("now"),
                _task.job.not_in(schema.held_back()),
            )
            .order_by(_task.due_at, _task.id)
            .limit(bindparam("count"))
        ),
    )


def _lanes(batch: Batch) -> Iterator[tuple[str, str]]:
    """Every pair of queue and resources that has ready tasks: one step in the index each."""
    statement = batch.statements.named(
        "lanes",
        lambda: (
            select(_task.queue, _task.resources)
            .where(
                schema.IS_READY,
                tuple_(_task.queue, _task.resources) > tuple_(bindparam("queue"), bindparam("resources")),
            )
            .order_by(_task.queue, _task.resources)
            .limit(1)
        ),
    )
    lane = ("", "")
    while found := statement.rows(batch.connection, queue=lane[0], resources=lane[1]):
        lane = (found[0][0], found[0][1])
        yield lane


def enlist(batch: Batch, holder: str, expires_at: int) -> None:
    """Write or renew the row that says that a process lives."""
    row = schema.holder.c
    renew = update(schema.holder).where(row.id == holder).values(expires_at=expires_at)
    if not batch.connection.execute(renew).rowcount:
        batch.connection.execute(insert(schema.holder).values(id=holder, expires_at=expires_at))


def retire(batch: Batch, holder: str) -> list[TaskRef]:
    """A holder stops: running -> ready for all it holds."""
    change = Change()
    batch.connection.execute(delete(schema.holder).where(schema.holder.c.id == holder))
    for task in _running(batch, _task.holder == holder):
        release(batch, task, change)
    return change.ready


def release(batch: Batch, task: TaskDraft, change: Change) -> None:
    """running -> ready at no cost."""
    batch.log(batch.job(task.job), "task.released", task.key)
    make_ready(batch, task, change)


def _running(batch: Batch, condition: ColumnElement[bool]) -> list[TaskDraft]:
    found = select(schema.task).where(schema.IS_RUNNING, condition)
    return sorted(batch.search(found), key=lambda task: task.id)


def reclaim(batch: Batch, survivor: str | None, gone: str | None, limit: int) -> list[TaskRef]:
    """running -> ready for what dead holders hold, or failed for a poison task."""
    holder, change = schema.holder.c, Change()
    if gone is not None:
        batch.connection.execute(update(schema.holder).where(holder.id == gone).values(expires_at=batch.now))
    condition: ColumnElement[bool]
    if survivor is None:
        condition = _task.holder.not_in(select(holder.id).where(holder.expires_at > batch.now))
    else:
        condition = _task.holder != survivor
    for task in _running(batch, condition):
        _take_back(batch, task, limit, change)
    dead = holder.expires_at <= batch.now if survivor is None else holder.id != survivor
    if batch.statements.shared:  # another sweep may be removing some
        dead = holder.id.in_(select(holder.id).where(dead).with_for_update(skip_locked=True))
    batch.connection.execute(delete(schema.holder).where(dead))
    return change.ready


def _take_back(batch: Batch, task: TaskDraft, limit: int, change: Change) -> None:
    job = batch.job(task.job)
    task.reclaims += 1
    batch.log(job, "task.reclaimed", task.key, reclaims=task.reclaims)
    if task.reclaims <= limit:
        make_ready(batch, task, change)
        return
    set_error(task, Failure("Poison", f"its process died {task.reclaims} times while it ran"))
    log_failed(batch, task)
    finish(batch, task, FAILED, change)
    settle(batch, job, change)


def wake_due(batch: Batch, change: Change) -> None:
    """parked -> ready for tasks whose time has come."""
    due = select(schema.task).where(schema.IS_PARKED, _task.due_at <= batch.now)
    for task in batch.search(due.order_by(_task.due_at, _task.id)):
        if batch.job(task.job).claimable:  # its row may lag behind its job
            wake(batch, task, change)


def wake(batch: Batch, task: TaskDraft, change: Change) -> None:
    """parked -> ready."""
    job = batch.job(task.job)
    batch.log(job, "task.woken", task.key)
    make_ready(batch, task, change)
    settle(batch, job, change)
