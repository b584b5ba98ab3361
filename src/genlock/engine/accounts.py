"""The engine's answers about money: calls, costs, budgets, and what people decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime

from genlock.clock import Clock
from genlock.engine.calls import Adapters
from genlock.engine.lookup import find_call
from genlock.engine.views import BudgetView, CallView, CostView
from genlock.errors import BadInput, Unsupported
from genlock.ledger.payments import Payments, PaymentsReader
from genlock.ledger.spending import (
    JOB,
    BudgetRow,
    By,
    CallFilter,
    CallRow,
    CallState,
    Cost,
    Decision,
    Delivery,
)
from genlock.money import Money


class Accounts:
    """`AccountService` of the process that owns the ledger.

    `find` completes an abbreviated job id; `ring` wakes the executor when tasks may have become ready.
    `vendors` finds an adapter of a vendor, whose reports it reads.
    """

    def __init__(
        self,
        ledger: Payments,
        reader: PaymentsReader,
        clock: Clock,
        *,
        find: Callable[[str], Awaitable[str]],
        ring: Callable[[], None],
        vendors: Adapters | None = None,
    ) -> None:
        self._ledger, self._reader, self._clock = ledger, reader, clock
        self._find, self._ring, self._vendors = find, ring, vendors

    async def calls(
        self,
        *,
        job: str | None = None,
        states: Collection[CallState] = (),
        vendor: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[CallView]:
        found = None if job is None else await self._find(job)
        where = CallFilter(job=found, tree=True, states=frozenset(states), vendor=vendor, owner=owner)
        return [present_call(row) for row in await self._reader.calls(where, after=after, limit=limit)]

    async def call(self, key: str, *, owner: str | None = None) -> CallView:
        return present_call(await find_call(self._reader, key, owner))

    async def resolve(self, key: str, decision: Decision, *, by: str, handle: str | None = None) -> CallView:
        row = await find_call(self._reader, key)
        resolved = await self._ledger.resolve(row.key, decision, by=by, handle=handle)
        self._ring()
        return present_call(resolved)

    async def costs(
        self,
        by: By,
        *,
        job: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[CostView]:
        found = None if job is None else await self._find(job)
        where = CallFilter(job=found, tree=True, owner=owner)
        return [present_cost(row) for row in await self._reader.costs(by, where, since=since, until=until)]

    async def cost_of(self, job: str) -> CostView | None:
        """Of one job with all that is nested in it, in the currency that it has spent most of."""
        rows = await self._reader.costs(By.OWNER, CallFilter(job=job, tree=True))
        return present_cost(rows[0]) if rows else None

    async def budgets(self, scopes: Collection[str] = ()) -> Sequence[BudgetView]:
        wanted = [await self._scope(scope) for scope in scopes]
        return [present_budget(row) for row in await self._reader.budgets(wanted or None)]

    async def set_cap(self, scope: str, cap: str | None) -> BudgetView:
        amount = None if cap is None else Money.parse(cap)
        row = await self._ledger.set_cap(await self._scope(scope), amount)
        self._ring()
        return present_budget(row)

    async def thaw(self, scope: str) -> BudgetView:
        row = await self._ledger.thaw(await self._scope(scope))
        self._ring()
        return present_budget(row)

    async def deliver(self, vendor: str, headers: Mapping[str, str], body: bytes, key: str | None) -> bool:
        if self._vendors is None:
            raise Unsupported("this engine was given no providers, so nobody may report to it")
        notice = self._vendors(vendor).receive(headers, body, self._clock.now())
        text = body.decode(errors="backslashreplace")
        fresh = await self._ledger.deliver(Delivery(vendor, notice.id, text, key, notice.handle))
        self._ring()
        return fresh

    async def _scope(self, scope: str) -> str:
        """As it is kept: the job of `job:ID` may be abbreviated, and a bare id means a job."""
        kind, colon, name = scope.partition(":")
        if not colon:
            return f"{JOB}{await self._find(scope)}"
        if kind not in ("job", "user", "schedule", "day") or not name:
            raise BadInput(
                f"{scope!r} is no budget: there are job:ID, user:NAME, schedule:ID, day:YYYY-MM-DD"
            )
        return f"{JOB}{await self._find(name)}" if kind == "job" else scope


def present_call(row: CallRow) -> CallView:
    """A call as people see it."""

    def money(micros: int) -> str:
        return str(Money(micros, row.currency))

    return CallView(
        key=row.key,
        job=row.task.job,
        task=row.task.key,
        name=row.name,
        number=row.number,
        state=row.state,
        adapter=row.adapter,
        vendor=row.vendor,
        policy=row.policy,
        provider_id=row.handle,
        estimate=money(row.estimate),
        reserved=money(row.reserved),
        spent=money(row.spent),
        risk=money(row.risk),
        computed=row.computed,
        sends=row.sends,
        reason=row.reason,
        intended_at=row.intended_at,
        sent_at=row.sent_at,
        accepted_at=row.accepted_at,
        ended_at=row.ended_at,
        decided_by=row.decided_by,
    )


def present_cost(row: Cost) -> CostView:
    """A line of a bill as people see it."""
    micros = {
        "spent": row.spent,
        "reserved": row.reserved,
        "doubt": row.doubt,
        "risk": row.risk,
        "saved_by_resume": row.saved_by_resume,
        "saved_by_reuse": row.saved_by_reuse,
    }
    told = {name: str(Money(amount, row.currency)) for name, amount in micros.items()}
    return CostView(group=row.group, currency=row.currency, calls=row.calls, micros=micros, **told)


def present_budget(row: BudgetRow) -> BudgetView:
    """A budget as people see it."""
    return BudgetView(
        scope=row.scope,
        currency=row.currency,
        cap=None if row.cap is None else str(Money(row.cap, row.currency)),
        spent=str(Money(row.spent, row.currency)),
        reserved=str(Money(row.reserved, row.currency)),
        frozen=row.frozen,
    )
