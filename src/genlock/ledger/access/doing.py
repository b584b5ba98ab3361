"""Who does what at this moment, so that it is written into the audit by the transaction that does it.

A value of the context, as `genlock.trace` is: what is done goes through layers that know nothing of people.
The first verb that commits, and that the deed is about, takes it along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Doing:
    """A deed that is being done. `target` may follow from what a verb answers; None then says that this verb
    is not what the deed is about, or changed nothing.
    """

    user: str
    token: str | None
    action: str
    target: str | Callable[[Any], str | None]
    data: Mapping[str, Any]
    written: bool = False
    over: bool = False

    def target_of(self, answer: Any) -> str | None:
        """What it was done to, by what the ledger answered."""
        return self.target if isinstance(self.target, str) else self.target(answer)


_doing: ContextVar[Doing | None] = ContextVar("genlock_doing", default=None)


@contextmanager
def doing(deed: Doing) -> Iterator[None]:
    """What is written in this context from now on is done by somebody."""
    token = _doing.set(deed)
    try:
        yield
    finally:
        deed.over = True  # also for those that were begun in it and go on
        _doing.reset(token)


def under_way() -> Doing | None:
    """What is being done here and is not written down yet."""
    deed = _doing.get()
    return None if deed is None or deed.written or deed.over else deed
