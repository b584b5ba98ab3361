"""Bringing finished things back to life: redo and retry, up and down through nested jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, insert, literal, or_, select, update

from genlock.errors import Conflict
from genlock.ledger import schema
from genlock.ledger.advance import (
    CANCELLED_JOB,
    COMPLETED_JOB,
    FAILED_JOB,
    PAUSED_JOB,
    PENDING_JOB,
    RUNNING_JOB,
    make_ready,
    owning,
    restate,
    sleep_of,
)
from genlock.ledger.batch import Batch, Change
from genlock.ledger.count import recount, recount_map
from genlock.ledger.draft import (
    BLOCKED,
    DONE,
    FAILED,
    FINISHED,
    READY,
    SKIPPED,
    SPREAD,
    JobDraft,
    TaskDraft,
)
from genlock.ledger.records import RedoPlan, TaskRef
from genlock.ledger.redo import Layout, Redo, plan, refuse_cancelled
from genlock.ledger.steering import call_off, settle_up
from genlock.ledger.sweeping import hold

_task = schema.task.c
_PAGE = 500


def redo(batch: Batch, job_id: str, keys: Sequence[str], ahead: Redo) -> RedoPlan:
    """`ahead` was worked out before, and holds if nothing has happened in the job since."""
    job, change, found = batch.job(job_id), Change(), ahead  # locked: those around it are cancelled with it
    batch.flush()
    refuse_cancelled(batch.connection, job_id)
    if job.last_event != ahead.seen:
        found = plan(Layout.read(batch.connection, job_id, batch.graph(job_id)), keys)
    batch.log(job, "job.redone", keys=list(keys), redone=len(found.plan.redone))
    for page in _pages([*found.nodes, *found.children]):
        _renew(batch, job_id, _task.key.in_(page), keep=False)
    _reopen(batch, job, change)
    for node in found.behind:
        _block(batch, batch.task(TaskRef(job_id, node)), change)
    _free(batch, job, found, change)
    settle_up(batch, job, change)
    return found.plan


def _pages(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + _PAGE] for start in range(0, len(keys), _PAGE))


def _renew(batch: Batch, job: str, which: ColumnElement[bool], *, keep: bool) -> None:
    """Rows -> blocked, under a new revision where anything came of this one; `keep` remembers results."""
    ours = and_(_task.job == job, which)
    used = or_(_task.attempt > 0, _task.state.in_(FINISHED))
    old = select(_task.id, _task.revision, _task.state, _task.output).where(ours, used)
    batch.flush()
    batch.connection.execute(
        insert(schema.revision).from_select(["task", "revision", "state", "output"], old)
    )
    batch.sweep(job, update(schema.task).where(ours).values(_renewed(used, keep=keep)))


_NOTHING: dict[str, Any] = (
    dict.fromkeys(("token", "holder", "due_at", "signal", "parked_for", "progress", "progress_note"))
    | dict.fromkeys(("started_at", "finished_at", "input_hash", "output", "reason"))
    | dict.fromkeys(("error_kind", "error_message", "error_trace"))
)
_ZERO = dict.fromkeys(
    ("attempt", "tries", "reclaims", "held", "written", "opened", "unfinished", "lost", "asleep"), 0
)


def _renewed(used: ColumnElement[bool], *, keep: bool) -> dict[str, Any]:
    result = and_(_task.state == DONE, _task.input_hash.is_not(None), _task.output.is_not(None))
    values = _NOTHING | _ZERO | {"state": BLOCKED, "revision": _task.revision + case((used, 1), else_=0)}
    if keep:
        values["kept_hash"] = case((result, _task.input_hash), else_=_task.kept_hash)
        values["kept_output"] = case((result, _task.output), else_=_task.kept_output)
    else:
        values |= dict.fromkeys(("kept_hash", "kept_output", "child_job"))
    return values


def _block(batch: Batch, node: TaskDraft, change: Change) -> None:
    """A node and its children wait again for what is upstream; nested jobs under way are called off."""
    row, here = schema.job.c, _task.position == node.position
    nested = batch.select(
        select(_task.key, row.id, row.state)
        .join(schema.job, row.id == _task.child_job)
        .where(_task.job == node.job, here, row.state != COMPLETED_JOB)
    )
    _renew(batch, node.job, here, keep=True)
    for key, child, state in nested:
        batch.task(TaskRef(node.job, key)).child_job = None
        if state not in (FAILED_JOB, CANCELLED_JOB):
            call_off(batch, batch.job(child), f"{node.job}/{key} runs again", change)
    batch.log(batch.job(node.job), "task.blocked", node.key)


def _free(batch: Batch, job: JobDraft, found: Redo, change: Change) -> None:
    """Named rows -> ready, unless they follow from other named ones."""
    _rewait(batch, job.id)
    children = [key for key in found.children if key.partition("/")[0] not in found.behind]
    for key in found.nodes:
        task = batch.task(TaskRef(job.id, key))
        if key not in found.behind and not task.waits:
            make_ready(batch, task, change)
    _free_children(batch, job, children, change)
    for node in dict.fromkeys(key.partition("/")[0] for key in children):
        _weigh_map(batch, batch.task(TaskRef(job.id, node)), change)
    _take_stock(batch, job)


def _free_children(batch: Batch, job: JobDraft, keys: Sequence[str], change: Change) -> None:
    held = int(not job.claimable)
    for page in _pages(keys):
        batch.sweep(
            job.id,
            update(schema.task)
            .where(_task.job == job.id, _task.key.in_(page))
            .values(state=READY, due_at=batch.now, held=held),
        )
    if not held:
        change.ready += [TaskRef(job.id, key) for key in keys]


def _rewait(batch: Batch, job: str) -> None:
    """Count anew how many upstreams each node lacks."""
    nodes, ups = batch.nodes(job), batch.graph(job).ups
    for name, task in nodes.items():
        task.waits = sum(nodes[up].state not in (DONE, SKIPPED) for up, _ in ups.get(name, ()))


def _take_stock(batch: Batch, job: JobDraft) -> None:
    """The job's counters and its error, from its rows."""
    _rewait(batch, job.id)
    recount(batch, job)
    failed = next((node for node in batch.nodes(job.id).values() if node.state == FAILED), None)
    job.error_kind = failed.error_kind if failed else None
    job.error_message = failed.error_message if failed else None
    job.error_trace = failed.error_trace if failed else None
    job.failed_task = failed.key if failed else None


