"""The routes of films: looked at, played, approved or rejected, one clip made again."""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, StrictBool

from genlock.api.belonging import reach_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import Given, Services
from genlock.api.download import answers, file_answer
from genlock.api.problem import RESPONSES
from genlock.api.sight import seen_video
from genlock.api.wire import Body, Envelope, path_of, wrapped
from genlock.engine.views import RedoView
from genlock.errors import Unsupported
from genlock.ledger.library.verdict import SoughtFilms, Standing
from genlock.money import Money
from genlock.pipelines.quote import Quotes
from genlock.pipelines.review import Opinion
from genlock.pipelines.video import Part, Videos, VideoView, Word
from genlock.store.artifact import Store

router = APIRouter(prefix="/videos", tags=["videos"], responses=RESPONSES)
Id = Annotated[str, Path(min_length=1, max_length=200, description="a film's id, which is its job's")]
Number = Annotated[int | None, Query(ge=1, le=1_000_000, description="an earlier revision; null: the newest")]
Answer = Envelope[Any]
Viewer = Annotated[Caller, allow(Scope.JOBS_READ)]
Reviewer = Annotated[Caller, allow(Scope.VIDEOS_REVIEW)]
_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=[_SHA])]
Revision = Annotated[
    int, Field(ge=1, le=1_000_000, description="the revision that was looked at", examples=[1])
]
MP4, JPEG = "video/mp4", "image/jpeg"


class VideoAnswer(VideoView):
    """A film, and where its files are."""

    urls: dict[str, str] = Field(description="`data`, `poster` and `sheet`")


class Approve(Body):
    """Yes to one revision of a film. With `sha256` also to these bytes and no others."""

    revision: Revision
    sha256: Sha256 | None = None
    reason: str = Field(
        default="", max_length=2000, description="a remark, if there is one", examples=["as discussed"]
    )


class Reject(Body):
    """No to one revision of a film, and why."""

    revision: Revision
    sha256: Sha256 | None = None
    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S", examples=["the second clip is dark"])


class RedoClip(Body):
    """Which clip, counted from 1, of which revision is made again. With `dryRun` nothing is done."""

    revision: Revision
    clip: int = Field(ge=1, le=10_000, examples=[2])
    dry_run: StrictBool = False


class RedoAnswer(RedoView):
    """What is made again, what may be, what is kept; and what that costs, if all that may be is."""

    estimated_cost: float
    at_most: float
    currency: str


