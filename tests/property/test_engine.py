"""Any pipeline, with anything done to it and to the processes that run it, comes to what it must."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from recipe import JOB, KINDS, TROUBLES, Hand, Outcome, Reckoning, Step, drawn, lay, path_of

from books import Row, faults
from genlock.clock import SystemClock
from genlock.engine.attempt import Limits
from genlock.engine.engine import Engine
from genlock.engine.retry import RetryDefault
from genlock.errors import Conflict, NotFound
from genlock.executors.embedded import Embedded
from genlock.executors.resource import Resources
from genlock.ledger.records import TaskRef
from genlock.ledger.sql import SqlLedger

PATIENCE = 60.0  # seconds until everything is still
ENDLESS = 10**6  # reclaims: a test takes claims away more often than a machine breaks down

steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5)), max_size=4)
troubles = st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=8)
DEEDS = (
    "redo",
    "redo",
    "kill",
    "restart",
    "second",
    "steal",
    "signal",
    "pause",
    "resume",
    "retry",
    "call_off",
)
deeds = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.integers(0, 30), st.sampled_from([0.0, 0.001, 0.004, 0.015])),
    max_size=12,
)


class Wire:
    """A ledger as one process reaches it: when that is killed, what it says and hears ends here."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.cut = False

    def __getattr__(self, verb: str) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            if not self.cut:
                answer = await getattr(self._ledger, verb)(*args, **options)
            if self.cut:
                await asyncio.Event().wait()
            return answer

        return call


class Process:
    """An engine and an executor over a ledger that others use as well."""

    def __init__(self, ledger: SqlLedger, pipeline: Any, hand: Hand, name: str) -> None:
        self.wire = Wire(ledger)
        self.engine = Engine(
            self.wire,  # type: ignore[arg-type] - it has every verb of what is behind it
            ledger.reader,
            [pipeline],
            {Hand: hand},
            clock=SystemClock(),
            work=Path("nowhere"),
            limits=Limits(timedelta(minutes=1), RetryDefault(attempts=5, base=timedelta(0))),
            deadline=None,
            rng=random.Random(1),
        )
        self.executor = Embedded(
            self.engine, Resources({}), holder=name, concurrency=8, reclaims=ENDLESS, sole=False
        )

    async def kill(self) -> None:
        """Nothing is said any more, and nothing goes on."""
        self.wire.cut = True
        self.executor._tell(list(self.executor._bodies.values()))
        tasks = {body.task for body in self.executor._bodies.values()}
        if self.executor._loop is not None:
            tasks.add(self.executor._loop)
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.01)