def _weigh_map(batch: Batch, parent: TaskDraft, change: Change) -> None:
    """done|failed -> spread for a map some of whose children run again, if it can still be done."""
    recount_map(batch, parent)
    before = parent.state
    if before in (DONE, FAILED) and parent.written - parent.lost >= parent.required:
        parent.state, parent.finished_at = SPREAD, None
        parent.clear_error()
    if before == DONE:
        _block_behind(batch, parent, change)


def _block_behind(batch: Batch, node: TaskDraft, change: Change) -> None:
    batch.flush()
    layout = Layout.read(batch.connection, node.job, batch.graph(node.job), children=False)
    for name in layout.behind({node.node}):
        _block(batch, batch.task(TaskRef(node.job, name)), change)


def _reopen(batch: Batch, job: JobDraft, change: Change) -> None:
    """A finished job runs again, its deadline starts anew, and so for the jobs it is nested in."""
    owner = owning(batch, job)
    if owner is not None:
        parent = batch.job(owner.job)
        _reopen(batch, parent, change)
        if owner.state in (DONE, FAILED):
            _reopen_owner(batch, owner, change)
            _take_stock(batch, parent)
    _open_again(batch, job)


def _reopen_owner(batch: Batch, owner: TaskDraft, change: Change) -> None:
    was_done = owner.state == DONE
    owner.state, owner.finished_at, owner.output, owner.asleep = SPREAD, None, None, 0
    owner.clear_error()
    if owner.idx >= 0:
        _weigh_map(batch, batch.parent(owner), change)
    elif was_done:
        _block_behind(batch, owner, change)


def _open_again(batch: Batch, job: JobDraft) -> None:
    if job.deadline is not None:
        job.deadline_at, job.deadline_left = batch.now + job.deadline, None
    if not job.finished:
        return
    was_late = job.state == FAILED_JOB and job.failed_task is None
    job.state = PENDING_JOB if job.started_at is None else RUNNING_JOB
    job.finished_at = None
    if _paused_around(batch, job):
        job.state = PAUSED_JOB
    hold(batch, job)
    if was_late:
        _open_stopped(batch, job)


