"""What became of a paid call: recorded whether or not its task still wants it.

Fenced by the call's own state and by how often it was sent. Money that becomes free, places that become
free and words for a parked task wake whoever waits for them, in the same transaction.
"""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select

from genlock.errors import BadInput, Conflict, NotFound
from genlock.ledger import schema
from genlock.ledger.batch import Batch
from genlock.ledger.budget import set_cap as _set_cap
from genlock.ledger.budget import set_frozen, shift
from genlock.ledger.call import (
    ABANDONED,
    ACCEPTED,
    DOUBT,
    FAILED,
    INTENDED,
    LIVE,
    RELEASED,
    SETTLED,
    CallDraft,
    by_handle,
    call_row,
    find,
    log,
    must_be,
    write,
)
from genlock.ledger.intent import own
from genlock.ledger.records import Claim
from genlock.ledger.spending import BudgetRow, CallRow, Decision, Delivery, Settlement
from genlock.ledger.waiting import (
    log_budget,
    tell,
    wake_for_call,
    wake_for_money,
    wake_for_place,
    wake_thawed,
)
from genlock.money import Money

_delivery = schema.delivery.c


def accept(batch: Batch, key: str, sends: int, handle: str) -> CallRow:
    """intended|doubt -> accepted; or, if it had come to something else by then, it is there twice."""
    call = find(batch, key)
    if call.handle == handle and call.state not in (INTENDED, DOUBT):
        return call_row(call)
    if call.state not in (INTENDED, DOUBT):
        return _twice(batch, call, sends, handle)
    doubted = call.state == DOUBT
    call.state, call.handle, call.accepted_at, call.reason = ACCEPTED, handle, batch.now, None
    log(batch, call, "call.accepted", sends=sends, handle=handle)
    if doubted or _was_reported(batch, call.vendor, handle):
        tell(batch, call)
    return write(batch, call)


def _twice(batch: Batch, call: CallDraft, sends: int, handle: str) -> CallRow:
    """Another one than the one that is known has been accepted, and will cost as much.

    What was given up has been counted as if it had been accepted: that it was adds nothing.
    """
    if call.state == ABANDONED and call.handle is None and call.sends == sends:
        call.handle = handle
        log(batch, call, "call.accepted", sends=sends, handle=handle)
        return write(batch, call)
    call.spent += call.estimate
    call.risk += call.estimate
    shift(batch, call.budgets, spent=call.estimate)
    log(batch, call, "call.twice", sends=sends, handle=handle, spent=call.estimate, currency=call.currency)
    return write(batch, call)


def _was_reported(batch: Batch, vendor: str, handle: str) -> bool:
    """Whether a report that names only the provider's id has come before the id was known."""
    statement = batch.statements.named(
        "reported",
        lambda: (
            select(_delivery.seq)
            .where(_delivery.handle == bindparam("of_handle"), _delivery.vendor == bindparam("of_vendor"))
            .limit(1)
        ),
    )
    return bool(statement.rows(batch.connection, of_handle=handle, of_vendor=vendor))


def settle(batch: Batch, key: str, settlement: Settlement) -> CallRow:
    """intended|accepted -> settled or failed: what was reserved becomes what was spent."""
    call = find(batch, key)
    if call.state in (SETTLED, FAILED):
        return call_row(call)
    if call.state not in LIVE:
        raise Conflict(f"call {call.path} is {call.state}: accept it before it is settled")
    cost = Money(call.estimate, call.currency) if settlement.cost is None else settlement.cost
    if cost.currency != call.currency:
        raise BadInput(f"call {call.path} was priced in {call.currency} and cannot cost {cost}")
    call.state = SETTLED if settlement.made else FAILED
    call.result, call.reason = settlement.result, settlement.reason
    call.computed = int(settlement.computed or settlement.cost is None)
    log(
        batch,
        call,
        f"call.{call.state}",
        spent=cost.micros,
        currency=call.currency,
        computed=bool(call.computed),
        reason=call.reason,
    )
    _end(batch, call, cost.micros)
    wake_for_call(batch, call)
    return write(batch, call)


def _end(batch: Batch, call: CallDraft, spent: int) -> None:
    """Nothing is reserved for it any more, and its place is free."""
    freed = call.reserved - spent
    shift(batch, call.budgets, reserved=-call.reserved, spent=spent)
    call.reserved, call.spent, call.ended_at = 0, call.spent + spent, batch.now
    if freed > 0:
        wake_for_money(batch, call.budgets)
    wake_for_place(batch, call.vendor)


