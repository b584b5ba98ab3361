"""What PostgreSQL must hold up under: many writers at once, lost connections, and a clock of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, inspect

import postgres as server_module
from genlock.clock import SystemClock
from genlock.errors import LedgerError
from genlock.ledger import database
from genlock.ledger.database import open_writer, url_of
from genlock.ledger.migration import migrate
from genlock.ledger.records import EdgeSpec, Failure, JobSpec, NodeSpec, TaskRef
from genlock.ledger.sql import SqlLedger


def _spec(id: str, *nodes: NodeSpec, edges: tuple[EdgeSpec, ...] = (), **options: Any) -> JobSpec:
    return JobSpec(id, "film", "{}", "{}", nodes, edges, **options)


class Ledgers:
    """Ledgers on one database, as several processes would have them."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def open(self, clock: Any = None) -> SqlLedger:
        ledger = await SqlLedger.open(self.url, clock or SystemClock())
        self._stack.push_async_callback(ledger.close)
        return ledger

    @contextmanager
    def by_hand(self, **settings: Any) -> Iterator[psycopg.Connection[Any]]:
        """A connection of somebody else, who may hold locks."""
        with closing(psycopg.connect(self.url, **settings)) as connection:
            yield connection


@pytest.fixture
async def ledgers(postgres_url: str) -> AsyncIterator[Ledgers]:
    async with AsyncExitStack() as stack:
        yield Ledgers(postgres_url, stack)


async def _spread(ledger: SqlLedger, count: int, job: str = "job-1") -> None:
    await ledger.create_job(_spec(job, NodeSpec("m", mapped=True)))
    (claim,) = await ledger.claim("me", tasks=[TaskRef(job, "m")])
    await ledger.spread(claim, [str(n) for n in range(count)], offset=0, last=True)


# Many writers


async def test_a_reader_going_by_sequence_misses_nothing_that_commits_late(ledgers):
    one, other, looking = [await ledgers.open() for _ in range(3)]
    await _spread(one, 200)
    seen: list[int] = []

    async def follow() -> None:
        while True:
            for event in await looking.reader.events("job-1", after=seen[-1] if seen else 0):
                seen.append(event.seq)
                if event.kind == "job.completed":
                    return

    async def write(ledger: SqlLedger, name: str) -> None:
        while claims := await ledger.claim(name, limit=3):
            await asyncio.gather(*(ledger.succeed(claim, "1") for claim in claims))

    async with asyncio.timeout(60):
        await asyncio.gather(follow(), *(write(ledger, f"w{n}") for n, ledger in enumerate([one, other] * 4)))
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) == (await one.reader.job("job-1")).last_event


async def test_twenty_claimers_never_take_a_task_twice(ledgers):
    claimers = [await ledgers.open() for _ in range(20)]
    for n in range(3):
        await _spread(claimers[n], 60, f"job-{n}")
    taken: list[TaskRef] = []

    async def work(ledger: SqlLedger, name: str) -> None:
        while claims := await ledger.claim(name, limit=2):
            taken.extend(claim.task for claim in claims)
            await asyncio.gather(*(ledger.succeed(claim, f'"{name}"') for claim in claims))

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(ledger, f"w{n}") for n, ledger in enumerate(claimers)))
    assert len(taken) == len(set(taken)) == 180
    for n in range(3):
        row = await claimers[0].reader.job(f"job-{n}")
        events = await claimers[1].reader.events(row.id)
        assert row.state == "completed"
        assert [event.seq for event in events] == list(range(1, row.last_event + 1))
        assert sum(event.kind == "task.claimed" for event in events) == 61


async def test_a_job_that_somebody_is_at_work_on_does_not_keep_others_waiting(ledgers):
    ledger = await ledgers.open()
    await ledger.create_job(_spec("job-1", NodeSpec("a")))
    await ledger.create_job(_spec("job-2", NodeSpec("a")))
    with ledgers.by_hand() as somebody:
        somebody.execute("SELECT 1 FROM job WHERE id = 'job-1' FOR UPDATE")
        claims = await asyncio.wait_for(ledger.claim("me", limit=5), 5)
        assert [claim.task for claim in claims] == [TaskRef("job-2", "a")]
        rest = asyncio.ensure_future(ledger.claim("me", limit=5))
        await asyncio.sleep(0.2)
        assert not rest.done(), "what is ready is waited for when there is nothing else"
        somebody.rollback()
        assert [claim.task for claim in await rest] == [TaskRef("job-1", "a")]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_LOCKED", 1)
    monkeypatch.setattr(database, "_WRITER_PAUSES", 2)


