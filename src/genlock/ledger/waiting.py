"""Parked tasks that wait for money, for a place at a provider, or for word of a call.

Nobody sleeps through what they wait for: whoever makes it possible wakes them in the same transaction,
and whoever parks looks in the same transaction whether it has become possible since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, insert, or_, select, text

from genlock.ledger import schema
from genlock.ledger.batch import Batch, Change
from genlock.ledger.budget import BudgetDraft, read_budgets
from genlock.ledger.call import CallDraft, hear, places_taken
from genlock.ledger.claiming import wake
from genlock.ledger.draft import PARKED, TaskDraft
from genlock.ledger.records import TaskRef
from genlock.ledger.spending import BUDGET, CALL, JOB, PLACE

_task, _refusal = schema.task.c, schema.refusal.c


def refuse(batch: Batch, task: TaskDraft, awaited: str, wanted: int, most: int | None) -> None:
    """Remember what the task was refused, so that parking for it can see whether it still is."""
    gone = batch.statements.named(
        "drop refusal", lambda: delete(schema.refusal).where(_refusal.task == bindparam("of_task"))
    )
    gone.run(batch.connection, of_task=task.id)
    added = batch.statements.named("add refusal", lambda: insert(schema.refusal))
    added.run(batch.connection, task=task.id, awaited=awaited, wanted=wanted, most=most)


def refusal(batch: Batch, task: TaskDraft, awaited: str) -> tuple[int, int | None] | None:
    """What the task wanted and how much there was at most, if this is what it was refused last."""
    statement = batch.statements.named(
        "refusal",
        lambda: select(_refusal.wanted, _refusal.most).where(
            _refusal.task == bindparam("of_task"), _refusal.awaited == bindparam("of_signal")
        ),
    )
    rows = statement.rows(batch.connection, of_task=task.id, of_signal=awaited)
    return (rows[0][0], rows[0][1]) if rows else None


def has_come(batch: Batch, task: TaskDraft, signal: str) -> bool:
    """Whether what the task is about to wait for is there already."""
    if not signal.startswith((CALL, BUDGET, PLACE)):
        return False
    batch.lock_money()
    if signal.startswith(CALL):
        return hear(batch, signal.removeprefix(CALL), task.ref)
    refused = refusal(batch, task, signal)
    if refused is None:
        return False
    wanted, most = refused
    if signal.startswith(PLACE):
        return most is None or places_taken(batch, signal.removeprefix(PLACE)) < most
    scope = signal.removeprefix(BUDGET)
    found = read_budgets(batch, [scope])[scope]
    return found.frozen is None and found.has(wanted, most)


def tell(batch: Batch, call: CallDraft) -> None:
    """Something was said of the call: wake its task, or let it hear of it when it parks. Write it after."""
    task = batch.find(call.ref)
    call.rung = int(not (task is not None and _wake_if_parked(batch, task, CALL + call.key)))


def wake_for_call(batch: Batch, call: CallDraft) -> None:
    """The call has ended: its task need not wait any more."""
    task = batch.find(call.ref)
    if task is not None:
        _wake_if_parked(batch, task, CALL + call.key)


def _wake_if_parked(batch: Batch, task: TaskDraft, signal: str) -> bool:
    waits = task.state == PARKED and task.signal == signal
    if waits:
        wake(batch, task, Change())
    return waits


def wake_for_money(batch: Batch, scopes: Iterable[str]) -> None:
    """Wake all who would find enough in these budgets now."""
    awaited = _awaited(batch, [BUDGET + scope for scope in scopes])
    for scope, budget in read_budgets(batch, [name.removeprefix(BUDGET) for name in awaited]).items():
        if budget.frozen is None:
            _wake_all(batch, _waiting_for_money(budget), BUDGET + scope)


def wake_thawed(batch: Batch, scope: str) -> None:
    """Wake all who wait for this budget, whether or not there is enough: they were told another reason."""
    _wake_all(batch, _waiting(BUDGET + scope), BUDGET + scope)


def reconsider(batch: Batch) -> list[TaskRef]:
    """Wake all who wait for a budget that is not frozen."""
    batch.lock_money()
    waiting = select(schema.task).where(schema.AWAITS, _task.signal.startswith(BUDGET, autoescape=True))
    found = batch.search(waiting.order_by(_task.started_at, _task.id))
    parked = [(task, task.signal) for task in found if task.state == PARKED and task.signal is not None]
    budgets = read_budgets(batch, {signal.removeprefix(BUDGET) for _, signal in parked})
    change = Change()
    for task, signal in parked:
        if budgets[signal.removeprefix(BUDGET)].frozen is None:
            wake(batch, task, change)
    return change.ready


def log_budget(batch: Batch, scope: str, kind: str, /, **data: Any) -> None:
    """Add an event to each job that a budget concerns: the one it is named after, and those that wait."""
    awaits = select(_task.job).distinct().where(schema.AWAITS, _task.signal == BUDGET + scope)
    concerned = {row[0] for row in batch.select(awaits)}
    if scope.startswith(JOB):
        concerned.add(scope.removeprefix(JOB))
    batch.fetch_jobs(concerned)
    for name in sorted(concerned):
        job = batch.find_job(name)
        if job is not None:
            batch.log(job, kind, scope=scope, **data)


def wake_for_place(batch: Batch, vendor: str, count: int = 1) -> None:
    """Wake the longest-parked, one for each free place.

    Whose job is paused cannot use it now: he is woken besides, and looks again when his job goes on.
    """
    signal = PLACE + vendor
    if not _awaited(batch, [signal]):
        return
    _wake_all(batch, _waiting(signal).where(_task.held == text("1")), signal)
    while count:
        found = _still(batch, _waiting(signal).limit(count), signal)
        if not found:
            return
        for task in found:
            count -= batch.job(task.job).claimable  # its row may lag behind its job
            wake(batch, task, Change())


def _awaited(batch: Batch, signals: Sequence[str]) -> list[str]:
    """Those of these signals that somebody is parked for: nearly always none."""
    if not signals:
        return []
    batch.flush()
    size = 1 << (len(signals) - 1).bit_length()
    statement = batch.statements.named(
        ("awaited", size),
        lambda: (
            select(_task.signal)
            .distinct()
            .where(schema.AWAITS, _task.signal.in_([bindparam(f"signal_{n}") for n in range(size)]))
        ),
    )
    values = {f"signal_{place}": signals[min(place, len(signals) - 1)] for place in range(size)}
    return [row[0] for row in statement.rows(batch.connection, **values)]


def _waiting(signal: str) -> Select[Any]:
    found = select(schema.task).where(schema.AWAITS, _task.signal == signal)
    return found.order_by(_task.started_at, _task.id)


def _waiting_for_money(budget: BudgetDraft) -> Select[Any]:
    """Who was refused more than there is now is left in peace."""
    of_task = and_(_refusal.task == _task.id, _refusal.awaited == _task.signal)
    there = budget.spent + budget.reserved
    wanted = _refusal.wanted + there
    enough = (
        or_(_refusal.most.is_(None), wanted <= _refusal.most) if budget.cap is None else wanted <= budget.cap
    )
    joined = _waiting(BUDGET + budget.scope).outerjoin(schema.refusal, of_task)
    return joined.where(or_(_refusal.task.is_(None), enough))


def _wake_all(batch: Batch, found: Select[Any], signal: str) -> None:
    for task in _still(batch, found, signal):
        wake(batch, task, Change())


def _still(batch: Batch, found: Select[Any], signal: str) -> list[TaskDraft]:
    return [task for task in batch.search(found) if task.state == PARKED and task.signal == signal]
