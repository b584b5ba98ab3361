"""Which budgets a call is counted in, and what is said when one has not enough left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from genlock.clock import Clock
from genlock.errors import Parked, Permanent
from genlock.ledger.records import JobRow
from genlock.ledger.spending import Budget, CallSpec, Over
from genlock.money import Money

CAP = "cap"  # the label of a job that says how much it may spend, as people write it
SCHEDULE = "schedule"  # ... and by which schedule it was started


class RootReader(Protocol):
    """What of the ledger tells whose budget a job is paid from."""

    async def job(self, job: str) -> JobRow: ...


@dataclass(frozen=True)
class Caps:
    """What may be spent unless a scope's own cap was set; None: no limit."""

    call: Money | None = None
    job: Money | None = None
    user: Money | None = None
    schedule: Money | None = None
    day: Money | None = None


@dataclass(frozen=True)
class Purse:
    """The budgets of jobs. A nested job is paid from the budget of the job that people started."""

    reader: RootReader
    clock: Clock
    caps: Caps = Caps()

    @property
    def once_cap(self) -> Money | None:
        """The most that one call may cost."""
        return self.caps.call

    async def budgets(self, job: str) -> list[Budget]:
        """All that a call of this job is counted in, now."""
        root = await self._root(job)
        labels = json.loads(root.labels)
        own = labels.get(CAP)
        found = [
            Budget(f"job:{root.id}", Money.parse(own) if own else self.caps.job),
            Budget(f"user:{root.owner}", self.caps.user),
            Budget(f"day:{self.clock.now():%Y-%m-%d}", self.caps.day),
        ]
        if schedule := labels.get(SCHEDULE):
            found.append(Budget(f"schedule:{schedule}", self.caps.schedule))
        return found

    async def _root(self, job: str) -> JobRow:
        row = await self.reader.job(job)
        while row.parent is not None:
            row = await self.reader.job(row.parent.job)
        return row


def over_budget(over: Over, spec: CallSpec) -> Exception | Parked:
    """What a task comes to whose call costs more than is left: it waits for a person, or for the next day if
    it is a day's budget, or it fails at once.
    """
    wanted, cap = Money(over.wanted, over.currency), Money(over.cap, over.currency)
    if over.scope == "call":
        return Permanent(
            f"{spec.adapter} would cost {wanted}, and one call may cost {cap} at most: "
            "raise GENLOCK_CAP_CALL, or ask for less"
        )
    signal = f"budget:{over.scope}"
    if over.frozen is not None:
        return Parked(
            f"spends nothing more until `genlock budgets thaw {over.scope}`: {over.frozen}", signal=signal
        )
    spent, reserved = Money(over.spent, over.currency), Money(over.reserved, over.currency)
    return Parked(
        f"over budget: {spec.adapter} costs {wanted}, and of {cap} for {over.scope} {spent} are spent and "
        f"{reserved} reserved; raise it with `genlock budgets cap {over.scope} AMOUNT`",
        signal=signal,
        until=_day_after(over.scope),
    )


def _day_after(scope: str) -> datetime | None:
    """When a day's budget is over and the next one begins; None for any other."""
    kind, _, day = scope.partition(":")
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1) if kind == "day" else None
