"""What a running task does about a paid call before it is sent: money first, then the request."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, select

from genlock.errors import BadInput, Conflict
from genlock.ledger import schema
from genlock.ledger.attempt import held
from genlock.ledger.batch import Batch
from genlock.ledger.budget import caps_of, find_over, open_all, shift
from genlock.ledger.call import (
    ABANDONED,
    FAILED,
    INTENDED,
    RELEASED,
    SETTLED,
    CallDraft,
    add,
    call_row,
    find,
    log,
    must_be,
    newest,
    places_taken,
    write,
)
from genlock.ledger.draft import TaskDraft
from genlock.ledger.records import Claim
from genlock.ledger.spending import BUDGET, IN_VAIN, PLACE, CallRow, CallSpec, Intent, Over, call_key
from genlock.ledger.waiting import refusal, refuse, wake_for_place


def intend(batch: Batch, claim: Claim, spec: CallSpec) -> Intent:
    """none|released|failed|abandoned -> intended, if there is money and a place; or the call there is."""
    task = held(batch, claim)
    if spec.estimate.micros < 0:
        raise BadInput(f"{spec.adapter} cannot cost {spec.estimate}")
    batch.lock_money()
    call = newest(batch, claim.task, task.revision, spec.name)
    if call is not None and not _begins_anew(batch, call):
        if call.rung:
            call.rung = 0  # whatever was said of it, its task looks at it now
            write(batch, call)
        return Intent(call_row(call))
    over, budgets = find_over(batch, spec)
    if over is not None:
        return _over(batch, task, spec, over)
    if spec.limit is not None and places_taken(batch, spec.vendor) >= spec.limit:
        refuse(batch, task, PLACE + spec.vendor, 1, spec.limit)
        return Intent(busy=True)
    drawn = _drawn(batch, claim, task, spec, call, list(budgets))
    open_all(batch, budgets, spec.estimate.currency)
    shift(batch, budgets, reserved=spec.estimate.micros)
    return Intent(_keep(batch, drawn, known=call is not None and call.key == drawn.key), fresh=True)


def _begins_anew(batch: Batch, call: CallDraft) -> bool:
    if call.state == ABANDONED:
        return _was_told(batch, call, "call.resolved")
    if call.state == FAILED:
        return not _is_in_vain(batch, call) or _was_told(batch, call, "call.failed")
    return call.state == RELEASED


def _is_in_vain(batch: Batch, call: CallDraft) -> bool:
    """Whether with this one as many have cost money and failed as may without a person."""
    column = schema.call.c
    paid = select(func.count()).where(
        column.job == call.job,
        column.task == call.task,
        column.revision == call.revision,
        column.name == call.name,
        column.state == FAILED,
        column.spent > column.risk,
    )
    [[count]] = batch.select(paid)
    return call.spent > call.risk and count % IN_VAIN == 0


def _was_told(batch: Batch, call: CallDraft, kind: str) -> bool:
    """Whether the task has failed since this was said of its call: that it runs again, somebody has asked
    for.
    """
    event = schema.event.c
    newest_of = select(func.coalesce(func.max(event.seq), 0)).where(
        event.job == call.job, event.task == call.task
    )
    said = newest_of.where(event.kind == kind, event.data.contains(call.key, autoescape=True))
    failed = newest_of.where(event.kind == "task.failed", event.data.contains('"final":true'))
    [[ended, over]] = batch.select(select(said.scalar_subquery(), failed.scalar_subquery()))
    return bool(over > ended)


def _over(batch: Batch, task: TaskDraft, spec: CallSpec, over: Over) -> Intent:
    if refusal(batch, task, PLACE + spec.vendor) is not None:
        wake_for_place(batch, spec.vendor)  # woken for a place that it has no money for: it is the next one's
    if over.scope != "call":
        refuse(batch, task, BUDGET + over.scope, over.wanted, caps_of(spec)[over.scope])
    return Intent(over=over)


def _keep(batch: Batch, call: CallDraft, *, known: bool) -> CallRow:
    told = {"adapter": call.adapter, "vendor": call.vendor, "currency": call.currency}
    log(batch, call, "call.intended", sends=call.sends, estimate=call.estimate, **told)
    if known:
        return write(batch, call)
    add(batch, call)
    return call_row(call)


_COPIED = ("name", "adapter", "vendor", "policy", "request", "request_hash")
_ZERO = ("spent", "risk", "computed", "absences", "answers", "cancel_asked", "rung")
_EMPTY = ("handle", "result", "reason", "absent_at", "accepted_at", "ended_at", "decided_by")
_BLANK: dict[str, Any] = dict.fromkeys(_EMPTY) | dict.fromkeys(_ZERO, 0)
_STAYS = ("spent", "risk", "answers", "intended_at", "decided_by")  # when a released call is sent once more


def _drawn(
    batch: Batch, claim: Claim, task: TaskDraft, spec: CallSpec, known: CallDraft | None, scopes: list[str]
) -> CallDraft:
    """The row of a new call, or that of a released one which is sent once more."""
    again = known if known is not None and known.state == RELEASED else None
    number = 1 if known is None else known.number + (again is None)
    price = spec.estimate
    if again is not None and again.currency != price.currency:
        raise BadInput(f"call {again.path} was priced in {again.currency} and cannot go on in {price}")
    return CallDraft(
        **_BLANK
        | {name: getattr(spec, name) for name in _COPIED}
        | {
            "key": call_key(claim.task, task.revision, spec.name, number),
            "job": task.job,
            "task": task.key,
            "node": task.node,
            "revision": task.revision,
            "number": number,
            "state": INTENDED,
            "estimate": price.micros,
            "reserved": price.micros,
            "currency": price.currency,
            "sends": 1 if again is None else again.sends + 1,
            "intended_at": batch.now,
            "sent_at": batch.now,
            "scopes": json.dumps(scopes),
            "maker": claim.token,
        }
        | ({} if again is None else {name: getattr(again, name) for name in _STAYS})
    )


def own(batch: Batch, claim: Claim, key: str) -> CallDraft:
    """A call of the task that is claimed."""
    task = held(batch, claim)
    call = find(batch, key)
    if call.ref != task.ref:
        raise Conflict(f"call {call.path} is none of {task.ref}")
    return call


def resend(batch: Batch, claim: Claim, key: str, sends: int) -> CallRow:
    """intended -> intended, sent once more."""
    call = own(batch, claim, key)
    must_be(call, sends, INTENDED)
    call.sends, call.sent_at, call.maker = call.sends + 1, batch.now, claim.token
    call.absent_at, call.absences = None, 0
    log(batch, call, "call.resent", sends=call.sends)
    return write(batch, call)


def absent(batch: Batch, claim: Claim, key: str, sends: int) -> CallRow:
    """The provider's list does not have it."""
    call = own(batch, claim, key)
    must_be(call, sends, INTENDED)
    call.absent_at, call.absences = batch.now, call.absences + 1
    log(batch, call, "call.absent", absences=call.absences)
    return write(batch, call)


def answered(batch: Batch, claim: Claim, key: str) -> None:
    """An attempt was given the result of a call that it did not make: counted once."""
    call = own(batch, claim, key)
    if call.state != SETTLED or call.maker == claim.token:
        return
    call.answers, call.maker = call.answers + 1, claim.token
    log(batch, call, "call.answered", answers=call.answers)
    write(batch, call)
