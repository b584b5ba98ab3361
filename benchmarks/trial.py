"""One measurement of the engine, in a process of its own, which says what it found as a line of JSON.

python benchmarks/trial.py fanout 10000 FOLDER   # FOLDER is the home, on the disk to be measured

Each goes through what `genlock.open_engine` opens: SQLite in WAL mode with synchronous=FULL, the embedded
executor, and the settings that everybody has. Whatever is imported is imported before the clock starts.

`fanout`: a job of so many tasks that do nothing, and one that adds up what they answered; from starting it
to having its result. `chain`: so many jobs of ten stages each, one job after another. `wait`: as `fanout`,
of tasks that wait a second each, as many at once as there are. `leave`: as `fanout`, but the last stage says
that it has begun and never ends, so that the process can be killed there. `resume`: goes on with that job;
from opening the ledger to the first line of the last stage, which is handed all results.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import structlog

import genlock.ledger.sql  # what `open_engine` would import when it is called
import genlock.pipelines.campaign_set  # noqa: F401 - likewise
from genlock import Engine, Pipeline, open_engine, pipeline, provided, stage

JOB = "trial"
STAGES = 10  # of a chain
Found = dict[str, Any]


class Last:
    """What the last stage of a job that is to be killed does first."""

    async def begin(self, values: list[int]) -> None:
        """Say so, and never end."""
        print(json.dumps({"sum": sum(values)}), flush=True)
        await asyncio.Event().wait()


class Resumed(Last):
    """What the same stage does when the job goes on."""

    def __init__(self) -> None:
        self.began_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def begin(self, values: list[int]) -> None:
        self.began_at.set_result(time.perf_counter())
        check(sum(values), sum(range(len(values))))


@stage
async def numbers(count: int) -> list[int]:
    return list(range(count))


@stage
async def same(value: int) -> int:
    return value


@stage
async def late(value: int) -> int:
    await asyncio.sleep(1.0)
    return value


@stage
async def add(values: list[int]) -> int:
    return sum(values)


@stage
async def end(values: list[int], *, last: Last = provided()) -> int:
    await last.begin(values)
    return len(values)


@pipeline
def fanout(count: int) -> int:
    return add(same.map(numbers(count)))


@pipeline
def wait(count: int) -> int:
    return add(late.map(numbers(count)))


@pipeline
def leave(count: int) -> int:
    return end(same.map(numbers(count)))


@pipeline
def chain(value: int) -> int:
    for _ in range(STAGES):
        value = same(value)
    return value


PIPELINES = (fanout, wait, leave, chain)


async def run_map(engine: Engine, mapped: Pipeline[[int], int], count: int) -> Found:
    """A job of so many tasks, checked by what it comes to."""
    began = time.perf_counter()
    total = await engine.run(mapped, count)
    seconds = time.perf_counter() - began
    check(total, count * (count - 1) // 2)
    return {"seconds": seconds}


async def run_chains(engine: Engine, jobs: int) -> Found:
    """Jobs one after another, so that no stage shares a commit with another job's."""
    began = time.perf_counter()
    for value in range(jobs):
        check(await engine.run(chain, value), value)
    return {"seconds": time.perf_counter() - began}


def check(found: int, expected: int) -> None:
    """That the work was done: a figure for something else is none."""
    if found != expected:
        raise SystemExit(f"it came to {found}, not {expected}")


def opened(home: Path, last: Last | None = None, **settings: Any) -> AbstractAsyncContextManager[Engine]:
    return open_engine(PIPELINES, tools={Last: last or Last()}, home=home, **settings)


async def try_fanout(count: int, home: Path) -> Found:
    async with opened(home) as engine:
        return await measured(run_map(engine, fanout, count))


async def try_wait(count: int, home: Path) -> Found:
    async with opened(home, concurrency=count) as engine:
        return await measured(run_map(engine, wait, count))


async def try_chain(count: int, home: Path) -> Found:
    async with opened(home) as engine:
        return await measured(run_chains(engine, count))


async def try_leave(count: int, home: Path) -> Found:
    async with opened(home) as engine:
        await engine.start("leave", {"count": count}, id=JOB)
        return {"result": await engine.result(leave, JOB)}


async def try_resume(count: int, home: Path) -> Found:
    last = Resumed()
    began = time.perf_counter()
    async with opened(home, last) as engine:
        seconds = await last.began_at - began
        check(await engine.result(leave, JOB), count)
    return {"seconds": seconds}


async def measured(work: Awaitable[Found]) -> Found:
    """What it found, with the greatest memory of this process in MB and the CPU seconds of its threads."""
    before = cpu_seconds()
    found = await work
    spent = {name: round(seconds - before[name], 3) for name, seconds in cpu_seconds().items()}
    return {**found, "peak_mb": peak_mb(), "cpu_s": spent}


def peak_mb() -> float:
    """The most that was in memory at once. What `getrusage` says on Linux may be the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def cpu_seconds() -> dict[str, float]:
    """By thread: the event loop's, the ledger's writer, and all others, which mostly read."""
    tick = os.sysconf("SC_CLK_TCK")
    spent = {"loop": 0.0, "writer": 0.0, "readers": 0.0}
    for thread in threading.enumerate():
        if thread is threading.main_thread():
            name = "loop"
        else:
            name = "writer" if thread.name == "genlock-ledger" else "readers"
        stat = Path(f"/proc/self/task/{thread.native_id}/stat")
        if stat.exists():
            user, system = stat.read_text().rpartition(")")[2].split()[11:13]
            spent[name] += (int(user) + int(system)) / tick
    return spent


TRIALS: dict[str, Callable[[int, Path], Awaitable[Found]]] = {
    "fanout": try_fanout,
    "chain": try_chain,
    "wait": try_wait,
    "leave": try_leave,
    "resume": try_resume,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("count", type=int)
    parser.add_argument("home", type=Path)
    given = parser.parse_args()

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    async def attempt() -> Found:
        return await TRIALS[given.trial](given.count, given.home)

    print(json.dumps(asyncio.run(attempt())))


if __name__ == "__main__":
    main()
