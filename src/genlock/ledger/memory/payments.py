"""The verbs of money of the in-memory ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genlock.errors import BadInput, Conflict
from genlock.ledger.memory.row import Task
from genlock.ledger.memory.till import Refusal, Till
from genlock.ledger.paying import checked, spoken
from genlock.ledger.records import Claim, TaskRef
from genlock.ledger.spending import (
    BUDGET,
    IN_VAIN,
    BudgetRow,
    CallRow,
    CallSpec,
    CallState,
    Decision,
    Delivery,
    Intent,
    Settlement,
    call_key,
)
from genlock.ledger.wording import named, plain, plain_or_none
from genlock.money import Money

_INTENDED, _ACCEPTED, _DOUBT = CallState.INTENDED, CallState.ACCEPTED, CallState.DOUBT
_COPIED = ("name", "adapter", "vendor", "policy", "request", "request_hash")
_EMPTY = ("handle", "result", "reason", "absent_at", "accepted_at", "ended_at", "decided_by")
_BLANK: dict[str, Any] = dict.fromkeys(_EMPTY) | dict.fromkeys(("spent", "risk", "absences", "answers"), 0)
_BLANK |= {"computed": False, "cancel_asked": False}
_STAYS = ("spent", "risk", "answers", "intended_at", "decided_by")


class MemoryPayments:
    """`Payments` over a till."""

    _till: Till

    async def intend(self, claim: Claim, spec: CallSpec) -> Intent:
        till, task = self._till, self._till.book.held(claim)
        _check(checked(spec))
        ours = [
            call
            for call in till.calls.values()
            if (call.task, call.revision, call.name) == (task.ref, task.revision, spec.name)
        ]
        call = max(ours, key=lambda one: one.number, default=None)
        if call is not None and not self._begins_anew(call):
            till.rung.discard(call.key)
            return Intent(call)
        caps = _caps(spec)
        over = till.over(spec, caps)
        if over is not None:
            refused = till.refusals.get(task.ref)
            if refused is not None and refused.awaited == f"place:{spec.vendor}":
                till.wake_for_place(spec.vendor)
            if over.scope != "call":
                most = caps[over.scope]
                till.refusals[task.ref] = Refusal(f"budget:{over.scope}", over.wanted, most)
            return Intent(over=over)
        if spec.limit is not None and till.live(spec.vendor) >= spec.limit:
            till.refusals[task.ref] = Refusal(f"place:{spec.vendor}", 1, spec.limit)
            return Intent(busy=True)
        return Intent(self._reserve(claim, task, spec, call), fresh=True)

    def _begins_anew(self, call: CallRow) -> bool:
        if call.state is CallState.ABANDONED:
            return self._was_told(call, "call.resolved")
        if call.state is CallState.FAILED:
            return not self._is_in_vain(call) or self._was_told(call, "call.failed")
        return call.state is CallState.RELEASED

    def _is_in_vain(self, call: CallRow) -> bool:
        mine = (call.task, call.revision, call.name)
        paid = [
            one
            for one in self._till.calls.values()
            if (one.task, one.revision, one.name) == mine and one.state is CallState.FAILED
        ]
        return call.spent > call.risk and sum(one.spent > one.risk for one in paid) % IN_VAIN == 0

    def _was_told(self, call: CallRow, kind: str) -> bool:
        told = False
        for event in self._till.book.jobs[call.task.job].events:
            if event.task == call.task.key:
                said = event.kind == kind and call.key in event.data
                failed = event.kind == "task.failed" and '"final":true' in event.data
                told = failed or (told and not said)
        return told

    def _reserve(self, claim: Claim, task: Task, spec: CallSpec, known: CallRow | None) -> CallRow:
        till, price = self._till, spec.estimate
        scopes = tuple(sorted(_caps(spec)))
        call = self._drawn(task, spec, scopes, known)
        till.budgets |= {scope: till.agreed(scope, price.currency) for scope in scopes}
        till.shift(scopes, reserved=price.micros)
        till.calls[call.key], till.makers[call.key] = call, claim.token
        till.rung.discard(call.key)
        told = {"adapter": call.adapter, "vendor": call.vendor, "currency": call.currency}
        till.log(call, "call.intended", sends=call.sends, estimate=call.estimate, **told)
        return call

    def _drawn(self, task: Task, spec: CallSpec, scopes: tuple[str, ...], known: CallRow | None) -> CallRow:
        """A new call, or a released one that is sent once more."""
        price, now = spec.estimate, self._till.book.clock.now()
        again = known if known is not None and known.state is CallState.RELEASED else None
        number = 1 if known is None else known.number if again else known.number + 1
        if again and again.currency != price.currency:
            raise BadInput(f"call {again.path} was priced in {again.currency}")
        named = {name: getattr(spec, name) for name in _COPIED}
        stays = {name: getattr(again, name) for name in _STAYS} if again else {"intended_at": now}
        values: dict[str, Any] = _BLANK | named | stays
        return CallRow(
            key=call_key(task.ref, task.revision, spec.name, number),
            task=task.ref,
            revision=task.revision,
            number=number,
            state=_INTENDED,
            estimate=price.micros,
            reserved=price.micros,
            currency=price.currency,
            sends=again.sends + 1 if again else 1,
            sent_at=now,
            scopes=scopes,
            **values,
        )

    def _own(self, claim: Claim, key: str) -> CallRow:
        task, call = self._till.book.held(claim), self._till.call(key)
        if call.task != task.ref:
            raise Conflict(f"call {call.path} is none of {task.ref}")
        return call

    async def resend(self, claim: Claim, key: str, sends: int) -> CallRow:
        self._own(claim, key)
        call, till = self._till.expect(key, sends, _INTENDED), self._till
        till.makers[key] = claim.token
        till.log(call, "call.resent", sends=call.sends + 1)
        now = till.book.clock.now()
        return till.change(call, sends=call.sends + 1, sent_at=now, absent_at=None, absences=0)

    async def absent(self, claim: Claim, key: str, sends: int) -> CallRow:
        self._own(claim, key)
        call = self._till.expect(key, sends, _INTENDED)
        self._till.log(call, "call.absent", absences=call.absences + 1)
        now = self._till.book.clock.now()
        return self._till.change(call, absences=call.absences + 1, absent_at=now)

    async def answered(self, claim: Claim, key: str) -> None:
        call, till = self._own(claim, key), self._till
        if call.state is CallState.SETTLED and till.makers[key] != claim.token:
            till.makers[key] = claim.token
            till.log(call, "call.answered", answers=call.answers + 1)
            till.change(call, answers=call.answers + 1)

    async def accept(self, key: str, sends: int, handle: str) -> CallRow:
        till, call, handle = self._till, self._till.call(key), plain(handle)
        if call.state not in (_INTENDED, _DOUBT):
            return call if call.handle == handle else self._twice(call, sends, handle)
        till.log(call, "call.accepted", sends=sends, handle=handle)
        now = till.book.clock.now()
        after = till.change(call, state=_ACCEPTED, handle=handle, accepted_at=now, reason=None)
        reports = till.deliveries.values()
        reported = any((one.vendor, one.handle) == (call.vendor, handle) for one, _ in reports)
        if call.state is _DOUBT or reported:
            till.tell(after)
        return after

    def _twice(self, call: CallRow, sends: int, handle: str) -> CallRow:
        till = self._till
        if call.state is CallState.ABANDONED and call.handle is None and call.sends == sends:
            till.log(call, "call.accepted", sends=sends, handle=handle)
            return till.change(call, handle=handle)
        money = {"spent": call.estimate, "currency": call.currency}
        till.log(call, "call.twice", sends=sends, handle=handle, **money)
        till.shift(call.scopes, spent=call.estimate)
        return till.change(call, spent=call.spent + call.estimate, risk=call.risk + call.estimate)

    async def settle(self, key: str, settlement: Settlement) -> CallRow:
        till, call = self._till, self._till.call(key)
        if call.state in (CallState.SETTLED, CallState.FAILED):
            return call
        if not call.state.live:
            raise Conflict(f"call {call.path} is {call.state}: accept it before it is settled")
        cost = settlement.cost or Money(call.estimate, call.currency)
        if cost.currency != call.currency:
            raise BadInput(f"call {call.path} was priced in {call.currency} and cannot cost {cost}")
        state = CallState.SETTLED if settlement.made else CallState.FAILED
        computed, reason = settlement.computed or settlement.cost is None, plain_or_none(settlement.reason)
        money = {"spent": cost.micros, "currency": call.currency, "computed": computed}
        till.log(call, f"call.{state}", **money, reason=reason)
        told = till.change(call, state=state, result=settlement.result, reason=reason, computed=computed)
        ended = self._close_call(told, cost.micros)
        till.wake_for_call(ended)
        return ended

    def _close_call(self, call: CallRow, spent: int) -> CallRow:
        till = self._till
        till.shift(call.scopes, reserved=-call.reserved, spent=spent)
        now = till.book.clock.now()
        ended = till.change(call, reserved=0, spent=call.spent + spent, ended_at=now)
        if call.reserved > spent:
            till.wake_for_money(call.scopes)
        till.wake_for_place(call.vendor)
        return ended

    async def release(self, key: str, sends: int, reason: str) -> CallRow:
        call = self._till.expect(key, sends, _INTENDED)
        self._till.log(call, "call.released", sends=sends, reason=plain(reason))
        return self._close_call(self._till.change(call, state=CallState.RELEASED, reason=plain(reason)), 0)

    async def doubt(self, key: str, sends: int, reason: str, *, claim: Claim | None = None) -> CallRow:
        if claim is not None:
            self._own(claim, key)
        till, call = self._till, self._till.expect(key, sends, _INTENDED, _ACCEPTED)
        money = {"reserved": call.reserved, "currency": call.currency}
        till.log(call, "call.doubt", sends=sends, reason=plain(reason), **money)
        doubted = till.change(call, state=_DOUBT, reason=plain(reason))
        till.wake_for_place(call.vendor)
        return doubted

    async def resolve(self, key: str, decision: Decision, *, by: str, handle: str | None = None) -> CallRow:
        if decision is Decision.ADOPT and not handle:
            raise BadInput("to adopt a call, say which id it has at the provider")
        till, call, now = self._till, self._till.call(key), self._till.book.clock.now()
        if call.state is not _DOUBT:
            raise Conflict(f"call {call.path} is {call.state}: there is no doubt to be resolved")
        by, handle = plain(by), plain_or_none(handle)
        till.log(call, "call.resolved", decision=decision.value, by=by, handle=handle)
        decided = till.change(call, decided_by=by)
        if decision is Decision.ADOPT:
            decided = till.change(decided, state=_ACCEPTED, handle=handle, accepted_at=now, reason=None)
        else:
            state = CallState.RELEASED if decision is Decision.RESEND else CallState.ABANDONED
            till.shift(call.scopes, reserved=-call.reserved, spent=call.reserved)
            spent, risk = call.spent + call.reserved, call.risk + call.reserved
            decided = till.change(decided, state=state, spent=spent, risk=risk, reserved=0, ended_at=now)
        till.tell(decided)
        return decided

    async def ask_cancel(self, key: str) -> CallRow:
        call = self._till.call(key)
        if not call.state.live or call.cancel_asked:
            return call
        self._till.log(call, "call.cancel_asked")
        return self._till.change(call, cancel_asked=True)

    async def deliver(self, delivery: Delivery) -> bool:
        till, said = self._till, spoken(delivery)
        if (said.vendor, said.id) in till.deliveries:
            return False
        till.deliveries[said.vendor, said.id] = said, till.book.clock.now()
        known = till.calls.get(said.key) if said.key is not None else None
        if said.key is None and said.handle is not None:
            ours = [
                call
                for call in till.calls.values()
                if (call.vendor, call.handle) == (said.vendor, said.handle)
            ]
            known = max(ours, key=lambda call: call.intended_at, default=None)
        if known is not None:
            till.log(known, "call.delivered", vendor=said.vendor, id=said.id)
            till.tell(known)
        return True

    async def set_cap(self, scope: str, cap: Money | None) -> BudgetRow:
        till = self._till
        found = replace(till.budget(named(scope, "the scope")), cap=None)
        if cap is not None:
            if found.currency != cap.currency and (found.spent or found.reserved):
                raise BadInput(f"{scope} is counted in {found.currency} and cannot take {cap.currency}")
            found = replace(found, cap=cap.micros, currency=cap.currency)
        till.budgets[scope] = found
        till.log_budget(scope, "budget.capped", cap=found.cap, currency=found.currency)
        till.wake_for_money([scope])
        return found

    async def freeze(self, scope: str, reason: str) -> BudgetRow:
        found = replace(self._till.budget(named(scope, "the scope")), frozen=plain(reason))
        self._till.budgets[scope] = found
        self._till.log_budget(scope, "budget.frozen", reason=found.frozen)
        return found

    async def thaw(self, scope: str) -> BudgetRow:
        till = self._till
        till.budgets[scope] = found = replace(till.budget(named(scope, "the scope")), frozen=None)
        till.log_budget(scope, "budget.thawed")
        for task in till.waiting(f"budget:{scope}"):
            till.wake(task)
        return found

    async def reconsider(self) -> Sequence[TaskRef]:
        till = self._till
        frozen = {f"budget:{scope}" for scope, row in till.budgets.items() if row.frozen is not None}
        woken = [task for task in till.parked(BUDGET) if task.signal not in frozen]
        for task in woken:
            till.wake(task)
        return [task.ref for task in woken]


def _check(spec: CallSpec) -> None:
    if spec.estimate.micros < 0:
        raise BadInput(f"{spec.adapter} cannot cost {spec.estimate}")
    for cap in (spec.once_cap, *(budget.cap for budget in spec.budgets)):
        if cap is not None and cap.currency != spec.estimate.currency:
            raise BadInput(f"{spec.adapter} is priced in {spec.estimate.currency}, and a cap is {cap}")


def _caps(spec: CallSpec) -> dict[str, int | None]:
    """The lowest cap that is given for each scope."""
    caps: dict[str, int | None] = {}
    for budget in spec.budgets:
        own = None if budget.cap is None else budget.cap.micros
        given = [cap for cap in (caps.get(budget.scope), own) if cap is not None]
        caps[budget.scope] = min(given, default=None)
    return caps
