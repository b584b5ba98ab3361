"""The routes of clients: those for whom campaigns are made."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field, JsonValue

from genlock.api.belonging import reach_for
from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import library_of
from genlock.api.problem import RESPONSES
from genlock.api.wire import Body, Envelope, Wire, wrapped
from genlock.ledger.library.records import Client, Sought
from genlock.library.label import LONGEST_NAME
from genlock.library.library import Library

router = APIRouter(prefix="/clients", tags=["library"], responses=RESPONSES)
Books = Annotated[Library, Depends(library_of)]
Reader = Annotated[Caller, allow(Scope.LIBRARY_READ)]
Writer = Annotated[Caller, allow(Scope.LIBRARY_WRITE)]
Answer = Envelope[Any]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Details = Annotated[dict[str, JsonValue], Field(description="anything else that is to be kept with it")]
Id = Annotated[str, Path(min_length=1, max_length=100)]
After = Annotated[str | None, Query(max_length=100, description="the last id of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]
Owner = Annotated[str | None, Query(max_length=200, description="whose; for admins, others see their own")]
Part = Annotated[str | None, Query(max_length=200, description="a part of the name")]


class ClientOrder(Body):
    """All that is said about a client."""

    name: Name = Field(examples=["Acme Homes"])
    details: Details = Field(default={}, examples=[{"contact": "ann@acme.example"}])


class ClientView(Wire):
    """A client."""

    id: str
    owner: str
    name: str
    details: dict[str, Any]
    created_at: datetime
    updated_at: datetime


def present(client: Client) -> ClientView:
    """A client as people see it."""
    return ClientView(
        id=client.id,
        owner=client.owner,
        name=client.name,
        details=json.loads(client.details),
        created_at=client.created_at,
        updated_at=client.updated_at,
    )


@router.post("", status_code=201, response_model=Envelope[ClientView])
async def create_client(order: ClientOrder, books: Books, caller: Writer) -> Answer:
    """Write down a client."""
    return wrapped(present(await books.create_client(caller.user, order.name, order.details)))


@router.get("", response_model=Envelope[list[ClientView]])
async def list_clients(
    books: Books,
    caller: Reader,
    name: Part = None,
    owner: Owner = None,
    after: After = None,
    limit: Limit = 50,
) -> Answer:
    """Clients, newest first."""
    sought = Sought(owner=reach_for(caller, owner), name=name)
    found = await books.reader.clients(sought, after=after, limit=limit + 1)
    page = [present(each) for each in found[:limit]]
    return wrapped(page, next=page[-1].id if len(found) > limit else None)


@router.get("/{id}", response_model=Envelope[ClientView])
async def show_client(id: Id, books: Books, caller: Reader) -> Answer:
    """One client."""
    return wrapped(present(await books.reader.client(id, caller.reach)))


@router.put("/{id}", response_model=Envelope[ClientView])
async def update_client(id: Id, order: ClientOrder, books: Books, caller: Writer) -> Answer:
    """Say all of a client anew."""
    done = await books.update_client(id, caller.reach, name=order.name, details=order.details)
    return wrapped(present(done))


@router.delete("/{id}", status_code=204)
async def delete_client(id: Id, books: Books, caller: Writer) -> Response:
    """Remove a client that has no campaigns and no jobs in progress."""
    await books.delete_client(id, caller.reach)
    return Response(status_code=204)
