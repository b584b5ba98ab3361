"""Paid calls as they are worked on: read under the lock of money, changed in Python, and written back.

Whoever changes a call, a budget or who waits for one holds the job of the call, and then the one lock of
all money, until the commit. With it nobody waits for anything, so that what was looked at stays true
and nobody waits in a ring; calls take seconds to minutes, and a commit serves hundreds of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, select, update

from genlock.errors import Conflict, NotFound
from genlock.ledger import schema
from genlock.ledger.batch import Batch
from genlock.ledger.moment import from_micros_or_none
from genlock.ledger.records import TaskRef
from genlock.ledger.spending import CallRow, CallState

INTENDED, ACCEPTED, SETTLED, FAILED, RELEASED, DOUBT, ABANDONED = (state.value for state in CallState)
LIVE = (INTENDED, ACCEPTED)

_call = schema.call.c


@dataclass(slots=True, eq=False)
class CallDraft:
    """One call; the fields are the columns of `schema.call`, in their order."""

    key: str
    job: str
    task: str
    node: str
    revision: int
    name: str
    number: int
    state: str
    adapter: str
    vendor: str
    policy: str
    request: str
    request_hash: str
    estimate: int
    reserved: int
    spent: int
    risk: int
    currency: str
    computed: int
    sends: int
    handle: str | None
    result: str | None
    reason: str | None
    absences: int
    answers: int
    cancel_asked: int
    intended_at: int
    sent_at: int
    absent_at: int | None
    accepted_at: int | None
    ended_at: int | None
    decided_by: str | None
    scopes: str
    rung: int
    maker: str

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.job, self.task)

    @property
    def path(self) -> str:
        return f"{self.ref}/{self.revision}/{self.name}#{self.number}"

    @property
    def budgets(self) -> list[str]:
        """The scopes that it is counted in, in their order."""
        return list(json.loads(self.scopes))


FIELDS = tuple(field.name for field in fields(CallDraft))
COLUMNS = [schema.call.c[name] for name in FIELDS]
_PATH = ("key", "job", "task", "node", "revision", "name", "number")
_WRITTEN = tuple(name for name in FIELDS if name not in _PATH)
_TOLD = tuple(name for name in FIELDS if name not in ("job", "task", "node", "rung", "maker", "scopes"))
_TIMES = frozenset({"intended_at", "sent_at", "absent_at", "accepted_at", "ended_at"})


def call_row(row: Sequence[Any] | CallDraft) -> CallRow:
    """What readers are told of a call."""
    draft = row if isinstance(row, CallDraft) else CallDraft(*row)
    told = {name: getattr(draft, name) for name in _TOLD}
    told |= {name: from_micros_or_none(told[name]) for name in _TIMES}
    told |= {"state": CallState(draft.state), "computed": bool(draft.computed)}
    told["cancel_asked"] = bool(draft.cancel_asked)
    return CallRow(task=draft.ref, scopes=tuple(draft.budgets), **told)


def find(batch: Batch, key: str) -> CallDraft:
    """The call, with its job and all money locked. `NotFound` if there is none."""
    named = batch.statements.named(
        "job of call", lambda: select(_call.job).where(_call.key == bindparam("call_key"))
    )
    rows = named.rows(batch.connection, call_key=key)
    if not rows or batch.find_job(rows[0][0]) is None:
        raise NotFound(f"there is no call {key!r}")
    batch.lock_money()
    found = _read(batch, "call", _call.key == bindparam("call_key"), call_key=key)
    if found is None:
        raise NotFound(f"there is no call {key!r}")
    return found


def newest(batch: Batch, task: TaskRef, revision: int, name: str) -> CallDraft | None:
    """The call of this name with the highest number."""
    ours = (
        (_call.job == bindparam("of_job"))
        & (_call.task == bindparam("of_task"))
        & (_call.revision == bindparam("of_revision"))
        & (_call.name == bindparam("of_name"))
    )
    return _read(
        batch, "newest call", ours, of_job=task.job, of_task=task.key, of_revision=revision, of_name=name
    )


def by_handle(batch: Batch, vendor: str, handle: str) -> str | None:
    """The key of the vendor's newest call that goes by this handle there."""
    statement = batch.statements.named(
        "call by handle",
        lambda: (
            select(_call.key)
            .where(_call.handle == bindparam("call_handle"), _call.vendor == bindparam("of_vendor"))
            .order_by(_call.intended_at.desc())
            .limit(1)
        ),
    )
    rows = statement.rows(batch.connection, call_handle=handle, of_vendor=vendor)
    return str(rows[0][0]) if rows else None


def _read(batch: Batch, name: str, which: ColumnElement[bool], **values: Any) -> CallDraft | None:
    statement = batch.statements.named(
        name, lambda: select(*COLUMNS).where(which).order_by(_call.number.desc()).limit(1)
    )
    rows = statement.rows(batch.connection, **values)
    return CallDraft(*rows[0]) if rows else None


def add(batch: Batch, call: CallDraft) -> None:
    """Insert it."""
    statement = batch.statements.named("add call", lambda: insert(schema.call))
    statement.run(batch.connection, **{name: getattr(call, name) for name in FIELDS})


def write(batch: Batch, call: CallDraft) -> CallRow:
    """Write it as it is now; what readers are told of it."""
    statement = batch.statements.named(
        "write call",
        lambda: (
            update(schema.call)
            .where(_call.key == bindparam("row_key"))
            .values({name: bindparam(name) for name in _WRITTEN})
        ),
    )
    values = {name: getattr(call, name) for name in _WRITTEN}
    statement.run(batch.connection, row_key=call.key, **values)
    return call_row(call)


def hear(batch: Batch, key: str, task: TaskRef) -> bool:
    """Whether something was said of this call of the task that it does not know of; it does from now on."""
    call = _read(batch, "call", _call.key == bindparam("call_key"), call_key=key)
    if call is None or call.ref != task or not call.rung:
        return False
    call.rung = 0
    write(batch, call)
    return True


def log(batch: Batch, call: CallDraft, kind: str, /, **data: Any) -> None:
    """Add an event to the job of the call."""
    batch.log(batch.job(call.job), kind, call.task, call=call.key, name=call.name, number=call.number, **data)


def must_be(call: CallDraft, sends: int, *states: str) -> None:
    """`Conflict` unless it stands so, and nobody has sent it again since."""
    if call.state not in states or call.sends != sends:
        raise Conflict(
            f"call {call.path} is {call.state} and was sent {call.sends} times: "
            f"what is said of sending {sends} comes too late"
        )


LIVE_COUNT = select(func.count()).where(schema.IS_LIVE, _call.vendor == bindparam("of_vendor"))


def places_taken(batch: Batch, vendor: str) -> int:
    """How many calls of the account are live."""
    statement = batch.statements.named("places", lambda: LIVE_COUNT)
    return int(statement.rows(batch.connection, of_vendor=vendor)[0][0])