def release(batch: Batch, key: str, sends: int, reason: str) -> CallRow:
    """intended -> released: the money is free again."""
    call = find(batch, key)
    must_be(call, sends, INTENDED)
    call.state, call.reason = RELEASED, reason
    log(batch, call, "call.released", sends=sends, reason=reason)
    _end(batch, call, 0)
    return write(batch, call)


def doubt(batch: Batch, key: str, sends: int, reason: str, claim: Claim | None = None) -> CallRow:
    """intended|accepted -> doubt: its money stays reserved, its place is free."""
    call = find(batch, key) if claim is None else own(batch, claim, key)
    must_be(call, sends, *LIVE)
    call.state, call.reason = DOUBT, reason
    log(batch, call, "call.doubt", sends=sends, reason=reason, reserved=call.reserved, currency=call.currency)
    row = write(batch, call)
    wake_for_place(batch, call.vendor)
    return row


def resolve(batch: Batch, key: str, decision: Decision, by: str, handle: str | None) -> CallRow:
    """doubt -> accepted, released or abandoned, as a person says."""
    if decision is Decision.ADOPT and not handle:
        raise BadInput("to adopt a call, say which id it has at the provider")
    call = find(batch, key)
    if call.state != DOUBT:
        raise Conflict(f"call {call.path} is {call.state}: there is no doubt to be resolved")
    call.decided_by = by
    log(batch, call, "call.resolved", decision=decision.value, by=by, handle=handle)
    if decision is Decision.ADOPT:
        call.state, call.handle, call.accepted_at, call.reason = ACCEPTED, handle, batch.now, None
    else:
        call.state = RELEASED if decision is Decision.RESEND else ABANDONED
        shift(batch, call.budgets, reserved=-call.reserved, spent=call.reserved)
        call.spent, call.risk = call.spent + call.reserved, call.risk + call.reserved
        call.reserved, call.ended_at = 0, batch.now
    tell(batch, call)
    return write(batch, call)


def ask_cancel(batch: Batch, key: str) -> CallRow:
    """Remember that a live call is to be stopped."""
    call = find(batch, key)
    if call.state not in LIVE or call.cancel_asked:
        return call_row(call)
    call.cancel_asked = 1
    log(batch, call, "call.cancel_asked")
    return write(batch, call)


def deliver(batch: Batch, delivery: Delivery) -> bool:
    """Keep a report, and tell the task of its call."""
    batch.lock_money()
    key = delivery.key
    if key is None and delivery.handle is not None:
        key = by_handle(batch, delivery.vendor, delivery.handle)
    known = _known_call(batch, key)
    seen = select(_delivery.seq).where(_delivery.vendor == delivery.vendor, _delivery.id == delivery.id)
    if batch.select(seen):
        return False
    batch.connection.execute(
        insert(schema.delivery).values(
            vendor=delivery.vendor,
            id=delivery.id,
            key=delivery.key,
            handle=delivery.handle,
            body=delivery.body,
            at=batch.now,
        )
    )
    if known is not None:
        log(batch, known, "call.delivered", vendor=delivery.vendor, id=delivery.id)
        tell(batch, known)
        write(batch, known)
    return True


def _known_call(batch: Batch, key: str | None) -> CallDraft | None:
    if key is None:
        return None
    try:
        return find(batch, key)
    except NotFound:
        return None


def set_cap(batch: Batch, scope: str, cap: Money | None) -> BudgetRow:
    """Write the scope's own cap, and wake who has enough now."""
    budget = _set_cap(batch, scope, cap)
    log_budget(batch, scope, "budget.capped", cap=budget.cap, currency=budget.currency)
    wake_for_money(batch, [scope])
    return budget.row()


def freeze(batch: Batch, scope: str, reason: str) -> BudgetRow:
    """Nothing may be spent in the scope."""
    budget = set_frozen(batch, scope, reason)
    log_budget(batch, scope, "budget.frozen", reason=reason)
    return budget.row()


def thaw(batch: Batch, scope: str) -> BudgetRow:
    """Money may be spent in the scope again."""
    budget = set_frozen(batch, scope, None)
    log_budget(batch, scope, "budget.thawed")
    wake_thawed(batch, scope)
    return budget.row()
