"""The routes of orders for films: from pairs of pictures, what it would cost, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field, StrictBool, create_model

from genlock.api.answer import Piece, SubJobs, pieces, sub_jobs, summary
from genlock.api.belonging import ReadableJob, check_new, dedup_for, owner_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.deed import of_new_job
from genlock.api.dependency import Given, Services
from genlock.api.download import answers, file_answer
from genlock.api.order import (
    CapsOrder,
    Executor,
    NewId,
    check_executor,
    labels_of,
    open_params,
    pipeline_of,
)
from genlock.api.problem import RESPONSES
from genlock.api.repeat import Once
from genlock.api.videos import store_of
from genlock.api.wire import Body, Envelope, Wire, path_of, wrapped
from genlock.engine.spec import fit_inputs
from genlock.engine.views import GraphView, JobView
from genlock.errors import BadInput, NotFound, Unsupported
from genlock.ledger.library.records import CAMPAIGN, CLIENT, Sought
from genlock.ledger.records import page_lost
from genlock.pipelines.models import MOST_PHOTOS, CampaignOrder
from genlock.pipelines.quote import Quote
from genlock.store.artifact import Artifact

router = APIRouter(prefix="/jobs", tags=["films"], responses=RESPONSES)
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="the file's SHA-256")]
Answer = Envelope[Any]
Writer = Annotated[Caller, allow(Scope.JOBS_WRITE)]
PAGE = 200
IMMUTABLE = "private, max-age=31536000, immutable"  # a file that is named by its hash stays what it is


class _ImagePairs(Body):
    """A campaign film from pairs of pictures. Without `assets`: of all that are in the campaign."""

    model_config = ConfigDict(title="FromImagePairs")

    campaign_id: str = Field(min_length=1, max_length=200, examples=["ca_1m7v0k3q8e"])
    client_id: str | None = Field(default=None, min_length=1, max_length=200)
    assets: list[str] | None = Field(
        default=None,
        max_length=MOST_PHOTOS,
        description="ids of assets; for admins also files of the server",
        examples=[["as_1m7v0k4r2d", "as_1m7v0k4t6b"]],
    )
    id: NewId | None = Field(default=None, description="the new job's id")
    owner: str | None = Field(default=None, min_length=1, max_length=200, description="for admins")
    executor: Executor = None
    caps: CapsOrder | None = None
    deadline: timedelta | None = Field(default=None, gt=timedelta(0), description="seconds or ISO 8601")
    logo: str | None = Field(default=None, max_length=4096, description="an asset: logo on the end card")
    skip_audio: StrictBool | None = Field(
        default=None, description="the older word for `withAudio`, turned round"
    )


_FILES = {"photos", "logo"}  # which are assets here
_OPTIONS = {name: field for name, field in CampaignOrder.model_fields.items() if name not in _FILES}
FromImagePairs: Any = create_model(
    "FromImagePairs",
    __base__=_ImagePairs,
    **{name: (field.rebuild_annotation(), field) for name, field in _OPTIONS.items()},  # type: ignore[call-overload]
)


class PairsAnswer(Wire):
    """A job that was started, and where to look how it goes."""

    job_id: str
    status: str
    campaign_id: str
    total_assets: int
    poll_url: str
    message: str


class PropertyInfo(Body):
    """What a property film is about."""

    name: str = Field(min_length=1, max_length=200, examples=["Villa Aurora"])
    location: str = Field(default="", max_length=200, examples=["Graz"])
    property_type: str = Field(default="", max_length=200)
    positioning: str = Field(default="", max_length=2000)


class FromPropertyPhotos(Body):
    """A property film from photos of rooms."""

    property_info: PropertyInfo
    photos: list[str] = Field(max_length=MOST_PHOTOS)
    clip_duration: float | None = Field(default=None, gt=0, le=60)
    video_model: str | None = Field(default=None, max_length=200)


class DryRun(Body):
    """A job that is not started: what would it cost, and what would it do?"""

    pipeline: str = Field(min_length=1, max_length=200, examples=["campaign"])
    params: dict[str, Any] = Field(
        default={}, examples=[{"photos": ["as_1m7v0k4r2d", "as_1m7v0k4t6b"], "num_pairs": 1}]
    )
    executor: Executor = None
    caps: CapsOrder | None = None


class DryRunAnswer(Quote):
    """What the job would cost at most if nothing has to be made twice, and its graph. Nothing was written."""

    graph: GraphView


@router.post("/from-image-pairs", status_code=202, response_model=Envelope[PairsAnswer])
async def start_from_image_pairs(
    order: FromImagePairs,  # made of the campaign order's own fields
    services: Given,
    caller: Writer,
    once: Once,
) -> Answer:
    """Start a campaign film from pairs of pictures. It is committed when this answers."""
    return wrapped(await start_pairs(services, order, caller, once))


@router.post("/from-property-photos", status_code=202, response_model=Envelope[None])
async def start_from_property_photos(order: FromPropertyPhotos, caller: Writer) -> Answer:
    """Not in this version, which has no pipeline that finds the rooms of a property: it answers 422."""
    del caller
    raise Unsupported(
        f"{order.property_info.name!r} was not started: this version has no property pipeline, which finds "
        "rooms and their order. A film of the photos in pairs: POST /api/v3/jobs/from-image-pairs"
    )


@router.post("/dry-run", response_model=Envelope[DryRunAnswer])
async def try_job(order: DryRun, services: Given, caller: Writer) -> Answer:
    """What a job would cost, line by line, and its graph. Nothing is written, and nobody is asked."""
    check_executor(order.executor)
    labels_of({}, order.caps, caller)
    pipeline = pipeline_of(services, order.pipeline)
    inputs = fit_inputs(pipeline, await open_params(services, order.pipeline, order.params, caller))
    if services.quotes is None:
        raise Unsupported("this server was opened without prices")
    quote = services.quotes.ahead(pipeline, inputs)
    return wrapped(DryRunAnswer(**dict(quote), graph=await services.jobs.graph(order.pipeline)))


@router.get("/{job}/sub-jobs", response_model=Envelope[SubJobs])
async def list_sub_jobs(
    job: ReadableJob,
    services: Given,
    after: Annotated[str | None, Query(max_length=300, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = PAGE,
) -> Answer:
    """The clips, or other parts, that the job's stages were spread into, and how many stand where."""
    found = await services.jobs.show(job)
    all_of_them = sub_jobs(await services.jobs.tasks(found.id))
    page, more = _page(all_of_them, after, limit, "id")
    answer = SubJobs(sub_jobs=page, summary=summary(all_of_them))
    return wrapped(answer, next=page[-1].id if more else None)


