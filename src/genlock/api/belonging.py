"""Whose a job, a call or a budget is: what is somebody else's is answered as if it did not exist.

@router.get("/jobs/{job}/things")
async def list_things(job: ReadableJob, …) -> …       # its whole id, whatever was typed of it
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Path

from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import Service
from genlock.engine.service import JobService
from genlock.errors import Conflict, Forbidden, NotFound
from genlock.ledger.access.records import LOCAL
from genlock.ledger.spending import JOB

JobId = Annotated[
    str, Path(min_length=1, max_length=200, description="a job's id or a unique beginning of it")
]
CallKey = Annotated[
    str, Path(min_length=1, max_length=100, description="a call's key or enough letters of its end")
]
NEWEST = 200  # jobs whose budgets somebody is shown who asks for all of theirs


def _job_for(scope: Scope) -> Callable[..., Awaitable[str]]:
    signed_in = allow(scope)

    async def find(job: JobId, service: Service, caller: Caller = signed_in) -> str:
        if caller.admin and scope is Scope.JOBS_READ:
            return job
        return await service.find(job, owner=None if caller.admin else caller.user)

    return find


def _call_for(scope: Scope) -> Callable[..., Awaitable[str]]:
    signed_in = allow(scope)

    async def find(key: CallKey, service: Service, caller: Caller = signed_in) -> str:
        return key if caller.admin else (await service.accounts.call(key, owner=caller.user)).key

    return find


ReadableJob = Annotated[str, Depends(_job_for(Scope.JOBS_READ))]
SteerableJob = Annotated[str, Depends(_job_for(Scope.JOBS_WRITE))]
ReadableCall = Annotated[str, Depends(_call_for(Scope.JOBS_READ))]
PayableCall = Annotated[str, Depends(_call_for(Scope.MONEY_WRITE))]


def owner_for(caller: Caller, owner: str | None) -> str:
    """Whose a new thing is: of who asks, or for admins of whom they name."""
    if owner is None or owner == caller.user:
        return caller.user
    if not caller.admin:
        raise Forbidden(f"only an admin may start something for {owner!r}: leave `owner` out")
    return owner


def reach_for(caller: Caller, owner: str | None) -> str | None:
    """Whose things a list shows: one's own, for admins everybody's or those of whom they name."""
    if caller.admin:
        return owner
    if owner not in (None, caller.user):
        raise Forbidden(f"only an admin may list what is {owner!r}'s: leave `owner` out")
    return caller.user


def dedup_for(owner: str, dedup: str | None, once: str | None) -> str | None:
    """What makes a job the same one when it is asked for again. Nobody meets somebody else's with it."""
    if dedup is None:
        return once
    return dedup if owner == LOCAL else f"user:{owner}:{dedup}"


def check_new(caller: Caller, owner: str, job: Any) -> None:
    """`Conflict` if the id that was asked for is somebody else's job, which is not shown."""
    if job.owner != owner and not caller.admin:
        raise Conflict("there is a job with this id already: leave `id` out, or choose another")


async def budget_for(caller: Caller, service: JobService, scope: str) -> str:
    """A budget as it is kept, if it is one of who asks: `user:NAME` of oneself, and one's own jobs'."""
    kind, colon, name = scope.partition(":")
    if caller.admin or (kind, name) == ("user", caller.user):
        return scope
    if colon and kind != "job":
        raise NotFound(f"there is no budget {scope!r}")
    return f"{JOB}{await service.find(name if colon else scope, owner=caller.user)}"


async def payable_budget_for(caller: Caller, service: JobService, scope: str) -> str:
    """... and may be changed: a user's own cap is set by an admin, or it would hold nobody back."""
    named = await budget_for(caller, service, scope)
    if not caller.admin and not named.startswith(JOB):
        raise Forbidden(f"only an admin sets what {named} may spend")
    return named


async def budgets_for(caller: Caller, service: JobService, scopes: list[str] | None) -> list[str]:
    """Which budgets are shown; empty means all there are."""
    if scopes or caller.admin:
        return [await budget_for(caller, service, scope) for scope in scopes or ()]
    jobs = await service.list(owner=caller.user, limit=NEWEST)
    return [f"user:{caller.user}", *(f"{JOB}{job.id}" for job in jobs)]
