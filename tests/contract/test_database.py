"""What only a ledger in a file can promise: durability, recovery, migrations, and a writer of its own."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from genlock.clock import SystemClock
from genlock.errors import ClaimLost, LedgerError, SchemaTooNew
from genlock.ledger import draft, schema
from genlock.ledger.database import open_reader, open_writer, url_of
from genlock.ledger.migration import migrate
from genlock.ledger.records import EdgeSpec, JobSpec, NodeSpec, TaskRef
from genlock.ledger.sql import SqlLedger
from genlock.testing.clock import FakeClock


def _spec(id: str, *nodes: NodeSpec, edges: tuple[EdgeSpec, ...] = ()) -> JobSpec:
    return JobSpec(id, "film", "{}", "{}", nodes, edges)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    ledger = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    yield ledger
    await ledger.close()


async def _spread(ledger: SqlLedger, count: int) -> None:
    await ledger.create_job(_spec("job-1", NodeSpec("m", mapped=True)))
    (claim,) = await ledger.claim("me")
    await ledger.spread(claim, [str(n) for n in range(count)], offset=0, last=True)


def test_the_writer_survives_power_failure_and_readers_do_not_wait(tmp_path):
    for engine in (
        open_writer(url_of(tmp_path / "ledger.db")),
        open_reader(url_of(tmp_path / "ledger.db"), 1),
    ):
        with engine.connect() as connection:
            asked = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}
        engine.dispose()


def test_drafts_have_the_columns_of_their_tables():
    assert [name for name in draft.TaskDraft.__dataclass_fields__ if name != "was"] == [
        column.name for column in schema.task.columns
    ]
    assert set(draft.JOB_FIELDS) <= {column.name for column in schema.job.columns}


def _shape(url: str) -> dict[str, object]:
    engine = create_engine(url)
    look = inspect(engine)
    shape = {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(table)),
            sorted(
                (i["name"] or "", i["column_names"], str(i.get("dialect_options", {}).get("sqlite_where")))
                for i in look.get_indexes(table)
            ),
            sorted(map(str, look.get_foreign_keys(table))),
            look.get_pk_constraint(table)["constrained_columns"],
            sorted(u["column_names"] for u in look.get_unique_constraints(table)),
        )
        for table in sorted(look.get_table_names())
    }
    engine.dispose()
    return shape


async def test_migrating_from_nothing_gives_the_tables_that_a_new_ledger_has(tmp_path):
    await (await SqlLedger.open(tmp_path / "new.db", SystemClock())).close()
    engine = open_writer(url_of(tmp_path / "migrated.db"))
    with engine.begin() as connection:
        migrate(connection, None)
    engine.dispose()
    new, migrated = (_shape(url_of(tmp_path / name)) for name in ("new.db", "migrated.db"))
    assert new == migrated
    await (await SqlLedger.open(tmp_path / "migrated.db", SystemClock())).close()


async def test_a_ledger_of_a_newer_genlock_is_refused(tmp_path):
    await (await SqlLedger.open(tmp_path / "ledger.db", SystemClock())).close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaTooNew, match="9999"):
        await SqlLedger.open(tmp_path / "ledger.db", SystemClock())


async def test_what_is_no_ledger_is_refused_with_its_name(tmp_path):
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8" * 4096)
    with pytest.raises(LedgerError, match=r"picture\.jpg"):
        await SqlLedger.open(tmp_path / "picture.jpg", SystemClock())


async def test_a_closed_ledger_says_so(tmp_path):
    ledger = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    await ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.create_job(_spec("job-1", NodeSpec("a")))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("genlock-")]


async def test_opening_a_ledger_again_finds_everything(tmp_path):
    first = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    await first.create_job(_spec("job-1", NodeSpec("a"), NodeSpec("b"), edges=(EdgeSpec("a", "b"),)))
    (claim,) = await first.claim("old")
    await first.close()
    second = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    assert await second.reclaim(survivor="new") == [TaskRef("job-1", "a")]
    with pytest.raises(ClaimLost):
        await second.succeed(claim, "1")
    (claim,) = await second.claim("new")
    assert (await second.succeed(claim, "1")).ready == (TaskRef("job-1", "b"),)
    await second.close()


async def test_a_migration_is_not_loaded_when_none_is_needed(tmp_path):
    script = (
        "import asyncio, sys\n"
        "from genlock.clock import SystemClock\n"
        "from genlock.ledger.sql import SqlLedger\n"
        "async def main():\n"
        "    for _ in range(2):\n"
        "        await (await SqlLedger.open(sys.argv[1], SystemClock())).close()\n"
        "asyncio.run(main())\n"
        "assert 'alembic' not in sys.modules\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, str(tmp_path / "l.db")],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


_WRITING = """
import asyncio, sys
from datetime import timedelta
from genlock.clock import SystemClock
from genlock.ledger.records import JobSpec, NodeSpec
from genlock.ledger.sql import SqlLedger
from genlock.testing.clock import FakeClock

