"""A ledger knows its store; jobs know what is at a provider's, and how long their deadlines are off still."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _text() -> sa.types.TypeEngine[str]:
    """Compared byte by byte on every database."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns and the table; a job that stands still has done so since its last event."""
    op.add_column("job", sa.Column("deadline_left", sa.BigInteger(), nullable=True))
    op.add_column("job", sa.Column("abroad", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "store",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", _text(), nullable=False),
        sa.Column("place", _text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    _count()
    _stand_still()


def _count() -> None:
    job, task = sa.table("job", *map(sa.column, ("id", "live", "abroad"))), _task()
    at_providers = sa.and_(
        task.c.state == "parked",
        task.c.due_at.is_not(None),
        sa.or_(task.c.signal.startswith("call:"), task.c.signal.startswith("place:")),
    )
    count = sa.select(sa.func.count()).select_from(task).where(task.c.job == job.c.id, at_providers)
    some = sa.select(task.c.job).where(at_providers)
    op.execute(sa.update(job).where(job.c.id.in_(some)).values(abroad=count.scalar_subquery()))
    op.execute(sa.update(job).where(job.c.abroad != 0).values(live=job.c.live - job.c.abroad))


def _task() -> sa.TableClause:
    return sa.table("task", *map(sa.column, ("job", "state", "due_at", "signal")))


def _stand_still() -> None:
    op.execute(
        sa.text(
            "UPDATE job SET deadline_at = NULL, deadline_left = "
            "CASE WHEN deadline_at > updated_at THEN deadline_at - updated_at ELSE 0 END "
            "WHERE finished_at IS NULL AND deadline_at IS NOT NULL "
            "AND (live = 0 OR state IN ('waiting', 'paused'))"
        )
    )
