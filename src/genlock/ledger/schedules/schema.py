"""The tables of schedules and their firings; conventions as in `genlock.ledger.schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, text

from genlock.ledger.schema import metadata, partial, words

IS_ACTIVE = text("state = 'active' AND next_at IS NOT NULL")
IS_OPEN = text("firing.state IN ('queued', 'started')")  # the row of a job has a state too
_OPEN = text("state IN ('queued', 'started')")

schedule = Table(
    "schedule",
    metadata,
    Column("id", words, primary_key=True),
    Column("name", words, nullable=False),
    Column("owner", words, nullable=False),
    Column("workflow", words, nullable=False),
    Column("pipeline", words, nullable=False),
    Column("params", words, nullable=False),  # JSON
    Column("kind", words, nullable=False),  # cron or interval
    Column("expression", words, nullable=False),  # `0 */5 * * *`, or seconds
    Column("zone", words, nullable=False),  # IANA name
    Column("missed", words, nullable=False),  # skip, once or all
    Column("overlap", words, nullable=False),  # skip, queue or allow
    Column("cap", words),  # money as people write it, for all that it starts
    Column("patience", Integer, nullable=False),  # failures in a row after which it pauses itself; 0: never
    Column("failures", Integer, nullable=False),  # in a row
    Column("state", words, nullable=False),  # active or paused
    Column("reason", words),  # why it is paused
    Column("anchor_at", BigInteger, nullable=False),  # intervals are counted from here
    Column("next_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    partial("schedule_due", "next_at", where=IS_ACTIVE),
    Index("schedule_owner", "owner", "created_at", "id"),
)

# A row is written once for each due time, whoever comes first: so any number of servers fires it once.
firing = Table(
    "firing",
    metadata,
    Column("schedule", words, ForeignKey("schedule.id", ondelete="CASCADE"), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("kind", words, nullable=False),  # due, missed or manual
    Column("state", words, nullable=False),  # queued, started, skipped, succeeded, failed or cancelled
    Column("job", words),
    Column("reason", words),
    Column("fired_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    PrimaryKeyConstraint("schedule", "due_at"),
    partial("firing_open", "schedule", "due_at", where=_OPEN),
    partial("firing_job", "job", where=text("job IS NOT NULL")),
)
