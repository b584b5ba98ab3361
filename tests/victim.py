"""A small pipeline with one of everything, run in a process of its own that is told where to die.

Its bodies write into a journal what they have done, right before they return: whoever was killed later
than that, but before the ledger took the result, has worked for nothing, and must be the only one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import secrets
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from genlock import Permanent, Skip, Task, Transient, open_engine, pipeline, provided, stage
from genlock.engine.declare import Retry
from genlock.errors import Conflict

JOB = "film"
QUICK = Retry(attempts=3, on=Transient, base=timedelta(milliseconds=1))


class Journal:
    """Lines on the disk, one for each thing that a body did."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, task: Task, what: str = "did") -> None:
        line = json.dumps([task.key, task.revision, task.attempt, what]) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    def count(self, key: str, what: str = "did") -> int:
        return self.lines()[key, what]

    def lines(self) -> Counter[tuple[str, str]]:
        """How often each task did what."""
        text = self.path.read_text() if self.path.exists() else ""
        return Counter((key, what) for key, _, _, what in map(json.loads, text.splitlines()))


@stage
async def script(shots: int, *, journal: Journal = provided(), task: Task = provided()) -> list[int]:
    journal.write(task)
    return list(range(shots))


@stage(retry=QUICK)
async def shoot(shot: int, *, journal: Journal = provided(), task: Task = provided()) -> str:
    if shot == 1 and not journal.count(task.key, "failed"):
        journal.write(task, "failed")
        raise Transient("the first try goes wrong")
    if shot == 2:
        raise Permanent("this one is never to be had")
    journal.write(task)
    return f"shot {shot}"


@stage
async def title(shots: int, *, journal: Journal = provided(), task: Task = provided()) -> str:
    async def draw() -> str:
        drawn = secrets.token_hex(4)
        journal.write(task, f"drew {drawn}")
        return drawn

    drawn = await task.once("title", draw, of=str)
    await task.snooze(await _in_a_moment(task))
    journal.write(task, f"used {drawn}")
    journal.write(task)
    return drawn


async def _in_a_moment(task: Task) -> datetime:
    async def act() -> str:
        return (datetime.now(UTC) + timedelta(milliseconds=30)).isoformat()

    return datetime.fromisoformat(await task.once("until", act, of=str))


@stage
async def joke(shots: int) -> str:
    raise Skip("nothing comes to mind")


@stage
async def approve(
    title: str, joke: str | None, *, journal: Journal = provided(), task: Task = provided()
) -> str:
    answer: str = await task.event("approved")
    journal.write(task)
    return f"{title}, {joke}: {answer}"


@stage
async def voice(shot: int, *, journal: Journal = provided(), task: Task = provided()) -> str:
    journal.write(task)
    return f"voice {shot}"


@stage
async def mix(voice: str, *, journal: Journal = provided(), task: Task = provided()) -> str:
    journal.write(task)
    return f"mixed {voice}"


@pipeline
def sound(shot: int) -> str:
    return mix(voice(shot))


@stage
async def cut(
    shots: list[str | None],
    sounds: list[str],
    title: str,
    *,
    journal: Journal = provided(),
    task: Task = provided(),
) -> list[Any]:
    journal.write(task)
    return [shots, sounds, title]


@pipeline
def film(shots: int) -> list[Any]:
    numbers = script(shots)
    name = approve(title(shots), joke(shots))
    return cut(shoot.map(numbers, need=2), sound.map(numbers), name)


def expected(drawn: str) -> list[Any]:
    """What the film must come to, whatever happens on the way."""
    return [
        ["shot 0", "shot 1", None],
        ["mixed voice 0", "mixed voice 1", "mixed voice 2"],
        f"{drawn}, None: yes",
    ]


# In the process that may die


def carry(home: Path, order: str | None, width: int) -> None:
    """Start the film or go on with it, answer its gate, and write down what it came to."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(_carry(home, order, width))


async def _carry(home: Path, order: str | None, width: int) -> None:
    options: dict[str, Any] = {"home": home, "failpoint": order, "cpu": 1, "concurrency": width}
    tools = {Journal: Journal(home / "journal")}
    async with open_engine([film], tools=tools, **options) as engine:
        await engine.start("film", {"shots": 3}, id=JOB)
        async for event in engine.watch(JOB):
            if (event.kind, event.task) == ("task.parked", "approve"):
                with suppress(Conflict):  # it was answered before the process died
                    await engine.signal(JOB, "approve", "approved", "yes")
        result = await engine.result(film, JOB)
    (home / "result.json").write_text(json.dumps(result))


class Victims:
    """Processes started from a warm server: it has imported everything, and holds no lock and no file."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["victim", "genlock.bootstrap", "genlock.ledger.sql"])

    def run(self, home: Path, order: str | None, width: int) -> int:
        """Carry the film, `width` tasks at once; how the process ended: 0, or minus what killed it."""
        process = self._context.Process(target=carry, args=(home, order, width))
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise AssertionError(f"the process hangs: {order} in {home}")
        return process.exitcode


# What can be seen from outside


@dataclass(frozen=True)
class Sight:
    """A home as it lies on the disk while no process has it."""

    home: Path

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        path = self.home / "ledger.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as database:
            try:
                return database.execute(statement).fetchall()
            except sqlite3.OperationalError:  # it died before there were tables
                return []

    @cached_property
    def tasks(self) -> dict[str, tuple[str, str | None]]:
        """State and output of every task of every job, by `job/key`."""
        return {key: rest for key, *rest in self.query("SELECT job || '/' || key, state, output FROM task")}

    @cached_property
    def finished(self) -> set[str]:
        return {key for key, (state, _) in self.tasks.items() if state in ("done", "failed", "skipped")}

    @cached_property
    def running(self) -> set[str]:
        return {key for key, (state, _) in self.tasks.items() if state == "running"}

    @cached_property
    def events(self) -> dict[str, list[tuple[Any, ...]]]:
        """Of each job, in their order: number, kind, task, data."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        for job, *event in self.query("SELECT job, seq, kind, task, data FROM event ORDER BY job, seq"):
            found.setdefault(job, []).append(tuple(event))
        return found

    @cached_property
    def notes(self) -> dict[tuple[str, str], str]:
        rows = self.query(
            "SELECT task.job || '/' || key, name, value FROM note JOIN task ON task.id = note.task"
        )
        return {(key, name): value for key, name, value in rows}

    @cached_property
    def journal(self) -> Counter[tuple[str, str]]:
        return Journal(self.home / "journal").lines()
