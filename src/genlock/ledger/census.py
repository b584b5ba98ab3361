"""What can be counted of a ledger while it is at work: for those who watch over many jobs at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Protocol


class Said(NamedTuple):
    """One event as it was committed; `at` is in microseconds since 1970, `data` is JSON text."""

    job: str
    seq: int
    at: int
    kind: str
    task: str | None
    data: str


Ear = Callable[[Sequence[tuple[str, int, int, str, str | None, str]]], None]


@dataclass(frozen=True, slots=True)
class Census:
    """The whole ledger at one moment. Money is in millionths by currency.

    `open_jobs` counts unfinished jobs by state; `ready` tasks could be claimed, at most `MOST` are counted,
    and the one that has waited longest has waited for `queue_age`. `spent` is all that was ever spent;
    `doubt` is the part of `reserved` that nobody can say anything about.
    """

    open_jobs: Mapping[str, int]
    ready: int
    queue_age: timedelta
    open_calls: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, int] = field(default_factory=dict)
    reserved: Mapping[str, int] = field(default_factory=dict)
    doubt: Mapping[str, int] = field(default_factory=dict)


MOST = 10_000


class Watched(Protocol):
    """The side of a ledger for those who count."""

    async def census(self) -> Census:
        """How it stands: a few looks into indexes, whatever is in the ledger."""
        ...

    def listen(self, ear: Ear) -> None:
        """Tell `ear`, in a thread of the ledger's own, the events (as `Said`) of each commit from now on."""
        ...
