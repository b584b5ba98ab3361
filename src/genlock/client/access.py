"""Users and tokens of a home that another process owns, asked for over its socket."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from genlock.access.service import AccessService
from genlock.access.views import DeedView, NewTokenView, TokenView, UserView
from genlock.client.accounts import Ask
from genlock.ledger.access.records import Scope

PAGE = 200  # users or tokens asked for at a time

_USER, _USERS = TypeAdapter(UserView), TypeAdapter(list[UserView])
_TOKEN, _TOKENS, _NEW = TypeAdapter(TokenView), TypeAdapter(list[TokenView]), TypeAdapter(NewTokenView)
_DEEDS = TypeAdapter(list[DeedView])


class SocketAccess(AccessService):
    """`AccessService` over the socket. Errors are those the owner raised."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def users(self, *, after: str | None = None, limit: int = 100) -> Sequence[UserView]:
        found: list[UserView] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await self._ask(_USERS, "GET", "/users", query=_said(after=after, limit=size))
            found += page
            if len(page) < size:
                break
            after = page[-1].name
        return found

    async def create_user(self, name: str, *, admin: bool = False) -> UserView:
        return await self._ask(_USER, "POST", "/users", body={"name": name, "admin": admin})

    async def change_user(
        self, name: str, *, admin: bool | None = None, disabled: bool | None = None
    ) -> UserView:
        body = {"admin": admin, "disabled": disabled}
        return await self._ask(_USER, "PATCH", f"/users/{quote(name, safe='')}", body=body, again=True)

    async def tokens(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[TokenView]:
        found: list[TokenView] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            query = _said(user=user, after=after, limit=size)
            page = await self._ask(_TOKENS, "GET", "/tokens", query=query)
            found += page
            if len(page) < size:
                break
            after = page[-1].id
        return found

    async def create_token(
        self, user: str, *, scopes: Collection[Scope], label: str = "", expires_in: timedelta | None = None
    ) -> NewTokenView:
        seconds = None if expires_in is None else expires_in.total_seconds()
        body = {"user": user, "scopes": sorted(scopes), "label": label, "expiresIn": seconds}
        return await self._ask(_NEW, "POST", "/tokens", body=body)

    async def revoke_token(self, id: str) -> TokenView:
        return await self._ask(_TOKEN, "DELETE", f"/tokens/{quote(id, safe='')}", again=True)

    async def deeds(
        self,
        *,
        target: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[DeedView]:
        query = _said(target=target, user=user, after=before, limit=min(limit, PAGE))
        return await self._ask(_DEEDS, "GET", "/audit", query=query)


def _said(**query: Any) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
