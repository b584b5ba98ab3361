"""Signing in: whose token it is, how often it may be used, and what was done with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import SecretStr

from genlock.access.identity import Identity
from genlock.access.rate import Quota, Rate, refuse
from genlock.access.token import Secret, hash_of, id_of, is_same
from genlock.clock import Clock
from genlock.errors import LedgerError, Unauthorized
from genlock.ledger.access.doing import Doing, doing
from genlock.ledger.access.protocol import AccessLedger
from genlock.ledger.access.records import Credential, Scope

log = structlog.get_logger(__name__)

ADMIN = "admin"  # whose token the first start makes
ENVIRONMENT = "environment"  # the id of the admin's token that comes from the settings
FRESH = 3.0  # seconds for which another process may not know yet that a token was revoked
TOUCHED = timedelta(minutes=1)  # how exactly is kept when a token was used
REMEMBERED = 10_000  # tokens
Target = str | Callable[[Any], str | None]  # of a deed
WRONG = "this token is not valid: it may be mistyped, expired or revoked"


class Access:
    """Users and tokens of one ledger. `admin_token` is one of the user `admin` that is in no ledger.

    `requests` is for how often a token may be used, `sign_ins` for how often an address may be wrong, each
    in a minute; 0 is no limit.
    """

    def __init__(
        self,
        ledger: AccessLedger,
        clock: Clock,
        *,
        admin_token: SecretStr | None = None,
        requests: int = 0,
        sign_ins: int = 0,
    ) -> None:
        self.ledger, self.clock = ledger, clock
        self._admin_hash = None if admin_token is None else hash_of(admin_token.get_secret_value())
        self._known: dict[str, tuple[Credential, float]] = {}
        self._touched: dict[str, datetime] = {}
        self.news = asyncio.Event()  # set, and another one in its place, when something may be worth less
        self._requests = Rate("requests", requests, clock)
        self._sign_ins = Rate("sign-ins", sign_ins, clock)

    async def identify(self, text: str, address: str) -> Identity:
        """Whose token this is. `Unauthorized` does not say what is wrong with it: strangers would learn.

        `TooMany` once too many from this address were wrong; one that is right goes through all the same.
        """
        found = await self._identify(text)
        if found is not None:
            return found
        quota = self._sign_ins.take(address)
        if quota is not None and quota.wait:
            raise refuse(quota, f"the address {address}")
        raise Unauthorized(WRONG)

    def take(self, who: Identity) -> Quota | None:
        """One request of who is asking, if it is counted; one too many has a `wait`."""
        return None if who.token is None else self._requests.take(who.token)

    async def welcome(self) -> str | None:
        """The first admin's token, the first time that this is asked of a ledger; it is shown only now."""
        if self._admin_hash is not None:
            return None
        secret = Secret.new()
        made = await self.ledger.first_token(secret.id, secret.hash, user=ADMIN, label="first start")
        return None if made is None else secret.text

    @asynccontextmanager
    async def doing(self, who: Identity, action: str, target: Target, **data: Any) -> AsyncIterator[None]:
        """Write into the audit what is done inside, in the transaction that does it: nothing is done that
        nobody has done. `target` is such as `job:ID`, or follows from what the ledger answers. What wrote
        nothing is recorded afterwards, what is refused is not.
        """
        said = {name: value for name, value in data.items() if value is not None}
        deed = Doing(who.user, who.token, action, target, said)
        with doing(deed):
            yield
        if not deed.written and isinstance(target, str):
            await self.ledger.record(who.user, who.token, action, target, said)

    async def record(self, who: Identity, action: str, target: str, **data: Any) -> None:
        """Write into the audit that somebody did something to something, such as `job:ID`."""
        said = {name: value for name, value in data.items() if value is not None}
        await self.ledger.record(who.user, who.token, action, target, said)

    def forget(self, id: str | None = None) -> None:
        """Look at the ledger again before this token is believed, or any."""
        if id is None:
            self._known.clear()
        else:
            self._known.pop(id, None)
        self.news.set()
        self.news = asyncio.Event()

    async def whose(self, ids: Collection[str]) -> Mapping[str, Identity]:
        """Who comes with these tokens, as far as they are good: one look at the ledger for all of them."""
        found = await self.ledger.credentials(ids)
        return {each.token.id: _identity(each) for each in found if self._is_good(each)}

    async def _identify(self, text: str) -> Identity | None:
        if self._admin_hash is not None and is_same(text, self._admin_hash):
            return Identity(ADMIN, True, frozenset(Scope), ENVIRONMENT)
        named = id_of(text)
        found = None if named is None else await self._credential(named)
        if found is None or not is_same(text, found.hash) or not self._is_good(found):
            return None
        await self._touch(found)
        return _identity(found)

    async def _credential(self, id: str) -> Credential | None:
        now = self.clock.monotonic()
        known = self._known.get(id)
        if known is not None and now - known[1] < FRESH:
            return known[0]
        found = await self.ledger.credential(id)
        self._known.pop(id, None)
        if found is not None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[id] = (found, now)
        return found

    def _is_good(self, found: Credential) -> bool:
        token = found.token
        expired = token.expires_at is not None and token.expires_at <= self.clock.now()
        return not (found.disabled or expired or token.revoked_at is not None)

    async def _touch(self, found: Credential) -> None:
        """Write down that it is used, once a minute: by the first of those who ask at once."""
        name, now = found.token.id, self.clock.now()
        used = max(filter(None, (found.token.used_at, self._touched.get(name))), default=None)
        if used is not None and now - used < TOUCHED:
            return
        if len(self._touched) >= REMEMBERED:
            self._touched.clear()
        self._touched[name] = now
        try:
            await self.ledger.touch_token(name)
        except LedgerError as error:  # who only looks can still do so
            log.warning("it cannot be written down that a token is used", token=name, error=str(error))


def _identity(found: Credential) -> Identity:
    admin = found.admin and Scope.ADMIN in found.token.scopes
    return Identity(found.token.user, admin, found.token.scopes, found.token.id)
