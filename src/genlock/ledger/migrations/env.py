"""Alembic's entry: it is always run in-process, on the connection that `migration` configured."""

from alembic import context

with context.begin_transaction():
    context.run_migrations()
