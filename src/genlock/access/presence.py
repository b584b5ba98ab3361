"""Those who stay: whoever reads a stream for hours is known only from when it began.

So it is asked again who they are, for all of them at once, every `FRESH` seconds while anybody stays, and at
once when this process has revoked or locked something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from genlock.access.access import ENVIRONMENT, FRESH, Access
from genlock.access.identity import Identity
from genlock.errors import LedgerError, Unauthorized

log = structlog.get_logger(__name__)
GONE = (
    "the token that this began with is not worth any more what it was then: it was revoked or has expired, "
    "or its user was changed"
)


@dataclass(eq=False, slots=True)
class Guest:
    """Somebody who stays, as they came."""

    who: Identity
    gone: bool = False

    @property
    def token(self) -> str:
        return self.who.token or ""

    def is_worth(self, now: Identity | None) -> bool:
        """Whether who comes with the token now may do all that this one may."""
        return now is not None and now.admin >= self.who.admin and now.scopes >= self.who.scopes

    def check(self) -> None:
        """`Unauthorized` once they may not stay any more."""
        if self.gone:
            raise Unauthorized(GONE)


class Presence:
    """Everybody who stays in this process. `wake` is called when some of them have to go."""

    def __init__(self, access: Access | None, wake: Callable[[], None], *, every: float = FRESH) -> None:
        self._access, self._wake, self._every = access, wake, every
        self._guests: set[Guest] = set()
        self._looker: asyncio.Task[None] | None = None

    @contextmanager
    def stay(self, who: Identity) -> Iterator[Guest]:
        """Look after somebody for as long as this lasts, unless nobody can take back what they came with."""
        guest = Guest(who)
        if self._access is None or who.token in (None, ENVIRONMENT):
            yield guest
            return
        self._guests.add(guest)
        if self._looker is None:
            self._looker = asyncio.create_task(self._look(self._access), name="genlock-presence")
        try:
            yield guest
        finally:
            self._guests.discard(guest)
            if not self._guests and self._looker is not None:
                self._looker.cancel()
                self._looker = None

    async def _look(self, access: Access) -> None:
        while True:
            news = access.news  # from before the look: what is taken back during it is looked at again
            try:
                await self._judge(access)
            except LedgerError as error:  # nobody could sign in now either, and nobody is sent away
                log.warning("it cannot be looked up whose tokens are still good", error=str(error))
            except Exception:
                log.exception("it cannot be looked up whose tokens are still good")  # the next look may
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await news.wait()

    async def _judge(self, access: Access) -> None:
        """Find out who may not stay, with one question about all their tokens."""
        guests = list(self._guests)  # others come while it is answered
        found = await access.whose({guest.token for guest in guests})
        leaving = [guest for guest in guests if not guest.is_worth(found.get(guest.token))]
        for guest in leaving:
            guest.gone = True
        if leaving:
            self._wake()
