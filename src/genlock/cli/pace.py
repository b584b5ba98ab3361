"""How long things took, and how long they may still take."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from genlock.ledger.records import JobState

if TYPE_CHECKING:
    from genlock.engine.views import EventView, JobView

WINDOW = timedelta(seconds=90)  # how far back the pace is looked at
ENDS = frozenset(
    f"task.{word}"
    for word in [
        "done",
        "kept",
        "failed",
        "skipped",
        "cancelled",
        "released",
        "reclaimed",
        "parked",
        "snoozed",
        "spread",
        "nested",
    ]
)
ENOUGH = timedelta(seconds=3)  # how long it is looked at before anything is said about the end


class Times:
    """How long each stage was at work, from the job's events: pauses between two runs do not count."""

    def __init__(self) -> None:
        self._active: dict[str, set[str]] = defaultdict(set)
        self._since: dict[str, datetime] = {}
        self._spent: dict[str, timedelta] = {}
        self._last: datetime | None = None

    def hear(self, event: EventView) -> None:
        last_word = self._last or event.at
        if event.kind != "task.reclaimed":
            self._last = event.at
        if event.task is None:
            return
        stage = event.task.partition("/")[0]
        active = self._active[stage]
        if event.kind == "task.claimed":
            if not active:
                self._since[stage] = event.at
            active.add(event.task)
        elif event.kind in ENDS and event.task in active:
            active.discard(event.task)
            if not active:  # who died stopped working at the latest when it last said something
                end = last_word if event.kind == "task.reclaimed" else event.at
                self._spent[stage] = self._so_far(stage, end)

    def spent(self, stage: str, now: datetime | None = None) -> timedelta | None:
        """Time at work, up to `now` if it still is; None if it has not begun."""
        if self._active[stage]:
            return self._so_far(stage, now or self._last or self._since[stage])
        return self._spent.get(stage)

    def _so_far(self, stage: str, end: datetime) -> timedelta:
        return self._spent.get(stage, timedelta(0)) + max(timedelta(0), end - self._since[stage])


class Pace:
    """How fast a job goes, by its recent progress: what a resumed job had done before does not count."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, float]] = deque()

    def left(self, job: JobView, now: datetime) -> timedelta | None:
        """How long the rest takes at this pace; None while that cannot be told, or the job does not run."""
        if job.state is not JobState.RUNNING:
            self._seen.clear()  # a pause is no slowness: after it the pace is measured anew
            return None
        if self._seen and job.progress < self._seen[-1][1]:
            self._seen.clear()  # a fan-out became known, or a redo: the share of what is done fell
        self._seen.append((now, job.progress))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        gained = job.progress - before
        if now - since < ENOUGH or gained <= 0.01:
            return None
        return (now - since) * ((1.0 - job.progress) / gained)