class World:
    """A job, those who run it, and those who interfere."""

    def __init__(self, ledger: SqlLedger, recipe: list[Step], hand: Hand) -> None:
        self.ledger, self.reader = ledger, ledger.reader
        self.hand, self.recipe, self.pipeline = hand, recipe, drawn(recipe)
        self.processes: list[Process] = []
        self.number = 0
        self.called_off = False

    @property
    def engine(self) -> Engine:
        return self.processes[0].engine

    async def start(self) -> None:
        self.number += 1
        process = Process(self.ledger, self.pipeline, self.hand, f"process-{self.number}")
        self.processes.insert(0, process)
        await process.executor.start()

    async def do(self, deed: str, pick: int) -> None:
        note(f"{deed} {pick}")
        with suppress(Conflict, NotFound):
            await getattr(self, deed)(pick)

    async def kill(self, _: int) -> None:
        """SIGKILL, and another process finds what it left."""
        while self.processes:
            await self.processes.pop().kill()
        await self.ledger.reclaim(survivor="nobody", limit=ENDLESS)
        await self.start()

    async def restart(self, pick: int) -> None:
        while self.processes:
            await self.processes.pop().executor.stop(timedelta(milliseconds=pick % 3))
        await self.start()

    async def second(self, _: int) -> None:
        if len(self.processes) < 3:
            await self.start()

    async def steal(self, _: int) -> None:
        """Claims are taken away from bodies that go on, as when a lease has expired under a busy process."""
        await self.ledger.reclaim(survivor="nobody", limit=ENDLESS)
        await self.ring(0)

    async def ring(self, _: int) -> None:
        for process in self.processes:
            process.executor._bell.set()

    async def signal(self, _: int) -> None:
        for job in await self.jobs():
            for task in await self.reader.tasks(job):
                if task.state == "parked":
                    with suppress(Conflict):
                        await self.engine.signal(job, task.ref.key, "go", "yes")
        await self.ring(0)

    async def pause(self, _: int) -> None:
        await self.engine.pause(JOB)

    async def resume(self, _: int) -> None:
        await self.engine.resume(JOB)
        await self.ring(0)

    async def retry(self, _: int) -> None:
        await self.engine.retry(JOB)
        await self.ring(0)

    async def call_off(self, pick: int) -> None:
        """A nested job is cancelled, for good: what it decides has failed, until it is retried."""
        if nested := (await self.jobs())[1:]:
            await self.engine.cancel(nested[pick % len(nested)])
            self.called_off = True

    async def redo(self, pick: int) -> None:
        """Whatever is done again gets another take, before any body of it can look."""
        found = [
            task.ref
            for job in await self.jobs()
            for task in await self.reader.tasks(job)
            if task.state in ("done", "failed")
        ]
        if not found:
            return
        ref = found[pick % len(found)]
        async with self.hand.turn:
            plan = await self.engine.redo(ref.job, ref.key)
            note(f"redone: {plan.job} {plan.redone}")
            for key in plan.redone:
                self.hand.takes[path_of(f"{ref.job}/{key}")] += 1

    async def jobs(self) -> list[str]:
        """The job and those nested in it that still decide something."""
        found = [JOB]
        for job in found:
            found += [
                task.child_job
                for task in await self.reader.tasks(job)
                if task.child_job and task.state in ("spread", "done", "failed")
            ]
        return found

    async def until_still(self) -> str:
        """Let it go on to its end, answering its gates; how it ended."""
        with suppress(Conflict):
            await self.resume(0)
        end = asyncio.get_running_loop().time() + PATIENCE
        while not (row := await self.reader.job(JOB)).state.finished or await self.busy():
            assert asyncio.get_running_loop().time() < end, await self.standing()
            await self.signal(0)
            await asyncio.sleep(0.003)
        return str(row.state)

    async def busy(self) -> bool:
        return any(process.executor.busy for process in self.processes)

    async def standing(self) -> dict[str, str]:
        return {
            f"{job}/{task.ref.key}": f"{task.state} {task.holder or ''}"
            for job in await self.jobs()
            for task in await self.reader.tasks(job)
        }

    async def compare(self, reckoning: Reckoning) -> None:
        """Every task stands as it was reckoned to."""
        for job in await self.jobs():
            for task in await self.reader.tasks(job):
                path = path_of(str(task.ref))
                outcome = reckoning.tasks.get(path, Outcome("blocked"))
                assert task.state == outcome.state, (path, outcome, task)
                if task.output is not None and task.child_job is None:
                    assert json.loads(task.output) == outcome.value, path

    async def until_as_reckoned(self, before: Reckoning | None) -> Reckoning:
        """Let it come to its end, and see that this is the one that was to be expected."""
        state = await self.until_still()
        if self.called_off:
            self.called_off = False
            await self.do("retry", 0)
            state = await self.until_still()
        reckoning = Reckoning(self.hand, before)
        result = lay(self.recipe, Outcome("done", 5), reckoning)
        await self.compare(reckoning)
        assert state == ("failed" if reckoning.failed else "completed")
        if not reckoning.failed:
            assert (await self.engine.show(JOB)).result == result.value
        return reckoning

    async def end(self) -> None:
        """Cancelled, nothing of it runs any more, and it stays so whoever comes."""
        with suppress(Conflict):
            await self.engine.cancel(JOB)
        before = await self.standing()
        await self.kill(0)
        await asyncio.sleep(0.01)
        assert not await self.busy()
        assert await self.standing() == before
        await self.check_effects()

    async def check_effects(self) -> None:
        """No attempt ran twice, and none after the one that was recorded as done."""
        for (key, revision), attempts in self.hand.starts.items():
            assert len(set(attempts)) == len(attempts), (key, revision, attempts)
            job, _, rest = key.partition("/")
            with suppress(NotFound):
                row = await self.reader.task(TaskRef(job, rest))
                if row.revision == revision:
                    assert max(attempts) <= row.attempt, (key, revision, attempts, row.attempt)

    async def close(self) -> None:
        for process in self.processes:
            await process.executor.stop()


async def live(
    path: Path, recipe: list[Step], hand: Hand, done: list[tuple[str, int, float]], *, ended: bool
) -> None:
    ledger = await SqlLedger.open(path, SystemClock())
    world = World(ledger, recipe, hand)
    try:
        await world.start()
        await world.engine.start("random", {"x": 5}, id=JOB)
        for deed, pick, delay in done:
            await asyncio.sleep(delay)
            await world.do(deed, pick)
        if ended:
            await world.end()
            return
        reckoning = await world.until_as_reckoned(None)
        if reckoning.failed:
            hand.repaired = True
            await world.do("retry", 0)
            await world.until_as_reckoned(reckoning)
        await world.check_effects()
    finally:
        await world.close()
        await ledger.close()


@pytest.fixture(scope="module")
def files() -> Iterator[Callable[[], Path]]:
    """New ledgers, copied from one that has its tables."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        template, path = Path(folder, "template.db"), Path(folder, "ledger.db")
        asyncio.run(_make(template))

        def fresh() -> Path:
            for old in Path(folder).glob("ledger.db*"):
                old.unlink()
            shutil.copy(template, path)
            return path

        yield fresh


async def _make(path: Path) -> None:
    await (await SqlLedger.open(path, SystemClock())).close()


def rows_of(path: Path) -> Callable[[str], list[Row]]:
    def query(statement: str) -> list[Row]:
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement)]

    return query


def test_any_pipeline_comes_to_what_it_must_whatever_is_done_to_it(
    files: Callable[[], Path], profile: settings, prove: bool
) -> None:
    @settings(profile, max_examples=1500 if prove else 30)
    @given(recipe=steps, troubles=troubles, done=deeds, ended=st.integers(0, 5))
    def history(
        recipe: list[Step], troubles: list[str], done: list[tuple[str, int, float]], ended: int
    ) -> None:
        path = files()
        asyncio.run(live(path, recipe, Hand(troubles), done, ended=ended == 5))
        assert faults(rows_of(path)) == []

    history()
