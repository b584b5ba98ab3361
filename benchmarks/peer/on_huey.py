"""The work of `trial.py` on Huey, with SQLite in WAL mode and `fsync`, which is synchronous=FULL.

`fanout` is a chord: a group of tasks and one that is handed their results. `chain` is a pipeline of tasks.
The consumer runs in this process with four threads, which look for work every few milliseconds instead of
at its default of 0.1 s to 10 s. Huey removes a task from its queue before it runs it, so one that a kill
interrupts is lost. Therefore `leave` stops a moment earlier than with the others: when the last task is in
the queue and nobody has taken it.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

from drive import STAGES, begun, check, drive, total
from huey import SqliteHuey
from huey.api import group

WORKERS = 4
PATIENCE = 3600.0  # seconds, until a result is given up
resumed: list[float] = []  # when the last task of a killed job began
done = threading.Event()


class Tasks:
    """The tasks of one database, and the consumer that runs them."""

    def __init__(self, place: str) -> None:
        logging.disable(logging.WARNING)
        path = Path(place)
        path.mkdir(parents=True, exist_ok=True)
        self.huey = SqliteHuey("trial", filename=str(path / "huey.db"), fsync=True)
        self.same = self.huey.task()(same)
        self.add = self.huey.task()(add)
        self.end = self.huey.task()(end)

    def consume(self) -> None:
        self.huey.create_consumer(
            workers=WORKERS, worker_type="thread", periodic=False, initial_delay=0.001, max_delay=0.005
        ).start()

    def fan_out(self, count: int, last: Any) -> Any:
        """The result of the last task, which is yet to come."""
        return self.huey.enqueue(group([self.same.s(value) for value in range(count)]).then(last))


def same(value: int) -> int:
    return value


def add(values: list[int]) -> int:
    return sum(values)


def end(values: list[int]) -> int:
    resumed.append(time.perf_counter())
    check(sum(values), total(len(values)))
    done.set()
    return len(values)


def result_of(pending: Any) -> Any:
    return pending.get(blocking=True, timeout=PATIENCE, backoff=1.0, max_delay=0.005)


def try_fanout(count: int, place: str) -> float:
    tasks = Tasks(place)
    tasks.consume()
    began = time.perf_counter()
    check(result_of(tasks.fan_out(count, tasks.add)), total(count))
    return time.perf_counter() - began


def try_chain(count: int, place: str) -> float:
    tasks = Tasks(place)
    tasks.consume()
    began = time.perf_counter()
    for value in range(count):
        task = tasks.same.s(value)
        for _ in range(STAGES - 1):
            task = task.then(tasks.same)
        *_, last = tasks.huey.enqueue(task)
        check(result_of(last), value)
    return time.perf_counter() - began


def try_leave(count: int, place: str) -> float:
    """Runs exactly so many tasks, of which the last to end puts `end` into the queue."""
    tasks = Tasks(place)
    tasks.fan_out(count, tasks.end)
    for _ in range(count):
        tasks.huey.execute(tasks.huey.dequeue())
    begun(count)
    time.sleep(PATIENCE)
    return 0.0


def try_resume(count: int, place: str) -> float:
    began = time.perf_counter()
    Tasks(place).consume()
    if not done.wait(PATIENCE):
        raise SystemExit(f"{count} tasks were done, and the last one did not run")
    return resumed[0] - began


if __name__ == "__main__":
    drive("huey", {"fanout": try_fanout, "chain": try_chain, "leave": try_leave, "resume": try_resume})
