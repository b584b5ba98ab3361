"""What is answered about jobs: as people ask for it, with money, film and what a retry leaves alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from genlock.api.dependency import Services
from genlock.api.wire import path_of
from genlock.engine.service import JobService
from genlock.engine.views import CostView, JobView, TaskView, View
from genlock.errors import Rejected
from genlock.ledger.library.verdict import FILM, Standing
from genlock.ledger.records import JobState, TaskState
from genlock.money import Money
from genlock.pipelines.quote import Quote
from genlock.store.artifact import Artifact

DONE = (TaskState.DONE, TaskState.SKIPPED)
RECALLED = 2048  # jobs of which is known what their film and their estimate are
_NOTHING = str(Money(0))


class JobCost(CostView):
    """What a job costs. `estimated` is what its order was expected to cost, by today's price table; null:
    nobody can say. `actual` is what is spent.
    """

    estimated: str | None
    actual: str


class JobFilm(View):
    """The film of a job, as far as there is one."""

    id: str
    revision: int
    sha256: str
    standing: Standing
    seconds: float
    urls: dict[str, str]


class JobAnswer(JobView):
    """A job as it stands. `status` is its state, `cost` what it costs, `film` what came of it."""

    status: JobState
    cost: JobCost | None = None
    film: JobFilm | None = None


class RetryAnswer(JobAnswer):
    """A job that was retried: from where it goes on, and which stages are not done again."""

    resume_from: str | None
    skipping_stages: list[str]
    message: str


class SubJob(View):
    """One of the tasks, or nested jobs, that a stage was spread into. `artifact` is where its file is."""

    id: str = Field(description="the task's key, such as `video_generation/0`")
    stage: str
    index: int | None
    status: TaskState
    attempt: int
    revision: int
    progress: float | None
    note: str | None
    error: str | None
    job: str | None = Field(description="the nested job, if it is one")
    started_at: Any = None
    completed_at: Any = None
    artifact: str | None = None


class SubJobSummary(View):
    """How many there are, in all and in each state."""

    total: int
    completed: int
    failed: int
    active: int
    counts: dict[TaskState, int]


class SubJobs(View):
    """A page of sub-jobs, and the sum of all."""

    sub_jobs: list[SubJob]
    summary: SubJobSummary


class Piece(View):
    """A file that a task of the job has made, or taken in."""

    sha256: str
    size: int
    media_type: str
    job: str
    task: str
    name: str = Field(description="where in the task's output it stands")
    url: str


async def answer_of(view: JobView, services: Services) -> JobAnswer:
    """A job with its film and its money."""
    return JobAnswer(**_fields(view), **await _more(view, services))


async def retried(before: JobView, after: JobView, services: Services) -> RetryAnswer:
    """What a retry does, from how the job stood before it."""
    failed = (before.error.task or "").partition("/")[0] if before.error else ""
    resume = failed or next((stage.name for stage in before.stages if stage.state not in DONE), None)
    skipping = [stage.name for stage in before.stages if stage.state in DONE]
    kept = sum(stage.counts.get(TaskState.DONE, 0) for stage in before.stages if stage.state not in DONE)
    also = f", and of the others {kept} tasks that are done" if kept else ""
    also += rejected(before)
    return RetryAnswer(
        **_fields(after),
        **await _more(after, services),
        resume_from=resume,
        skipping_stages=skipping,
        message=f"goes on from {resume or 'its beginning'}; {len(skipping)} stages are not done again{also}",
    )


def rejected(before: JobView) -> str:
    """What to do instead of a retry that only repeats what a person has said; nothing in all other cases."""
    if before.error is None or before.error.kind != Rejected.__name__:
        return ""
    return (
        f". The film was {before.error.message}, and stays so: have a clip made anew (POST "
        f"/api/v3/videos/{before.id}/redo-clip) or a stage (POST /api/v3/jobs/{before.id}/rerun)"
    )


def sub_jobs(tasks: Sequence[TaskView]) -> list[SubJob]:
    """Those of a job's tasks that a stage was spread into."""
    return [_sub_job(task) for task in tasks if "/" in task.key or task.child_job]


