"""What calls have cost and what was saved, counted one by one in the in-memory ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from genlock.ledger.memory.row import Job, Task
from genlock.ledger.memory.till import Till
from genlock.ledger.records import TaskRef
from genlock.ledger.spending import By, CallFilter, CallRow, CallState, Cost

Span = tuple[datetime, datetime]


def count(till: Till, by: By, where: CallFilter, span: Span) -> list[Cost]:
    """Money by group and currency: most spent first, days in their order."""
    found: dict[tuple[str, str], Cost] = {}

    def group(call: CallRow, task: TaskRef, at: datetime) -> Cost:
        name = _group(till, by, call, task, at)
        return found.setdefault(
            (name, call.currency), Cost(name, call.currency, *([0] * 7))
        )  # of a call, or of a task that need not make it

    for call in till.fitting(where):
        if span[0] <= call.intended_at < span[1]:
            cost = group(call, call.task, call.intended_at)
            found[cost.group, cost.currency] = _added(cost, call, saved=_was_resumed(till, call))
    for task, at, call in _taken_over(till, where):
        if span[0] <= at < span[1]:
            cost = group(call, task, at)
            saved = cost.saved_by_reuse + call.spent - call.risk
            found[cost.group, cost.currency] = replace(cost, saved_by_reuse=saved)
    if by is By.DAY:
        return sorted(found.values(), key=lambda cost: (cost.group, cost.currency))
    return sorted(found.values(), key=lambda cost: (-cost.spent, cost.group, cost.currency))


def _group(till: Till, by: By, call: CallRow, task: TaskRef, at: datetime) -> str:
    match by:
        case By.JOB:
            return till.root(task.job)
        case By.STAGE:
            return task.node
        case By.VENDOR:
            return call.vendor
        case By.ADAPTER:
            return call.adapter
        case By.DAY:
            return f"{at:%Y-%m-%d}"
        case By.OWNER:
            return till.book.jobs[task.job].spec.owner


def _added(cost: Cost, call: CallRow, *, saved: bool) -> Cost:
    return replace(
        cost,
        calls=cost.calls + 1,
        spent=cost.spent + call.spent,
        reserved=cost.reserved + call.reserved,
        doubt=cost.doubt + (call.reserved if call.state is CallState.DOUBT else 0),
        risk=cost.risk + call.risk,
        saved_by_resume=cost.saved_by_resume + (call.spent - call.risk if saved else 0),
    )


def _was_resumed(till: Till, call: CallRow) -> bool:
    """Whether it was settled before its job, or one around it or beside it, was interrupted last."""
    if call.state is not CallState.SETTLED or call.ended_at is None:
        return False
    root = till.root(call.task.job)
    family = [job for name, job in till.book.jobs.items() if till.root(name) == root]
    broken = (
        event.at for job in family for event in job.events if event.kind in ("task.reclaimed", "job.retried")
    )
    return any(call.ended_at < at for at in broken)


def _taken_over(till: Till, where: CallFilter) -> Iterator[tuple[TaskRef, datetime, CallRow]]:
    """Tasks that took a result over, when they first did, and each call that had been made for it."""
    for job in [one for name, one in till.book.jobs.items() if till.takes_in(where, name)]:
        kept: dict[str, datetime] = {}
        for event in job.events:
            if event.kind == "task.kept" and event.task is not None:
                kept.setdefault(event.task, event.at)
        for key, at in kept.items():
            ref = TaskRef(job.spec.id, key)
            if where.task not in (None, ref):
                continue
            for call in _made_for(till, job, ref, at):
                fits = not where.states or call.state in where.states
                if fits and where.vendor in (None, call.vendor):
                    yield ref, at, call


def _made_for(till: Till, job: Job, ref: TaskRef, at: datetime) -> list[CallRow]:
    settled = [call for call in till.calls.values() if call.state is CallState.SETTLED]
    own = [call for call in settled if call.task == ref and call.ended_at and call.ended_at <= at]
    if own:
        newest = max(call.revision for call in own)
        return [call for call in settled if call.task == ref and call.revision == newest]
    taker = next((task for task in job.tasks() if task.ref == ref), None)
    shared = till.book.shared.get(taker.input_hash or "") if taker else None
    if taker is None or shared is None:
        return []
    makers = {task.ref for task in _with_hash(till.book.jobs[shared[0]], taker.input_hash)}
    made = [call for call in settled if call.task in makers]
    if not made:
        return []
    first = min(made, key=lambda call: call.ended_at or at).task
    newest = max(call.revision for call in made if call.task == first)
    return [call for call in made if call.task == first and call.revision == newest]


def _with_hash(job: Job, input_hash: str | None) -> Iterator[Task]:
    return (task for task in job.tasks() if task.input_hash == input_hash)
