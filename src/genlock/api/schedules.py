"""The routes of schedules: planned, looked at, paused and fired by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from genlock.api.belonging import owner_for, reach_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.deed import of_schedule
from genlock.api.dependency import Given, Services, schedules_of
from genlock.api.order import open_params
from genlock.api.page import check_cursor
from genlock.api.problem import RESPONSES
from genlock.api.wire import Body, Envelope, When, wrapped
from genlock.errors import Forbidden, NotFound
from genlock.schedules.service import ScheduleService
from genlock.schedules.view import ID, FiringView, Plan, PlanChange, ScheduleView

router = APIRouter(prefix="/schedules", tags=["schedules"], responses=RESPONSES)
Answer = Envelope[Any]
Reader = Annotated[Caller, allow(Scope.SCHEDULES_READ)]
Writer = Annotated[Caller, allow(Scope.SCHEDULES_WRITE)]
Plans = Annotated[ScheduleService, Depends(schedules_of)]
Id = Annotated[str, Path(pattern=f"^{ID}$", description="a schedule's id", examples=["main_pipeline_v2"])]
Limit = Annotated[int, Query(ge=1, le=200)]


class ScheduleOrder(Plan):
    """A schedule to be. Admins may choose its id and its owner."""

    id: str | None = Field(default=None, pattern=f"^{ID}$")
    owner: str | None = Field(default=None, min_length=1, max_length=200)


class Pause(Body):
    """Why it is paused, for those who look at it."""

    reason: str = Field(default="", max_length=2000)


async def readable(id: Id, plans: Plans, caller: Reader) -> ScheduleView:
    """The schedule, if it is the caller's to see."""
    return await seen(plans, caller, id)


async def steerable(id: Id, plans: Plans, caller: Writer) -> ScheduleView:
    """The schedule, if it is the caller's to change."""
    return await seen(plans, caller, id)


async def seen(plans: ScheduleService, caller: Caller, id: str) -> ScheduleView:
    """The schedule; `NotFound` if it is somebody else's, in the words for one that is not there."""
    found = await plans.show(id)
    if not caller.admin and found.owner != caller.user:
        raise NotFound(f"there is no schedule {id!r}")
    return found


Readable = Annotated[ScheduleView, Depends(readable)]
Steerable = Annotated[ScheduleView, Depends(steerable)]


async def page_of(
    plans: ScheduleService, owner: str | None, after: str | None, limit: int
) -> Sequence[ScheduleView]:
    """A page of schedules, and one more if there is one. `BadInput` if `after` was taken away meanwhile."""
    found = await plans.list(owner=owner, after=after, limit=limit + 1)
    await check_cursor(after, found, plans.show)
    return found


async def create(
    services: Services, plans: ScheduleService, caller: Caller, order: ScheduleOrder
) -> ScheduleView:
    """Plan what somebody orders, with what they may order."""
    owner = owner_for(caller, order.owner)
    if order.id is not None and not caller.admin:
        raise Forbidden("only an admin chooses a schedule's id: leave `id` out")
    plan = Plan(**order.model_dump(exclude={"id", "owner"}))
    await check_plan(services, plan, caller)
    async with services.doing(caller, "schedule.created", of_schedule, pipeline=plan.pipeline):
        return await plans.create(plan, owner=owner, id=order.id)


async def check_plan(services: Services, plan: Plan, caller: Caller) -> None:
    """`Forbidden` for what the caller may not start, `NotFound` for assets that are not theirs: they are
    opened whenever the schedule fires, and the plan has their ids.
    """
    await open_params(services, plan.pipeline.partition(":")[0], plan.params, caller)


@router.post("", status_code=201, response_model=Envelope[ScheduleView])
async def create_schedule(order: ScheduleOrder, services: Given, plans: Plans, caller: Writer) -> Answer:
    """Plan jobs: what is started, and when. It fires from now on."""
    return wrapped(await create(services, plans, caller, order))


@router.get("", response_model=Envelope[list[ScheduleView]])
async def list_schedules(
    plans: Plans,
    caller: Reader,
    owner: Annotated[str | None, Query(max_length=200, description="for admins: only this one's")] = None,
    after: Annotated[
        str | None, Query(pattern=f"^{ID}$", description="the last id of the page before")
    ] = None,
    limit: Limit = 50,
) -> Answer:
    """Schedules, oldest first."""
    found = await page_of(plans, reach_for(caller, owner), after, limit)
    page = found[:limit]
    return wrapped(page, next=page[-1].id if len(found) > limit else None)


