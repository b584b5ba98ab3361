"""Pipelines made up at random, and what they must come to, by reckoning from the input alone.

A recipe is laid twice: with stages, which draws a pipeline, and with outcomes, which are numbers and
need no engine. What a body does beside its sum (fail at first, wait, skip…) is chosen by its path.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from genlock import Permanent, Pipeline, Skip, Task, Transient, pipeline, provided, stage

JOB = "top"
TROUBLES = ("none", "none", "slow", "flaky", "snooze", "gate", "once", "skip", "broken")
KINDS = ("plus", "lenient", "gated", "fan", "some", "inner", "inners")
MOST = 3  # items of a map

Step = tuple[str, int, int]


@dataclass
class Hand:
    """What bodies are told to do, and what they did. A body's `take` changes when it is done again."""

    troubles: Sequence[str]
    takes: Counter[str] = field(default_factory=Counter)
    failed: set[tuple[str, int]] = field(default_factory=set)
    starts: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    drawn: dict[tuple[str, int], int] = field(default_factory=Counter)
    repaired: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def trouble(self, path: str) -> str:
        found = self.troubles[zlib.crc32(path.encode()) % len(self.troubles)]
        stage = re.split(r"[-/]", path.partition("/")[2])[0]
        return "none" if found in ("skip", "broken") and stage not in ("plus", "each") else found

    async def perform(self, task: Task, total: int) -> int:
        """The body of every stage: some trouble, then a sum."""
        path = path_of(task.key)
        self.starts[task.key, task.revision].append(task.attempt)
        async with self.turn:
            take = self.takes[path]
        match self.trouble(path):
            case "slow":
                await asyncio.sleep(0.003)
            case "flaky" if (path, take) not in self.failed:
                self.failed.add((path, take))
                raise Transient("the first try goes wrong")
            case "snooze":
                await task.snooze(datetime.fromisoformat(await task.once("until", self._soon, of=str)))
            case "gate":
                assert await task.event("go") == "yes"
            case "once":
                assert await task.once("number", lambda: self._draw(task), of=int) <= task.attempt
            case "skip":
                raise Skip("there is nothing to do")
            case "broken" if not self.repaired:
                raise Permanent("it cannot be done")
        return worth(total, take)

    async def _soon(self) -> str:
        return (datetime.now(UTC) + timedelta(milliseconds=4)).isoformat()

    async def _draw(self, task: Task) -> int:
        return task.attempt


def path_of(key: str) -> str:
    """The task's place, in whichever child job it is by now: `.inner/plus` from `top.inner-r2/plus`."""
    job, _, rest = key.partition("/")
    return re.sub(r"-[ra]\d+", "", job).removeprefix(JOB) + "/" + rest


def worth(total: int, take: int) -> int:
    return (3 * total + 7 * take + 1) % 100


@stage
async def plus(a: int, b: int, *, hand: Hand = provided(), task: Task = provided()) -> int:
    return await hand.perform(task, a + b)


@stage
async def gated(a: int, b: int, *, hand: Hand = provided(), task: Task = provided()) -> int:
    return await hand.perform(task, a + b)


@stage
async def lenient(a: int | None, b: int | None, *, hand: Hand = provided(), task: Task = provided()) -> int:
    return await hand.perform(task, (a or 0) + (b or 0))


@stage
async def odd(a: int, *, hand: Hand = provided(), task: Task = provided()) -> bool:
    return bool(await hand.perform(task, a) % 2)


@stage
async def many(a: int, *, hand: Hand = provided(), task: Task = provided()) -> list[int]:
    return list(range(await hand.perform(task, a) % (MOST + 1)))


@stage
async def each(item: int, a: int, *, hand: Hand = provided(), task: Task = provided()) -> int:
    return await hand.perform(task, item + a)


@stage
async def total(items: list[int | None], *, hand: Hand = provided(), task: Task = provided()) -> int:
    return await hand.perform(task, sum(item or 0 for item in items))


class Wires:
    """Lays a recipe with stages."""

    def plus(self, a: Any, b: Any) -> Any:
        return plus(a, b)

    def lenient(self, a: Any, b: Any) -> Any:
        return lenient(a, b)

    def gated(self, a: Any, b: Any) -> Any:
        return gated.when(odd(a))(a, b)

    def fan(self, a: Any, b: Any, need: int | None = None) -> Any:
        return total(each.map(many(a), b) if need is None else each.map(many(a), b, need=need))

    def inner(self, a: Any) -> Any:
        return inner(a)

    def inners(self, a: Any) -> Any:
        return total(inner.map(many(a)))


