"""How long things took, and how long they may still take."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genlock.engine.views import EventView, JobView

WINDOW = timedelta(seconds=90)  # how far back the pace is looked at
ENOUGH = timedelta(seconds=3)  # how long it is looked at before anything is said about the end


class Times:
    """When each stage began and last did something, from the job's events."""

    def __init__(self) -> None:
        self._began: dict[str, datetime] = {}
        self._ended: dict[str, datetime] = {}

    def hear(self, event: EventView) -> None:
        if event.task is None:
            return
        stage = event.task.partition("/")[0]
        if event.kind == "task.claimed":
            self._began.setdefault(stage, event.at)
        elif event.kind in ("task.done", "task.failed", "task.skipped"):
            self._ended[stage] = event.at

    def spent(self, stage: str, now: datetime | None = None) -> timedelta | None:
        """From the stage's first claim to its last end, or to `now`; None if it has not begun."""
        began, ended = self._began.get(stage), now or self._ended.get(stage)
        return None if began is None or ended is None else max(timedelta(0), ended - began)


class Pace:
    """How fast a job goes, by its recent progress: what a resumed job had done before does not count."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, float]] = deque()

    def left(self, job: JobView, now: datetime) -> timedelta | None:
        """How long the rest takes at this pace; None while that cannot be told."""
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
