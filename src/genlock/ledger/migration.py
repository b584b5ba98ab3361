"""Bringing a ledger's tables up to this version of genlock, when it is opened."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from genlock.errors import LedgerError, SchemaTooNew
from genlock.ledger import schema
from genlock.ledger.access import schema as _access  # noqa: F401 - their tables are in the same metadata
from genlock.ledger.database import alone, open_writer, shown
from genlock.ledger.library import schema as _library  # noqa: F401
from genlock.ledger.schedules import schema as _schedules  # noqa: F401

_VERSIONS = "genlock.ledger:migrations"


def bring_up(url: str) -> None:
    """Create the tables, or migrate those of an older genlock. Looks at one row if nothing is to be done."""
    open_current(url).dispose()


def open_current(url: str) -> Engine:
    """The writer's engine of a ledger whose tables are up to date by now.

    It keeps the connection: closing the last one to a file writes a whole journal into it.
    """
    engine = open_writer(url)
    try:
        with engine.begin() as connection:
            alone(connection)
            stored = _stored(connection)
            if stored is None:
                _create(connection)
            elif stored != schema.REVISION:
                migrate(connection, stored)
    except SQLAlchemyError as error:
        engine.dispose()
        reason = getattr(error, "orig", None) or error
        raise LedgerError(f"the ledger at {shown(url)} could not be opened: {reason}") from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _stored(connection: Connection) -> str | None:
    """The revision this ledger was written with; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _create(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": schema.REVISION})


def migrate(connection: Connection, stored: str | None) -> None:
    """Take every step from the stored revision (None: from nothing) to this version's.

    `SchemaTooNew` if the stored revision is none of ours.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", _VERSIONS)
    scripts = ScriptDirectory.from_config(config)
    if stored is not None and stored not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaTooNew(
            f"this ledger has schema {stored} and this genlock knows up to {schema.REVISION}: "
            "install a newer genlock"
        )

    def steps(revision, _context):  # type: ignore[no-untyped-def]
        return scripts._upgrade_revs(schema.REVISION, revision)  # noqa: SLF001 - what alembic's own command does

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=schema.metadata, render_as_batch=True)
        environment.run_migrations()
