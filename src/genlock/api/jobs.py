"""The routes of jobs: start, look, steer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, StrictBool, model_validator

from genlock.api.answer import JobAnswer, RetryAnswer, answer_of, retried
from genlock.api.belonging import ReadableJob, SteerableJob, check_new, dedup_for, owner_for, reach_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.channel import LAST, last_seen
from genlock.api.deed import of_new_job
from genlock.api.dependency import Given, Service
from genlock.api.order import CapsOrder, Executor, NewId, check_executor, labels_of, open_params
from genlock.api.problem import RESPONSES
from genlock.api.repeat import Once
from genlock.api.videos import RedoAnswer, priced
from genlock.api.wire import Body, Envelope, wrapped
from genlock.engine.views import EventView, GraphView, JobView, TaskView
from genlock.ledger.records import JobState
from genlock.pipelines.review import refuse_gate

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=RESPONSES)
STREAM = "text/event-stream"
UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # by proxies that listen to it
Answer = Envelope[Any]
Reader = Annotated[Caller, allow(Scope.JOBS_READ)]
Writer = Annotated[Caller, allow(Scope.JOBS_WRITE)]


class Order(Body):
    """A job to be started. The same `dedup` again answers with the job that is there."""

    pipeline: str = Field(min_length=1, description="the pipeline's name", examples=["campaign"])
    params: dict[str, Any] = Field(
        default={},
        description="the pipeline's inputs by name",
        examples=[{"photos": ["as_1m7v0k4r2d", "as_1m7v0k4t6b"], "num_pairs": 1}],
    )
    id: NewId | None = None
    owner: str | None = Field(
        default=None, min_length=1, max_length=200, description="for admins: whose it is; else one's own"
    )
    deadline: timedelta | None = Field(default=None, gt=timedelta(0), description="seconds or ISO 8601")
    labels: dict[str, Any] = Field(default={})
    executor: Executor = None
    caps: CapsOrder | None = None
    dedup: str | None = Field(default=None, min_length=1, max_length=500)


class Because(Body):
    """Why something is done, for the job's history."""

    reason: str = Field(default="", max_length=2000, examples=["the client changed their mind"])


class Rerun(Body):
    """Which stage, or which one task, runs again. With `dryRun` nothing is done: the answer is a preview."""

    stage: str | None = Field(default=None, min_length=1, examples=["video_combination"])
    task: str | None = Field(default=None, min_length=1)
    dry_run: StrictBool = False

    @model_validator(mode="after")
    def _one(self) -> Rerun:
        if (self.stage is None) == (self.task is None):
            msg = "name either a stage or a task"
            raise ValueError(msg)
        return self


class Signal(Body):
    """A word to a task that waits for it."""

    name: str = Field(min_length=1, max_length=200, examples=["approval"])
    value: Any = Field(default=None, examples=[True])


@router.post("", status_code=202, response_model=Envelope[JobView])
async def start_job(order: Order, services: Given, caller: Writer, once: Once) -> Answer:
    """Start a job. It is committed when this answers, and runs by itself from then on."""
    check_executor(order.executor)
    owner = owner_for(caller, order.owner)
    params = await open_params(services, order.pipeline, order.params, caller)
    async with services.doing(caller, "job.started", of_new_job, pipeline=order.pipeline):
        job = await services.jobs.start(
            order.pipeline,
            params,
            id=order.id,
            owner=owner,
            dedup=dedup_for(owner, order.dedup, once),
            deadline=order.deadline,
            labels=labels_of(order.labels, order.caps, caller),
        )
    check_new(caller, owner, job)
    return wrapped(job)


