"""What schedules do and when: written, changed, paused, removed. Each function is a verb's transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from genlock.errors import Conflict, NotFound
from genlock.ledger.moment import to_micros, to_micros_or_none
from genlock.ledger.schedules.records import (
    UNFIT,
    FiringState,
    ScheduleRow,
    ScheduleSpec,
    ScheduleState,
    Timing,
)
from genlock.ledger.schedules.row import schedule_row, spec_values
from genlock.ledger.schedules.schema import firing, schedule
from genlock.ledger.wording import plain


def find(connection: Connection, id: str, *, lock: bool = True) -> ScheduleRow | None:
    """The schedule, locked until the commit: who has it decides about all of its firings."""
    found = select(schedule).where(schedule.c.id == id)
    row = connection.execute(found.with_for_update() if lock else found).first()
    return None if row is None else schedule_row(row)


def get(connection: Connection, id: str) -> ScheduleRow:
    """The schedule, locked; `NotFound` if there is none."""
    row = find(connection, id)
    if row is None:
        raise NotFound(f"there is no schedule {id!r}")
    return row


def add(connection: Connection, now: int, spec: ScheduleSpec, timing: Timing) -> ScheduleRow:
    """A new schedule; `Conflict` if there is one of this id."""
    if find(connection, spec.id) is not None:
        raise Conflict(f"there is a schedule {spec.id!r} already: change it, or take another id")
    _insert(connection, now, spec, timing)
    return get(connection, spec.id)


def register(
    connection: Connection, now: int, spec: ScheduleSpec, timing: Timing, unfit: str | None
) -> ScheduleRow:
    """Add a built-in schedule, or bring what it does up to date."""
    row = find(connection, spec.id)
    if row is None:
        _insert(connection, now, spec, timing, unfit)
        return get(connection, spec.id)
    kept = row.spec
    spec = replace(spec, missed=kept.missed, overlap=kept.overlap, cap=kept.cap, patience=kept.patience)
    values = spec_values(spec)
    if (spec.kind, spec.expression) != (kept.kind, kept.expression):  # counted from the run that is planned
        values["anchor_at"] = to_micros(row.next_at or timing.anchor_at)
    if unfit is not None and (row.is_unfit or row.state is ScheduleState.ACTIVE):
        values |= _paused(f"{UNFIT}{unfit}")
    elif unfit is None and row.is_unfit:
        values |= _active(timing)
    return _update(connection, now, spec.id, values)


def alter(connection: Connection, now: int, spec: ScheduleSpec, timing: Timing | None) -> ScheduleRow:
    """Change what it does, and with a timing also when."""
    row = get(connection, spec.id)
    values = spec_values(spec)
    if timing is not None:
        values["anchor_at"] = to_micros(timing.anchor_at)
        if row.state is ScheduleState.ACTIVE:
            values["next_at"] = to_micros_or_none(timing.next_at)
    return _update(connection, now, spec.id, values)


def remove(connection: Connection, id: str) -> None:
    """Delete it with its history."""
    get(connection, id)
    connection.execute(delete(firing).where(firing.c.schedule == id))
    connection.execute(delete(schedule).where(schedule.c.id == id))


def pause(connection: Connection, now: int, id: str, reason: str) -> ScheduleRow:
    """active -> paused."""
    row = get(connection, id)
    if row.state is ScheduleState.PAUSED and not row.is_unfit:
        return row
    drop_queued(connection, now, id)
    return _update(connection, now, id, _paused(plain(reason) or None))


def resume(connection: Connection, now: int, id: str, timing: Timing) -> ScheduleRow:
    """paused -> active."""
    row = get(connection, id)
    if row.is_unfit:
        raise Conflict(f"schedule {id!r} {row.reason}")
    if row.state is ScheduleState.ACTIVE:
        return row
    return _update(connection, now, id, _active(timing))


def count_failure(connection: Connection, now: int, row: ScheduleRow, job: str | None, why: str) -> None:
    """One more failure in a row; too many pause the schedule."""
    failures, patience = row.failures + 1, row.spec.patience
    values: dict[str, Any] = {"failures": failures}
    if 0 < patience <= failures and row.state is ScheduleState.ACTIVE:
        which = f" ({job})" if job else ""
        times = "a run failed" if failures == 1 else f"{failures} runs in a row failed"
        values |= _paused(f"{times}, the last one{which}: {why}")
        drop_queued(connection, now, row.id)
    connection.execute(update(schedule).where(schedule.c.id == row.id).values(**values))


def forget_failures(connection: Connection, row: ScheduleRow) -> None:
    """A run succeeded."""
    if row.failures:
        connection.execute(update(schedule).where(schedule.c.id == row.id).values(failures=0))


def drop_queued(connection: Connection, now: int, id: str) -> None:
    """What waits for a run that nobody may start any more is not started."""
    queued = (firing.c.schedule == id, firing.c.state == FiringState.QUEUED.value)
    skipped = {"state": FiringState.SKIPPED.value, "reason": "the schedule was paused", "ended_at": now}
    connection.execute(update(firing).where(*queued).values(**skipped))


def _insert(
    connection: Connection, now: int, spec: ScheduleSpec, timing: Timing, unfit: str | None = None
) -> None:
    values = spec_values(spec) | {
        "failures": 0,
        "anchor_at": to_micros(timing.anchor_at),
        "created_at": now,
        "updated_at": now,
    }
    values |= _active(timing) if unfit is None else _paused(f"{UNFIT}{unfit}")
    connection.execute(insert(schedule).values(**values))


def _update(connection: Connection, now: int, id: str, values: dict[str, Any]) -> ScheduleRow:
    connection.execute(update(schedule).where(schedule.c.id == id).values(**values, updated_at=now))
    return get(connection, id)


def _active(timing: Timing) -> dict[str, Any]:
    next_at = to_micros_or_none(timing.next_at)
    return {"state": ScheduleState.ACTIVE.value, "reason": None, "failures": 0, "next_at": next_at}


def _paused(reason: str | None) -> dict[str, Any]:
    return {"state": ScheduleState.PAUSED.value, "reason": reason, "next_at": None}
