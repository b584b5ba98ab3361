"""The tables, once for SQLite and PostgreSQL.

Times are integers, microseconds since 1970 in UTC, so that both databases order them alike. States
are the words of `records`. Flags are 0 or 1. Nothing here is JSON to the database: it is text.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
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

REVISION = "0003"

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
_serial = BigInteger().with_variant(Integer, "sqlite")
# Compared byte by byte, as SQLite and Python do: the order of ids must not depend on a server's locale.
_text = Text().with_variant(Text(collation="C"), "postgresql")


def _partial(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _owned(column: str, owner: str) -> ForeignKey:
    return ForeignKey(f"{owner}.{column}", ondelete="CASCADE")


job = Table(
    "job",
    metadata,
    Column("id", _text, primary_key=True),
    Column("pipeline", _text, nullable=False),
    Column("state", _text, nullable=False),
    Column("graph", _text, nullable=False),
    Column("input", _text, nullable=False),
    Column("labels", _text, nullable=False),
    Column("owner", _text, nullable=False),
    Column("executor", _text, nullable=False),
    Column("dedup", _text, unique=True),
    Column("parent_job", _text, ForeignKey("job.id")),
    Column("parent_key", _text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("deadline", BigInteger),
    Column("deadline_at", BigInteger),
    Column("error_kind", _text),
    Column("error_message", _text),
    Column("error_trace", _text),
    Column("failed_task", _text),
    Column("last_event", BigInteger, nullable=False),
    # How many tasks can still move, wait for something outside, or failed the job: its state follows.
    Column("live", Integer, nullable=False),
    Column("parked", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("unswept", BigInteger, nullable=False, server_default="0"),  # see `sweeping`
    _partial("job_parent", "parent_job", where=text("parent_job IS NOT NULL")),
    _partial("job_unswept", "id", where=IS_UNSWEPT),
    _partial("job_deadline", "deadline_at", where=HAS_DEADLINE),
)

task = Table(
    "task",
    metadata,
    Column("id", _serial, primary_key=True),
    Column("job", _text, _owned("id", "job"), nullable=False),
    Column("key", _text, nullable=False),
    Column("node", _text, nullable=False),
    Column("position", Integer, nullable=False),  # of the node in its graph
    Column("idx", Integer, nullable=False),  # of a child in its map; -1 is the node's own row
    Column("mapped", Integer, nullable=False),
    Column("need", Integer),
    Column("queue", _text, nullable=False),
    Column("resources", _text, nullable=False),
    Column("pinned", Integer, nullable=False),  # placed as skipped: its condition is false
    Column("state", _text, nullable=False),
    Column("held", Integer, nullable=False),  # its job lets nothing be claimed: paused, or failed by deadline
    Column("waits", Integer, nullable=False),  # upstreams that are not finished
    Column("attempt", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reclaims", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("token", _text),
    Column("holder", _text),
    Column("due_at", BigInteger),
    Column("signal", _text),
    Column("parked_for", _text),
    Column("progress", Float),
    Column("progress_note", _text),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("input_hash", _text),
    Column("output", _text),
    Column("error_kind", _text),
    Column("error_message", _text),
    Column("error_trace", _text),
    Column("reason", _text),
    Column("item", _text),
    Column("kept_hash", _text),
    Column("kept_output", _text),
    Column("written", Integer, nullable=False),  # children of a map so far
    Column("opened", Integer, nullable=False),  # ... and whether those are all, and were let go
    Column("unfinished", Integer, nullable=False),  # ... and how many of them may still come to something
    Column("lost", Integer, nullable=False),  # ... and how many of them failed
    Column("child_job", _text),
    Column("asleep", Integer, nullable=False),  # ... and whether that job is waiting
    UniqueConstraint("job", "key", name="task_key"),
    UniqueConstraint("job", "position", "idx", name="task_order"),
    _partial("task_node", "job", "position", where=text("idx < 0"), unique=True),
    # What can be claimed, longest-ready first in each lane of queue and resources.
    _partial("task_ready", "queue", "resources", "due_at", "id", where=IS_READY),
    _partial("task_running", "holder", where=IS_RUNNING),
    _partial("task_parked", "due_at", where=IS_PARKED),
    _partial("task_awaits", "signal", "started_at", "id", where=AWAITS),
)

edge = Table(
    "edge",
    metadata,
    Column("job", _text, _owned("id", "job"), nullable=False),
    Column("upstream", _text, nullable=False),
    Column("downstream", _text, nullable=False),
    Column("optional", Integer, nullable=False),
    PrimaryKeyConstraint("job", "upstream", "downstream"),
    sqlite_with_rowid=False,
)

note = Table(
    "note",
    metadata,
    Column("task", _serial, _owned("id", "task"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("name", _text, nullable=False),
    Column("value", _text, nullable=False),
    PrimaryKeyConstraint("task", "revision", "name"),
)

revision = Table(
    "revision",
    metadata,
    Column("task", _serial, _owned("id", "task"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", _text, nullable=False),
    Column("output", _text),
    PrimaryKeyConstraint("task", "revision"),
)

event = Table(
    "event",
    metadata,
    Column("job", _text, _owned("id", "job"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", _text, nullable=False),
    Column("task", _text),
    Column("data", _text, nullable=False),
    PrimaryKeyConstraint("job", "seq"),
    _partial("event_turn", "job", "at", where=IS_TURN),
    sqlite_with_rowid=False,
)

# Results of stages that jobs share: what one job has, another need not make. The first one stays.
shared = Table(
    "shared",
    metadata,
    Column("input_hash", _text, primary_key=True),
    Column("job", _text, _owned("id", "job"), nullable=False),
    Column("output", _text, nullable=False),
    Index("shared_job", "job"),
)

holder = Table(
    "holder",
    metadata,
    Column("id", _text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)

# Calls of providers that cost money. Tasks go by their names, for a call outlives the row of its task.
call = Table(
    "call",
    metadata,
    Column("key", _text, primary_key=True),
    Column("job", _text, _owned("id", "job"), nullable=False),
    Column("task", _text, nullable=False),
    Column("node", _text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("name", _text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", _text, nullable=False),
    Column("adapter", _text, nullable=False),
    Column("vendor", _text, nullable=False),
    Column("policy", _text, nullable=False),
    Column("request", _text, nullable=False),
    Column("request_hash", _text, nullable=False),
    Column("estimate", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("risk", BigInteger, nullable=False),
    Column("currency", _text, nullable=False),
    Column("computed", Integer, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("handle", _text),
    Column("result", _text),
    Column("reason", _text),
    Column("absences", Integer, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("cancel_asked", Integer, nullable=False),
    Column("intended_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("absent_at", BigInteger),
    Column("accepted_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("decided_by", _text),
    Column("scopes", _text, nullable=False),  # JSON: the budgets it is counted in, in their order
    Column("rung", Integer, nullable=False),  # something was said of it, and nobody was woken for it
    Column("maker", _text, nullable=False),  # token of the claim that sent it, or was given its result last
    UniqueConstraint("job", "task", "revision", "name", "number", name="call_path"),
    _partial("call_live", "vendor", where=IS_LIVE),
    _partial("call_open", "job", where=text("state IN ('intended', 'accepted', 'doubt')")),
    _partial("call_handle", "handle", where=text("handle IS NOT NULL")),
    Index("call_intended", "intended_at", "key"),
)

budget = Table(
    "budget",
    metadata,
    Column("scope", _text, primary_key=True),
    Column("currency", _text, nullable=False),
    Column("cap", BigInteger),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("frozen", _text),
)

# What a task was refused last, and waits for: so that parking can see whether that is still so.
refusal = Table(
    "refusal",
    metadata,
    Column("task", _serial, _owned("id", "task"), primary_key=True, autoincrement=False),
    Column("awaited", _text, nullable=False),  # the signal it may park for
    Column("wanted", BigInteger, nullable=False),  # money, or one place
    Column("most", BigInteger),  # the cap where the scope has none of its own, or how many places there are
)

delivery = Table(
    "delivery",
    metadata,
    Column("seq", _serial, primary_key=True),
    Column("vendor", _text, nullable=False),
    Column("id", _text, nullable=False),
    Column("key", _text),
    Column("handle", _text),
    Column("body", _text, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("vendor", "id", name="delivery_id"),
    _partial("delivery_key", "key", where=text("key IS NOT NULL")),
    _partial("delivery_handle", "handle", where=text("handle IS NOT NULL")),
)


def held_back() -> Select[tuple[str]]:
    """The jobs that let nothing be claimed although rows of theirs still say so: nearly always none."""
    return select(job.c.id).where(IS_UNSWEPT, text("state NOT IN ('pending', 'running', 'waiting')"))
