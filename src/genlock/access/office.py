"""Users and tokens, looked after by somebody who may; what is done is written into the audit."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from genlock.access.access import Access
from genlock.access.identity import Identity
from genlock.access.token import Secret
from genlock.access.views import (
    DeedView,
    NewTokenView,
    TokenView,
    UserView,
    present_deed,
    present_new,
    present_token,
    present_user,
)
from genlock.errors import BadInput, Conflict, Forbidden, NotFound
from genlock.ledger.access.records import RESERVED, Scope, Token

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class Office:
    """`AccessService` for one caller. Admins do all of it; others see their own tokens, and end them."""

    def __init__(self, access: Access, who: Identity) -> None:
        self._access, self._ledger, self._who = access, access.ledger, who

    async def users(self, *, after: str | None = None, limit: int = 100) -> Sequence[UserView]:
        self._require_admin("list users")
        return [present_user(row) for row in await self._ledger.users(after=after, limit=limit)]

    async def create_user(self, name: str, *, admin: bool = False) -> UserView:
        self._require_admin("make a user")
        if not NAME.fullmatch(name):
            raise BadInput(
                f"{name!r} cannot be a user's name: 1 to 64 of a-z, 0-9 and . _ @ -, first a letter or digit"
            )
        if name in RESERVED:
            raise Conflict(f"the name {name!r} is genlock's own: choose another")
        async with self._doing("user.created", f"user:{name}", admin=admin):
            made = await self._ledger.add_user(name, admin=admin)
        return present_user(made)

    async def change_user(
        self, name: str, *, admin: bool | None = None, disabled: bool | None = None
    ) -> UserView:
        self._require_admin("change a user")
        if name == self._who.user and (disabled or admin is False):
            raise Conflict(f"{name} is you: ask another admin, or you could not undo it")
        async with self._doing("user.changed", f"user:{name}", admin=admin, disabled=disabled):
            changed = await self._ledger.set_user(name, admin=admin, disabled=disabled)
        self._access.forget()
        return present_user(changed)

    async def tokens(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[TokenView]:
        reach = self._who.reach
        if reach is not None and user not in (None, reach):
            return []
        found = await self._ledger.tokens(user=reach or user, after=after, limit=limit)
        return [present_token(row) for row in found]

    async def create_token(
        self, user: str, *, scopes: Collection[Scope], label: str = "", expires_in: timedelta | None = None
    ) -> NewTokenView:
        self._require_admin("make a token")
        owner = await self._ledger.user(user)
        if owner is None:
            raise NotFound(f"there is no user {user!r}: make one with `genlock users create {user}`")
        if not scopes:
            raise BadInput(f"a token needs a scope; there are: {', '.join(Scope)}")
        if Scope.ADMIN in scopes and not owner.admin:
            raise BadInput(
                f"{user} is no admin: leave the scope `admin` out, or `genlock users admin {user}`"
            )
        until = None if expires_in is None else self._access.clock.now() + expires_in
        secret = Secret.new()
        told = {"user": user, "scopes": sorted(scopes), "label": label}
        async with self._doing("token.created", f"token:{secret.id}", **told):
            made = await self._ledger.add_token(
                secret.id, secret.hash, user=user, label=label, scopes=scopes, expires_at=until
            )
        return present_new(made, secret.text)

    async def revoke_token(self, id: str) -> TokenView:
        owner = (await self._token(id)).user
        async with self._doing("token.revoked", f"token:{id}", user=owner):
            revoked = await self._ledger.revoke_token(id)
        self._access.forget(id)
        return present_token(revoked)

    async def deeds(
        self,
        *,
        target: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[DeedView]:
        self._require_admin("read the audit")
        found = await self._ledger.deeds(target=target, user=user, before=before, limit=limit)
        return [present_deed(row) for row in found]

    async def _token(self, id: str) -> Token:
        found = await self._ledger.token(id)
        if found is None or not self._who.sees(found.user):
            raise NotFound(f"there is no token {id!r}; `genlock tokens` lists them")
        return found

    def _doing(self, action: str, target: str, **data: object) -> AbstractAsyncContextManager[None]:
        return self._access.doing(self._who, action, target, **data)

    def _require_admin(self, what: str) -> None:
        if not self._who.admin:
            raise Forbidden(f"only an admin may {what}")
