"""What can be asked about users and tokens: an office answers itself, a client asks over the socket."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

from genlock.access.views import DeedView, NewTokenView, TokenView, UserView
from genlock.ledger.access.records import Scope


class AccessService(Protocol):
    """Every method raises `Forbidden` for who may not do that; what is somebody else's is `NotFound`."""

    async def users(self, *, after: str | None = None, limit: int = 100) -> Sequence[UserView]:
        """By name."""
        ...

    async def create_user(self, name: str, *, admin: bool = False) -> UserView:
        """`BadInput` for a name that cannot be one, `Conflict` for one that is taken."""
        ...

    async def change_user(
        self, name: str, *, admin: bool | None = None, disabled: bool | None = None
    ) -> UserView:
        """Make somebody an admin or none, turn all their tokens off or on; None leaves it as it is."""
        ...

    async def tokens(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[TokenView]:
        """By id, also those that are worth nothing any more."""
        ...

    async def create_token(
        self, user: str, *, scopes: Collection[Scope], label: str = "", expires_in: timedelta | None = None
    ) -> NewTokenView:
        """The only time that the token itself is shown."""
        ...

    async def revoke_token(self, id: str) -> TokenView:
        """For good; twice is once."""
        ...

    async def deeds(
        self,
        *,
        target: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[DeedView]:
        """The audit, newest first."""
        ...
