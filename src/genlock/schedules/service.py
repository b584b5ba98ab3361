"""What can be asked about schedules: the owner's planner answers, a client asks over the socket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from genlock.schedules.view import FiringView, Plan, PlanChange, ScheduleView


class ScheduleService(Protocol):
    """Every method raises `NotFound` for an id nobody has, and `BadInput` for what cannot be planned."""

    async def create(self, plan: Plan, *, owner: str = "local", id: str | None = None) -> ScheduleView:
        """A new schedule; it fires from now on while a server runs. `Conflict` if the id is taken."""
        ...

    async def show(self, id: str) -> ScheduleView: ...

    async def list(
        self, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[ScheduleView]:
        """Oldest first; `after` is the last id of the page before."""
        ...

    async def change(self, id: str, changes: PlanChange) -> ScheduleView:
        """Change some of it. Its next time moves only if `cron`, `every` or `zone` are other than before."""
        ...

    async def replace(self, id: str, plan: Plan) -> ScheduleView:
        """Change all of it."""
        ...

    async def delete(self, id: str) -> None:
        """Take it away with its history; jobs that it started go on."""
        ...

    async def pause(self, id: str, reason: str = "") -> ScheduleView:
        """Let it start nothing until it is resumed."""
        ...

    async def resume(self, id: str) -> ScheduleView:
        """Let it fire again from its next due time on; what came due meanwhile is not made up for."""
        ...

    async def trigger(self, id: str) -> FiringView:
        """Start a run now. `Conflict` if it would overlap and must not, or cannot run."""
        ...

    async def firings(
        self, id: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[FiringView]:
        """Its history, newest first; `after` is the last due time of the page before."""
        ...

    async def upcoming(self, id: str, *, count: int = 5) -> Sequence[datetime]:
        """When it will be due next; for one that is paused, as if it were resumed now."""
        ...
