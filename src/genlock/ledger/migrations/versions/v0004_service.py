"""The service: users and tokens, answers and the audit, the library, schedules and their firings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _serial() -> sa.types.TypeEngine[int]:
    """SQLite numbers rows by itself only in a column that is an INTEGER to the letter."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text() -> sa.types.TypeEngine[str]:
    """Compared byte by byte on every database."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _partial(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Create their tables, and indexes by which jobs are listed."""
    op.create_index("job_created", "job", ["created_at", "id"], unique=False)
    op.create_index("job_owner", "job", ["owner", "created_at", "id"], unique=False)
    op.create_index("job_state", "job", ["state", "created_at", "id"], unique=False)
    _create_user()
    _create_token()
    _create_answer()
    _create_audit()
    _create_client()
    _create_campaign()
    _create_asset()
    _create_review()
    _create_schedule()
    _create_firing()


def _create_user() -> None:
    op.create_table(
        "user",
        sa.Column("name", _text(), nullable=False),
        sa.Column("admin", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_token() -> None:
    op.create_table(
        "token",
        sa.Column("id", _text(), nullable=False),
        sa.Column("user", _text(), nullable=False),
        sa.Column("label", _text(), nullable=False),
        sa.Column("hash", _text(), nullable=False),
        sa.Column("scopes", _text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["user.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("token_user", "token", ["user"], unique=False)


def _create_answer() -> None:
    op.create_table(
        "answer",
        sa.Column("user", _text(), nullable=False),
        sa.Column("route", _text(), nullable=False),
        sa.Column("key", _text(), nullable=False),
        sa.Column("request_hash", _text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", _text(), nullable=True),
        sa.Column("body", _text(), nullable=True),
        sa.Column("holder", _text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user", "route", "key"),
    )
    op.create_index("answer_created", "answer", ["created_at"], unique=False)


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", _serial(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user", _text(), nullable=False),
        sa.Column("token", _text(), nullable=True),
        sa.Column("action", _text(), nullable=False),
        sa.Column("target", _text(), nullable=False),
        sa.Column("data", _text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("audit_target", "audit", ["target", "seq"], unique=False)
    op.create_index("audit_user", "audit", ["user", "seq"], unique=False)


def _create_client() -> None:
    op.create_table(
        "client",
        sa.Column("id", _text(), nullable=False),
        sa.Column("owner", _text(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("details", _text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("client_owner", "client", ["owner", "id"], unique=False)


def _create_campaign() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", _text(), nullable=False),
        sa.Column("owner", _text(), nullable=False),
        sa.Column("client", _text(), nullable=True),
        sa.Column("name", _text(), nullable=False),
        sa.Column("details", _text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.id"], ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("campaign_client", "campaign", ["client"], unique=False)
    op.create_index("campaign_owner", "campaign", ["owner", "id"], unique=False)


def _create_asset() -> None:
    op.create_table(
        "asset",
        sa.Column("id", _text(), nullable=False),
        sa.Column("owner", _text(), nullable=False),
        sa.Column("campaign", _text(), nullable=True),
        sa.Column("name", _text(), nullable=False),
        sa.Column("sha256", _text(), nullable=False),
        sa.Column("media_type", _text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("thumbnail", _text(), nullable=False),
        sa.Column("thumbnail_size", sa.BigInteger(), nullable=False),
        sa.Column("colours", _text(), nullable=False),
        sa.Column("tags", _text(), nullable=False),
        sa.Column("source", _text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("asset_campaign", "asset", ["campaign", "id"], unique=False)
    op.create_index("asset_owner", "asset", ["owner", "id"], unique=False)
    op.create_index("asset_same", "asset", ["owner", "sha256", "campaign"], unique=True)
    _partial("asset_same_in_none", "asset", ["owner", "sha256"], "campaign IS NULL", unique=True)


def _create_review() -> None:
    op.create_table(
        "review",
        sa.Column("job", _text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sha256", _text(), nullable=False),
        sa.Column("verdict", _text(), nullable=False),
        sa.Column("reason", _text(), nullable=False),
        sa.Column("by", _text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "revision"),
    )


def _create_schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", _text(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("owner", _text(), nullable=False),
        sa.Column("workflow", _text(), nullable=False),
        sa.Column("pipeline", _text(), nullable=False),
        sa.Column("params", _text(), nullable=False),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("expression", _text(), nullable=False),
        sa.Column("zone", _text(), nullable=False),
        sa.Column("missed", _text(), nullable=False),
        sa.Column("overlap", _text(), nullable=False),
        sa.Column("cap", _text(), nullable=True),
        sa.Column("patience", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("state", _text(), nullable=False),
        sa.Column("reason", _text(), nullable=True),
        sa.Column("anchor_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _partial("schedule_due", "schedule", ["next_at"], "state = 'active' AND next_at IS NOT NULL")
    op.create_index("schedule_owner", "schedule", ["owner", "created_at", "id"], unique=False)


def _create_firing() -> None:
    op.create_table(
        "firing",
        sa.Column("schedule", _text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("state", _text(), nullable=False),
        sa.Column("job", _text(), nullable=True),
        sa.Column("reason", _text(), nullable=True),
        sa.Column("fired_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["schedule"], ["schedule.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("schedule", "due_at"),
    )
    _partial("firing_job", "firing", ["job"], "job IS NOT NULL")
    _partial("firing_open", "firing", ["schedule", "due_at"], "state IN ('queued', 'started')")
