"""What people are shown of users, tokens and the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from genlock.access.identity import Identity
from genlock.engine.views import View
from genlock.ledger.access.records import Deed, Scope, Token, User


class UserView(View):
    """Somebody who may have tokens."""

    name: str
    admin: bool = Field(description="sees and steers what is everybody's, with a token of the scope `admin`")
    disabled: bool = Field(description="none of their tokens is valid")
    created_at: datetime
    disabled_at: datetime | None = None


class TokenView(View):
    """A token, without its secret."""

    id: str = Field(description="the part of the token between the underscores")
    user: str
    label: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = Field(default=None, description="when it was last used, to the minute")
    revoked_at: datetime | None = None


class NewTokenView(TokenView):
    """A token that was just made. `token` is shown this once."""

    token: str = Field(description="what to send as `Authorization: Bearer …`; it cannot be shown again")


class DeedView(View):
    """Who did what to what."""

    seq: int
    at: datetime
    user: str
    token: str | None = Field(default=None, description="the id of the token that was used; null: the socket")
    action: str
    target: str
    data: dict[str, Any]


class SelfView(View):
    """Who is asking."""

    user: str
    admin: bool
    scopes: list[Scope]
    token: str | None = Field(default=None, description="the id of the token that was used")


def present_user(row: User) -> UserView:
    """A user as people see them."""
    return UserView(
        name=row.name,
        admin=row.admin,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def present_token(row: Token) -> TokenView:
    """A token as people see it."""
    return TokenView(**_fields(row))


def present_new(row: Token, text: str) -> NewTokenView:
    """A token with its secret, for whom it was made."""
    return NewTokenView(**_fields(row), token=text)


def present_deed(row: Deed) -> DeedView:
    """A line of the audit as people see it."""
    return DeedView(
        seq=row.seq,
        at=row.at,
        user=row.user,
        token=row.token,
        action=row.action,
        target=row.target,
        data=row.data,
    )


def present_self(who: Identity) -> SelfView:
    """Who is asking, as they see it."""
    return SelfView(user=who.user, admin=who.admin, scopes=_sorted(who.scopes), token=who.token)


def _fields(row: Token) -> dict[str, Any]:
    named = ("id", "user", "label", "created_at", "expires_at", "used_at", "revoked_at")
    return {name: getattr(row, name) for name in named} | {"scopes": _sorted(row.scopes)}


def _sorted(scopes: frozenset[Scope]) -> list[Scope]:
    return [scope for scope in Scope if scope in scopes]
