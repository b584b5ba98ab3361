"""The routes of money: calls and decisions about them, costs, budgets; and where providers report to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from genlock.api.caller import Caller, allow
from genlock.api.caller import Scope as Right
from genlock.api.dependency import Service
from genlock.api.problem import RESPONSES
from genlock.api.wire import Body, Envelope, wrapped
from genlock.engine.views import BudgetView, CallView, CostView
from genlock.ledger.spending import By, CallState, Decision

router = APIRouter(tags=["money"], responses=RESPONSES)
Key = Annotated[
    str, Path(min_length=1, max_length=100, description="a call's key or enough letters of its end")
]
Scope = Annotated[
    str, Path(min_length=1, max_length=300, description="`job:ID`, `user:NAME`, `schedule:ID` or `day:DATE`")
]
Answer = Envelope[Any]
Reader = Annotated[Caller, allow(Right.JOBS_READ)]
Payer = Annotated[Caller, allow(Right.MONEY_WRITE)]
LARGEST = 1 << 20  # bytes of a provider's report


class Verdict(Body):
    """What becomes of a call in doubt: it ran under this id, it is sent again, or it is given up."""

    decision: Decision
    provider_id: str | None = Field(default=None, min_length=1, max_length=2000)
    by: str = Field(default="local", min_length=1, max_length=200)


class Cap(Body):
    """What may be spent, as `2.50` or `2.50 EUR`; null: what the settings say."""

    cap: str | None = Field(max_length=40)


@router.get("/calls", response_model=Envelope[list[CallView]])
async def list_calls(
    service: Service,
    caller: Reader,
    job: str | None = None,
    state: Annotated[list[CallState] | None, Query(description="any of these states")] = None,
    vendor: str | None = None,
    after: Annotated[str | None, Query(description="the last key of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Answer:
    """Paid calls, newest first."""
    found = await service.accounts.calls(
        job=job, states=state or (), vendor=vendor, after=after, limit=limit + 1
    )
    page = found[:limit]
    return wrapped(page, next=page[-1].key if len(found) > limit else None)


@router.get("/calls/{key}", response_model=Envelope[CallView])
async def show_call(key: Key, service: Service, caller: Reader) -> Answer:
    """One paid call as it stands."""
    return wrapped(await service.accounts.call(key))


@router.post("/calls/{key}/resolve", response_model=Envelope[CallView])
async def resolve_call(key: Key, verdict: Verdict, service: Service, caller: Payer) -> Answer:
    """Decide about a call in doubt."""
    accounts = service.accounts
    return wrapped(await accounts.resolve(key, verdict.decision, by=verdict.by, handle=verdict.provider_id))


@router.get("/costs", response_model=Envelope[list[CostView]])
async def list_costs(
    service: Service,
    caller: Reader,
    by: By = By.JOB,
    job: str | None = None,
    since: Annotated[datetime | None, Query(description="calls intended from then on")] = None,
    until: Annotated[datetime | None, Query(description="... and before then")] = None,
) -> Answer:
    """What was spent, reserved and saved, in groups."""
    return wrapped(await service.accounts.costs(by, job=job, since=since, until=until))


@router.get("/jobs/{job}/costs", response_model=Envelope[list[CostView]])
async def show_job_costs(job: str, service: Service, caller: Reader, by: By = By.STAGE) -> Answer:
    """What one job has cost, with all that is nested in it."""
    return wrapped(await service.accounts.costs(by, job=job))


@router.get("/budgets", response_model=Envelope[list[BudgetView]])
async def list_budgets(
    service: Service,
    caller: Reader,
    scope: Annotated[list[str] | None, Query(description="only these")] = None,
) -> Answer:
    """What may be spent and was, by scope."""
    return wrapped(await service.accounts.budgets(scope or ()))


@router.put("/budgets/{scope}", response_model=Envelope[BudgetView])
async def set_cap(scope: Scope, cap: Cap, service: Service, caller: Payer) -> Answer:
    """Set what may be spent in a scope; tasks that waited for it go on."""
    return wrapped(await service.accounts.set_cap(scope, cap.cap))


@router.post("/budgets/{scope}/thaw", response_model=Envelope[BudgetView])
async def thaw_budget(scope: Scope, service: Service, caller: Payer) -> Answer:
    """Let a scope be spent from again that was frozen because nobody looked after its job for long."""
    return wrapped(await service.accounts.thaw(scope))


@router.post("/hooks/{vendor}", status_code=202, response_model=Envelope[bool])
async def take_report(
    vendor: Annotated[str, Path(min_length=1, max_length=100)],
    request: Request,
    service: Service,
    key: Annotated[str | None, Query(max_length=100, description="the call's own key")] = None,
) -> Answer:
    """A provider's report. It is stored before this answers; its signature is checked before that."""
    body = await request.body()
    return wrapped(await service.accounts.deliver(vendor, dict(request.headers), body[:LARGEST], key))