async def work(ledger, most):
    while claims := await ledger.claim("dead", limit=most):
        for claim in claims:
            await ledger.save(claim, "n", claim.item)
            await ledger.succeed(claim, claim.item)
            print(claim.task.key, flush=True)

async def main():
    ledger = await SqlLedger.open(sys.argv[1], SystemClock())
    await ledger.enlist("dead", timedelta(seconds=9))
    await ledger.create_job(JobSpec("job-1", "film", "{}", "{}", [NodeSpec("m", mapped=True)], []))
    (claim,) = await ledger.claim("dead")
    await ledger.spread(claim, [str(n) for n in range(2000)], offset=0, last=True)
    await asyncio.gather(*(work(ledger, 1 + n % 5) for n in range(16)))

asyncio.run(main())
"""


async def test_what_was_acknowledged_is_there_after_a_kill_in_the_middle_of_writing(tmp_path):
    path = tmp_path / "ledger.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITING, str(path), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = [(await process.stdout.readline()).decode().strip() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [line.decode().strip() async for line in process.stdout if line.endswith(b"\n")]
    await process.wait()
    assert process.returncode == -signal.SIGKILL

    ledger = await SqlLedger.open(path, SystemClock())
    rows = {row.ref.key: row for row in await ledger.reader.tasks("job-1", limit=3000)}
    assert len(acknowledged) >= 300
    assert {rows[key].state for key in acknowledged} == {"done"}
    assert {rows[key].output for key in acknowledged} == {key.removeprefix("m/") for key in acknowledged}
    before = time.process_time()
    orphans = await ledger.reclaim(survivor="me")
    assert time.process_time() - before < 0.5
    assert orphans
    assert not {ref.key for ref in orphans} & set(acknowledged)
    while claims := await ledger.claim("me", limit=200):
        await asyncio.gather(*(ledger.succeed(claim, claim.item or "") for claim in claims))
    row = await ledger.reader.job("job-1")
    events = await ledger.reader.events("job-1", limit=20_000)
    assert row.state == "completed"
    assert [event.seq for event in events] == list(range(1, row.last_event + 1))
    done = [event.task for event in events if event.kind == "task.done"]
    assert len(done) == len(set(done)) == 2001
    await ledger.close()


async def test_no_verb_scans_a_table(ledger):
    """What a task costs must not depend on how many others there are."""
    asked: list[str] = []
    _trace(ledger, asked.append)
    spec = _spec("job-1", NodeSpec("m", mapped=True), NodeSpec("z"), edges=(EdgeSpec("m", "z"),))
    await ledger.create_job(spec)
    (claim,) = await ledger.claim("me")
    await ledger.spread(claim, ["1", "2", "3"], offset=0, last=True)
    first, second = await ledger.claim("me", limit=2, resources=[""])
    await ledger.save(first, "n", "1")
    await ledger.extend(first, progress=0.5)
    await ledger.succeed(first, "1", input_hash="h", claim_next=1)
    await ledger.park(second, "gate", signal="ok", until=SystemClock().now())
    await ledger.signal(second.task, "ok", "1")
    await ledger.expire()
    await ledger.reclaim()
    await ledger.retire("me")
    await ledger.pause("job-1")
    await ledger.resume("job-1")
    _trace(ledger, None)
    looking = [sql for sql in asked if sql.startswith(("SELECT", "UPDATE", "DELETE", "WITH"))]
    plans = []
    connection = ledger._writer._transactions.connection.connection
    for sql in looking:
        rows = connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        plans += [(row[3], sql) for row in rows]
    assert len(looking) > 20
    assert not [
        (step, sql)
        for step, sql in plans
        if step.startswith("SCAN") and step not in _SMALL_SCANS and "CONSTANT" not in step
    ]


def _trace(ledger: SqlLedger, hear: Callable[[str], None] | None) -> None:
    """Hear every statement of the writer with its values."""
    ledger._writer._transactions.connection.connection.driver_connection.set_trace_callback(hear)


_SMALL_SCANS = {  # the keys asked for; one row a process; jobs just paused; what is running
    "SCAN wanted",
    "SCAN holder",
    "SCAN job USING INDEX job_unswept",
    "SCAN task USING INDEX task_running",
}


async def test_no_update_is_lost_between_many_callers(ledger):
    """Each adds one to a counter it has read: through the ledger's verbs none can be overwritten."""
    await _spread(ledger, 300)

    async def work(name: str) -> int:
        won = 0
        while claims := await ledger.claim(name, limit=2):
            for claim in claims:
                assert await ledger.save(claim, "winner", f'"{name}"') == f'"{name}"'
                await ledger.succeed(claim, f'"{name}"')
                won += 1
        return won

    won = await asyncio.gather(*(work(f"w{n}") for n in range(40)))
    assert sum(won) == 300
    outputs = [text async for page in ledger.reader.outputs("job-1", "m") for _, text in page]
    for n, count in enumerate(won):
        assert outputs.count(f'"w{n}"') == count
    assert (await ledger.reader.job("job-1")).state == "completed"