@router.get("", response_model=Envelope[list[JobView]])
async def list_jobs(
    service: Service,
    caller: Reader,
    status: Annotated[list[JobState] | None, Query(description="any of these states")] = None,
    pipeline: str | None = None,
    owner: Annotated[str | None, Query(description="for admins: only this one's")] = None,
    after: Annotated[str | None, Query(description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Answer:
    """Jobs, newest first."""
    found = await service.list(
        states=status or (), pipeline=pipeline, owner=reach_for(caller, owner), after=after, limit=limit + 1
    )
    page = found[:limit]
    return wrapped(page, next=page[-1].id if len(found) > limit else None)


@router.get("/{job}", response_model=Envelope[JobAnswer])
async def show_job(job: ReadableJob, services: Given) -> Answer:
    """One job as it stands, with what it costs and the film that came of it."""
    return wrapped(await answer_of(await services.jobs.show(job), services))


@router.get("/{job}/tasks", response_model=Envelope[list[TaskView]])
async def list_tasks(job: ReadableJob, service: Service) -> Answer:
    """The job's tasks in the order of its graph, with attempts and errors."""
    return wrapped(await service.tasks(job))


@router.get("/{job}/graph", response_model=Envelope[GraphView])
async def show_graph(job: ReadableJob, service: Service) -> Answer:
    """The job's graph as data, as Mermaid and as SVG."""
    return wrapped(await service.graph(job))


@router.get(
    "/{job}/events",
    response_model=Envelope[list[EventView]],
    responses={200: {"content": {STREAM: {"schema": {"type": "string"}}}}},
)
async def list_events(
    request: Request,
    job: ReadableJob,
    service: Service,
    services: Given,
    caller: Reader,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[
        str | None, Header(pattern="^[0-9]{0,16}$", description="stream on behind this event")
    ] = None,
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
    path, newest = request.url.path, known.last_event
    lines = services.channels.stream(known.id, behind, path, caller, newest=newest)
    return StreamingResponse(lines, media_type=STREAM, headers=UNBUFFERED)


@router.post("/{job}/cancel", response_model=Envelope[JobView])
async def cancel_job(
    job: SteerableJob, services: Given, caller: Writer, because: Because | None = None
) -> Answer:
    """Stop a job for good."""
    reason = because.reason if because else ""
    async with services.doing(caller, "job.cancelled", f"job:{job}", reason=reason):
        done = await services.jobs.cancel(job, reason)
    return wrapped(done)


@router.post("/{job}/pause", response_model=Envelope[JobView])
async def pause_job(
    job: SteerableJob, services: Given, caller: Writer, because: Because | None = None
) -> Answer:
    """Start nothing new; what runs is finished."""
    reason = because.reason if because else ""
    async with services.doing(caller, "job.paused", f"job:{job}", reason=reason):
        done = await services.jobs.pause(job, reason)
    return wrapped(done)


@router.post("/{job}/resume", response_model=Envelope[JobView])
async def resume_job(job: SteerableJob, services: Given, caller: Writer) -> Answer:
    """Undo a pause."""
    async with services.doing(caller, "job.resumed", f"job:{job}"):
        done = await services.jobs.resume(job)
    return wrapped(done)


@router.post("/{job}/retry", response_model=Envelope[RetryAnswer])
async def retry_job(job: SteerableJob, services: Given, caller: Writer) -> Answer:
    """Run what failed again; what is done stays done, and the answer says what that is."""
    before = await services.jobs.show(job)
    async with services.doing(caller, "job.retried", f"job:{job}"):
        done = await services.jobs.retry(job)
    return wrapped(await retried(before, done, services))


@router.post("/{job}/rerun", response_model=Envelope[RedoAnswer])
async def rerun_job(job: SteerableJob, what: Rerun, services: Given, caller: Writer) -> Answer:
    """Run a stage or one task again although it is done, and what follows; with `dryRun`, what that costs."""
    target = what.stage or what.task or ""
    async with services.doing(caller, "job.rerun", f"job:{job}", trying=what.dry_run, what=target):
        done = await services.jobs.redo(job, target, dry_run=what.dry_run)
    return wrapped(await priced(done, services.quotes))


@router.post("/{job}/tasks/{task:path}/signal", response_model=Envelope[JobView])
async def signal_task(
    job: SteerableJob,
    task: Annotated[str, Path(min_length=1, max_length=500)],
    signal: Signal,
    services: Given,
    caller: Writer,
) -> Answer:
    """Tell a task what it waits for; the first value of a name stays."""
    refuse_gate(signal.name)
    told: dict[str, Any] = {"task": task, "name": signal.name}
    async with services.doing(caller, "task.signalled", lambda new: f"job:{job}" if new else None, **told):
        done = await services.jobs.signal(job, task, signal.name, signal.value)
    return wrapped(done)
