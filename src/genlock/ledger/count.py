"""The counters of jobs and maps: which of them a task stands in, and how to count them anew."""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select, true

from genlock.ledger import schema
from genlock.ledger.batch import Batch
from genlock.ledger.draft import READY, JobDraft, TaskDraft
from genlock.ledger.spending import BOUGHT

AWAKE, ASLEEP, ABROAD = range(3)  # how a nested job is, in the eyes of the task that waits for it
_NESTED = {AWAKE: "live", ASLEEP: "parked", ABROAD: "abroad"}
_task = schema.task.c
_ATTENDED = and_(
    _task.state == "parked",
    _task.due_at.is_not(None),
    or_(*(_task.signal.startswith(prefix, autoescape=True) for prefix in BOUGHT)),
).is_(true())


def weight(state: str, is_node: bool, nested: bool, asleep: int, attended: bool) -> str | None:
    """Which counter of its job a task stands in."""
    if state in (READY, "running"):
        return "live"
    if state == "parked":
        return "abroad" if attended else "parked"
    if state == "spread" and nested:
        return _NESTED[asleep]
    return "failed" if state == "failed" and is_node else None


def recount(batch: Batch, job: JobDraft) -> None:
    """live, abroad, parked and failed of a job from its rows, after many of them were changed at once."""
    kinds = (_task.state, _task.idx < 0, _task.asleep, _task.child_job.is_not(None), _ATTENDED)
    rows = batch.select(select(*kinds, func.count()).where(_task.job == job.id).group_by(*kinds))
    job.live = job.abroad = job.parked = job.failed = 0
    for state, is_node, asleep, nested, attended, count in rows:
        kind = weight(state, bool(is_node), bool(nested), asleep, bool(attended))
        if kind is not None:
            setattr(job, kind, getattr(job, kind) + count)


def recount_map(batch: Batch, parent: TaskDraft) -> None:
    """Unfinished and lost children of a map from their rows."""
    rows = batch.select(
        select(_task.state, func.count())
        .where(_task.job == parent.job, _task.position == parent.position, _task.idx >= 0)
        .group_by(_task.state)
    )
    counts = {state: count for state, count in rows}  # noqa: C416 - rows are no pairs to mypy
    parent.lost = counts.get("failed", 0)
    finished = sum(counts.get(state, 0) for state in ("done", "failed", "skipped", "cancelled"))
    parent.unfinished = sum(counts.values()) - finished
