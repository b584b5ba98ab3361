"""The tables, once for SQLite and PostgreSQL.

Times are integers, microseconds since 1970 in UTC, so that both databases order them alike. States
are the words of `records`. Flags are 0 or 1. Nothing here is JSON to the database: it is text.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.event import listens_for

REVISION = "0005"

# Conditions of partial indexes. Queries use these very words: with bound values the planner cannot tell
# that an index fits, and reads the whole table.
IS_READY = text("state = 'ready' AND held = 0")
IS_RUNNING = text("state = 'running'")
IS_PARKED = text("state = 'parked' AND held = 0")
IS_UNSWEPT = text("unswept <> 0")
HAS_DEADLINE = text("deadline_at IS NOT NULL AND finished_at IS NULL")
AWAITS = text("state = 'parked' AND signal IS NOT NULL")
IS_LIVE = text("state IN ('intended', 'accepted')")
IS_OPEN = text("call.state IN ('intended', 'accepted', 'doubt')")
IS_TURN = text("kind IN ('task.kept', 'task.reclaimed', 'job.retried')")  # what savings are found by

metadata = MetaData()
serial = BigInteger().with_variant(Integer, "sqlite")
# Compared byte by byte, as SQLite and Python do: the order of ids must not depend on a server's locale.
words = Text().with_variant(Text(collation="C"), "postgresql")


def partial(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """An index of some rows only."""
    return Index(name, *columns, unique=unique, sqlite_where=where, info={"where": where})


@listens_for(metadata, "before_create")
def _partial_on_postgresql(_: MetaData, connection: Connection, **__: Any) -> None:
    """Which rows an index has is said to PostgreSQL when its tables are made: its dialect would be loaded for
    the words alone, by every command that opens a file.
    """
    if connection.dialect.name == "postgresql":
        for index in (index for table in metadata.tables.values() for index in table.indexes):
            index.dialect_options["postgresql"]["where"] = index.info.get("where")


def _owned(column: str, owner: str) -> ForeignKey:
    return ForeignKey(f"{owner}.{column}", ondelete="CASCADE")


job = Table(
    "job",
    metadata,
    Column("id", words, primary_key=True),
    Column("pipeline", words, nullable=False),
    Column("state", words, nullable=False),
    Column("graph", words, nullable=False),
    Column("input", words, nullable=False),
    Column("labels", words, nullable=False),
    Column("owner", words, nullable=False),
    Column("executor", words, nullable=False),
    Column("dedup", words, unique=True),
    Column("parent_job", words, ForeignKey("job.id")),
    Column("parent_key", words),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("deadline", BigInteger),
    Column("deadline_at", BigInteger),
    Column("error_kind", words),
    Column("error_message", words),
    Column("error_trace", words),
    Column("failed_task", words),
    Column("last_event", BigInteger, nullable=False),
    # How long its deadline is off still, while it stands still: see `advance.keep_time`.
    Column("deadline_left", BigInteger),
    # How many tasks can still move, are at a provider's, wait for something else outside, or failed the job:
    # its state follows.
    Column("live", Integer, nullable=False),
    Column("abroad", Integer, nullable=False, server_default="0"),
    Column("parked", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("unswept", BigInteger, nullable=False, server_default="0"),  # see `sweeping`
    Index("job_created", "created_at", "id"),
    Index("job_owner", "owner", "created_at", "id"),
    Index("job_state", "state", "created_at", "id"),
    partial("job_parent", "parent_job", where=text("parent_job IS NOT NULL")),
    partial("job_unswept", "id", where=IS_UNSWEPT),
    partial("job_deadline", "deadline_at", where=HAS_DEADLINE),
)

task = Table(
    "task",
    metadata,
    Column("id", serial, primary_key=True),
    Column("job", words, _owned("id", "job"), nullable=False),
    Column("key", words, nullable=False),
    Column("node", words, nullable=False),
    Column("position", Integer, nullable=False),  # of the node in its graph
    Column("idx", Integer, nullable=False),  # of a child in its map; -1 is the node's own row
    Column("mapped", Integer, nullable=False),
    Column("need", Integer),
    Column("queue", words, nullable=False),
    Column("resources", words, nullable=False),
    Column("pinned", Integer, nullable=False),  # placed as skipped: its condition is false
    Column("state", words, nullable=False),
    Column("held", Integer, nullable=False),  # its job lets nothing be claimed: paused, or failed by deadline
    Column("waits", Integer, nullable=False),  # upstreams that are not finished
    Column("attempt", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reclaims", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("token", words),
    Column("holder", words),
    Column("due_at", BigInteger),
    Column("signal", words),
    Column("parked_for", words),
    Column("progress", Float),
    Column("progress_note", words),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("input_hash", words),
    Column("output", words),
    Column("error_kind", words),
    Column("error_message", words),
    Column("error_trace", words),
    Column("reason", words),
    Column("item", words),
    Column("kept_hash", words),
    Column("kept_output", words),
    Column("written", Integer, nullable=False),  # children of a map so far
    Column("opened", Integer, nullable=False),  # ... and whether those are all, and were let go
    Column("unfinished", Integer, nullable=False),  # ... and how many of them may still come to something
    Column("lost", Integer, nullable=False),  # ... and how many of them failed
    Column("child_job", words),
    Column("asleep", Integer, nullable=False),  # ... and whether that job is waiting: `count.weight`
    UniqueConstraint("job", "key", name="task_key"),
    UniqueConstraint("job", "position", "idx", name="task_order"),
    partial("task_node", "job", "position", where=text("idx < 0"), unique=True),
    # What can be claimed, longest-ready first in each lane of queue and resources.
    partial("task_ready", "queue", "resources", "due_at", "id", where=IS_READY),
    partial("task_running", "holder", where=IS_RUNNING),
    partial("task_parked", "due_at", where=IS_PARKED),
    partial("task_awaits", "signal", "started_at", "id", where=AWAITS),
)

edge = Table(
    "edge",
    metadata,
    Column("job", words, _owned("id", "job"), nullable=False),
    Column("upstream", words, nullable=False),
    Column("downstream", words, nullable=False),
    Column("optional", Integer, nullable=False),
    PrimaryKeyConstraint("job", "upstream", "downstream"),
    sqlite_with_rowid=False,
)

note = Table(
    "note",
    metadata,
    Column("task", serial, _owned("id", "task"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("name", words, nullable=False),
    Column("value", words, nullable=False),
    PrimaryKeyConstraint("task", "revision", "name"),
)

revision = Table(
    "revision",
    metadata,
    Column("task", serial, _owned("id", "task"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", words, nullable=False),
    Column("output", words),
    PrimaryKeyConstraint("task", "revision"),
)

event = Table(
    "event",
    metadata,
    Column("job", words, _owned("id", "job"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", words, nullable=False),
    Column("task", words),
    Column("data", words, nullable=False),
    PrimaryKeyConstraint("job", "seq"),
    partial("event_turn", "job", "at", where=IS_TURN),
    sqlite_with_rowid=False,
)

# Results of stages that jobs share: what one job has, another need not make. The first one stays.
shared = Table(
    "shared",
    metadata,
    Column("input_hash", words, primary_key=True),
    Column("job", words, _owned("id", "job"), nullable=False),
    Column("output", words, nullable=False),
    Index("shared_job", "job"),
)

holder = Table(
    "holder",
    metadata,
    Column("id", words, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)

# The store that keeps the files which this ledger names: one row, once a store was bound to it.
store = Table(
    "store",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", words, nullable=False),
    Column("place", words, nullable=False),  # where it was when it was bound, for people
)

# Calls of providers that cost money. Tasks go by their names, for a call outlives the row of its task.
call = Table(
    "call",
    metadata,
    Column("key", words, primary_key=True),
    Column("job", words, _owned("id", "job"), nullable=False),
    Column("task", words, nullable=False),
    Column("node", words, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("name", words, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", words, nullable=False),
    Column("adapter", words, nullable=False),
    Column("vendor", words, nullable=False),
    Column("policy", words, nullable=False),
    Column("request", words, nullable=False),
    Column("request_hash", words, nullable=False),
    Column("estimate", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("risk", BigInteger, nullable=False),
    Column("currency", words, nullable=False),
    Column("computed", Integer, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("handle", words),
    Column("result", words),
    Column("reason", words),
    Column("absences", Integer, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("cancel_asked", Integer, nullable=False),
    Column("intended_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("absent_at", BigInteger),
    Column("accepted_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("decided_by", words),
    Column("scopes", words, nullable=False),  # JSON: the budgets it is counted in, in their order
    Column("rung", Integer, nullable=False),  # something was said of it, and nobody was woken for it
    Column("maker", words, nullable=False),  # token of the claim that sent it, or was given its result last
    UniqueConstraint("job", "task", "revision", "name", "number", name="call_path"),
    partial("call_live", "vendor", where=IS_LIVE),
    partial("call_open", "job", where=text("state IN ('intended', 'accepted', 'doubt')")),
    partial("call_handle", "handle", where=text("handle IS NOT NULL")),
    Index("call_intended", "intended_at", "key"),
)

budget = Table(
    "budget",
    metadata,
    Column("scope", words, primary_key=True),
    Column("currency", words, nullable=False),
    Column("cap", BigInteger),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("frozen", words),
)

# What a task was refused last, and waits for: so that parking can see whether that is still so.
refusal = Table(
    "refusal",
    metadata,
    Column("task", serial, _owned("id", "task"), primary_key=True, autoincrement=False),
    Column("awaited", words, nullable=False),  # the signal it may park for
    Column("wanted", BigInteger, nullable=False),  # money, or one place
    Column("most", BigInteger),  # the cap where the scope has none of its own, or how many places there are
)

delivery = Table(
    "delivery",
    metadata,
    Column("seq", serial, primary_key=True),
    Column("vendor", words, nullable=False),
    Column("id", words, nullable=False),
    Column("key", words),
    Column("handle", words),
    Column("body", words, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("vendor", "id", name="delivery_id"),
    partial("delivery_key", "key", where=text("key IS NOT NULL")),
    partial("delivery_handle", "handle", where=text("handle IS NOT NULL")),
)


def held_back() -> Select[tuple[str]]:
    """The jobs that let nothing be claimed although rows of theirs still say so: nearly always none."""
    return select(job.c.id).where(IS_UNSWEPT, text("state NOT IN ('pending', 'running', 'waiting')"))
