"""The verbs of money over a database: the part of `SqlLedger` that is about paid calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from genlock.ledger import intent, outcome
from genlock.ledger.access.doing import under_way
from genlock.ledger.access.writing import write_down
from genlock.ledger.batch import Batch
from genlock.ledger.records import Claim, TaskRef
from genlock.ledger.spending import (
    BudgetRow,
    CallRow,
    CallSpec,
    Decision,
    Delivery,
    Intent,
    Settlement,
)
from genlock.ledger.waiting import reconsider
from genlock.ledger.wording import named, plain, plain_or_none
from genlock.ledger.writer import Verb, Writer
from genlock.money import Money

_T = TypeVar("_T")


class SqlPayments:
    """`Payments` by this writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def _do(self, act: Callable[[Batch], _T], *refs: TaskRef, after: str | None = None) -> _T:
        """Do a verb. If somebody is doing this, the audit says so in the same transaction."""
        deed = under_way()
        if deed is None:
            return cast("_T", await self._writer.submit(Verb(act, refs=refs, after=after)))

        def audited(batch: Batch) -> tuple[_T, bool]:
            answer = act(batch)
            return answer, write_down(batch.connection, batch.now, deed, answer)

        answer, deed.written = cast(
            "tuple[_T, bool]", await self._writer.submit(Verb(audited, refs=refs, after=after))
        )
        return answer

    async def _show(self, claim: Claim, act: Callable[[Batch], _T]) -> _T:
        """Do what only the holder of a claim may."""
        return cast("_T", await self._writer.submit(Verb(act, refs=_around(claim), fenced=True)))

    async def intend(self, claim: Claim, spec: CallSpec) -> Intent:
        wanted = checked(spec)
        return await self._show(claim, lambda batch: intent.intend(batch, claim, wanted))

    async def resend(self, claim: Claim, key: str, sends: int) -> CallRow:
        return await self._show(claim, lambda batch: intent.resend(batch, claim, key, sends))

    async def absent(self, claim: Claim, key: str, sends: int) -> CallRow:
        return await self._show(claim, lambda batch: intent.absent(batch, claim, key, sends))

    async def answered(self, claim: Claim, key: str) -> None:
        await self._show(claim, lambda batch: intent.answered(batch, claim, key))

    async def accept(self, key: str, sends: int, handle: str) -> CallRow:
        said = plain(handle)
        return await self._do(lambda batch: outcome.accept(batch, key, sends, said))

    async def settle(self, key: str, settlement: Settlement) -> CallRow:
        said = replace(settlement, reason=plain_or_none(settlement.reason))
        return await self._do(lambda batch: outcome.settle(batch, key, said))

    async def release(self, key: str, sends: int, reason: str) -> CallRow:
        said = plain(reason)
        return await self._do(lambda batch: outcome.release(batch, key, sends, said))

    async def doubt(self, key: str, sends: int, reason: str, *, claim: Claim | None = None) -> CallRow:
        said = plain(reason)
        if claim is None:
            return await self._do(lambda batch: outcome.doubt(batch, key, sends, said))
        return await self._show(claim, lambda batch: outcome.doubt(batch, key, sends, said, claim))

    async def resolve(self, key: str, decision: Decision, *, by: str, handle: str | None = None) -> CallRow:
        who, said = plain(by), plain_or_none(handle)
        return await self._do(lambda batch: outcome.resolve(batch, key, decision, who, said))

    async def ask_cancel(self, key: str) -> CallRow:
        return await self._do(lambda batch: outcome.ask_cancel(batch, key))

    async def deliver(self, delivery: Delivery) -> bool:
        said = spoken(delivery)
        return await self._do(lambda batch: outcome.deliver(batch, said))

    async def set_cap(self, scope: str, cap: Money | None) -> BudgetRow:
        name = named(scope, "the scope")
        return await self._do(lambda batch: outcome.set_cap(batch, name, cap))

    async def freeze(self, scope: str, reason: str) -> BudgetRow:
        name, said = named(scope, "the scope"), plain(reason)
        return await self._do(lambda batch: outcome.freeze(batch, name, said))

    async def thaw(self, scope: str) -> BudgetRow:
        name = named(scope, "the scope")
        return await self._do(lambda batch: outcome.thaw(batch, name))

    async def reconsider(self) -> Sequence[TaskRef]:
        return await self._do(reconsider)


def _around(claim: Claim) -> tuple[TaskRef, ...]:
    """The rows that a verb of this claim looks at: its own, and that of its map."""
    task = claim.task
    return (task,) if "/" not in task.key else (task, TaskRef(task.job, task.node))


def checked(spec: CallSpec) -> CallSpec:
    """The same; `BadInput` if no database could keep one of its names."""
    names = {"the name": spec.name, "the adapter": spec.adapter, "the account": spec.vendor}
    for what, name in names.items():
        named(name, what)
    for budget in spec.budgets:
        named(budget.scope, "the scope")
    return spec


def spoken(delivery: Delivery) -> Delivery:
    """A report as it can be kept, whatever the provider wrote."""
    key, handle = plain_or_none(delivery.key), plain_or_none(delivery.handle)
    return Delivery(plain(delivery.vendor), plain(delivery.id), plain(delivery.body), key, handle)
