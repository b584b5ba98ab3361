"""Looking at money in the in-memory ledger: everything is counted by going through all there is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from genlock.ledger.memory.costing import count
from genlock.ledger.memory.till import Till
from genlock.ledger.records import TaskRef
from genlock.ledger.spending import BudgetRow, By, CallFilter, CallRow, CallState, Cost, Delivery


class MemoryAccounts:
    """`PaymentsReader` over a till."""

    _till: Till

    async def call(self, key: str) -> CallRow:
        return self._till.call(key)

    async def calls(
        self, where: CallFilter = CallFilter(), *, after: str | None = None, limit: int = 1000
    ) -> Sequence[CallRow]:
        found = sorted(self._till.fitting(where), key=_place, reverse=True)
        if after is not None:
            if after not in self._till.calls:
                return []
            found = [call for call in found if _place(call) < _place(self._till.calls[after])]
        return found[:limit]

    async def calls_of(self, task: TaskRef) -> Sequence[CallRow]:
        return await self.calls(CallFilter(task=task))

    async def calls_left(self, *, limit: int = 100) -> Sequence[CallRow]:
        left = [call for call in self._till.calls.values() if call.state.open and self._given_up(call)]
        return sorted(left, key=lambda call: (call.state is CallState.DOUBT, *_place(call)))[:limit]

    def _given_up(self, call: CallRow) -> bool:
        task, job = self._till.task(call), self._till.book.jobs[call.task.job]
        return task is None or task.state.finished or task.revision != call.revision or job.state.finished

    async def live_calls(self, vendor: str) -> int:
        return self._till.live(vendor)

    async def deliveries(self, *, key: str | None = None, handle: str | None = None) -> Sequence[Delivery]:
        return [
            one
            for one, _ in self._till.deliveries.values()
            if (key is not None and one.key == key) or (handle is not None and one.handle == handle)
        ]

    async def budgets(self, scopes: Collection[str] | None = None) -> Sequence[BudgetRow]:
        rows = sorted(self._till.budgets.items())
        return [row for scope, row in rows if scopes is None or scope in scopes]

    async def costs(
        self,
        by: By,
        where: CallFilter = CallFilter(),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Cost]:
        span = (since or datetime.min.replace(tzinfo=UTC), until or datetime.max.replace(tzinfo=UTC))
        return count(self._till, by, where, span)


def _place(call: CallRow) -> tuple[datetime, str]:
    return call.intended_at, call.key
