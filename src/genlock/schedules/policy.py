"""What is fired of all that has come due: what was missed, and what is on time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from genlock.ledger.schedules.records import Due, FiringKind, Missed

ON_TIME = timedelta(minutes=1)  # after which a run was missed: a server was off, or its clock was set ahead
MOST = 100  # runs that are made up for; what is older is gone


def dues_of(times: Sequence[datetime], now: datetime, missed: Missed) -> list[Due]:
    """What to fire of these due times, the oldest first, none of them later than now."""
    newest = times[-1]
    on_time = now - newest <= ON_TIME
    lost = list(times[:-1] if on_time else times)
    if missed is Missed.ALL:
        return [Due(at, FiringKind.MISSED) for at in lost] + ([Due(newest)] if on_time else [])
    if missed is Missed.ONCE:
        kind = FiringKind.DUE if on_time else FiringKind.MISSED
        return [Due(newest, kind, reason=_stands_for(lost, on_time=on_time))]
    skipped = [Due(lost[-1], FiringKind.MISSED, skip=_nobody_started(lost))] if lost else []
    return skipped + ([Due(newest)] if on_time else [])


def _stands_for(lost: Sequence[datetime], *, on_time: bool) -> str | None:
    if not lost or (len(lost) == 1 and not on_time):
        return None
    also = " also" if on_time else ""
    return f"stands{also} for {_runs(lost)} missed"


def _nobody_started(lost: Sequence[datetime]) -> str:
    return f"{_runs(lost)} missed: no server was running, or its clock was set ahead"


def _runs(lost: Sequence[datetime]) -> str:
    count = f"{len(lost)}{' or more' if len(lost) >= MOST - 1 else ''}"
    if len(lost) == 1:
        return f"the run of {_told(lost[0])} that was"
    return f"{count} runs from {_told(lost[0])} to {_told(lost[-1])} that were"


def _told(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