async def test_a_process_that_hangs_while_it_holds_jobs_is_made_to_let_go(ledgers, impatient):
    """As behind a pipeline, where the server's own timeout for idle transactions is seldom in force."""
    ledger = await ledgers.open()
    await ledger.create_job(_spec("job-1", NodeSpec("a")))
    with ledgers.by_hand(application_name="genlock") as hung:
        hung.cursor().executemany("UPDATE job SET parked = parked WHERE id = %s", [("job-1",)])
        (claim,) = await asyncio.wait_for(ledger.claim("me"), 20)
        await ledger.succeed(claim, "1")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            hung.execute("SELECT 1")


async def test_who_holds_jobs_for_long_and_is_not_ours_is_waited_for(ledgers, impatient):
    ledger = await ledgers.open()
    await ledger.create_job(_spec("job-1", NodeSpec("a")))
    with ledgers.by_hand(application_name="a report") as somebody:
        somebody.execute("SELECT 1 FROM job WHERE id = 'job-1' FOR UPDATE")
        waiting = asyncio.ensure_future(ledger.claim("me"))
        await asyncio.sleep(4)
        assert not waiting.done()
        somebody.rollback()
        (claim,) = await waiting
    assert claim.task == TaskRef("job-1", "a")


async def test_work_in_a_nested_job_needs_the_job_around_it_only_at_its_end(ledgers):
    ledger = await ledgers.open()
    await ledger.create_job(_spec("job-1", NodeSpec("outer")))
    (outer,) = await ledger.claim("me")
    await ledger.nest(outer, _spec("inner", NodeSpec("a"), NodeSpec("b")))
    with ledgers.by_hand() as somebody:
        somebody.execute("SELECT 1 FROM job WHERE id = 'job-1' FOR UPDATE")
        one, two = await asyncio.wait_for(ledger.claim("me", limit=2), 5)
        await asyncio.wait_for(ledger.succeed(one, "1"), 5)
        last = asyncio.ensure_future(ledger.succeed(two, "2"))
        await asyncio.sleep(0.2)
        assert not last.done()
        somebody.rollback()
        assert (await last).finished == ("inner", "job-1")


async def test_the_same_job_created_by_many_at_once_is_one_job(ledgers):
    creators = [await ledgers.open() for _ in range(6)]
    specs = [_spec(f"job-{n}", NodeSpec("a"), dedup="the order") for n in range(6)]
    answers = await asyncio.gather(
        *(ledger.create_job(spec) for ledger, spec in zip(creators, specs, strict=True))
    )
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.id for answer in answers}) == 1


async def test_a_result_shared_by_many_at_once_is_that_of_one(ledgers):
    sharers = [await ledgers.open() for _ in range(6)]
    for n, ledger in enumerate(sharers):
        await ledger.create_job(_spec(f"job-{n}", NodeSpec("a")))
    claims = await sharers[0].claim("me", limit=6)
    await asyncio.gather(
        *(
            ledger.succeed(claim, f'"{n}"', input_hash="h", share=True)
            for n, (ledger, claim) in enumerate(zip(sharers, claims, strict=True))
        )
    )
    assert await sharers[0].reader.shared("h") in {f'"{n}"' for n in range(6)}


async def test_a_deadlock_is_written_again(ledgers):
    ledger = await ledgers.open()
    for job in ("job-1", "job-2"):
        await ledger.create_job(_spec(job, NodeSpec("a")))
    with ledgers.by_hand() as somebody:
        somebody.execute("SET deadlock_timeout = '1min'")  # so it is the ledger that is called off
        somebody.execute("SELECT 1 FROM job WHERE id = 'job-2' FOR UPDATE")
        both = [TaskRef("job-1", "a"), TaskRef("job-2", "a")]
        claiming = asyncio.ensure_future(ledger.claim("me", tasks=both))
        await asyncio.to_thread(_until_somebody_waits, ledgers.url)
        # The ledger has job-1 and waits for job-2, which is ours: now there is a ring.
        await asyncio.to_thread(somebody.execute, "SELECT 1 FROM job WHERE id = 'job-1' FOR UPDATE")
        assert not claiming.done()
        somebody.rollback()
    assert [claim.task for claim in await claiming] == both
    assert [event.seq for event in await ledger.reader.events("job-1")] == [1, 2, 3]


