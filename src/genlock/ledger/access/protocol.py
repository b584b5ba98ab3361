"""What is written, and looked at, about who may use the service."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from genlock.ledger.access.records import Answer, Credential, Deed, Question, Scope, Token, Turn, User


class AccessReader(Protocol):
    """Looks. What nobody has is None."""

    async def user(self, name: str) -> User | None: ...

    async def users(self, *, after: str | None = None, limit: int = 100) -> Sequence[User]:
        """By name; those behind `after`."""
        ...

    async def token(self, id: str) -> Token | None: ...

    async def tokens(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[Token]:
        """By id, revoked ones too; those behind `after`."""
        ...

    async def credential(self, id: str) -> Credential | None:
        """What a token with this id is compared with, whether or not it is worth anything."""
        ...

    async def credentials(self, ids: Collection[str]) -> Sequence[Credential]:
        """Of all these tokens, in any order; those that nobody has are left out."""
        ...

    async def deeds(
        self,
        *,
        target: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Deed]:
        """Newest first; those before the number `before`."""
        ...


class AccessLedger(AccessReader, Protocol):
    """Writes. Each verb is one transaction."""

    async def add_user(self, name: str, *, admin: bool = False) -> User:
        """`Conflict` if there is one of this name."""
        ...

    async def set_user(self, name: str, *, admin: bool | None = None, disabled: bool | None = None) -> User:
        """Change what is not None; `NotFound`."""
        ...

    async def add_token(
        self,
        id: str,
        hash: str,
        *,
        user: str,
        label: str,
        scopes: Collection[Scope],
        expires_at: datetime | None = None,
    ) -> Token:
        """`NotFound` if there is no such user."""
        ...

    async def first_token(self, id: str, hash: str, *, user: str, label: str) -> Token | None:
        """A token with all scopes for a new admin, if no admin has ever had one; else None."""
        ...

    async def revoke_token(self, id: str) -> Token:
        """Revoked once, it stays so; `NotFound`."""
        ...

    async def touch_token(self, id: str) -> None:
        """It was used just now."""
        ...

    async def begin(self, question: Question, holder: str, *, lease: timedelta, kept: timedelta) -> Turn:
        """Take a question up for `holder`, unless it is being answered or was within the last `kept`."""
        ...

    async def hold(self, question: Question, holder: str, lease: timedelta) -> bool:
        """Go on answering for another lease; False if it was lost to somebody else."""
        ...

    async def finish(self, question: Question, holder: str, request_hash: str, answer: Answer) -> bool:
        """Keep what is answered; False if the question was lost to somebody else."""
        ...

    async def let_go(self, question: Question, holder: str) -> None:
        """There is no answer to keep: the question may be asked anew."""
        ...

    async def record(
        self, user: str, token: str | None, action: str, target: str, data: Mapping[str, Any]
    ) -> None:
        """Append a deed."""
        ...
