"""Finding a job or a paid call by what people type of its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TypeVar

from genlock.errors import NotFound
from genlock.ledger.payments import PaymentsReader
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import JobFilter, JobRow
from genlock.ledger.spending import CallFilter, CallRow

RECENT = 1000  # jobs, or calls, among which an abbreviated name is looked for

T = TypeVar("T")


async def find_job(reader: LedgerReader, id: str, owner: str | None = None) -> JobRow:
    """The job with this id, or the only recent one whose id begins or ends so; else `NotFound`.

    Jobs of others than `owner`, if one is named, do not exist.
    """
    try:
        row = await reader.job(id)
        if owner in (None, row.owner):
            return row
    except NotFound:
        if not id:
            raise
    recent = await reader.jobs(JobFilter(children=True, owner=owner), limit=RECENT)
    return only(recent, id, attrgetter("id"), called="job")


async def find_call(reader: PaymentsReader, key: str, owner: str | None = None) -> CallRow:
    """The call with this key, or the only recent one whose key begins or ends so; else `NotFound`.

    Calls of others than `owner`, if one is named, do not exist.
    """
    try:
        row = await reader.call(key)
        theirs = CallFilter(job=row.task.job, owner=owner)
        if owner is None or await reader.calls(theirs, limit=1):
            return row
    except NotFound:
        if not key:
            raise
    recent = await reader.calls(CallFilter(owner=owner), limit=RECENT)
    return only(recent, key, attrgetter("key"), called="call")


def only(rows: Sequence[T], typed: str, name: Callable[[T], str], *, called: str) -> T:
    """The one row whose name begins or ends with what was typed."""
    fitting = [row for row in rows if name(row).startswith(typed) or name(row).endswith(typed)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise NotFound(f"there is no {called} {typed!r}; `genlock {called}s` lists them")
    first, second, *_ = map(name, fitting)
    raise NotFound(f"{typed!r} fits {len(fitting)} {called}s, such as {first} and {second}: add letters")