def lay(steps: Sequence[Step], x: Any, with_: Any) -> Any:
    """A recipe: each step takes two of the values so far, those that may be missing only where they may."""
    sure, values = [x], [x]
    for kind, first, second in steps:
        a, b = sure[first % len(sure)], sure[second % len(sure)]
        made = {
            "plus": lambda a=a, b=b: with_.plus(a, b),
            "lenient": lambda i=first, j=second: with_.lenient(
                values[-1 - i % len(values)], values[-1 - j % len(values)]
            ),
            "gated": lambda a=a, b=b: with_.gated(a, b),
            "fan": lambda a=a, b=b: with_.fan(a, b),
            "some": lambda a=a, b=b: with_.fan(a, b, 1),
            "inner": lambda a=a: with_.inner(a),
            "inners": lambda a=a: with_.inners(a),
        }[kind]()
        values.append(made)
        if kind != "gated":
            sure.append(made)
    return with_.lenient(values[-1], values[len(values) // 2])


INNER: list[Step] = [("plus", 0, 0), ("some", 0, 0)]


@pipeline
def inner(x: int) -> int:
    return lay(INNER, x, Wires())


def drawn(steps: Sequence[Step]) -> Pipeline[[int], int]:
    """The pipeline of a recipe."""

    def random(x: int) -> int:
        return lay(steps, x, Wires())

    return pipeline(random)


# Reckoning


@dataclass(frozen=True)
class Outcome:
    """What a task comes to: done with a value, skipped, failed, or blocked for ever."""

    state: str
    value: Any = None


class Reckoning:
    """Lays a recipe with outcomes; `tasks` has that of every task, by its path.

    `before` is a reckoning that some tasks have come to already: those that were done stay as they are.
    """

    def __init__(self, hand: Hand, before: Reckoning | None = None, prefix: str = "") -> None:
        self._hand, self._before, self._prefix = hand, before, prefix
        self._names: Counter[str] = Counter()
        self.tasks: dict[str, Outcome] = {} if before is None else dict(before.tasks)
        self.nodes: list[Outcome] = []

    @property
    def failed(self) -> bool:
        return any(node.state == "failed" for node in self.nodes)

    def plus(self, a: Outcome, b: Outcome) -> Outcome:
        return self._stage("plus", [a, b], lambda: a.value + b.value)

    def lenient(self, a: Outcome, b: Outcome) -> Outcome:
        return self._stage("lenient", [a, b], lambda: (a.value or 0) + (b.value or 0), optional=True)

    def gated(self, a: Outcome, b: Outcome) -> Outcome:
        flag = self._stage("odd", [a], lambda: a.value, then=lambda value: bool(value % 2))
        if flag == Outcome("done", False):
            return self._node("gated", [flag, a, b], lambda _: Outcome("skipped"))
        return self._stage("gated", [flag, a, b], lambda: a.value + b.value)

    def fan(self, a: Outcome, b: Outcome, need: int | None = None) -> Outcome:
        items = self._many(a)
        mapped = self._node(
            "each",
            [items, b],
            lambda path: self._map(
                path, items, need, lambda child, item: self._body(child, lambda: item + b.value)
            ),
        )
        return self._total(mapped)

    def inner(self, a: Outcome) -> Outcome:
        return self._node("inner", [a], lambda path: self._nested(path, a.value))

    def inners(self, a: Outcome) -> Outcome:
        items = self._many(a)
        mapped = self._node("inner", [items], lambda path: self._map(path, items, None, self._nested))
        return self._total(mapped)

    def _many(self, a: Outcome) -> Outcome:
        return self._stage("many", [a], lambda: a.value, then=lambda value: list(range(value % (MOST + 1))))

    def _total(self, mapped: Outcome) -> Outcome:
        return self._stage("total", [mapped], lambda: sum(item or 0 for item in mapped.value))

    def _stage(
        self,
        name: str,
        ups: list[Outcome],
        total: Callable[[], int],
        *,
        then: Callable[[int], Any] = lambda value: value,
        optional: bool = False,
    ) -> Outcome:
        def run(path: str) -> Outcome:
            found = self._body(path, total)
            return Outcome(found.state, then(found.value)) if found.state == "done" else found

        return self._node(name, ups, run, optional=optional)

    def _node(
        self, name: str, ups: list[Outcome], run: Callable[[str], Outcome], *, optional: bool = False
    ) -> Outcome:
        self._names[name] += 1
        number = self._names[name]
        path = f"{self._prefix}/{name}" + (f"-{number}" if number > 1 else "")
        states = [up.state for up in ups]
        if "skipped" in states and not optional:
            found = Outcome("skipped")
        elif {"failed", "blocked"} & set(states):
            found = Outcome("blocked")
        else:
            found = self._stays(path) or run(path)
        self.tasks[path] = found
        self.nodes.append(found)
        return found

    def _stays(self, path: str) -> Outcome | None:
        known = self._before.tasks.get(path) if self._before else None
        return known if known and known.state == "done" else None

    def _body(self, path: str, total: Callable[[], int]) -> Outcome:
        trouble = self._hand.trouble(path)
        if trouble == "skip":
            return Outcome("skipped")
        if trouble == "broken" and not self._hand.repaired:
            return Outcome("failed")
        return Outcome("done", worth(total(), self._hand.takes[path]))

    def _map(
        self, path: str, items: Outcome, need: int | None, run: Callable[[str, int], Outcome]
    ) -> Outcome:
        found = []
        for index, item in enumerate(items.value):
            child = f"{path}/{index}"
            self.tasks[child] = self._stays(child) or run(child, item)
            found.append(self.tasks[child])
        failed = sum(outcome.state == "failed" for outcome in found)
        if len(found) - failed < (len(found) if need is None else need):
            return Outcome("failed")
        return Outcome("done", [outcome.value for outcome in found])

    def _nested(self, path: str, x: int) -> Outcome:
        node, _, index = path.removeprefix("/").partition("/")
        place = node.replace("-", "~") + (f"-{index}" if index else "")
        below = Reckoning(self._hand, self._before, f".{place}")
        result = lay(INNER, Outcome("done", x), below)
        self.tasks |= {
            name: outcome for name, outcome in below.tasks.items() if name.startswith(below._prefix + "/")
        }
        if below.failed:
            return Outcome("failed")
        return Outcome("done", result.value)