async def test_a_read_then_write_on_the_writers_connection_is_one_transaction(tmp_path):
    """The driver's default opens no transaction before a SELECT, and then silently loses updates."""
    engine = open_writer(url_of(tmp_path / "counter.db"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")
    engine.dispose()

    def add() -> None:
        mine = open_writer(url_of(tmp_path / "counter.db"))
        for _ in range(25):
            with mine.begin() as connection:
                seen = connection.exec_driver_sql("SELECT n FROM counter").scalar_one()
                connection.exec_driver_sql("UPDATE counter SET n = ?", (seen + 1,))
        mine.dispose()

    await asyncio.gather(*(asyncio.to_thread(add) for _ in range(4)))
    with open_reader(url_of(tmp_path / "counter.db"), 1).connect() as connection:
        assert connection.exec_driver_sql("SELECT n FROM counter").scalar_one() == 100
    connection.engine.dispose()


async def test_two_verbs_of_one_caller_keep_their_order(ledger):
    await _spread(ledger, 200)
    claims = await ledger.claim("me", limit=200)
    verbs = []
    for claim in claims:
        verbs.append(asyncio.ensure_future(ledger.save(claim, "n", "1")))
        verbs.append(asyncio.ensure_future(ledger.extend(claim, progress=0.5)))
        verbs.append(asyncio.ensure_future(ledger.succeed(claim, "1")))
        verbs.append(asyncio.ensure_future(ledger.save(claim, "late", "1")))
    answers = await asyncio.gather(*verbs, return_exceptions=True)
    for saved, extended, _, late in zip(*[iter(answers)] * 4, strict=True):
        assert (saved, extended) == ("1", None)
        assert isinstance(late, ClaimLost)


async def test_one_lost_claim_costs_its_neighbours_nothing(ledger):
    await _spread(ledger, 50)
    claims = await ledger.claim("me", limit=50)
    await ledger.succeed(claims[20], "1")
    answers = await asyncio.gather(*(ledger.succeed(claim, "2") for claim in claims), return_exceptions=True)
    lost = [place for place, answer in enumerate(answers) if isinstance(answer, ClaimLost)]
    assert lost == [20]
    assert (await ledger.reader.job("job-1")).state == "completed"


async def test_an_error_of_the_database_reaches_only_the_verb_that_caused_it(ledger):
    await _spread(ledger, 3)
    claims = await ledger.claim("me", limit=3)
    unwritable = object()
    answers = await asyncio.gather(
        ledger.succeed(claims[0], "1"),
        ledger.succeed(claims[1], unwritable),  # type: ignore[arg-type]
        ledger.succeed(claims[2], "3"),
        return_exceptions=True,
    )
    assert isinstance(answers[1], LedgerError)
    assert [row.state for row in await ledger.reader.tasks("job-1", node="m")][1:] == [
        "done",
        "running",
        "done",
    ]


async def test_a_caller_that_gives_up_does_not_disturb_the_writer(ledger):
    await _spread(ledger, 2)
    first, second = await ledger.claim("me", limit=2)
    abandoned = asyncio.ensure_future(ledger.succeed(first, "1"))
    await asyncio.sleep(0)
    abandoned.cancel()
    await ledger.succeed(second, "2")
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    assert (await ledger.reader.task(first.task)).state == "done"


async def test_leases_are_renewed_while_the_event_loop_is_busy(tmp_path, monkeypatch):
    monkeypatch.setattr("genlock.ledger.writer.RENEW_EVERY", 0.05)
    mine = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    other = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    await mine.create_job(_spec("job-1", NodeSpec("a")))
    await mine.enlist("mine", timedelta(seconds=1))
    (claim,) = await mine.claim("mine")
    time.sleep(1.5)  # noqa: ASYNC251 - a body that blocks the loop is what this is about
    assert await other.reclaim() == []
    await mine.succeed(claim, "1")
    await mine.close()
    await other.close()


async def test_a_lease_that_is_not_renewed_runs_out(tmp_path):
    clock = FakeClock()
    dead = await SqlLedger.open(tmp_path / "ledger.db", clock)
    await dead.create_job(_spec("job-1", NodeSpec("a")))
    await dead.enlist("dead", timedelta(seconds=20))
    await dead.claim("dead")
    await dead.close()
    other = await SqlLedger.open(tmp_path / "ledger.db", clock)
    clock.advance(19)
    assert await other.reclaim() == []
    clock.advance(2)
    assert await other.reclaim() == [TaskRef("job-1", "a")]
    await other.close()


async def test_a_reader_is_woken_by_a_commit_and_need_not_look(ledger, monkeypatch):
    monkeypatch.setattr("genlock.ledger.bell.LOOK_EVERY", 3600)
    await ledger.create_job(_spec("job-1", NodeSpec("a")))
    waiting = asyncio.ensure_future(ledger.reader.changed("job-1", 1, 60))
    await asyncio.sleep(0.05)
    await ledger.claim("me")
    assert await asyncio.wait_for(waiting, 30) is True


async def test_a_reader_sees_commits_of_another_process_by_looking(tmp_path):
    mine = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    other = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    await mine.create_job(_spec("job-1", NodeSpec("a")))
    waiting = asyncio.ensure_future(other.reader.changed("job-1", 1, 30))
    await asyncio.sleep(0.05)
    await mine.claim("me")
    assert await waiting is True
    await mine.close()
    await other.close()


async def test_the_end_of_a_job_is_seen_whichever_process_brings_it(tmp_path):
    mine = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    other = await SqlLedger.open(tmp_path / "ledger.db", SystemClock())
    await mine.create_job(_spec("job-1", NodeSpec("a")))
    waiting = [asyncio.ensure_future(one.reader.ended("job-1", 30)) for one in (mine, other)]
    await asyncio.sleep(0.05)
    await mine.cancel("job-1")
    assert [(await one).state for one in waiting] == ["cancelled", "cancelled"]
    await mine.close()
    await other.close()


async def test_reading_goes_on_while_the_writer_holds_its_lock(ledger, tmp_path):
    await ledger.create_job(_spec("job-1", NodeSpec("a")))
    blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    stuck = asyncio.ensure_future(ledger.claim("me"))
    row = await asyncio.wait_for(ledger.reader.task(TaskRef("job-1", "a")), 5)
    assert row.state == "ready"
    assert not stuck.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert len(await stuck) == 1