def _until_somebody_waits(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(500):
            waiting = connection.execute(
                "SELECT 1 FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if waiting.fetchone():
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


# Connections


async def test_a_database_that_is_gone_is_told_and_used_again_when_it_is_back(own_server):
    async with AsyncExitStack() as stack:
        ledger = await SqlLedger.open(own_server.url, SystemClock())
        stack.push_async_callback(ledger.close)
        await ledger.create_job(_spec("job-1", NodeSpec("a"), NodeSpec("b")))
        await ledger.enlist("me", timedelta(seconds=9))
        own_server.stop()
        answers = await asyncio.gather(
            *(ledger.claim("me") for _ in range(5)), ledger.reader.job("job-1"), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [LedgerError] * 6
        assert "does not answer" in str(answers[0])
        assert "as soon as it is back" in str(answers[0])
        own_server.start()
        assert (await ledger.reader.job("job-1")).state == "pending"
        (claim,) = await ledger.claim("me")
        await ledger.succeed(claim, "1")
        assert (await ledger.reader.task(claim.task)).state == "done"


async def test_a_restart_between_two_verbs_is_not_even_noticed(own_server):
    ledger = await SqlLedger.open(own_server.url, SystemClock())
    await ledger.create_job(_spec("job-1", NodeSpec("a")))
    own_server.stop()
    own_server.start()
    (claim,) = await ledger.claim("me")
    await ledger.succeed(claim, "1")
    assert (await ledger.reader.job("job-1")).state == "completed"
    await ledger.close()


async def test_what_was_acknowledged_survives_a_crash_of_the_server(own_server):
    ledger = await SqlLedger.open(own_server.url, SystemClock())
    await _spread(ledger, 400)
    acknowledged: set[str] = set()

    async def work() -> None:
        while claims := await ledger.claim("me", limit=5):
            for claim in claims:
                await ledger.succeed(claim, claim.item or "")
                acknowledged.add(claim.task.key)
                if len(acknowledged) == 103:  # four in step with five claims each
                    own_server.stop(signal.SIGQUIT)

    answers = await asyncio.gather(*(work() for _ in range(4)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {LedgerError}
    own_server.start(fsync="on", full_page_writes="on")
    rows = {row.ref.key: row for row in await ledger.reader.tasks("job-1", node="m")}
    assert len(acknowledged) >= 100
    assert {rows[key].state for key in acknowledged} == {"done"}
    assert await ledger.reclaim(survivor="other")
    await ledger.close()


class Cut:
    """A way to the server that is cut at a COMMIT: before it got there, or before the answer came back."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.when: str | None = None
        self.cuts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Cut:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        theirs, ours = await asyncio.open_unix_connection(self._path)
        back = asyncio.ensure_future(self._pass_on(theirs, writer))
        try:
            while data := await reader.read(65536):
                if self.when and b"COMMIT" in data:
                    when, self.when, self.cuts = self.when, None, self.cuts + 1
                    back.cancel()
                    if when == "after":
                        ours.write(data)
                        await theirs.read(100)  # it was carried out
                    break
                ours.write(data)
        finally:
            back.cancel()
            ours.close()
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_lost_while_it_commits_is_cleared_up_with_the_server(own_server, when):
    async with Cut(own_server.socket) as cut:
        ledger = await SqlLedger.open(f"postgresql://genlock@127.0.0.1:{cut.port}/postgres", SystemClock())
        await ledger.create_job(_spec("job-1", NodeSpec("a")))
        cut.when = when
        (claim,) = await ledger.claim("me")
        assert cut.cuts == 1
        events = [event.kind for event in await ledger.reader.events("job-1")]
        assert events == ["job.created", "job.started", "task.claimed"], "once, not twice and not never"
        await ledger.succeed(claim, "1")
        await ledger.close()


async def test_opening_what_is_not_there_says_so_without_its_password(tmp_path):
    url = f"postgresql://genlock:hidden@/x?host={tmp_path}"
    with pytest.raises(LedgerError, match="could not be opened") as refusal:
        await SqlLedger.open(url, SystemClock())
    assert "hidden" not in str(refusal.value)
    with pytest.raises(LedgerError, match="is no ledger"):
        await SqlLedger.open("mysql://x/y", SystemClock())


# Time


class Astray(SystemClock):
    """A machine whose clock is wrong."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


async def test_leases_and_due_times_go_by_the_clock_of_the_database(ledgers):
    right, wrong = await ledgers.open(), await ledgers.open(Astray(timedelta(hours=2)))
    await right.create_job(_spec("job-1", NodeSpec("a"), NodeSpec("b"), deadline=timedelta(hours=1)))
    await right.enlist("right", timedelta(seconds=9))
    (a,) = await right.claim("right", tasks=[TaskRef("job-1", "a")])
    (b,) = await right.claim("right")
    await right.fail(b, Failure("E", "m"), retry_at=SystemClock().now() + timedelta(hours=1))
    assert await wrong.reclaim() == []
    assert await wrong.expire() == []
    assert await wrong.claim("wrong", limit=5) == []
    assert await wrong.reader.ready_count() == 0
    await right.succeed(a, "1")
    events = await right.reader.events("job-1")
    assert all(abs(event.at - SystemClock().now()) < timedelta(minutes=1) for event in events)


async def test_a_reader_hears_what_another_process_commits(ledgers):
    mine, other = await ledgers.open(), await ledgers.open()
    await mine.create_job(_spec("job-1", NodeSpec("a")))
    waiting = [asyncio.ensure_future(other.reader.changed("job-1", 1, 30)) for _ in range(50)]
    await asyncio.sleep(0.1)
    assert not any(one.done() for one in waiting)
    await mine.claim("me")
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [True] * 50


# Tables


async def test_many_may_open_a_new_database_at_once(postgres):
    with postgres.lend(empty=True) as url:
        opened = await asyncio.gather(*(SqlLedger.open(url, SystemClock()) for _ in range(5)))
        assert (await opened[0].create_job(_spec("job-1", NodeSpec("a")))).created
        for ledger in opened:
            await ledger.close()


def _shape(url: str) -> dict[str, object]:
    engine = create_engine(url_of(url))
    look = inspect(engine)
    shape = {
        table: (
            sorted(
                (c["name"], repr(c["type"]), c["nullable"], c["default"]) for c in look.get_columns(table)
            ),
            sorted(
                (i["name"] or "", i["column_names"], i["unique"], str(i.get("dialect_options")))
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


async def test_migrating_from_nothing_gives_the_tables_that_a_new_ledger_has(postgres):
    with postgres.lend() as new, postgres.lend(empty=True) as migrated:
        engine = open_writer(url_of(migrated))
        with engine.begin() as connection:
            migrate(connection, None)
        engine.dispose()
        assert _shape(new) == _shape(migrated)
        await (await SqlLedger.open(migrated, SystemClock())).close()


async def test_ids_are_ordered_byte_by_byte_whatever_the_locale(ledgers):
    ledger = await ledgers.open()
    ids = ["job-2", "Job-1", "job-10", "jöb", "job_1", "JOB"]
    for name in ids:
        await ledger.create_job(_spec(name, NodeSpec("a")))
    with ledgers.by_hand() as connection:
        found = connection.execute("SELECT id FROM job ORDER BY id").fetchall()
    assert [row[0] for row in found] == sorted(ids)
    with ledgers.by_hand() as connection:
        loose = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
        ).fetchall()
    assert loose == []


def test_a_ledger_in_a_file_needs_no_psycopg():
    code = (
        "import asyncio, sys\n"
        "from genlock.clock import SystemClock\n"
        "from genlock.ledger.sql import SqlLedger\n"
        "async def main():\n"
        "    await (await SqlLedger.open(sys.argv[1], SystemClock())).close()\n"
        "asyncio.run(main())\n"
        "assert not [name for name in sys.modules if name.startswith('psycopg')]\n"
    )
    subprocess.run([sys.executable, "-c", code, ":memory:"], check=True)


# Cost


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # A bitmap heap scan goes by the index scan below it, and changing a table by the scan that feeds it.
    named = "Relation Name" in plan or "Index Name" in plan
    if named and plan["Node Type"] not in ("Bitmap Heap Scan", "ModifyTable"):
        yield plan
    for below in plan.get("Plans", ()):
        yield from _scans(below)


_SMALL = {"holder"}  # one row a process
_SMALL_INDEXES = {"task_running", "task_parked", "job_unswept"}  # what runs, waits, was just paused


async def test_no_verb_scans_a_table(ledgers):
    """What a task costs must not depend on how many others there are."""
    ledger = await ledgers.open()
    plans: list[dict[str, Any]] = []
    await asyncio.to_thread(_explain_everything, ledger, plans)
    await ledger.create_job(
        _spec("job-1", NodeSpec("m", mapped=True), NodeSpec("z"), edges=(EdgeSpec("m", "z"),))
    )
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
    assert len(plans) > 60
    broad = [
        (scan["Node Type"], scan.get("Relation Name"), scan.get("Index Name"), plan["Query Text"])
        for plan in plans
        for scan in _scans(plan["Plan"])
        if "Index Cond" not in scan
        and scan.get("Relation Name") not in _SMALL
        and scan.get("Index Name") not in _SMALL_INDEXES
    ]
    assert broad == []


def _explain_everything(ledger: SqlLedger, plans: list[dict[str, Any]]) -> None:
    """Hear the plan of every statement that the writer's connection carries out."""

    def hear(notice: Any) -> None:
        text = str(notice.message_primary)
        if "plan:" in text:
            plans.append(json.loads(text.partition("plan:")[2]))

    driver = ledger._writer._transactions.connection.connection.driver_connection
    assert driver is not None
    driver.add_notice_handler(hear)
    for statement in (
        "LOAD 'auto_explain'",
        "SET auto_explain.log_min_duration = 0",
        "SET auto_explain.log_format = json",
        "SET auto_explain.log_level = notice",
        "SET enable_seqscan = off",
    ):
        driver.execute(statement)
    driver.commit()


def test_the_server_of_the_tests_leaves_nothing_behind(tmp_path):
    code = (
        "import os, signal, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import postgres\n"
        "server = postgres.Server()\n"
        "server.start()\n"
        "print(server.pid, server.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    folder = str(server_module.__file__).rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    pid, _, left = done.stdout.strip().partition(" ")
    for _ in range(500):
        if not _runs(int(pid)):
            break
        time.sleep(0.01)
    assert not _runs(int(pid))
    shutil.rmtree(left)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_two_who_share_the_same_result_at_the_same_time_are_both_done(ledgers):
    one = await ledgers.open()
    await one.create_job(_spec("job-1", NodeSpec("a")))
    await one.create_job(_spec("job-2", NodeSpec("a")))
    claims = {claim.task.job: claim for claim in await one.claim("me", limit=2)}
    with ledgers.by_hand() as other:
        other.execute("INSERT INTO shared VALUES ('same', 'job-2', '\"theirs\"')")
        done = asyncio.create_task(one.succeed(claims["job-1"], '"ours"', input_hash="same", share=True))
        await asyncio.to_thread(_until_somebody_waits, ledgers.url)
        other.commit()
        async with asyncio.timeout(20):
            await done
    assert await one.reader.shared("same") == '"theirs"'
    assert (await one.reader.job("job-1")).state == "completed"


async def test_a_job_that_comes_to_the_id_of_a_forgotten_one_has_its_own_graph_in_every_process(ledgers):
    one, other = await ledgers.open(), await ledgers.open()
    await one.create_job(_spec("job-1", NodeSpec("a"), NodeSpec("b"), edges=(EdgeSpec("a", "b"),)))
    (claim,) = await other.claim("me")
    await other.succeed(claim, "1")  # now both know the graph
    (claim,) = await one.claim("me")
    await one.succeed(claim, "1")
    assert list(await one.forget(SystemClock().now() + timedelta(days=1))) == ["job-1"]
    await one.create_job(_spec("job-1", NodeSpec("a"), NodeSpec("c"), edges=(EdgeSpec("a", "c"),)))
    (claim,) = await other.claim("me")
    assert (await other.succeed(claim, "1")).ready == (TaskRef("job-1", "c"),)
