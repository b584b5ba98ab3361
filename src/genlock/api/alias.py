"""Routes of the Celery pipeline that genlock replaces, in their own shapes: plain objects, no envelope.

They are thin: each does what a route of `/api/v3` does. What this version cannot do is refused, not played.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from genlock.api.answer import rejected
from genlock.api.belonging import ReadableJob, SteerableJob, reach_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import Given
from genlock.api.page import linked
from genlock.api.problem import RESPONSES
from genlock.api.sight import seen_video
from genlock.api.videos import Approve, Id, Reject, Reviewer, Viewer, say, videos_of
from genlock.api.wire import path_of
from genlock.engine.views import JobView, StageView
from genlock.errors import Unsupported
from genlock.ledger.library.verdict import SoughtFilms, Standing
from genlock.ledger.records import JobState, TaskState
from genlock.pipelines.review import Opinion
from genlock.pipelines.video import VideoView

router = APIRouter(tags=["aliases"], responses=RESPONSES)
Reader = Annotated[Caller, allow(Scope.JOBS_READ)]
Writer = Annotated[Caller, allow(Scope.JOBS_WRITE)]
THEME = "theme"  # a label
QUEUED = "queued"  # the older word for a job of which nothing was begun
DONE = (TaskState.DONE, TaskState.SKIPPED)


class Plain(BaseModel):
    """Snake case, and all fields always there."""

    model_config = ConfigDict(frozen=True)


class Theme(Plain):
    """What a short is to be about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    theme: str | None = Field(default=None, max_length=200, examples=["cats"])


class OlderJob(Plain):
    """A job as the Celery pipeline's API told of it. `progress_pct` is 0 to 100."""

    id: str
    status: str
    stage: str | None
    theme: str | None
    created_at: datetime
    updated_at: datetime
    error_message: str | None
    completed_stages: list[str]
    total_stages: int
    progress_pct: float
    extra_data: dict[str, Any]


class OlderRetry(Plain):
    """What a retry does."""

    job_id: str
    task_id: str | None
    status: str
    resume_from: str | None
    skipping_stages: list[str]
    message: str


