"""The work of `trial.py` on Luigi: tasks whose targets are files, one process, the scheduler inside it.

One worker is faster for tasks that do nothing: with more, Luigi forks a process for each task. A target is
a file that is renamed into place and not synced, so this promises less than a commit does.

What Luigi remembers of a finished task is its target. `leave` writes those files itself, because running
10,000 tasks takes Luigi the better part of an hour: the time per task grows with their number.
"""

from __future__ import annotations

import time
from pathlib import Path

import luigi
from drive import STAGES, begun, check, drive, total

folder = Path()
leaving = False
resumed: list[float] = []  # when the last task began


class Kept(luigi.Task):  # type: ignore[misc]
    """A task whose result is a number in a file."""

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(str(folder / self.task_id))

    def keep(self, value: int) -> None:
        with self.output().open("w") as file:
            file.write(str(value))

    def kept(self) -> int:
        with self.output().open() as file:
            return int(file.read())


class Same(Kept):
    value = luigi.IntParameter()

    def run(self) -> None:
        self.keep(self.value)


class Add(Kept):
    count = luigi.IntParameter()

    def requires(self) -> list[Same]:
        return [Same(value) for value in range(self.count)]

    def run(self) -> None:
        self.keep(sum(task.kept() for task in self.requires()))


class End(Add):
    def run(self) -> None:
        resumed.append(time.perf_counter())
        if leaving:
            begun(self.count)
            time.sleep(3600)
        super().run()


class Stage(Kept):
    job = luigi.IntParameter()
    number = luigi.IntParameter()

    def requires(self) -> list[Stage]:
        return [Stage(self.job, self.number - 1)] if self.number else []

    def run(self) -> None:
        self.keep(self.requires()[0].kept() if self.number else self.job)


def build(task: Kept) -> int:
    """Run a task and all it requires; its result."""
    check(luigi.build([task], local_scheduler=True, workers=1, log_level="ERROR"), True)
    return task.kept()


def settle(place: str) -> None:
    global folder  # noqa: PLW0603 - tasks find their files by it, and a parameter would be part of each name
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)


def try_fanout(count: int, place: str) -> float:
    settle(place)
    began = time.perf_counter()
    check(build(Add(count)), total(count))
    return time.perf_counter() - began


def try_chain(count: int, place: str) -> float:
    settle(place)
    began = time.perf_counter()
    for job in range(count):
        check(build(Stage(job, STAGES - 1)), job)
    return time.perf_counter() - began


def try_leave(count: int, place: str) -> float:
    global leaving  # noqa: PLW0603 - see above
    leaving = True
    settle(place)
    for value in range(count):
        Same(value).keep(value)
    build(End(count))
    return 0.0


def try_resume(count: int, place: str) -> float:
    settle(place)
    began = time.perf_counter()
    check(build(End(count)), total(count))
    return resumed[0] - began


if __name__ == "__main__":
    drive("luigi", {"fanout": try_fanout, "chain": try_chain, "leave": try_leave, "resume": try_resume})
