"""A census in a few looks into indexes: what is unfinished, ready or open is little beside what is kept."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from sqlalchemy import Connection, func, select, text

from genlock.ledger import schema
from genlock.ledger.census import MOST, Census
from genlock.ledger.moment import to_micros
from genlock.ledger.records import FIRST

_job, _task, _call, _budget = schema.job.c, schema.task.c, schema.call.c, schema.budget.c

_OPEN_JOBS = (
    select(_job.state, func.count())
    .where(text("state IN ('pending', 'running', 'waiting', 'paused')"))
    .group_by(_job.state)
)
_OPEN_CALLS = (
    select(_call.state, _call.currency, func.count(), func.sum(_call.reserved))
    .where(schema.IS_OPEN)
    .group_by(_call.state, _call.currency)
)
# Every call is counted in the budget of its day, whose names follow each other in the key.
_SPENT = (
    select(_budget.currency, func.sum(_budget.spent))
    .where(_budget.scope >= "day:", _budget.scope < "day;")
    .group_by(_budget.currency)
)


def take(connection: Connection, now: int) -> Census:
    """How the ledger stands at `now`, in microseconds."""
    ready, since = _waiting(connection, now)
    counts: dict[str, int] = defaultdict(int)
    reserved: dict[str, int] = defaultdict(int)
    doubt: dict[str, int] = defaultdict(int)
    for state, currency, count, micros in connection.execute(_OPEN_CALLS):
        counts[state] += count
        reserved[currency] += int(micros)
        doubt[currency] += int(micros) if state == "doubt" else 0
    return Census(
        open_jobs={state: count for state, count in connection.execute(_OPEN_JOBS)},  # noqa: C416
        ready=ready,
        queue_age=timedelta(microseconds=max(0, now - since)),
        open_calls=counts,
        spent={currency: int(micros) for currency, micros in connection.execute(_SPENT)},
        reserved=reserved,
        doubt=doubt,
    )


def _waiting(connection: Connection, now: int) -> tuple[int, int]:
    """How many tasks could be claimed, `MOST` at most, and since when the first of these has waited; what
    goes before all others has not.
    """
    due = (
        select(_task.due_at)
        .where(schema.IS_READY, _task.due_at <= now, _task.job.not_in(schema.held_back()))
        .limit(MOST)
        .subquery()
    )
    [(count, since)] = connection.execute(
        select(func.count(), func.min(func.nullif(due.c.due_at, to_micros(FIRST))))
    )
    return int(count), now if since is None else int(since)
