"""Ledgers of every released schema, with jobs in every state: brought up to date and worked to the end."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, inspect

from genlock import Engine
from genlock.clock import SystemClock
from genlock.executors.embedded import Embedded
from genlock.executors.resource import Resources
from genlock.ledger import schema
from genlock.ledger.database import url_of
from genlock.ledger.migration import bring_up
from genlock.ledger.records import JobState, TaskRef, TaskState
from genlock.ledger.spending import By, CallState
from genlock.ledger.sql import SqlLedger
from history import DIALECTS, SCHEMAS, Press, book, dumps, series, tables

RELEASED = sorted(folder.name for folder in SCHEMAS.iterdir())
Release = tuple[str, str]  # revision and dialect
EVERY = [(revision, dialect) for revision in RELEASED for dialect in DIALECTS]


def load(place: str, text: str) -> None:
    """Run a dump in an empty database."""
    if "://" not in place:
        connection = sqlite3.connect(place)
        connection.executescript(text)
        connection.commit()
        connection.close()
        return
    with psycopg.connect(place) as server:
        server.execute(text.encode())
        server.execute("SELECT setval(pg_get_serial_sequence('task', 'id'), max(id)) FROM task")


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Any]:
    """Lends an empty database of a dialect: a path or a URL."""

    @contextmanager
    def lend(dialect: str, name: str) -> Iterator[str]:
        if dialect == "sqlite":
            yield str(tmp_path / f"{name}.db")
        else:
            with request.getfixturevalue("postgres").lend(empty=True) as url:
                yield url

    return lend


@pytest.fixture(params=EVERY, ids=lambda each: "-".join(each))
def released(request: pytest.FixtureRequest, empty: Any) -> Iterator[str]:
    """Where a ledger of a released schema is."""
    revision, dialect = request.param
    with empty(dialect, "old") as place:
        load(place, dumps(revision, dialect))
        yield place


def shape(place: str) -> dict[str, object]:
    """Tables, columns, keys and indexes, with the conditions of these."""
    engine = create_engine(url_of(place))
    look = inspect(engine)
    found: dict[str, object] = {
        table: (
            sorted(map(_column, look.get_columns(table))),
            sorted(map(_index, look.get_indexes(table))),
            sorted(map(str, look.get_foreign_keys(table))),
            look.get_pk_constraint(table)["constrained_columns"],
            sorted(u["column_names"] for u in look.get_unique_constraints(table)),
        )
        for table in sorted(look.get_table_names())
    }
    engine.dispose()
    return found


def _column(column: Any) -> tuple[str, ...]:
    return tuple(str(column[part]) for part in ("name", "type", "nullable", "default"))


def _index(index: Any) -> tuple[str, ...]:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str(index["name"]), str(index["column_names"]), str(bool(index["unique"])), str(options)


async def open_ledger(stack: AsyncExitStack, place: str) -> SqlLedger:
    ledger = await SqlLedger.open(place, SystemClock())
    stack.push_async_callback(ledger.close)
    return ledger


def test_a_ledger_of_every_released_schema_gets_the_tables_of_a_new_one(released: str, empty: Any) -> None:
    bring_up(url_of(released))
    with empty("sqlite" if "://" not in released else "postgresql", "new") as new:
        bring_up(url_of(new))
        assert shape(released) == shape(new)


async def test_jobs_of_every_released_schema_are_read_and_finished(released: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(stack, released)
        press = Press(paper=True)
        engine = Engine(
            ledger,
            ledger.reader,
            [series, book],
            {Press: press},
            clock=SystemClock(),
            work=tmp_path / "work",
            deadline=None,
        )
        before = await done(engine)
        await read_finished(engine)
        executor = Embedded(engine, Resources({}), holder="heir")
        stack.push_async_callback(executor.stop)
        await executor.start()
        await go_on(engine)
        await read_results(engine)
        await nothing_was_repeated(engine, before, press)


JOBS = ("done", "half", "asking", "failed", "late", "paused", "cancelled", "pending", "series")


async def done(engine: Engine) -> dict[TaskRef, tuple[int, int]]:
    """Every task that is done: its revision, and how often it was claimed."""
    jobs = [*JOBS, "series.book-0", "series.book-1"]
    rows = [row for job in jobs for row in await engine.reader.tasks(job)]
    assert {row.state for row in rows} == set(TaskState), "the history has a task in every state"
    return {row.ref: (row.revision, row.attempt) for row in rows if row.state is TaskState.DONE}


async def read_finished(engine: Engine) -> None:
    states = {view.id: view.state for view in await engine.list()}
    assert states.keys() == set(JOBS)
    assert set(states.values()) == set(JobState), "the history has a job in every state"
    assert (await engine.show("done")).result == "“page 1 of 2; page 2 of 2, take 2”"
    again = TaskRef("done", "page/1")
    assert await engine.reader.revisions(again) == [(1, TaskState.DONE, '"page 2 of 2"')]
    assert await engine.reader.notes(again) == {"once:words": '"page 2 of 2"'}
    events = await engine.events("done")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    failed = await engine.show("failed")
    assert failed.error is not None
    assert failed.error.message == "there is no paper left: it's all used"
    assert (await engine.graph("series")).nodes[0]["nested"]
    await read_money(engine)


async def read_money(engine: Engine) -> None:
    """What was paid; before 0003 nothing could be."""
    calls = await engine.reader.calls()
    if calls:
        assert {call.name: call.state for call in calls} == {
            "voice": CallState.SETTLED,
            "picture": CallState.ACCEPTED,
            "clip": CallState.DOUBT,
        }
        [cost] = await engine.reader.costs(By.JOB)
        assert (cost.group, cost.spent, cost.reserved, cost.doubt) == ("half", 200_000, 500_000, 250_000)
        assert [budget.reserved for budget in await engine.reader.budgets()] == [500_000, 500_000, 0]
        assert len(await engine.reader.deliveries(handle="acme-2")) == 1


async def go_on(engine: Engine) -> None:
    """Do what people would do to those that wait for them."""
    await engine.resume("paused")
    await engine.retry("failed")
    for job in ("asking", "pending", "paused"):
        await engine.signal(job, "approve", "verdict", "good")
    async with asyncio.timeout(60):
        for job in JOBS:
            async for _ in engine.watch(job):
                pass


def told(pages: int, approved: str = "") -> str:
    return f"“{'; '.join(f'page {n + 1} of {pages}' for n in range(pages))}{approved}”"


async def read_results(engine: Engine) -> None:
    views = {view.id: view for view in await engine.list()}
    results = {name: view.result for name, view in views.items() if view.state is JobState.COMPLETED}
    assert results == {
        "done": "“page 1 of 2; page 2 of 2, take 2”",
        "half": told(5),
        "asking": told(1, " (good)"),
        "failed": told(4),
        "late": told(6),
        "paused": told(2, " (good)"),
        "pending": told(3, " (good)"),
        "series": [told(1), told(3)],
    }
    assert views["cancelled"].state is JobState.CANCELLED


async def nothing_was_repeated(engine: Engine, before: dict[TaskRef, tuple[int, int]], press: Press) -> None:
    after = {ref: await engine.reader.task(ref) for ref in before}
    assert {ref: (row.revision, row.attempt) for ref, row in after.items()} == before
    assert not {str(ref) for ref in before} & set(press.made)
    assert "outline" not in press.made, "3 pages were outlined for another job, and that is shared"


def test_every_migration_has_a_ledger_of_its_schema() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "genlock.ledger:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [schema.REVISION], "schema.REVISION is that of the newest migration"
    written = sorted(script.revision for script in scripts.walk_revisions())
    assert written == RELEASED, "a migration was added: `make schema` writes its ledger down"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_tables_are_those_that_were_written_down_for_this_revision(dialect: str) -> None:
    kept = (SCHEMAS / schema.REVISION / f"{dialect}.sql").read_text(encoding="utf-8")
    assert "\n".join(tables(dialect)) + "\n" == kept, (
        f"the tables have changed since {schema.REVISION} was released: write a migration, raise "
        "schema.REVISION, and run `make schema`"
    )


DIES = """
import os, signal, sys
from alembic import op
from genlock.ledger.migration import bring_up

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

op.create_index = die  # the column is there by now
bring_up(sys.argv[1])
"""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_migration_that_is_killed_half_way_has_changed_nothing(dialect: str, empty: Any) -> None:
    with empty(dialect, "old") as place:
        load(place, dumps("0001", dialect))
        before = shape(place)
        died = subprocess.run([sys.executable, "-c", DIES, url_of(place)], check=False, timeout=60)
        assert died.returncode == -signal.SIGKILL
        assert shape(place) == before
        bring_up(url_of(place))
        assert shape(place) != before
