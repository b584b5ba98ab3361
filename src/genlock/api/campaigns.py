"""The routes of campaigns: what films are made about."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from genlock.api.belonging import reach_for
from genlock.api.clients import (
    After,
    Answer,
    Books,
    Details,
    Id,
    Limit,
    Name,
    Owner,
    Part,
    Reader,
    Writer,
)
from genlock.api.problem import RESPONSES
from genlock.api.wire import Body, Envelope, Wire, wrapped
from genlock.ledger.library.records import Campaign, Sought

router = APIRouter(prefix="/campaigns", tags=["library"], responses=RESPONSES)


class CampaignOrder(Body):
    """All that is said about a campaign."""

    name: Name = Field(examples=["Spring windows"])
    client_id: str | None = Field(default=None, max_length=100, description="for whom it is")
    details: Details = Field(default={}, examples=[{"season": "spring"}])


class CampaignView(Wire):
    """A campaign."""

    id: str
    owner: str
    client_id: str | None
    name: str
    details: dict[str, Any]
    created_at: datetime
    updated_at: datetime


def present(campaign: Campaign) -> CampaignView:
    """A campaign as people see it."""
    return CampaignView(
        id=campaign.id,
        owner=campaign.owner,
        client_id=campaign.client,
        name=campaign.name,
        details=json.loads(campaign.details),
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
    )


@router.post("", status_code=201, response_model=Envelope[CampaignView])
async def create_campaign(order: CampaignOrder, books: Books, caller: Writer) -> Answer:
    """Write down a campaign, for a client or for nobody in particular."""
    made = await books.create_campaign(caller.user, order.name, order.client_id, order.details)
    return wrapped(present(made))


@router.get("", response_model=Envelope[list[CampaignView]])
async def list_campaigns(
    books: Books,
    caller: Reader,
    client: Annotated[str | None, Query(max_length=100, description="a client's id")] = None,
    name: Part = None,
    owner: Owner = None,
    after: After = None,
    limit: Limit = 50,
) -> Answer:
    """Campaigns, newest first."""
    sought = Sought(owner=reach_for(caller, owner), client=client, name=name)
    found = await books.reader.campaigns(sought, after=after, limit=limit + 1)
    page = [present(each) for each in found[:limit]]
    return wrapped(page, next=page[-1].id if len(found) > limit else None)


@router.get("/{id}", response_model=Envelope[CampaignView])
async def show_campaign(id: Id, books: Books, caller: Reader) -> Answer:
    """One campaign."""
    return wrapped(present(await books.reader.campaign(id, caller.reach)))


@router.put("/{id}", response_model=Envelope[CampaignView])
async def update_campaign(id: Id, order: CampaignOrder, books: Books, caller: Writer) -> Answer:
    """Say all of a campaign anew."""
    done = await books.update_campaign(
        id, caller.reach, name=order.name, client=order.client_id, details=order.details
    )
    return wrapped(present(done))


@router.delete("/{id}", status_code=204)
async def delete_campaign(id: Id, books: Books, caller: Writer) -> Response:
    """Remove a campaign that has no assets and no jobs in progress."""
    await books.delete_campaign(id, caller.reach)
    return Response(status_code=204)
