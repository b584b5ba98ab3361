"""The routes of jobs: start, look, steer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, model_validator

from genlock.api.caller import Caller, Scope, allow
from genlock.api.channel import LAST, last_seen
from genlock.api.dependency import Given, Service
from genlock.api.problem import RESPONSES
from genlock.api.wire import Body, Envelope, wrapped
from genlock.engine.views import EventView, GraphView, JobView, RedoView, TaskView
from genlock.ledger.records import JobState

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=RESPONSES)
STREAM = "text/event-stream"
JobId = Annotated[
    str, Path(min_length=1, max_length=200, description="a job's id or a unique beginning of it")
]
Answer = Envelope[Any]
Reader = Annotated[Caller, allow(Scope.JOBS_READ)]
Writer = Annotated[Caller, allow(Scope.JOBS_WRITE)]


class Order(Body):
    """A job to be started. The same `dedup` again answers with the job that is there."""

    pipeline: str = Field(min_length=1, description="the pipeline's name, such as `campaign`")
    params: dict[str, Any] = Field(default={}, description="the pipeline's inputs by name")
    id: str | None = Field(default=None, min_length=1, max_length=200)
    owner: str = Field(default="local", min_length=1, max_length=200)
    deadline: timedelta | None = Field(default=None, gt=timedelta(0), description="seconds or ISO 8601")
    labels: dict[str, Any] = Field(default={})
    dedup: str | None = Field(default=None, min_length=1, max_length=500)


class Because(Body):
    """Why something is done, for the job's history."""

    reason: str = Field(default="", max_length=2000)


class Rerun(Body):
    """Which stage, or which one task, runs again. With `dryRun` nothing is done: the answer is a preview."""

    stage: str | None = Field(default=None, min_length=1)
    task: str | None = Field(default=None, min_length=1)
    dry_run: bool = False

    @model_validator(mode="after")
    def _one(self) -> Rerun:
        if (self.stage is None) == (self.task is None):
            msg = "name either a stage or a task"
            raise ValueError(msg)
        return self


class Signal(Body):
    """A word to a task that waits for it."""

    name: str = Field(min_length=1, max_length=200)
    value: Any = None


@router.post("", status_code=202, response_model=Envelope[JobView])
async def start_job(order: Order, service: Service, caller: Writer) -> Answer:
    """Start a job. It is committed when this answers, and runs by itself from then on."""
    job = await service.start(
        order.pipeline,
        order.params,
        id=order.id,
        owner=order.owner,
        dedup=order.dedup,
        deadline=order.deadline,
        labels=order.labels,
    )
    return wrapped(job)


@router.get("", response_model=Envelope[list[JobView]])
async def list_jobs(
    service: Service,
    caller: Reader,
    status: Annotated[list[JobState] | None, Query(description="any of these states")] = None,
    pipeline: str | None = None,
    owner: str | None = None,
    after: Annotated[str | None, Query(description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Answer:
    """Jobs, newest first."""
    found = await service.list(
        states=status or (), pipeline=pipeline, owner=owner, after=after, limit=limit + 1
    )
    page = found[:limit]
    return wrapped(page, next=page[-1].id if len(found) > limit else None)


@router.get("/{job}", response_model=Envelope[JobView])
async def show_job(job: JobId, service: Service, caller: Reader) -> Answer:
    """One job as it stands."""
    return wrapped(await service.show(job))


@router.get("/{job}/tasks", response_model=Envelope[list[TaskView]])
async def list_tasks(job: JobId, service: Service, caller: Reader) -> Answer:
    """The job's tasks in the order of its graph, with attempts and errors."""
    return wrapped(await service.tasks(job))


@router.get("/{job}/graph", response_model=Envelope[GraphView])
async def show_graph(job: JobId, service: Service, caller: Reader) -> Answer:
    """The job's graph as data, as Mermaid and as SVG."""
    return wrapped(await service.graph(job))


@router.get(
    "/{job}/events",
    response_model=Envelope[list[EventView]],
    responses={200: {"content": {STREAM: {"schema": {"type": "string"}}}}},
)
async def list_events(
    request: Request,
    job: JobId,
    service: Service,
    caller: Reader,
    services: Given,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header(description="stream on behind this event")] = None,
    after: Annotated[int, Query(ge=0, le=LAST, description="the number of the last event seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Any:
    """The job's history: a page of it, or with `Accept: text/event-stream` as it happens, to its end."""
    seen = last_seen(last_event_id)
    behind = after if seen is None else seen
    if STREAM not in accept:
        events = await service.events(job, after=behind, limit=limit)
        return wrapped(events, next=str(events[-1].seq) if len(events) == limit else None)
    known = await service.show(job)  # a job that does not exist is a 404, not an empty stream
    lines = services.channels.stream(known.id, behind, request.url.path)
    return StreamingResponse(lines, media_type=STREAM, headers={"Cache-Control": "no-store"})


@router.post("/{job}/cancel", response_model=Envelope[JobView])
async def cancel_job(job: JobId, service: Service, caller: Writer, because: Because | None = None) -> Answer:
    """Stop a job for good."""
    return wrapped(await service.cancel(job, because.reason if because else ""))


@router.post("/{job}/pause", response_model=Envelope[JobView])
async def pause_job(job: JobId, service: Service, caller: Writer, because: Because | None = None) -> Answer:
    """Start nothing new; what runs is finished."""
    return wrapped(await service.pause(job, because.reason if because else ""))


@router.post("/{job}/resume", response_model=Envelope[JobView])
async def resume_job(job: JobId, service: Service, caller: Writer) -> Answer:
    """Undo a pause."""
    return wrapped(await service.resume(job))


@router.post("/{job}/retry", response_model=Envelope[JobView])
async def retry_job(job: JobId, service: Service, caller: Writer) -> Answer:
    """Run what failed again; what is done stays done."""
    return wrapped(await service.retry(job))


@router.post("/{job}/rerun", response_model=Envelope[RedoView])
async def rerun_job(job: JobId, what: Rerun, service: Service, caller: Writer) -> Answer:
    """Run a stage or one task again although it is done, and what follows from it."""
    return wrapped(await service.redo(job, what.stage or what.task or "", dry_run=what.dry_run))


@router.post("/{job}/tasks/{task:path}/signal", response_model=Envelope[JobView])
async def signal_task(job: JobId, task: str, signal: Signal, service: Service, caller: Writer) -> Answer:
    """Tell a task what it waits for; the first value of a name stays."""
    return wrapped(await service.signal(job, task, signal.name, signal.value))