def _paused_around(batch: Batch, job: JobDraft) -> bool:
    """Whether the nearest unfinished job around this one is paused: those in between are yet to be opened."""
    if job.parent_job is None:
        return False
    around = batch.job(job.parent_job)
    return _paused_around(batch, around) if around.finished else around.state == PAUSED_JOB


def _open_stopped(batch: Batch, job: JobDraft) -> None:
    """Nested jobs that stopped with this one, because its deadline had passed, go on with it."""
    waiting = select(schema.task).where(
        _task.job == job.id, _task.child_job.is_not(None), _task.state == SPREAD
    )
    tasks = batch.take_in(batch.select(waiting.order_by(_task.position, _task.idx)))
    batch.fetch_jobs(task.child_job or "" for task in tasks)
    for task in tasks:
        child = batch.job(task.child_job or "")
        if child.finished:
            _open_again(batch, child)
            restate(batch, child)
        task.asleep = sleep_of(child)
    _take_stock(batch, job)


def retry(batch: Batch, job_id: str) -> list[str]:
    """Failed tasks of a tree of jobs -> ready, with fresh tries; answers which jobs go on."""
    job, change = batch.job(job_id), Change()
    batch.flush()
    refuse_cancelled(batch.connection, job_id)
    if job.state == COMPLETED_JOB:
        raise Conflict(f"job {job_id} is {job.state}: there is nothing to retry")
    revived: list[str] = []
    if not _revive(batch, job, revived, change):
        raise Conflict(f"job {job_id} has no failed task: there is nothing to retry")
    _reopen(batch, job, change)
    settle_up(batch, job, change)
    return revived


def _revive(batch: Batch, job: JobDraft, jobs: list[str], change: Change) -> int:
    """Failed tasks of the job and its nested jobs -> ready with fresh tries; the answer is how many."""
    if job.state in (CANCELLED_JOB, COMPLETED_JOB):
        return 0
    beyond_tasks = int(job.state == FAILED_JOB and not job.failed)
    nested, plain = _revive_nested(batch, job, jobs, change), _revivable(batch, job)
    if not (nested or plain or beyond_tasks):
        return 0
    jobs.append(job.id)
    batch.log(job, "job.retried", tasks=len(nested) + len(plain))
    _open_again(batch, job)
    for page in _pages(plain):
        batch.sweep(
            job.id, update(schema.task).where(_task.job == job.id, _task.key.in_(page)).values(_FRESH)
        )
    _free_children(batch, job, plain, change)
    for node in dict.fromkeys(key.partition("/")[0] for key in [*nested, *plain] if "/" in key):
        _weigh_map(batch, batch.task(TaskRef(job.id, node)), change)
    _take_stock(batch, job)
    restate(batch, job)
    return len(nested) + len(plain) + beyond_tasks


_FRESH: dict[str, Any] = dict.fromkeys(
    ("finished_at", "error_kind", "error_message", "error_trace", "child_job")
) | {"tries": 0, "reclaims": 0}


def _revive_nested(batch: Batch, job: JobDraft, jobs: list[str], change: Change) -> list[str]:
    """Tasks whose nested job had something to retry: they wait for it again."""
    nested = select(schema.task).where(
        _task.job == job.id, _task.child_job.is_not(None), _task.state.in_((SPREAD, FAILED))
    )
    revived = []
    for task in batch.take_in(batch.select(nested.order_by(_task.position, _task.idx))):
        if task.idx >= 0 and batch.parent(task).state == DONE:
            continue
        child = batch.job(task.child_job or "")
        if _revive(batch, child, jobs, change):
            task.state, task.finished_at, task.asleep = SPREAD, None, sleep_of(child)
            task.clear_error()
            revived.append(task.key)
    return revived


def _revivable(batch: Batch, job: JobDraft) -> list[str]:
    """Failed tasks that can simply run again: no opened maps, no children of maps that are done."""
    parent = schema.task.alias().c
    map_is_done = (
        select(literal(1))
        .where(
            parent.job == _task.job, parent.position == _task.position, parent.idx < 0, parent.state == DONE
        )
        .exists()
    )
    failed = select(_task.key).where(
        _task.job == job.id,
        _task.state == FAILED,
        or_(_task.idx >= 0, _task.opened == 0),
        or_(_task.idx < 0, ~map_is_done),
    )
    return [row[0] for row in batch.select(failed.order_by(_task.position, _task.idx))]
