"""Paid calls: what was asked of providers, budgets, refusals, and what providers reported."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _serial() -> sa.types.TypeEngine[int]:
    """SQLite numbers rows by itself only in a column that is an INTEGER to the letter."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text() -> sa.types.TypeEngine[str]:
    """Compared byte by byte on every database."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Create their tables, and two indexes by which waiting tasks and what was saved are found."""
    _create_call()
    _create_budget()
    _create_refusal()
    _create_delivery()
    _partial("task_awaits", "task", ["signal", "started_at", "id"], "state = 'parked' AND signal IS NOT NULL")
    _partial("event_turn", "event", ["job", "at"], "kind IN ('task.kept', 'task.reclaimed', 'job.retried')")


def _create_call() -> None:
    op.create_table(
        "call",
        sa.Column("key", _text(), nullable=False),
        sa.Column("job", _text(), nullable=False),
        sa.Column("task", _text(), nullable=False),
        sa.Column("node", _text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", _text(), nullable=False),
        sa.Column("adapter", _text(), nullable=False),
        sa.Column("vendor", _text(), nullable=False),
        sa.Column("policy", _text(), nullable=False),
        sa.Column("request", _text(), nullable=False),
        sa.Column("request_hash", _text(), nullable=False),
        sa.Column("estimate", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("risk", sa.BigInteger(), nullable=False),
        sa.Column("currency", _text(), nullable=False),
        sa.Column("computed", sa.Integer(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("handle", _text(), nullable=True),
        sa.Column("result", _text(), nullable=True),
        sa.Column("reason", _text(), nullable=True),
        sa.Column("absences", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("cancel_asked", sa.Integer(), nullable=False),
        sa.Column("intended_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("absent_at", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", _text(), nullable=True),
        sa.Column("scopes", _text(), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("maker", _text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("job", "task", "revision", "name", "number", name="call_path"),
    )
    _partial("call_live", "call", ["vendor"], "state IN ('intended', 'accepted')")
    _partial("call_open", "call", ["job"], "state IN ('intended', 'accepted', 'doubt')")
    _partial("call_handle", "call", ["handle"], "handle IS NOT NULL")
    op.create_index("call_intended", "call", ["intended_at", "key"], unique=False)


def _create_budget() -> None:
    op.create_table(
        "budget",
        sa.Column("scope", _text(), nullable=False),
        sa.Column("currency", _text(), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("frozen", _text(), nullable=True),
        sa.PrimaryKeyConstraint("scope"),
    )


def _create_refusal() -> None:
    op.create_table(
        "refusal",
        sa.Column("task", _serial(), autoincrement=False, nullable=False),
        sa.Column("awaited", _text(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["task.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task"),
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("seq", _serial(), nullable=False),
        sa.Column("vendor", _text(), nullable=False),
        sa.Column("id", _text(), nullable=False),
        sa.Column("key", _text(), nullable=True),
        sa.Column("handle", _text(), nullable=True),
        sa.Column("body", _text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("vendor", "id", name="delivery_id"),
    )
    _partial("delivery_key", "delivery", ["key"], "key IS NOT NULL")
    _partial("delivery_handle", "delivery", ["handle"], "handle IS NOT NULL")