class Remark(Plain):
    """What is said about a film, besides yes or no."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(default="", max_length=2000, examples=["too dark"])


class OlderVideo(Plain):
    """A film, and how it stands with the people who look at it."""

    id: str
    job_id: str
    status: Standing
    revision: int
    sha256: str
    duration: float
    video_url: str
    thumbnail_url: str
    created_at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    rejection_reason: str | None


@router.post("/api/generate", status_code=202, response_model=OlderRetry)
async def generate_short(caller: Writer, theme: Theme | None = None) -> OlderRetry:
    """Not in this version, which has no pipeline that makes shorts of trends: it answers 422."""
    del caller
    about = f" about {theme.theme!r}" if theme and theme.theme else ""
    raise Unsupported(
        f"no short{about} was started: this version has no pipeline that makes shorts of trends. It makes "
        "films of pictures: POST /api/v3/jobs/from-image-pairs"
    )


@router.get("/api/trends", response_model=list[Plain])
@router.get("/api/analysis", response_model=list[Plain], operation_id="list_older_analysis")
@router.get("/api/scripts", response_model=list[Plain], operation_id="list_older_scripts")
async def list_older_trends(caller: Reader) -> list[Plain]:
    """Not in this version, which collects no trends: it answers 422."""
    del caller
    raise Unsupported(
        "this version collects no trends, so there are none, no analysis and no scripts: they come with "
        "the pipeline that makes shorts. The films that were made of pictures: GET /api/videos"
    )


@router.get("/api/jobs", response_model=list[OlderJob])
async def list_older_jobs(
    services: Given,
    caller: Reader,
    request: Request,
    response: Response,
    status: Annotated[JobState | None, Query(description="only jobs in this state")] = None,
    after: Annotated[str | None, Query(max_length=200, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[OlderJob]:
    """Jobs, newest first. `Link` names the next page, if there is one."""
    states, owner = ([status] if status else ()), reach_for(caller, None)
    found = await services.jobs.list(states=states, owner=owner, after=after, limit=limit + 1)
    return [_older(job) for job in linked(request, response, found, limit, "id")]


@router.get("/api/jobs/{job}", response_model=OlderJob)
async def show_older_job(job: ReadableJob, services: Given) -> OlderJob:
    """One job."""
    return _older(await services.jobs.show(job))


@router.post("/api/jobs/{job}/retry", response_model=OlderRetry)
async def retry_older_job(job: SteerableJob, services: Given, caller: Writer) -> OlderRetry:
    """Run what failed again, and say what is not done again."""
    before = await services.jobs.show(job)
    async with services.doing(caller, "job.retried", f"job:{job}"):
        done = await services.jobs.retry(job)
    task = before.error.task if before.error else None
    skipping = [stage.name for stage in before.stages if stage.state in DONE]
    resume = task.partition("/")[0] if task else _next(before.stages)
    return OlderRetry(
        job_id=done.id,
        task_id=f"{done.id}/{task}" if task else None,
        status=_status(done.state),
        resume_from=resume,
        skipping_stages=skipping,
        message=f"goes on from {resume}; {len(skipping)} stages are not done again{rejected(before)}",
    )


@router.get("/api/videos", response_model=list[OlderVideo])
async def list_older_videos(
    services: Given,
    caller: Viewer,
    request: Request,
    response: Response,
    status: Annotated[Standing | None, Query(description="only those that stand so")] = None,
    after: Annotated[str | None, Query(max_length=200, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[OlderVideo]:
    """Films that are finished or wait for a person, newest first. `Link` names the next page."""
    sought = SoughtFilms(owner=caller.reach, standing=status)
    found = await videos_of(services).list(sought, after=after, limit=limit + 1)
    return [_video(each) for each in linked(request, response, found, limit, "id")]


@router.get("/api/videos/{video}", response_model=OlderVideo)
async def show_older_video(video: Id, services: Given, caller: Viewer) -> OlderVideo:
    """One film."""
    return _video(await seen_video(videos_of(services), video, caller))


@router.post("/videos/{video}/approve", response_model=OlderVideo, operation_id="approve_video_oldest")
@router.post("/api/videos/{video}/approve", response_model=OlderVideo, operation_id="approve_older_video")
async def approve_older_video(
    video: Id, services: Given, caller: Reviewer, remark: Remark | None = None
) -> OlderVideo:
    """Say yes to the newest revision, if its job waits for that; else 409."""
    newest = await seen_video(videos_of(services), video, caller)
    word = Approve(revision=newest.revision, sha256=newest.sha256, reason=remark.reason if remark else "")
    return _video(await say(services, caller, newest.id, Opinion.APPROVED, word))


@router.post("/videos/{video}/reject", response_model=OlderVideo, operation_id="reject_video_oldest")
@router.post("/api/videos/{video}/reject", response_model=OlderVideo, operation_id="reject_older_video")
async def reject_older_video(
    video: Id, services: Given, caller: Reviewer, remark: Remark | None = None
) -> OlderVideo:
    """Say no to the newest revision, if its job waits for a word; else 409."""
    newest = await seen_video(videos_of(services), video, caller)
    reason = (remark.reason.strip() if remark else "") or "no reason was given"
    word = Reject(revision=newest.revision, sha256=newest.sha256, reason=reason)
    return _video(await say(services, caller, newest.id, Opinion.REJECTED, word))


def _older(job: JobView) -> OlderJob:
    theme = job.labels.get(THEME)
    return OlderJob(
        id=job.id,
        status=_status(job.state),
        stage=job.stage,
        theme=theme if isinstance(theme, str) else None,
        created_at=job.created_at,
        updated_at=job.updated_at,
        error_message=job.error.message if job.error else None,
        completed_stages=[stage.name for stage in job.stages if stage.state in DONE],
        total_stages=job.total_stages,
        progress_pct=round(100 * job.progress, 1),
        extra_data={"pipeline": job.pipeline, "owner": job.owner, "labels": job.labels},
    )


def _status(state: JobState) -> str:
    return QUEUED if state is JobState.PENDING else state.value


def _next(stages: list[StageView]) -> str | None:
    return next((stage.name for stage in stages if stage.state not in DONE), None)


def _video(video: VideoView) -> OlderVideo:
    said = video.review
    rejected = said is not None and said.verdict is Opinion.REJECTED
    return OlderVideo(
        id=video.id,
        job_id=video.id,
        status=video.standing,
        revision=video.revision,
        sha256=video.sha256,
        duration=video.seconds,
        video_url=path_of("videos", video.id, "data"),
        thumbnail_url=path_of("videos", video.id, "poster"),
        created_at=video.created_at,
        reviewed_by=said.by if said else None,
        reviewed_at=said.at if said else None,
        rejection_reason=said.reason if said and rejected else None,
    )
