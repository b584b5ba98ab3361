"""The verbs of paid calls, and looking at them: the part of the ledger's two faces that is about money.

Only what an attempt concludes shows a claim: `intend`, `resend`, `absent`, `answered`, and `doubt` about
what another has sent. What a provider said is recorded whether or not the task still wants it: an id that is
thrown away because somebody else holds the task by now is money lost. These verbs are fenced by the call's
own state and by `sends`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from genlock.ledger.records import Claim, TaskRef
from genlock.ledger.spending import (
    BudgetRow,
    By,
    CallFilter,
    CallRow,
    CallSpec,
    Cost,
    Decision,
    Delivery,
    Intent,
    Settlement,
)
from genlock.money import Money


class Payments(Protocol):
    """The writing verbs. Each appends an event to the job of the call: `call.intended`, `call.accepted`, …;
    those about a budget `budget.capped`, `budget.frozen` and `budget.thawed` to each job it concerns: the one
    it is named after, and those with a task that waits for it.

    Whoever parked for the signal `call:KEY` is woken by accept-after-doubt, resolve, settle and deliver; for
    `budget:SCOPE` when money of the scope becomes free or its cap rises and what it wanted is there now, and
    when it is thawed; for `place:VENDOR`, the longest-parked one whose job goes on, when a place of the
    account becomes free. What has become possible between being refused and parking is not slept through:
    `park` makes the task ready at once. A wake-up leaves no signal behind: the same name may be parked for
    again. A task that was woken for a place and never takes it (its job was cancelled, say) tells nobody:
    park for places with `until`.
    """

    async def intend(self, claim: Claim, spec: CallSpec) -> Intent:
        """The call of this name in the task's present revision, intended now if it has to be made.

        None yet, or the newest has failed: a new one, the next number. Released: the same one again, as it
        is asked for now, one more of `sends`. Abandoned, or failed as the last of `IN_VAIN` that cost money:
        that row, not fresh, until the task has failed and was retried; then a new one. Whenever it is sent
        its estimate is reserved in every budget, in the order of their scopes, or nowhere (`Intent.over`),
        and the account must have a place free (`Intent.busy`). Any other state: that row, not fresh.
        `BadInput` if a cap or what was spent before is in another currency.
        """
        ...

    async def resend(self, claim: Claim, key: str, sends: int) -> CallRow:
        """intended -> intended, one more of `sends`: the caller alone sends it again now.
        `Conflict` if somebody did so since `sends`.
        """
        ...

    async def absent(self, claim: Claim, key: str, sends: int) -> CallRow:
        """Record that the provider's whole list does not have it. `Conflict` as for `resend`."""
        ...

    async def answered(self, claim: Claim, key: str) -> None:
        """Count, once, that an attempt which did not send a settled call was given its result."""
        ...

    async def accept(self, key: str, sends: int, handle: str) -> CallRow:
        """intended|doubt -> accepted. Under the handle that is known, in any later state: nothing changes.
        Under another one: the provider has it twice; the estimate is added to `spent` and `risk` of the call
        and of its budgets, event `call.twice`. What was given up has been counted as spent already: the
        handle of that sending is only written down.
        """
        ...

    async def settle(self, key: str, settlement: Settlement) -> CallRow:
        """intended|accepted -> settled or failed: what was reserved becomes what was spent. Settled
        before: nothing changes. A task that is finished or redone changes nothing about that. `Conflict` in
        doubt, released or abandoned: accept it first. `BadInput` for a cost in another currency.
        """
        ...

    async def release(self, key: str, sends: int, reason: str) -> CallRow:
        """intended -> released: it was not accepted. `Conflict` if it is anything else by now."""
        ...

    async def doubt(self, key: str, sends: int, reason: str, *, claim: Claim | None = None) -> CallRow:
        """intended|accepted -> doubt; the money stays reserved. `Conflict` if it is anything else by now.

        Who concludes that from having found it intended shows its claim: whoever else has the task by now may
        be sending it.
        """
        ...

    async def resolve(self, key: str, decision: Decision, *, by: str, handle: str | None = None) -> CallRow:
        """A person's decision about a call in doubt; `Conflict` if it is not in doubt, `BadInput` for adopt
        without a handle. Resend and give-up move what was reserved to `spent` and `risk`.
        """
        ...

    async def ask_cancel(self, key: str) -> CallRow:
        """Remember that the provider is to be asked to stop this live call; until it confirms, it is live.
        A call that is not live is answered with as it is.
        """
        ...

    async def deliver(self, delivery: Delivery) -> bool:
        """Keep a report of a provider and wake the task that waits for the call with this key or handle.

        Answers whether this is the first with its id. One that nothing is known of is kept: `deliveries`.
        """
        ...

    async def set_cap(self, scope: str, cap: Money | None) -> BudgetRow:
        """From now on this much may be spent in the scope (None: what the settings say)."""
        ...

    async def freeze(self, scope: str, reason: str) -> BudgetRow:
        """Nothing may be spent in the scope until `thaw`."""
        ...

    async def thaw(self, scope: str) -> BudgetRow:
        """Money may be spent in the scope again. Who waits for it looks again, though there be none."""
        ...

    async def reconsider(self) -> Sequence[TaskRef]:
        """Wake all who wait for a budget that is not frozen: what settings allow may be another. Who woke."""
        ...


class PaymentsReader(Protocol):
    """Looking at money changes nothing."""

    async def call(self, key: str) -> CallRow:
        """`NotFound` if there is none."""
        ...

    async def calls(
        self, where: CallFilter = CallFilter(), *, after: str | None = None, limit: int = 1000
    ) -> Sequence[CallRow]:
        """Newest intent first; `after` is the last key of the page before."""
        ...

    async def calls_of(self, task: TaskRef) -> Sequence[CallRow]:
        """All calls of a task, newest intent first. Cheap: whoever waits for one asks again and again."""
        ...

    async def calls_left(self, *, limit: int = 100) -> Sequence[CallRow]:
        """Open calls nobody will come back to: their task is finished, was redone or is gone, or their job
        failed by its deadline. Their provider is to be asked to stop, and looked at until the cost is known.
        Oldest first; those in doubt, which are a person's, behind all others.
        """
        ...

    async def live_calls(self, vendor: str) -> int:
        """How many places of the account are taken."""
        ...

    async def deliveries(self, *, key: str | None = None, handle: str | None = None) -> Sequence[Delivery]:
        """Reports about a call, by its key or its provider's id, oldest first."""
        ...

    async def budgets(self, scopes: Collection[str] | None = None) -> Sequence[BudgetRow]: ...

    async def costs(
        self,
        by: By,
        where: CallFilter = CallFilter(),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Cost]:
        """Money grouped; days are UTC days of the intent. Most spent first, days in their order."""
        ...
