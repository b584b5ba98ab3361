"""Routes of the Luigi pipeline that genlock replaces, in their own shapes: plain objects, no envelope.

This version has no Luigi executor. The jobs run with the embedded one, and every answer says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from genlock.api.answer import SubJobSummary, sub_jobs, summary
from genlock.api.belonging import ReadableJob, SteerableJob, reach_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import Given
from genlock.api.films import FromImagePairs, start_pairs
from genlock.api.order import EMBEDDED
from genlock.api.page import linked
from genlock.api.problem import RESPONSES
from genlock.api.repeat import Once
from genlock.api.wire import Wire, path_of
from genlock.engine.views import JobView
from genlock.ledger.library.records import CAMPAIGN
from genlock.ledger.records import JobState

router = APIRouter(prefix="/luigi/jobs", tags=["aliases"], responses=RESPONSES)
Reader = Annotated[Caller, allow(Scope.JOBS_READ)]
Writer = Annotated[Caller, allow(Scope.JOBS_WRITE)]
LUIGI = "luigi"
NO_LUIGI = f"this version has no {LUIGI} executor: the {EMBEDDED} one runs it, in the server itself"


class LuigiJob(Wire):
    """A job as the Luigi pipeline's API told of it. `executor` is who really runs it."""

    job_id: str
    status: JobState
    stage: str | None
    campaign_id: str | None
    executor: str
    completed_stages: int
    total_stages: int
    progress: float
    sub_jobs: SubJobSummary | None = None
    error: str | None
    poll_url: str
    message: str
    created_at: datetime
    updated_at: datetime


class LuigiOrder(Wire):
    """A job that was started."""

    job_id: str
    status: str
    campaign_id: str
    total_assets: int
    poll_url: str
    executor: str
    message: str


@router.post("", status_code=202, response_model=LuigiOrder)
async def start_luigi_job(
    order: FromImagePairs,  # made of the campaign order's own fields
    services: Given,
    caller: Writer,
    once: Once,
) -> LuigiOrder:
    """As `/jobs/from-image-pairs`. This version runs it with the embedded executor, and says so."""
    asked = order.model_copy(update={"executor": None}) if order.executor == LUIGI else order
    made = await start_pairs(services, asked, caller, once)
    return LuigiOrder(
        job_id=made.job_id,
        status=made.status,
        campaign_id=made.campaign_id,
        total_assets=made.total_assets,
        poll_url=path_of("luigi", "jobs", made.job_id),
        executor=EMBEDDED,
        message=NO_LUIGI,
    )


@router.get("", response_model=list[LuigiJob])
async def list_luigi_jobs(
    services: Given,
    caller: Reader,
    request: Request,
    response: Response,
    status: Annotated[list[JobState] | None, Query(description="any of these states")] = None,
    after: Annotated[str | None, Query(max_length=200, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[LuigiJob]:
    """Campaign jobs, newest first. `Link` names the next page, if there is one."""
    owner = reach_for(caller, None)
    found = await services.jobs.list(
        states=status or (), pipeline="campaign", owner=owner, after=after, limit=limit + 1
    )
    return [_luigi(job) for job in linked(request, response, found, limit, "id")]


@router.get("/{job}", response_model=LuigiJob)
async def show_luigi_job(job: ReadableJob, services: Given) -> LuigiJob:
    """One job, with how many of its clips stand where."""
    found = await services.jobs.show(job)
    return _luigi(found, summary(sub_jobs(await services.jobs.tasks(found.id))))


@router.post("/{job}/cancel", response_model=LuigiJob)
async def cancel_luigi_job(job: SteerableJob, services: Given, caller: Writer) -> LuigiJob:
    """Stop a job for good."""
    async with services.doing(caller, "job.cancelled", f"job:{job}"):
        done = await services.jobs.cancel(job)
    return _luigi(done)


@router.post("/{job}/retry", response_model=LuigiJob)
async def retry_luigi_job(job: SteerableJob, services: Given, caller: Writer) -> LuigiJob:
    """Run what failed again; what is done stays done."""
    async with services.doing(caller, "job.retried", f"job:{job}"):
        done = await services.jobs.retry(job)
    return _luigi(done)


def _luigi(job: JobView, parts: SubJobSummary | None = None) -> LuigiJob:
    campaign = job.labels.get(CAMPAIGN)
    return LuigiJob(
        job_id=job.id,
        status=job.state,
        stage=job.stage,
        campaign_id=campaign if isinstance(campaign, str) else None,
        executor=job.executor,
        completed_stages=job.completed_stages,
        total_stages=job.total_stages,
        progress=job.progress,
        sub_jobs=parts,
        error=job.error.message if job.error else None,
        poll_url=path_of("luigi", "jobs", job.id),
        message=NO_LUIGI if job.executor == EMBEDDED else "",
        created_at=job.created_at,
        updated_at=job.updated_at,
    )
