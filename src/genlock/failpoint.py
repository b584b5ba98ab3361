"""Points at which a process can be told to kill itself, for proving that nothing is lost there.

A kill that comes by chance misses the moments that matter, so they are given numbers: each commit of the
ledger is one, and code that crosses another border which a crash may cut through wraps it in `around`.
`GENLOCK_FAILPOINT` says what is to happen, and is for proofs alone:

    commit:17:after     SIGKILL as soon as the 17th commit of this process is on the disk
    commit:17:before    ... and at the last instant before it is
    list:points.txt     kill nothing: write down every point the process comes to, one a line

Each line of such a list, set as `GENLOCK_FAILPOINT` in turn, kills at that point: so all can be tried.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genlock.errors import BadInput

Moment = Literal["before", "after"]

_NOTHING = nullcontext()
_armed: Trap | None = None
_instead: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of a run: right before or right after the `number`th time that it does something of a kind."""

    kind: str
    number: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}:{self.moment}"


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do about the points it comes to: die at one, or write all of them down."""

    die_at: Point | None = None
    list_in: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Order:
        """`kind:number:before`, `kind:number:after` or `list:file`; `BadInput` for anything else."""
        if text.startswith("list:") and text != "list:":
            return cls(list_in=Path(text.removeprefix("list:")))
        found = re.fullmatch(r"([a-z]+):([1-9][0-9]*):(before|after)", text)
        if found is None:
            raise BadInput(f"{text!r} is no failpoint: write commit:17:before, commit:17:after or list:FILE")
        moment: Moment = "before" if found[3] == "before" else "after"
        return cls(die_at=Point(found[1], int(found[2]), moment))


class Trap:
    """Counts what the process does, kind by kind, from any thread, and carries out an order about it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, kind: str) -> int:
        """The number of what is done next."""
        with self._lock:
            self._counts[kind] += 1
            return self._counts[kind]

    def reach(self, point: Point) -> None:
        """The process is there now."""
        if point == self._order.die_at:
            _die() if _instead is None else _instead()
        if self._order.list_in is not None:
            with self._lock, self._order.list_in.open("a", encoding="utf-8") as points:
                points.write(f"{point}\n")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Around:
    """One crossing. What fails has not been done: there is no moment after it."""

    __slots__ = ("_kind", "_number", "_trap")

    def __init__(self, trap: Trap, kind: str) -> None:
        self._trap, self._kind = trap, kind

    def __enter__(self) -> None:
        self._number = self._trap.count(self._kind)
        self._trap.reach(Point(self._kind, self._number, "before"))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._trap.reach(Point(self._kind, self._number, "after"))


def around(kind: str) -> AbstractContextManager[None]:
    """`with around("commit"): …` makes two points of what is inside; costs nothing unless armed."""
    return _NOTHING if _armed is None else _Around(_armed, kind)


def arm(text: str | None) -> None:
    """Carry out this order from now on, counting from 1; None: none. It holds for the whole process."""
    global _armed  # noqa: PLW0603 - a process dies as a whole, whichever of its parts comes to the point
    _armed = None if text is None else Trap(Order.parse(text))


def instead(act: Callable[[], None] | None) -> None:
    """Do this at the point, in whatever thread comes to it, where the process would die; None: die."""
    global _instead  # noqa: PLW0603 - as above
    _instead = act
