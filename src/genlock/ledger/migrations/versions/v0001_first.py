"""The first tables: jobs, tasks, edges, notes, revisions, events, shared results and holders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _serial() -> sa.types.TypeEngine[int]:
    """SQLite numbers rows by itself only in a column that is an INTEGER to the letter."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text() -> sa.types.TypeEngine[str]:
    """Compared byte by byte on every database."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create everything."""
    _create_holder()
    _create_job()
    _create_edge()
    _create_event()
    _create_task()
    _create_note()
    _create_revision()
    _create_shared()


def _create_holder() -> None:
    op.create_table(
        "holder",
        sa.Column("id", _text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", _text(), nullable=False),
        sa.Column("pipeline", _text(), nullable=False),
        sa.Column("state", _text(), nullable=False),
        sa.Column("graph", _text(), nullable=False),
        sa.Column("input", _text(), nullable=False),
        sa.Column("labels", _text(), nullable=False),
        sa.Column("owner", _text(), nullable=False),
        sa.Column("executor", _text(), nullable=False),
        sa.Column("dedup", _text(), nullable=True),
        sa.Column("parent_job", _text(), nullable=True),
        sa.Column("parent_key", _text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("error_kind", _text(), nullable=True),
        sa.Column("error_message", _text(), nullable=True),
        sa.Column("error_trace", _text(), nullable=True),
        sa.Column("failed_task", _text(), nullable=True),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("parked", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_job"],
            ["job.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedup"),
    )
    op.create_index(
        "job_deadline",
        "job",
        ["deadline_at"],
        unique=False,
        sqlite_where=sa.text("deadline_at IS NOT NULL AND finished_at IS NULL"),
        postgresql_where=sa.text("deadline_at IS NOT NULL AND finished_at IS NULL"),
    )
    op.create_index(
        "job_parent",
        "job",
        ["parent_job"],
        unique=False,
        sqlite_where=sa.text("parent_job IS NOT NULL"),
        postgresql_where=sa.text("parent_job IS NOT NULL"),
    )


def _create_edge() -> None:
    op.create_table(
        "edge",
        sa.Column("job", _text(), nullable=False),
        sa.Column("upstream", _text(), nullable=False),
        sa.Column("downstream", _text(), nullable=False),
        sa.Column("optional", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "upstream", "downstream"),
        sqlite_with_rowid=False,
    )


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("job", _text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("task", _text(), nullable=True),
        sa.Column("data", _text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "seq"),
        sqlite_with_rowid=False,
    )


def _create_task() -> None:
    op.create_table(
        "task",
        sa.Column("id", _serial(), nullable=False),
        sa.Column("job", _text(), nullable=False),
        sa.Column("key", _text(), nullable=False),
        sa.Column("node", _text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("mapped", sa.Integer(), nullable=False),
        sa.Column("need", sa.Integer(), nullable=True),
        sa.Column("queue", _text(), nullable=False),
        sa.Column("resources", _text(), nullable=False),
        sa.Column("pinned", sa.Integer(), nullable=False),
        sa.Column("state", _text(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reclaims", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("token", _text(), nullable=True),
        sa.Column("holder", _text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("signal", _text(), nullable=True),
        sa.Column("parked_for", _text(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("progress_note", _text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("input_hash", _text(), nullable=True),
        sa.Column("output", _text(), nullable=True),
        sa.Column("error_kind", _text(), nullable=True),
        sa.Column("error_message", _text(), nullable=True),
        sa.Column("error_trace", _text(), nullable=True),
        sa.Column("reason", _text(), nullable=True),
        sa.Column("item", _text(), nullable=True),
        sa.Column("kept_hash", _text(), nullable=True),
        sa.Column("kept_output", _text(), nullable=True),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("unfinished", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("child_job", _text(), nullable=True),
        sa.Column("asleep", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job", "key", name="task_key"),
        sa.UniqueConstraint("job", "position", "idx", name="task_order"),
    )
    op.create_index(
        "task_node",
        "task",
        ["job", "position"],
        unique=True,
        sqlite_where=sa.text("idx < 0"),
        postgresql_where=sa.text("idx < 0"),
    )
    op.create_index(
        "task_parked",
        "task",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'parked' AND held = 0"),
        postgresql_where=sa.text("state = 'parked' AND held = 0"),
    )
    op.create_index(
        "task_ready",
        "task",
        ["queue", "resources", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'ready' AND held = 0"),
        postgresql_where=sa.text("state = 'ready' AND held = 0"),
    )
    op.create_index(
        "task_running",
        "task",
        ["holder"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )


def _create_note() -> None:
    op.create_table(
        "note",
        sa.Column("task", _serial(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("value", _text(), nullable=False),
        sa.ForeignKeyConstraint(["task"], ["task.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task", "revision", "name"),
    )


def _create_revision() -> None:
    op.create_table(
        "revision",
        sa.Column("task", _serial(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", _text(), nullable=False),
        sa.Column("output", _text(), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["task.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task", "revision"),
    )


def _create_shared() -> None:
    op.create_table(
        "shared",
        sa.Column("input_hash", _text(), nullable=False),
        sa.Column("job", _text(), nullable=False),
        sa.Column("output", _text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("input_hash"),
    )
    op.create_index("shared_job", "shared", ["job"], unique=False)
