"""The routes of assets: pictures sent, fetched, shown, tagged and removed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from genlock.api.belonging import reach_for
from genlock.api.caller import Caller
from genlock.api.clients import After, Answer, Books, Id, Limit, Owner, Part, Reader, Writer
from genlock.api.download import answers, file_answer
from genlock.api.problem import RESPONSES
from genlock.api.upload import Form, read_form
from genlock.api.wire import Body, Envelope, ErrorEnvelope, Problem, Wire, path_of, problem_of, wrapped
from genlock.errors import BadInput
from genlock.ledger.library.records import Asset, Sought
from genlock.library.address import LONGEST
from genlock.library.label import tag
from genlock.library.library import MOST_ADDRESSES, Library, Link, Taken, Target
from genlock.library.reception import MEDIA_TYPES, SMALL

FULL = {"model": ErrorEnvelope, "description": "There is no room on the disk."}
router = APIRouter(prefix="/assets", tags=["library"], responses={**RESPONSES, 507: FULL})
Url = Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["https://images.example/garden.jpg"])]
Tags = Annotated[list[str], Field(max_length=100)]
TAGS = [["garden", "spring"]]

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "campaignId": {"type": "string", "description": "where they belong"},
                        "tags": {"type": "string", "description": "tags with commas between"},
                        "skipBad": {
                            "type": "string",
                            "enum": ["true", "false"],
                            "description": "keep the others if some cannot be used",
                        },
                    },
                    "additionalProperties": False,
                }
            }
        },
    }
}
OF_FORM: dict[int | str, dict[str, Any]] = {
    408: {"model": ErrorEnvelope, "description": "The form did not come to its end in time."},
    415: {"model": ErrorEnvelope, "description": "This is no form."},
}


class AssetView(Wire):
    """A picture of the library. Width and height are pixels as it is looked at, `size` is bytes."""

    id: str
    owner: str
    campaign_id: str | None
    name: str
    sha256: str
    media_type: str
    size: int
    width: int
    height: int
    colours: list[str] = Field(description="up to five, as #rrggbb, the commonest first")
    tags: list[str]
    source: str | None = Field(description="where it was fetched from, without the query")
    data_url: str
    thumbnail_url: str
    created_at: datetime
    updated_at: datetime


class LeftOutView(Wire):
    """A picture that cannot be used, and why."""

    name: str
    why: str


class TakenView(Wire):
    """What became of the pictures of a form. One that was there already is among `assets` as it was."""

    assets: list[AssetView]
    left_out: list[LeftOutView] = Field(default=[])


class LinkView(Wire):
    """What became of one address: either an asset or a problem."""

    url: str
    asset: AssetView | None = None
    problem: Problem | None = None


class AssetOrder(Body):
    """All that can be said anew about an asset."""

    name: str = Field(min_length=1, max_length=255, examples=["garden.jpg"])
    campaign_id: str | None = Field(default=None, max_length=100)
    tags: Tags = Field(default=[], examples=TAGS)


class FromUrl(Body):
    """A picture to be fetched from a public address."""

    url: Url
    campaign_id: str | None = Field(default=None, max_length=100)
    tags: Tags = Field(default=[], examples=TAGS)


class FromUrls(Body):
    """Pictures to be fetched from public addresses."""

    urls: list[Url] = Field(min_length=1, max_length=MOST_ADDRESSES)
    campaign_id: str | None = Field(default=None, max_length=100)
    tags: Tags = Field(default=[], examples=TAGS)


def present(asset: Asset) -> AssetView:
    """An asset as people see it."""
    here = path_of("assets", asset.id)
    return AssetView(
        id=asset.id,
        owner=asset.owner,
        campaign_id=asset.campaign,
        name=asset.name,
        sha256=asset.sha256,
        media_type=asset.media_type,
        size=asset.size,
        width=asset.width,
        height=asset.height,
        colours=list(asset.colours),
        tags=list(asset.tags),
        source=asset.source,
        data_url=f"{here}/data",
        thumbnail_url=f"{here}/thumbnail",
        created_at=asset.created_at,
        updated_at=asset.updated_at,
    )


async def _target(books: Library, caller: Caller, campaign: str | None, tags: list[str]) -> Target:
    """New pictures belong to whom their campaign belongs, who otherwise is the caller."""
    if campaign is None:
        return Target(caller.user, None, tags)
    found = await books.reader.campaign(campaign, caller.reach)
    return Target(found.owner, campaign, tags)


async def _read_target(books: Library, caller: Caller, form: Form) -> tuple[Target, bool]:
    known: dict[str, list[str]] = {"campaignId": [], "tags": [], "skipBad": []}
    for name, value in form.fields:
        if name not in known:
            hint = "; a picture needs a filename" if name.startswith("file") else ""
            raise BadInput(f"the form has a field {name!r}, which nobody knows: {', '.join(known)}{hint}")
        known[name].append(value)
    [campaign, skip_bad] = [(known[name] or [""])[-1] for name in ("campaignId", "skipBad")]
    if skip_bad not in ("", "true", "false"):
        raise BadInput(f"skipBad is true or false, not {skip_bad[:20]!r}")
    tags = [each for value in known["tags"] for each in value.split(",") if each.strip()]
    return await _target(books, caller, campaign or None, tags), skip_bad == "true"


@router.post("", status_code=201, response_model=Envelope[TakenView], openapi_extra=FORM, responses=OF_FORM)
async def upload_assets(request: Request, books: Books, caller: Writer) -> Answer:
    """Send pictures, as a form with one or more `files`. If one of them cannot be used none is kept, unless
    `skipBad` is true. The same picture in the same campaign is one asset.
    """
    async with books.reception.room() as folder:
        form = await read_form(request, folder, books.limits)
        if not form.files:
            raise BadInput("the form brings no picture: send one or more as `files`")
        target, skip_bad = await _read_target(books, caller, form)
        return wrapped(_presented(await books.take(form.files, target, skip_bad=skip_bad)))


def _presented(taken: Taken) -> TakenView:
    left_out = [LeftOutView(name=each.name, why=each.why) for each in taken.left_out]
    return TakenView(assets=[present(each.asset) for each in taken.kept], left_out=left_out)


@router.post("/from-url", status_code=201, response_model=Envelope[AssetView])
async def fetch_asset(order: FromUrl, books: Books, caller: Writer) -> Answer:
    """Fetch a picture from a public address and keep it."""
    target = await _target(books, caller, order.campaign_id, order.tags)
    return wrapped(present((await books.take_from(order.url, target)).asset))


@router.post("/from-urls", status_code=201, response_model=Envelope[list[LinkView]])
async def fetch_assets(order: FromUrls, request: Request, books: Books, caller: Writer) -> Answer:
    """Fetch up to 100 pictures. Each address is answered for itself, in order."""
    target = await _target(books, caller, order.campaign_id, order.tags)
    links = await books.take_from_all(order.urls, target)
    return wrapped([_link(each, request.url.path) for each in links])


def _link(link: Link, instance: str) -> LinkView:
    return LinkView(
        url=link.url,
        asset=present(link.kept.asset) if link.kept else None,
        problem=problem_of(link.error, instance) if link.error else None,
    )


@router.get("", response_model=Envelope[list[AssetView]])
async def list_assets(
    books: Books,
    caller: Reader,
    campaign: Annotated[str | None, Query(max_length=100, description="a campaign's id")] = None,
    client: Annotated[str | None, Query(max_length=100, description="a client's id")] = None,
    with_tag: Annotated[str | None, Query(alias="tag", max_length=100)] = None,
    name: Part = None,
    owner: Owner = None,
    after: After = None,
    limit: Limit = 50,
) -> Answer:
    """Pictures, newest first."""
    sought = Sought(
        owner=reach_for(caller, owner),
        client=client,
        campaign=campaign,
        tag=None if with_tag is None else tag(with_tag),
        name=name,
    )
    found = await books.reader.assets(sought, after=after, limit=limit + 1)
    page = [present(each) for each in found[:limit]]
    return wrapped(page, next=page[-1].id if len(found) > limit else None)


@router.get("/{id}", response_model=Envelope[AssetView])
async def show_asset(id: Id, books: Books, caller: Reader) -> Answer:
    """One picture, in words."""
    return wrapped(present(await books.reader.asset(id, caller.reach)))


@router.put("/{id}", response_model=Envelope[AssetView])
async def update_asset(id: Id, order: AssetOrder, books: Books, caller: Writer) -> Answer:
    """Say anew what a picture is called, where it belongs and how it is tagged."""
    done = await books.update_asset(
        id, caller.reach, name=order.name, campaign=order.campaign_id, tags=order.tags
    )
    return wrapped(present(done))


@router.delete("/{id}", status_code=204)
async def delete_asset(id: Id, books: Books, caller: Writer) -> Response:
    """Remove a picture from the library. Films that were made of it, and jobs under way, keep theirs."""
    await books.delete_asset(id, caller.reach)
    return Response(status_code=204)


@router.get("/{id}/data", response_class=Response, responses=answers(*sorted({*MEDIA_TYPES.values()})))
async def show_data(id: Id, request: Request, books: Books, caller: Reader) -> Response:
    """The picture itself, as it came; parts of it with `Range`."""
    found = await books.reader.asset(id, caller.reach)
    path = await books.picture(found)
    return file_answer(request, path, media_type=found.media_type, sha256=found.sha256, name=found.name)


@router.get("/{id}/thumbnail", response_class=Response, responses=answers(SMALL))
async def show_thumbnail(id: Id, request: Request, books: Books, caller: Reader) -> Response:
    """A small upright JPEG of the picture."""
    found = await books.reader.asset(id, caller.reach)
    path = await books.thumbnail(found)
    return file_answer(request, path, media_type=SMALL, sha256=found.thumbnail)
