"""`genlock resume [ID]`: go on with what is unfinished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from genlock.errors import Conflict

if TYPE_CHECKING:
    from genlock.cli.display import Screen
    from genlock.cli.follow import Follow
    from genlock.cli.session import Interrupt, Session
    from genlock.engine.service import JobService
    from genlock.engine.views import JobView

PAGE = 200


def resume(
    job: Annotated[str | None, typer.Argument(metavar="[ID]", help="One job; without it, every one.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Show progress as JSON lines.")] = False,
) -> None:
    """Go on with unfinished jobs, and see them through.

    Without an ID: every job that was interrupted. A job that failed or was paused is resumed when it
    is named.
    """
    from genlock.cli.display import screen_for
    from genlock.cli.session import run_async
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)

    async def act(interrupt: Interrupt) -> int:
        from genlock.cli.session import pursue

        screen = screen_for(quiet=quiet, json=json)
        resumption = _Resumption(job, screen, interrupt)
        return await pursue(settings, "genlock resume", resumption.carry, notice=screen.notice)

    raise typer.Exit(run_async(act))


class _Resumption:
    """One `resume`: what it goes on with is settled once, whichever process owns the home later."""

    def __init__(self, job: str | None, screen: Screen, interrupt: Interrupt) -> None:
        from genlock.cli.follow import Follow

        self._named, self._screen, self._interrupt = job, screen, interrupt
        self._follow: Follow = Follow(screen, interrupt, gates=job is not None)
        self._left: list[str] | None = None

    async def carry(self, session: Session) -> int:
        if self._left is None:
            self._left = await self._settle(session.service)
        await session.open_socket()
        worst = 0
        while self._left and not self._interrupt.asked.is_set():
            worst = max(worst, await self._follow.to_end(session, self._left[0]))
            self._left.pop(0)
        return self._interrupt.code if self._interrupt.asked.is_set() else worst

    async def _settle(self, service: JobService) -> list[str]:
        if self._named is not None:
            job = await _revive(service, self._named)
            self._screen.started(job)
            return [job.id]
        jobs = await unfinished(service)
        if not jobs:
            self._screen.notice("nothing to resume")
        elif len(jobs) > 1:
            self._screen.notice(f"going on with {len(jobs)} jobs")
        return [job.id for job in jobs]


async def unfinished(service: JobService, *, paused: bool = False) -> list[JobView]:
    """Every job that would go on by itself, or once it is resumed, oldest first."""
    from genlock.ledger.records import JobState

    states = [JobState.PENDING, JobState.RUNNING, JobState.WAITING, *([JobState.PAUSED] if paused else [])]
    found: list[JobView] = []
    while page := await service.list(states=states, after=found[-1].id if found else None, limit=PAGE):
        found += page
        if len(page) < PAGE:
            break
    return found[::-1]


async def _revive(service: JobService, named: str) -> JobView:
    """The job, made ready to go on if it had failed or was paused."""
    from genlock.ledger.records import JobState

    job = await service.show(named)
    if job.state is JobState.CANCELLED:
        raise Conflict(f"job {job.id} was cancelled, which is for good: start a new one")
    if job.state is JobState.FAILED:
        return await service.retry(job.id)
    if job.state is JobState.PAUSED:
        return await service.resume(job.id)
    return job
