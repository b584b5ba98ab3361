"""What can be done to schedules in the ledger, and asked: each verb is one transaction.

When a schedule is due is worked out by whoever calls; the ledger decides who fires. A firing is a row that
exists once for a schedule and a due time, and a schedule's next time moves in the transaction that
writes it, so any number of processes may try and one of them does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from genlock.ledger.schedules.records import Agenda, Due, FiringRow, ScheduleRow, ScheduleSpec, Timing


class ScheduleReader(Protocol):
    """Looking changes nothing."""

    async def schedule(self, id: str) -> ScheduleRow:
        """`NotFound` if there is none."""
        ...

    async def schedules(
        self, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[ScheduleRow]:
        """Oldest first; `after` is the last id of the page before."""
        ...

    async def firings(
        self, schedule: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[FiringRow]:
        """Newest first; `after` is the last due time of the page before. What a job that has finished came
        to is told, although it may not be written down yet.
        """
        ...

    async def agenda(self) -> Agenda:
        """What is due, and when to look again."""
        ...

    async def unstarted(self) -> Sequence[tuple[ScheduleRow, FiringRow]]:
        """Firings that are to have a job and have none yet: just fired, or left by a process that died."""
        ...


class ScheduleLedger(ScheduleReader, Protocol):
    """The verbs."""

    async def add(self, spec: ScheduleSpec, timing: Timing) -> ScheduleRow:
        """`Conflict` if there is a schedule of this id."""
        ...

    async def register(self, spec: ScheduleSpec, timing: Timing, *, unfit: str | None = None) -> ScheduleRow:
        """Add a built-in schedule, or bring what it does up to date without moving its next time.

        Policies, cap and patience stay as people have set them, and so does a pause of theirs. `unfit` says
        why it cannot run: then it is paused until it is registered again and can.
        """
        ...

    async def alter(self, spec: ScheduleSpec, timing: Timing | None) -> ScheduleRow:
        """Change what it does; with a `timing` also when. `NotFound` if there is none."""
        ...

    async def remove(self, id: str) -> None:
        """Delete it with its history; its jobs go on. `NotFound` if there is none."""
        ...

    async def pause(self, id: str, reason: str = "") -> ScheduleRow:
        """Fire nothing more: active -> paused; again changes nothing. Queued firings are skipped."""
        ...

    async def resume(self, id: str, timing: Timing) -> ScheduleRow:
        """paused -> active, its failures forgotten; again changes nothing. `Conflict` if it cannot run.

        Intervals go on from the anchor they have.
        """
        ...

    async def fire(
        self, id: str, seen: datetime, dues: Sequence[Due], next_at: datetime | None
    ) -> Sequence[FiringRow]:
        """Write these due times down as fired and move the next time on, if it still is `seen`.

        Answers with what this call wrote: nothing if somebody else was first, or it was paused meanwhile.
        What overlaps is skipped or queued as the schedule says.
        """
        ...

    async def trigger(self, id: str) -> FiringRow:
        """Fire now, at a person's wish; its next time stays. `Conflict` if that would overlap, or it cannot
        run. One that is paused can be triggered.
        """
        ...

    async def promote(self) -> Sequence[FiringRow]:
        """queued -> started for the oldest firing of each schedule that has no unfinished job."""
        ...

    async def begin(self, schedule: str, due_at: datetime, job: str) -> None:
        """Note which job a started firing has; again changes nothing."""
        ...

    async def refuse(self, schedule: str, due_at: datetime, reason: str) -> ScheduleRow | None:
        """started -> failed: its job could not be created. None if somebody else created it."""
        ...

    async def settle(self) -> Sequence[tuple[ScheduleRow, FiringRow]]:
        """started -> succeeded, failed or cancelled for firings whose jobs have ended, with the schedule
        as it stands then: failures in a row may have paused it.
        """
        ...
