"""The work of `trial.py` on DBOS Transact, with its state in SQLite (a folder) or PostgreSQL (a URL).

`fanout` is a workflow that gathers so many steps started at once: more than twice as fast as a child workflow
for each on a queue, the other way its documentation gives. (A plain loop of steps is faster still, but runs
them one after another, so it is no fan-out; it is what `chain` measures.) `resume` measures from
`DBOS.launch` to the last step's first line.

SQLite is put into WAL mode, which DBOS leaves alone; its synchronous=FULL is SQLite's own default.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

from dbos import DBOS, SetWorkflowID
from drive import STAGES, begun, check, drive, total

JOB = "trial"
THREADS = 8  # that write: without a limit there are as many as steps, which is slower
resumed: list[float] = []  # when the last step of a killed workflow began anew
running_again = threading.Event()


@DBOS.step()
def same(value: int) -> int:
    return value


@DBOS.step()
async def same_at_once(value: int) -> int:
    return value


@DBOS.step()
async def add(values: list[int]) -> int:
    return sum(values)


@DBOS.step()
async def end(values: list[int], *, leave: bool) -> int:
    began = time.perf_counter()
    check(sum(values), total(len(values)))
    if leave and not running_again.is_set():
        begun(len(values))
        await asyncio.Event().wait()
    resumed.append(began)
    return len(values)


@DBOS.workflow()
async def fanout(count: int) -> int:
    return await add(await asyncio.gather(*(same_at_once(number) for number in range(count))))


@DBOS.workflow()
async def killed(count: int) -> int:
    values = await asyncio.gather(*(same_at_once(number) for number in range(count)))
    return await end(values, leave=True)


@DBOS.workflow()
def chain(value: int) -> int:
    for _ in range(STAGES):
        value = same(value)
    return value


def configure(place: str) -> None:
    url = place
    if "://" not in place:
        path = Path(place) / "dbos.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        url = f"sqlite:///{path}"
    threads = {"max_executor_threads": THREADS}
    DBOS(config={"name": "trial", "system_database_url": url, "log_level": "ERROR", **threads})


def try_fanout(count: int, place: str) -> float:
    configure(place)
    DBOS.launch()
    began = time.perf_counter()
    check(asyncio.run(fanout(count)), total(count))
    return time.perf_counter() - began


def try_chain(count: int, place: str) -> float:
    configure(place)
    DBOS.launch()
    began = time.perf_counter()
    for value in range(count):
        check(chain(value), value)
    return time.perf_counter() - began


def try_leave(count: int, place: str) -> float:
    configure(place)
    DBOS.launch()
    with SetWorkflowID(JOB):
        asyncio.run(killed(count))
    return 0.0


def try_resume(count: int, place: str) -> float:
    configure(place)
    running_again.set()
    began = time.perf_counter()
    DBOS.launch()  # goes on with what it finds unfinished
    check(DBOS.retrieve_workflow(JOB).get_result(), count)
    return resumed[0] - began


if __name__ == "__main__":
    drive("dbos", {"fanout": try_fanout, "chain": try_chain, "leave": try_leave, "resume": try_resume})