@router.get("/{job}/artifacts", response_model=Envelope[list[Piece]])
async def list_artifacts(
    job: ReadableJob,
    services: Given,
    after: Annotated[str | None, Query(max_length=64, description="the last hash of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = PAGE,
) -> Answer:
    """Every file that the job's tasks have made or taken in, and where it is."""
    found = await services.jobs.show(job)
    page, more = _page(await pieces(services.jobs, found.id, found.id), after, limit, "sha256")
    return wrapped(page, next=page[-1].sha256 if more else None)


@router.get(
    "/{job}/artifacts/{sha256}",
    response_class=Response,
    responses=answers("video/mp4", "audio/mp4", "image/jpeg", "image/png", "application/json"),
)
async def load_artifact(job: ReadableJob, sha256: Hash, request: Request, services: Given) -> Response:
    """A file of the job, whole or the part that `Range` asks for. 404 if it is not one of this job's."""
    found = await services.jobs.show(job)
    piece = next((p for p in await pieces(services.jobs, found.id, found.id) if p.sha256 == sha256), None)
    if piece is None:
        raise NotFound(f"job {found.id} has no file {sha256}")
    artifact = Artifact(sha256=piece.sha256, size=piece.size, media_type=piece.media_type)
    path = await store_of(services).path(artifact)
    return file_answer(request, path, media_type=piece.media_type, sha256=sha256, cache=IMMUTABLE)


async def start_pairs(services: Services, order: Any, caller: Caller, once: str | None) -> PairsAnswer:
    """Start a campaign; `order` is a `FromImagePairs`. `once` makes it the same job when asked again."""
    check_executor(order.executor)
    owner = owner_for(caller, order.owner)
    names = order.assets if order.assets is not None else await _assets(services, order.campaign_id, caller)
    if order.assets is None and len(names) < 2:
        raise BadInput(
            f"campaign {order.campaign_id!r} has {len(names)} assets, and a film needs two: "
            "POST /api/v3/assets, or name `assets`"
        )
    await _refuse_strangers(services, order, caller)
    said = [name for name in (*_OPTIONS, "logo") if name in order.model_fields_set]
    options = {name: getattr(order, name) for name in said}
    if order.skip_audio is not None:
        options["with_audio"] = not order.skip_audio
    params = await open_params(services, "campaign", {**options, "photos": names}, caller)
    async with services.doing(caller, "job.started", of_new_job, pipeline="campaign"):
        job = await services.jobs.start(
            "campaign",
            params,
            id=order.id,
            owner=owner,
            dedup=dedup_for(owner, None, once),
            deadline=order.deadline,
            labels=labels_of(_made_from(order), order.caps, caller),
        )
    check_new(caller, owner, job)
    return pairs_answer(job, order.campaign_id, len(names))


def pairs_answer(job: JobView, campaign: str, assets: int) -> PairsAnswer:
    """What is told of a job that was just started."""
    return PairsAnswer(
        job_id=job.id,
        status=job.state,
        campaign_id=campaign,
        total_assets=assets,
        poll_url=path_of("jobs", job.id),
        message=f"a film of {assets} pictures is made by the {job.executor} executor",
    )


def _made_from(order: Any) -> Mapping[str, Any]:
    found = {CAMPAIGN: order.campaign_id, CLIENT: order.client_id}
    return {name: value for name, value in found.items() if value is not None}


async def _assets(services: Services, campaign: str, caller: Caller) -> list[str]:
    """The ids of a campaign's assets in the order in which they came. `NotFound` without the campaign."""
    if services.library is None:
        raise BadInput("there is no library here: name `assets`")
    reader, found = services.library.reader, list[str]()
    known = await reader.campaign(campaign, caller.reach)
    sought = Sought(owner=known.owner, campaign=campaign)
    while page := await reader.assets(sought, after=found[-1] if found else None, limit=PAGE):
        found += [each.id for each in page]
    return found[::-1]


async def _refuse_strangers(services: Services, order: Any, caller: Caller) -> None:
    """People name campaigns and clients of their own; what an admin names may be in another system."""
    if services.library is None or caller.admin:
        return
    reader = services.library.reader
    if order.client_id is not None:
        await reader.client(order.client_id, caller.reach)
    if order.assets is not None:
        await reader.campaign(order.campaign_id, caller.reach)


def _page(found: list[Any], after: str | None, limit: int, name: str) -> tuple[list[Any], bool]:
    """What follows the one called `after`, and whether there is more. `BadInput` if `after` is gone."""
    places = {getattr(each, name): number for number, each in enumerate(found, 1)}
    if after is not None and after not in places:
        raise page_lost(after)
    start = 0 if after is None else places[after]
    page = found[start : start + limit]
    return page, start + limit < len(found)
