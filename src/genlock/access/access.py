"""Signing in, and looking after users and tokens."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from genlock.access.identity import Identity
from genlock.access.token import Secret, hash_of, id_of, is_same
from genlock.clock import Clock
from genlock.errors import BadInput, Conflict, NotFound, Unauthorized
from genlock.ledger.access.protocol import AccessLedger
from genlock.ledger.access.records import RESERVED, Credential, Deed, Scope, Token, User

ADMIN = "admin"  # whose token the first start makes
ENVIRONMENT = "environment"  # the id of the admin's token that comes from the settings
FRESH = timedelta(seconds=3)  # how long another process may not know yet that a token was revoked
TOUCHED = timedelta(minutes=1)  # how exactly is kept when a token was used
REMEMBERED = 10_000  # tokens
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
WRONG = "this token is not valid: it may be mistyped, expired or revoked"


class Access:
    """Users and tokens of one ledger. `admin_token` is one of the user `admin` that is in no ledger."""

    def __init__(self, ledger: AccessLedger, clock: Clock, *, admin_token: SecretStr | None = None) -> None:
        self.ledger, self._clock = ledger, clock
        self._admin_hash = None if admin_token is None else hash_of(admin_token.get_secret_value())
        self._known: dict[str, tuple[Credential, float]] = {}

    async def identify(self, text: str) -> Identity:
        """Whose token this is. `Unauthorized` does not say what is wrong with it: strangers would learn."""
        if self._admin_hash is not None and is_same(text, self._admin_hash):
            return Identity(ADMIN, True, frozenset(Scope), ENVIRONMENT)
        id = id_of(text)
        found = None if id is None else await self._credential(id)
        if found is None or not is_same(text, found.hash) or not self._is_good(found):
            raise Unauthorized(WRONG)
        await self._touch(found)
        admin = found.admin and Scope.ADMIN in found.token.scopes
        return Identity(found.token.user, admin, found.token.scopes, found.token.id)

    async def welcome(self) -> str | None:
        """The first admin's token, the first time that this is asked of a ledger; it is shown only now."""
        if self._admin_hash is not None:
            return None
        secret = Secret.new()
        made = await self.ledger.first_token(secret.id, secret.hash, user=ADMIN, label="first start")
        return None if made is None else secret.text

    async def users(self, *, after: str | None = None, limit: int = 100) -> Sequence[User]:
        return await self.ledger.users(after=after, limit=limit)

    async def user(self, name: str) -> User:
        """`NotFound` if there is none of this name."""
        found = await self.ledger.user(name)
        if found is None:
            raise NotFound(f"there is no user {name!r}; `genlock users` lists them")
        return found

    async def create_user(self, name: str, *, admin: bool = False) -> User:
        """`BadInput` for a name that cannot be one, `Conflict` for one that is taken."""
        if not NAME.fullmatch(name):
            raise BadInput(
                f"{name!r} cannot be a user's name: up to 64 of a-z, 0-9 and . _ @ -, the first a letter or digit"
            )
        if name in RESERVED:
            raise Conflict(f"the name {name!r} is genlock's own: choose another")
        return await self.ledger.add_user(name, admin=admin)

    async def set_user(self, name: str, *, admin: bool | None = None, disabled: bool | None = None) -> User:
        """Make somebody an admin or none, turn all their tokens off or on."""
        changed = await self.ledger.set_user(name, admin=admin, disabled=disabled)
        self._known.clear()
        return changed

    async def tokens(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[Token]:
        return await self.ledger.tokens(user=user, after=after, limit=limit)

    async def token(self, id: str, *, reach: str | None = None) -> Token:
        """`NotFound` if there is none with this id, or it is of somebody else than `reach`."""
        found = await self.ledger.token(id)
        if found is None or reach not in (None, found.user):
            raise NotFound(f"there is no token {id!r}; `genlock tokens` lists them")
        return found

    async def create_token(
        self, user: str, *, label: str = "", scopes: Collection[Scope], expires_in: timedelta | None = None
    ) -> tuple[Token, str]:
        """A token, and its text, which nobody can be shown again."""
        owner = await self.user(user)
        if not scopes:
            raise BadInput(f"a token needs a scope; there are: {', '.join(Scope)}")
        if Scope.ADMIN in scopes and not owner.admin:
            raise BadInput(
                f"{user} is no admin: leave the scope `admin` out, or `genlock users admin {user}`"
            )
        until = None if expires_in is None else self._clock.now() + expires_in
        secret = Secret.new()
        made = await self.ledger.add_token(
            secret.id, secret.hash, user=user, label=label, scopes=scopes, expires_at=until
        )
        return made, secret.text

    async def revoke_token(self, id: str) -> Token:
        """It is worth nothing at once in this process, and in others within `FRESH`."""
        revoked = await self.ledger.revoke_token(id)
        self._known.pop(id, None)
        return revoked

    async def record(self, who: Identity, action: str, target: str, **data: Any) -> None:
        """Write into the audit that somebody did something to something, such as `job:ID`."""
        said: Mapping[str, Any] = {name: value for name, value in data.items() if value is not None}
        await self.ledger.record(who.user, who.token, action, target, said)

    async def deeds(
        self,
        *,
        target: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Deed]:
        """Newest first."""
        return await self.ledger.deeds(target=target, user=user, before=before, limit=limit)

    async def _credential(self, id: str) -> Credential | None:
        known = self._known.get(id)
        if known is not None and self._clock.monotonic() - known[1] < FRESH.total_seconds():
            return known[0]
        found = await self.ledger.credential(id)
        if found is None:
            self._known.pop(id, None)
        else:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[id] = (found, self._clock.monotonic())
        return found

    def _is_good(self, found: Credential) -> bool:
        token = found.token
        expired = token.expires_at is not None and token.expires_at <= self._clock.now()
        return not (found.disabled or expired or token.revoked_at is not None)

    async def _touch(self, found: Credential) -> None:
        used, now = found.token.used_at, self._clock.now()
        if used is None or now - used >= TOUCHED:
            self._known.pop(found.token.id, None)
            await self.ledger.touch_token(found.token.id)