@router.get("", response_model=Envelope[list[VideoAnswer]])
async def list_videos(
    services: Given,
    caller: Viewer,
    standing: Annotated[Standing | None, Query(description="only those that stand so")] = None,
    pipeline: Annotated[str | None, Query(max_length=200)] = None,
    campaign: Annotated[str | None, Query(max_length=200, description="only films of this campaign")] = None,
    owner: Annotated[str | None, Query(max_length=200, description="only this owner's, for admins")] = None,
    after: Annotated[str | None, Query(max_length=200, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Answer:
    """Films that are finished or wait for a person, newest first."""
    videos = videos_of(services)
    sought = SoughtFilms(
        owner=reach_for(caller, owner), pipeline=pipeline, standing=standing, campaign=campaign
    )
    found = [_answer(each) for each in await videos.list(sought, after=after, limit=limit + 1)]
    return wrapped(found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.get("/{video}", response_model=Envelope[VideoAnswer])
async def show_video(video: Id, services: Given, caller: Viewer) -> Answer:
    """One film: what the check found, how it stands, and all its revisions with what was said of them."""
    return wrapped(_answer(await seen_video(videos_of(services), video, caller)))


@router.get("/{video}/data", response_class=Response, responses=answers(MP4))
async def play_video(
    video: Id, request: Request, services: Given, caller: Viewer, revision: Number = None
) -> Response:
    """The film's file, whole or the part that `Range` asks for."""
    return await _file(request, services, caller, video, "film", revision)


@router.get("/{video}/poster", response_class=Response, responses=answers(JPEG))
async def show_poster(
    video: Id, request: Request, services: Given, caller: Viewer, revision: Number = None
) -> Response:
    """A picture of the film."""
    return await _file(request, services, caller, video, "poster", revision)


@router.get("/{video}/sheet", response_class=Response, responses=answers(JPEG))
async def show_sheet(
    video: Id, request: Request, services: Given, caller: Viewer, revision: Number = None
) -> Response:
    """The whole film at a glance."""
    return await _file(request, services, caller, video, "sheet", revision)


@router.post("/{video}/approve", response_model=Envelope[VideoAnswer])
async def approve_video(video: Id, word: Approve, services: Given, caller: Reviewer) -> Answer:
    """Say yes to a revision, and its job completes. 409 if it is not the newest, or nobody waits for it."""
    return wrapped(await say(services, caller, video, Opinion.APPROVED, word))


@router.post("/{video}/reject", response_model=Envelope[VideoAnswer])
async def reject_video(video: Id, word: Reject, services: Given, caller: Reviewer) -> Answer:
    """Say no to a revision: its job fails with the reason, until something of it is made again."""
    return wrapped(await say(services, caller, video, Opinion.REJECTED, word))


@router.post("/{video}/redo-clip", response_model=Envelope[RedoAnswer])
async def redo_clip(video: Id, what: RedoClip, services: Given, caller: Reviewer) -> Answer:
    """Make one clip again, and the film with it. It is a new revision, which waits for a person again."""
    videos, found = videos_of(services), await seen_video(videos_of(services), video, caller)
    told = {"revision": what.revision, "sha256": found.sha256, "clip": what.clip}
    async with services.doing(caller, "video.redo_clip", f"video:{found.id}", trying=what.dry_run, **told):
        plan = await videos.redo_clip(found.id, what.revision, what.clip, dry_run=what.dry_run)
    return wrapped(await priced(plan, services.quotes))


async def say(
    services: Services, caller: Caller, video: str, verdict: Opinion, word: Approve | Reject
) -> VideoAnswer:
    """What a caller says of a film, written down with the bytes it is said of."""
    videos = videos_of(services)
    found = await seen_video(videos, video, caller)
    said = Word(
        revision=word.revision,
        sha256=word.sha256,
        verdict=verdict,
        reason=word.reason,
        by=caller.user,
        token=caller.token,
    )
    return _answer(await videos.say(found.id, said))


async def priced(plan: RedoView, quotes: Quotes | None) -> RedoAnswer:
    """A redo with what it costs."""
    surely, perhaps = Money(0), Money(0)
    if quotes is not None:
        surely = await quotes.of_redo(plan.job, plan.redone)
        perhaps = await quotes.of_redo(plan.job, plan.maybe)
    at_most = perhaps if not surely.micros else surely if not perhaps.micros else surely + perhaps
    return RedoAnswer(
        **plan.model_dump(),
        estimated_cost=surely.micros / 1_000_000,
        at_most=at_most.micros / 1_000_000,
        currency=at_most.currency,
    )


def videos_of(services: Services) -> Videos:
    """The films of this server."""
    if services.videos is None:
        raise Unsupported("this server was opened without films")
    return services.videos


def store_of(services: Services) -> Store:
    """The files of this server."""
    if services.store is None:
        raise Unsupported("this server was opened without a store")
    return services.store


async def _file(
    request: Request, services: Services, caller: Caller, video: str, part: Part, revision: int | None
) -> Response:
    videos = videos_of(services)
    found = await seen_video(videos, video, caller)
    artifact = await videos.file(found.id, part, revision)
    path: File = await store_of(services).path(artifact)
    ending = "mp4" if part == "film" else f"{part}.jpg"
    name = f"{found.id}.{ending}"
    return file_answer(request, path, media_type=artifact.media_type, sha256=artifact.sha256, name=name)


def _answer(video: VideoView) -> VideoAnswer:
    base = path_of("videos", video.id)
    urls = {each: f"{base}/{each}" for each in ("data", "poster", "sheet")}
    return VideoAnswer(**{name: getattr(video, name) for name in VideoView.model_fields}, urls=urls)
