"""Following a job to its end: what is shown meanwhile, and what is said when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genlock.cli.display import Screen
    from genlock.cli.session import Interrupt, Session
    from genlock.engine.service import JobService
    from genlock.engine.views import EventView, JobView

Hear = Callable[["JobService", "EventView"], Awaitable[None]]

TICK = 0.25  # seconds between two pictures of a job that changes
IDLE = 1.0  # seconds between two pictures of one that does not: the clock goes on


class Follow:
    """Follows a job on a screen. Remembers the last event seen, so another session can go on from there."""

    def __init__(
        self, screen: Screen, interrupt: Interrupt, *, gates: bool = True, hear: Hear | None = None
    ) -> None:
        """Without `gates` a job that waits for a person counts as ended. `hear` is told of every event."""
        self._screen, self._interrupt, self._gates = screen, interrupt, gates
        self._hear = hear
        self._seen: dict[str, int] = {}
        self._changed = asyncio.Event()

    async def to_end(self, session: Session, job: str) -> int:
        """Show the job until it has finished or the command is interrupted; the exit code."""
        from genlock.cli.film import keep_place
        from genlock.ledger.records import JobState

        with self._screen:
            view = await self._show(session.service, job)
        if not view.state.finished and self._interrupt.asked.is_set():
            self._screen.kept(view, elsewhere=session.home is None)
            return self._interrupt.code
        tasks = await session.service.tasks(job) if view.error else ()
        self._screen.ended(view, tasks, await keep_place(session.settings, view.result))
        return 0 if view.state in (JobState.COMPLETED, JobState.WAITING) else _failed(view)

    async def _show(self, service: JobService, job: str) -> JobView:
        watching = asyncio.create_task(self._watch(service, job))
        asked = asyncio.create_task(self._interrupt.asked.wait())
        try:
            while True:
                self._changed.clear()
                view = await service.show(job)
                self._screen.update(view)
                if watching.done() or asked.done() or self._waits(view):
                    break
                await self._tick(watching, asked)
            if watching.done():
                watching.result()  # what went wrong while watching
                view = await service.show(job)
                self._screen.update(view)
            return view
        finally:
            for task in (watching, asked):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    def _waits(self, view: JobView) -> bool:
        from genlock.ledger.records import JobState

        return view.state is JobState.WAITING and not self._gates

    async def _watch(self, service: JobService, job: str) -> None:
        async for event in service.watch(job, after=self._seen.get(job, 0)):
            self._seen[job] = event.seq
            self._screen.tell(event)
            if self._hear is not None:
                await self._hear(service, event)
            self._changed.set()

    async def _tick(self, *ends: asyncio.Task[object]) -> None:
        """Wait until there is something to show: at most four times a second, at least once."""
        if self._gates and not self._screen.draws:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait(ends, timeout=TICK, return_when=asyncio.FIRST_COMPLETED)
            if not any(end.done() for end in ends):
                await asyncio.wait((changed, *ends), timeout=IDLE - TICK, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()


def _failed(view: JobView) -> int:
    """The exit code of a job that did not come to its end: 2 if what was handed in cannot be used."""
    from genlock import errors

    kind = getattr(errors, view.error.kind, None) if view.error else None
    return 2 if isinstance(kind, type) and issubclass(kind, errors.BadInput) else 1
