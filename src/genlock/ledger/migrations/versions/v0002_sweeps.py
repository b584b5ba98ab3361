"""Jobs remember which change of their state has not reached all their tasks yet."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the number and an index of the few jobs that have one."""
    op.add_column("job", sa.Column("unswept", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        "job_unswept",
        "job",
        ["id"],
        sqlite_where=sa.text("unswept <> 0"),
        postgresql_where=sa.text("unswept <> 0"),
    )
