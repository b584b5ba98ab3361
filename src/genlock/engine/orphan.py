"""Jobs that a dead process left long ago: they go on by themselves, but ask before they spend again."""

from __future__ import annotations

from datetime import datetime

from genlock.ledger.payments import Payments
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import JobFilter, JobState

PAGE = 100


async def freeze_orphans(ledger: Payments, reader: LedgerReader, before: datetime) -> list[str]:
    """Freeze the budgets of jobs that are said to run and stood still since `before`; their ids.

    To be called before anything is taken back or claimed. Who wanted a film last week may have made it
    otherwise since: rendering costs nothing, buying does. A job that waits for a person is no orphan.
    """
    found: list[str] = []
    after: str | None = None
    where = JobFilter(states=frozenset({JobState.RUNNING}))
    while True:
        page = await reader.jobs(where, after=after, limit=PAGE)
        for job in page:
            if job.updated_at < before:
                since = f"{job.updated_at:%Y-%m-%d %H:%M} UTC"
                await ledger.freeze(
                    f"job:{job.id}", f"its process was gone, and nothing happened since {since}"
                )
                found.append(job.id)
        if len(page) < PAGE:
            return found
        after = page[-1].id