@router.get("/{id}", response_model=Envelope[ScheduleView])
async def show_schedule(schedule: Readable) -> Answer:
    """One schedule as it stands."""
    return wrapped(schedule)


@router.put("/{id}", response_model=Envelope[ScheduleView])
async def replace_schedule(
    schedule: Steerable, plan: Plan, services: Given, plans: Plans, caller: Writer
) -> Answer:
    """Say all of a schedule anew. Its next run moves only if its times do."""
    await check_plan(services, plan, caller)
    async with services.doing(caller, "schedule.changed", of_schedule):
        replaced = await plans.replace(schedule.id, plan)
    return wrapped(replaced)


@router.patch("/{id}", response_model=Envelope[ScheduleView])
async def change_schedule(
    schedule: Steerable, changes: PlanChange, services: Given, plans: Plans, caller: Writer
) -> Answer:
    """Change some of a schedule; what is left out stays."""
    await _check_changes(services, schedule, changes, caller)
    async with services.doing(caller, "schedule.changed", of_schedule):
        changed = await plans.change(schedule.id, changes)
    return wrapped(changed)


@router.delete("/{id}", status_code=204)
async def delete_schedule(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> Response:
    """Take a schedule away with its history. Jobs that it started go on."""
    async with services.doing(caller, "schedule.deleted", f"schedule:{schedule.id}"):
        await plans.delete(schedule.id)
    return Response(status_code=204)


@router.post("/{id}/trigger", status_code=202, response_model=Envelope[FiringView])
async def trigger_schedule(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> Answer:
    """Start a run now, whenever the next one is due."""
    async with services.doing(caller, "schedule.triggered", f"schedule:{schedule.id}"):
        fired = await plans.trigger(schedule.id)
    return wrapped(fired)


@router.post("/{id}/pause", response_model=Envelope[ScheduleView])
async def pause_schedule(
    schedule: Steerable, services: Given, plans: Plans, caller: Writer, because: Pause | None = None
) -> Answer:
    """Let it start nothing until it is resumed."""
    async with services.doing(caller, "schedule.paused", f"schedule:{schedule.id}"):
        paused = await plans.pause(schedule.id, because.reason if because else "")
    return wrapped(paused)


@router.post("/{id}/resume", response_model=Envelope[ScheduleView])
async def resume_schedule(schedule: Steerable, services: Given, plans: Plans, caller: Writer) -> Answer:
    """Let it fire again, from its next due time on."""
    async with services.doing(caller, "schedule.resumed", f"schedule:{schedule.id}"):
        resumed = await plans.resume(schedule.id)
    return wrapped(resumed)


@router.get("/{id}/firings", response_model=Envelope[list[FiringView]])
async def list_firings(
    schedule: Readable,
    plans: Plans,
    after: Annotated[When | None, Query(description="the last `dueAt` of the page before")] = None,
    limit: Limit = 50,
) -> Answer:
    """What became of its runs, newest first."""
    found = await plans.firings(schedule.id, after=after, limit=limit + 1)
    page = found[:limit]
    return wrapped(page, next=_stamp(page[-1].due_at) if len(found) > limit else None)


@router.get("/{id}/upcoming", response_model=Envelope[list[datetime]])
async def list_upcoming(
    schedule: Readable, plans: Plans, count: Annotated[int, Query(ge=1, le=100)] = 5
) -> Answer:
    """When it is due next; of one that is paused, when it would be."""
    return wrapped(await plans.upcoming(schedule.id, count=count))


async def _check_changes(
    services: Services, schedule: ScheduleView, changes: PlanChange, caller: Caller
) -> None:
    if changes.pipeline is None and changes.params is None:
        return
    pipeline = changes.pipeline or schedule.pipeline
    params = schedule.params if changes.params is None else changes.params
    await check_plan(services, Plan(name=schedule.name, pipeline=pipeline, params=params, every="1h"), caller)


def _stamp(at: datetime) -> str:
    """As it goes into a query without being escaped."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