def summary(found: Sequence[SubJob]) -> SubJobSummary:
    """How they stand, together."""
    counts: dict[TaskState, int] = {}
    for each in found:
        counts[each.status] = counts.get(each.status, 0) + 1
    return SubJobSummary(
        total=len(found),
        completed=sum(counts.get(state, 0) for state in DONE),
        failed=counts.get(TaskState.FAILED, 0),
        active=counts.get(TaskState.RUNNING, 0) + counts.get(TaskState.SPREAD, 0),
        counts=counts,
    )


async def pieces(jobs: JobService, job: str, root: str) -> list[Piece]:
    """Every file in the outputs of a job's tasks and of those nested in it, each once."""
    found: dict[str, Piece] = {}
    for task in await jobs.tasks(job):
        for name, artifact in artifacts_in(task.output):
            url = path_of("jobs", root, "artifacts", artifact.sha256)
            made = {"job": job, "task": task.key, "name": name, "url": url}
            found.setdefault(artifact.sha256, Piece(**artifact.model_dump(), **made))
        if task.child_job:
            for piece in await pieces(jobs, task.child_job, root):
                found.setdefault(piece.sha256, piece)
    return list(found.values())


def artifacts_in(value: Any, name: str = "") -> Iterator[tuple[str, Artifact]]:
    """References to files in a JSON value, and where they stand."""
    if isinstance(value, Mapping):
        if value.keys() == Artifact.model_fields.keys():
            yield name or "output", Artifact.model_validate(value)
            return
        for key, each in value.items():
            yield from artifacts_in(each, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from artifacts_in(each, f"{name}[{number}]")


def _fields(view: JobView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in JobView.model_fields if name != "cost"} | {
        "status": view.state
    }


async def _more(view: JobView, services: Services) -> dict[str, Any]:
    """Looked up once for each event of the job: people ask all the time how far it is."""
    known = services.recalled.get(view.id)
    if known is None or known[0] != view.last_event:
        quote = await services.quotes.of_job(view.id) if services.quotes else None
        known = (view.last_event, quote, await _film(view, services))
        while len(services.recalled) >= RECALLED:
            services.recalled.pop(next(iter(services.recalled)))
        services.recalled[view.id] = known
    _, quote, film = known
    return {"cost": _cost(view, quote), "film": film}


def _cost(view: JobView, quote: Quote | None) -> JobCost | None:
    if quote is None and view.cost is None:
        return None
    known = quote is not None and quote.micros is not None
    estimated = str(Money(quote.micros or 0, quote.currency)) if quote and known else None
    spent = view.cost or CostView(
        group=view.id,
        currency=quote.currency if quote else "USD",
        calls=0,
        spent=_NOTHING,
        reserved=_NOTHING,
        doubt=_NOTHING,
        risk=_NOTHING,
        saved_by_resume=_NOTHING,
        saved_by_reuse=_NOTHING,
        micros={},
    )
    return JobCost(**spent.model_dump(), estimated=estimated, actual=spent.spent)


async def _film(view: JobView, services: Services) -> JobFilm | None:
    stage = next((stage for stage in view.stages if stage.name == FILM), None)
    if services.videos is None or stage is None or stage.state is TaskState.SKIPPED:
        return None
    found = await services.videos.of_job(view.id, done=stage.state is TaskState.DONE)
    if found is None:
        return None
    base = path_of("videos", view.id)
    return JobFilm(
        id=view.id,
        revision=found.revision,
        sha256=found.sha256,
        standing=found.standing,
        seconds=found.seconds,
        urls={each: f"{base}/{each}" for each in ("data", "poster", "sheet")},
    )


def _sub_job(task: TaskView) -> SubJob:
    index = task.key.partition("/")[2]
    made = next(artifacts_in(_own(task.output)), None)
    return SubJob(
        id=task.key,
        stage=task.stage,
        index=int(index) if index else None,
        status=task.state,
        attempt=task.attempt,
        revision=task.revision,
        progress=1.0 if task.state is TaskState.DONE else task.progress,
        note=task.note or task.waits_for,
        error=task.error.message if task.error else None,
        job=task.child_job,
        started_at=task.started_at,
        completed_at=task.finished_at,
        artifact=made[1].sha256 if made else None,
    )


def _own(output: Any) -> Any:
    """The file that a task made itself, if it says which."""
    return output.get("artifact") if isinstance(output, Mapping) else None
