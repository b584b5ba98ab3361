"""The older cron API over schedules: the same verbs, in its own shapes and without the envelope."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import Given
from genlock.api.page import linked
from genlock.api.problem import RESPONSES
from genlock.api.schedules import Plans, Readable, Reader, ScheduleOrder, Steerable, Writer, create, page_of
from genlock.errors import BadInput, Forbidden
from genlock.ledger.schedules.records import ScheduleState
from genlock.schedules.view import ID, ScheduleView
from genlock.span import short_span

router = APIRouter(prefix="/api/cron/jobs", tags=["cron"], responses=RESPONSES)
Named = Annotated[str | None, Query(pattern=f"^{ID}$", description="the last job_id of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]


class CronJob(BaseModel):
    """A schedule as the older API shows it. `schedule` is `5h` or a cron expression."""

    job_id: str
    name: str
    schedule: str
    user_id: str
    workflow_id: str
    next_run: datetime | None
    status: ScheduleState


class CronMessage(BaseModel):
    """That something was done. `run_id` is the job that was started."""

    message: str
    job_id: str
    run_id: str | None = None


class _Wish(BaseModel):
    """What both ways of planning have in common. `workflow_id` is the pipeline, or `script:NAME`."""

    model_config = ConfigDict(extra="forbid")

    job_id: str | None = Field(default=None, pattern=f"^{ID}$", description="for admins")
    name: str = Field(min_length=1, max_length=200)
    workflow_id: str = Field(min_length=1, max_length=200, description="a pipeline, or script:NAME")
    params: dict[str, Any] = Field(default={}, description="the pipeline's inputs by name")
    user_id: str | None = Field(default=None, min_length=1, max_length=200, description="for admins: whose")

    def order(self, **when: str) -> ScheduleOrder:
        """The same for today's API."""
        return ScheduleOrder(
            id=self.job_id,
            owner=self.user_id,
            name=self.name,
            pipeline=self.workflow_id,
            workflow=self.workflow_id,
            params=self.params,
            **when,
        )


class CronWish(_Wish):
    """A job by a cron expression."""

    cron: str = Field(
        min_length=1,
        max_length=200,
        validation_alias=AliasChoices("cron", "cron_expression"),
        description="five fields, as in `0 */5 * * *`; also as cron_expression",
        examples=["0 */5 * * *"],
    )
    timezone: str = Field(default="UTC", min_length=1, max_length=64)


class IntervalWish(_Wish):
    """A job at intervals: as many days, hours, minutes and seconds as they add up to."""

    days: int = Field(default=0, ge=0, le=366)
    hours: int = Field(default=0, ge=0, le=9000, examples=[5])
    minutes: int = Field(default=0, ge=0, le=600_000)
    seconds: int = Field(default=0, ge=0, le=32_000_000)

    @property
    def every(self) -> str:
        """The interval; `BadInput` if it is none."""
        span = timedelta(days=self.days, hours=self.hours, minutes=self.minutes, seconds=self.seconds)
        if not span:
            raise BadInput("say how often: days, hours, minutes or seconds")
        return short_span(span)


def shown(view: ScheduleView) -> CronJob:
    """A schedule in the older shape."""
    return CronJob(
        job_id=view.id,
        name=view.name,
        schedule=view.schedule,
        user_id=view.owner,
        workflow_id=view.workflow,
        next_run=view.next_at,
        status=view.state,
    )


@router.get("", response_model=list[CronJob])
async def list_cron_jobs(
    plans: Plans,
    caller: Reader,
    request: Request,
    response: Response,
    after: Named = None,
    limit: Limit = 200,
) -> list[CronJob]:
    """One's own schedules, oldest first. `Link` names the next page, if there is one."""
    found = await page_of(plans, caller.user, after, limit)
    return [shown(each) for each in linked(request, response, found, limit, "id")]


@router.get("/all", response_model=list[CronJob])
async def list_all_cron_jobs(
    plans: Plans,
    caller: Annotated[Caller, allow(Scope.SCHEDULES_READ)],
    request: Request,
    response: Response,
    after: Named = None,
    limit: Limit = 200,
) -> list[CronJob]:
    """Everybody's schedules, for admins. `Link` names the next page, if there is one."""
    if not caller.admin:
        raise Forbidden("only an admin sees everybody's schedules: ask for /api/cron/jobs")
    found = await page_of(plans, None, after, limit)
    return [shown(each) for each in linked(request, response, found, limit, "id")]


@router.post("/cron", status_code=201, response_model=CronJob)
async def create_cron_job(wish: CronWish, services: Given, plans: Plans, caller: Writer) -> CronJob:
    """Plan a job by a cron expression."""
    return shown(await create(services, plans, caller, wish.order(cron=wish.cron, zone=wish.timezone)))


@router.post("/interval", status_code=201, response_model=CronJob)
async def create_interval_job(wish: IntervalWish, services: Given, plans: Plans, caller: Writer) -> CronJob:
    """Plan a job at intervals."""
    return shown(await create(services, plans, caller, wish.order(every=wish.every)))


@router.get("/{id}", response_model=CronJob)
async def show_cron_job(schedule: Readable) -> CronJob:
    """One schedule."""
    return shown(schedule)


@router.post("/{id}/trigger", response_model=CronMessage)
async def trigger_cron_job(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> CronMessage:
    """Start a run now."""
    async with services.doing(caller, "schedule.triggered", f"schedule:{schedule.id}"):
        fired = await plans.trigger(schedule.id)
    return CronMessage(message=f"Job {schedule.id} triggered", job_id=schedule.id, run_id=fired.job)


@router.post("/{id}/pause", response_model=CronJob)
async def pause_cron_job(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> CronJob:
    """Let it start nothing until it is resumed."""
    async with services.doing(caller, "schedule.paused", f"schedule:{schedule.id}"):
        paused = await plans.pause(schedule.id)
    return shown(paused)


@router.post("/{id}/resume", response_model=CronJob)
async def resume_cron_job(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> CronJob:
    """Let it fire again, from its next due time on."""
    async with services.doing(caller, "schedule.resumed", f"schedule:{schedule.id}"):
        resumed = await plans.resume(schedule.id)
    return shown(resumed)


@router.delete("/{id}", response_model=CronMessage)
async def delete_cron_job(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> CronMessage:
    """Take it away with its history."""
    async with services.doing(caller, "schedule.deleted", f"schedule:{schedule.id}"):
        await plans.delete(schedule.id)
    return CronMessage(message=f"Job {schedule.id} deleted", job_id=schedule.id)
