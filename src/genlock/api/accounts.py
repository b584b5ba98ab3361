"""The routes of money: calls and decisions about them, costs, budgets; and where providers report to."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from genlock.api.belonging import (
    PayableCall,
    ReadableCall,
    ReadableJob,
    budgets_for,
    payable_budget_for,
    reach_for,
)
from genlock.api.caller import Caller, allow
from genlock.api.caller import Scope as Right
from genlock.api.deed import of_budget, of_call
from genlock.api.dependency import Given, Service
from genlock.api.page import check_cursor
from genlock.api.problem import RESPONSES
from genlock.api.wire import Body, Envelope, When, wrapped
from genlock.engine.views import BudgetView, CallView, CostView
from genlock.errors import BadInput, Refused, Unsupported
from genlock.ledger.spending import By, CallState, Decision

log = structlog.get_logger(__name__)

router = APIRouter(tags=["money"], responses=RESPONSES)
Scope = Annotated[
    str, Path(min_length=1, max_length=300, description="`job:ID`, `user:NAME`, `schedule:ID` or `day:DATE`")
]
Job = Annotated[
    str | None, Query(min_length=1, max_length=200, description="only this job, and what is nested in it")
]
Owner = Annotated[str | None, Query(max_length=200, description="for admins: only this one's")]
Answer = Envelope[Any]
Reader = Annotated[Caller, allow(Right.JOBS_READ)]
Payer = Annotated[Caller, allow(Right.MONEY_WRITE)]
LARGEST = 1 << 20  # bytes of a provider's report


class Verdict(Body):
    """What becomes of a call in doubt: it ran under this id, it is sent again, or it is given up."""

    decision: Decision = Field(examples=["resend"])
    provider_id: str | None = Field(default=None, min_length=1, max_length=2000)
    by: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="on the socket: who decides; else who signed in",
    )


class Cap(Body):
    """What may be spent, as `2.50` or `2.50 EUR`; null: what the settings say."""

    cap: str | None = Field(max_length=40, examples=["2.50"])


@router.get("/calls", response_model=Envelope[list[CallView]])
async def list_calls(
    service: Service,
    caller: Reader,
    job: Job = None,
    state: Annotated[list[CallState] | None, Query(description="any of these states")] = None,
    vendor: str | None = None,
    owner: Owner = None,
    after: Annotated[str | None, Query(description="the last key of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Answer:
    """Paid calls, newest first."""
    reach = reach_for(caller, owner)
    if job is not None:
        job = await service.find(job, owner=reach)
    found = await service.accounts.calls(
        job=job, states=state or (), vendor=vendor, owner=reach, after=after, limit=limit + 1
    )
    await check_cursor(after, found, service.accounts.call)
    page = found[:limit]
    return wrapped(page, next=page[-1].key if len(found) > limit else None)


@router.get("/calls/{key}", response_model=Envelope[CallView])
async def show_call(key: ReadableCall, service: Service) -> Answer:
    """One paid call as it stands."""
    return wrapped(await service.accounts.call(key))


@router.post("/calls/{key}/resolve", response_model=Envelope[CallView])
async def resolve_call(key: PayableCall, verdict: Verdict, services: Given, caller: Payer) -> Answer:
    """Decide about a call in doubt."""
    by = verdict.by or caller.user if services.trusted else caller.user
    accounts = services.jobs.accounts
    async with services.doing(caller, "call.resolved", of_call, decision=verdict.decision):
        done = await accounts.resolve(key, verdict.decision, by=by, handle=verdict.provider_id)
    return wrapped(done)


@router.get("/costs", response_model=Envelope[list[CostView]])
async def list_costs(
    service: Service,
    caller: Reader,
    by: By = By.JOB,
    job: Job = None,
    owner: Owner = None,
    since: Annotated[When | None, Query(description="calls intended from then on")] = None,
    until: Annotated[When | None, Query(description="... and before then")] = None,
) -> Answer:
    """What was spent, reserved and saved, in groups."""
    reach = reach_for(caller, owner)
    if job is not None:
        job = await service.find(job, owner=reach)
    return wrapped(await service.accounts.costs(by, job=job, owner=reach, since=since, until=until))


@router.get("/jobs/{job}/costs", response_model=Envelope[list[CostView]])
async def show_job_costs(job: ReadableJob, service: Service, by: By = By.STAGE) -> Answer:
    """What one job has cost, with all that is nested in it."""
    return wrapped(await service.accounts.costs(by, job=job))


@router.get("/budgets", response_model=Envelope[list[BudgetView]])
async def list_budgets(
    service: Service,
    caller: Reader,
    scope: Annotated[list[str] | None, Query(max_length=100, description="only these")] = None,
) -> Answer:
    """What may be spent and was, by scope: one's own and those of one's own jobs, for admins all."""
    return wrapped(await service.accounts.budgets(await budgets_for(caller, service, scope)))


@router.put("/budgets/{scope}", response_model=Envelope[BudgetView])
async def set_cap(scope: Scope, cap: Cap, services: Given, caller: Payer) -> Answer:
    """Set what may be spent in a scope; tasks that waited for it go on. Only admins set a user's."""
    named = await payable_budget_for(caller, services.jobs, scope)
    async with services.doing(caller, "budget.capped", of_budget, cap=cap.cap or "none"):
        done = await services.jobs.accounts.set_cap(named, cap.cap)
    return wrapped(done)


@router.post("/budgets/{scope}/thaw", response_model=Envelope[BudgetView])
async def thaw_budget(scope: Scope, services: Given, caller: Payer) -> Answer:
    """Let a scope be spent from again that was frozen because nobody looked after its job for long."""
    named = await payable_budget_for(caller, services.jobs, scope)
    async with services.doing(caller, "budget.thawed", of_budget):
        done = await services.jobs.accounts.thaw(named)
    return wrapped(done)


@router.post("/hooks/{vendor}", status_code=202, response_model=Envelope[bool])
async def take_report(
    vendor: Annotated[str, Path(min_length=1, max_length=100)],
    request: Request,
    service: Service,
    key: Annotated[str | None, Query(max_length=100, description="the call's own key")] = None,
) -> Answer:
    """A provider's report. It is stored before this answers; its signature is checked before that."""
    body = await request.body()
    try:
        taken = await service.accounts.deliver(vendor, dict(request.headers), body[:LARGEST], key)
    except Refused as error:
        raise BadInput(str(error)) from error
    except (BadInput, Unsupported) as error:  # who asks may be anybody, and is not told how this is set up
        log.warning("a report cannot be taken", action="hook", vendor=vendor, reason=str(error))
        raise BadInput(f"no reports of {vendor} are taken here") from error
    return wrapped(taken)
