"""The first tables: jobs, tasks, edges, notes, revisions, events, shared results and holders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _serial() -> sa.types.TypeEngine[int]:
    """SQLite numbers rows by itself only in a column that is an INTEGER to the letter."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


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
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column("dedup", sa.Text(), nullable=True),
        sa.Column("parent_job", sa.Text(), nullable=True),
        sa.Column("parent_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_trace", sa.Text(), nullable=True),
        sa.Column("failed_task", sa.Text(), nullable=True),
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
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("downstream", sa.Text(), nullable=False),
        sa.Column("optional", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "upstream", "downstream"),
        sqlite_with_rowid=False,
    )


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "seq"),
        sqlite_with_rowid=False,
    )


def _create_task() -> None:
    op.create_table(
        "task",
        sa.Column("id", _serial(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("mapped", sa.Integer(), nullable=False),
        sa.Column("need", sa.Integer(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("pinned", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reclaims", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("signal", sa.Text(), nullable=True),
        sa.Column("parked_for", sa.Text(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("progress_note", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("input_hash", sa.Text(), nullable=True),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_trace", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("item", sa.Text(), nullable=True),
        sa.Column("kept_hash", sa.Text(), nullable=True),
        sa.Column("kept_output", sa.Text(), nullable=True),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("unfinished", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("child_job", sa.Text(), nullable=True),
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
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task"], ["task.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task", "revision", "name"),
    )


def _create_revision() -> None:
    op.create_table(
        "revision",
        sa.Column("task", _serial(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["task.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task", "revision"),
    )


def _create_shared() -> None:
    op.create_table(
        "shared",
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("input_hash"),
    )
    op.create_index("shared_job", "shared", ["job"], unique=False)
