"""The routes of who may use the service: oneself, users, tokens, and the audit."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field, StrictBool

from genlock.access.office import Office
from genlock.access.views import DeedView, NewTokenView, SelfView, TokenView, UserView, present_self
from genlock.api.caller import Scope, SignedIn, allow
from genlock.api.dependency import Given
from genlock.api.problem import RESPONSES
from genlock.api.repeat import show_once
from genlock.api.wire import Body, Envelope, wrapped
from genlock.errors import Conflict, Unsupported

router = APIRouter(tags=["access"], responses=RESPONSES)
Answer = Envelope[Any]
Name = Annotated[str, Path(min_length=1, max_length=64, description="a user's name")]
TokenId = Annotated[str, Path(min_length=1, max_length=64, description="a token's id, which is no secret")]
Limit = Annotated[int, Query(ge=1, le=200)]
SHOWN = (
    "this was done: token {id} was made, and was shown in the first answer alone, since nothing but its hash "
    "is kept. If that got lost, revoke it (DELETE /api/v3/tokens/{id}) and make another with a new key"
)


class NewUser(Body):
    """Somebody who is to have tokens."""

    name: str = Field(min_length=1, max_length=64, examples=["ann"])
    admin: StrictBool = False


class UserChange(Body):
    """What becomes of a user; what is left out stays as it is."""

    admin: StrictBool | None = None
    disabled: StrictBool | None = None


class NewToken(Body):
    """A token to be made. `expiresIn`: seconds or ISO 8601; without it, it is valid until it is revoked."""

    user: str = Field(min_length=1, max_length=64, examples=["ann"])
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), examples=[["jobs:read", "jobs:write"]])
    label: str = Field(default="", max_length=200, examples=["the build server"])
    expires_in: timedelta | None = Field(default=None, gt=timedelta(0), le=timedelta(days=36500))


def office_of(services: Given, caller: SignedIn) -> Office:
    """What this caller may do about users and tokens."""
    if services.access is None:
        raise Unsupported("this server knows no users: it was started without a home")
    return Office(services.access, caller)


Desk = Annotated[Office, Depends(office_of)]


@router.get("/me", response_model=Envelope[SelfView])
async def show_me(caller: SignedIn) -> Answer:
    """Who is asking, and what they may do."""
    return wrapped(present_self(caller))


@router.get("/users", response_model=Envelope[list[UserView]], dependencies=[allow(Scope.ADMIN)])
async def list_users(
    desk: Desk,
    after: Annotated[str | None, Query(max_length=64, description="the last name of the page before")] = None,
    limit: Limit = 50,
) -> Answer:
    """Users, by name."""
    found = await desk.users(after=after, limit=limit + 1)
    return wrapped(found[:limit], next=found[limit - 1].name if len(found) > limit else None)


@router.post("/users", status_code=201, response_model=Envelope[UserView], dependencies=[allow(Scope.ADMIN)])
async def create_user(body: NewUser, desk: Desk) -> Answer:
    """Make a user, who can do nothing before there is a token."""
    return wrapped(await desk.create_user(body.name, admin=body.admin))


@router.patch("/users/{name}", response_model=Envelope[UserView], dependencies=[allow(Scope.ADMIN)])
async def change_user(name: Name, body: UserChange, desk: Desk) -> Answer:
    """Make a user an admin or none, disable or enable them: of a disabled user no token is valid."""
    return wrapped(await desk.change_user(name, admin=body.admin, disabled=body.disabled))


@router.get("/tokens", response_model=Envelope[list[TokenView]])
async def list_tokens(
    desk: Desk,
    user: Annotated[str | None, Query(max_length=64, description="only this user's")] = None,
    after: Annotated[str | None, Query(max_length=64, description="the last id of the page before")] = None,
    limit: Limit = 50,
) -> Answer:
    """One's own tokens, for admins everybody's; also those that were revoked."""
    found = await desk.tokens(user=user, after=after, limit=limit + 1)
    return wrapped(found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.post(
    "/tokens", status_code=201, response_model=Envelope[NewTokenView], dependencies=[allow(Scope.ADMIN)]
)
async def create_token(body: NewToken, desk: Desk, request: Request) -> Answer:
    """Make a token. This answer is the only time that it is shown: asked again with its `Idempotency-Key`,
    no second one is made, and the answer is 409 with the id of the first.
    """
    made = await desk.create_token(
        body.user, scopes=set(body.scopes), label=body.label, expires_in=body.expires_in
    )
    show_once(request, Conflict(SHOWN.format(id=made.id)))
    return wrapped(made)


@router.delete("/tokens/{id}", response_model=Envelope[TokenView])
async def revoke_token(id: TokenId, desk: Desk) -> Answer:
    """Make a token worth nothing, at once: one's own, for admins anybody's."""
    return wrapped(await desk.revoke_token(id))


@router.get("/audit", response_model=Envelope[list[DeedView]], dependencies=[allow(Scope.ADMIN)])
async def list_deeds(
    desk: Desk,
    target: Annotated[str | None, Query(max_length=300, description="such as `job:ID`")] = None,
    user: Annotated[str | None, Query(max_length=64, description="what this user did")] = None,
    after: Annotated[
        int | None, Query(ge=1, le=2**62, description="the last number of the page before")
    ] = None,
    limit: Limit = 50,
) -> Answer:
    """Who did what to what, newest first."""
    found = await desk.deeds(target=target, user=user, before=after, limit=limit + 1)
    return wrapped(found[:limit], next=str(found[limit - 1].seq) if len(found) > limit else None)
