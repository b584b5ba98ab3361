"""What a deed was done to, by what the ledger answered to the verb that did it; None if that was another."""

from __future__ import annotations

from typing import Any

from genlock.ledger.records import JobCreated
from genlock.ledger.schedules.records import ScheduleRow
from genlock.ledger.spending import BudgetRow, CallRow


def of_new_job(answer: Any) -> str | None:
    """A job, unless it was there before."""
    return f"job:{answer.id}" if isinstance(answer, JobCreated) and answer.created else None


def of_call(answer: Any) -> str | None:
    """A call that was decided about."""
    return f"call:{answer.key}" if isinstance(answer, CallRow) else None


def of_budget(answer: Any) -> str | None:
    """A budget, by its whole name."""
    return f"budget:{answer.scope}" if isinstance(answer, BudgetRow) else None


def of_schedule(answer: Any) -> str | None:
    """A schedule itself, and not the cap that is set along with it."""
    return f"schedule:{answer.spec.id}" if isinstance(answer, ScheduleRow) else None
