"""What every request goes through: not too much of it, and not too often."""

from __future__ import annotations

from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genlock.access.rate import Quota
from genlock.api.problem import answer_of
from genlock.api.wire import PREFIX
from genlock.errors import TooLarge

UPLOADS = frozenset((f"{PREFIX}/assets",))  # forms with files in them, which have limits of their own


class Intake:
    """Refuses bodies of more than `limit` bytes, and says in each answer how often more may be asked."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        meter = _Meter(scope, receive, send, self._limit)
        if _is_upload(scope):
            await self._app(scope, receive, meter.send)
        elif _declared(scope) > self._limit:
            await meter.refuse()
        else:
            with suppress(_Over):
                await self._app(scope, meter.receive, meter.send)
            await meter.close()


class _Over(Exception):
    """A body turned out to be too large while it was read."""


class _Meter:
    """Counts one request's body. Once it is too large, that is the answer, whatever the application says."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope, self._receive, self._send, self._limit = scope, receive, send, limit
        self._size, self._over, self._begun = 0, False, False

    async def receive(self) -> Message:
        if self._over:
            raise _Over
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self._over = self._over or self._size > self._limit
        if self._over:
            raise _Over  # not the end of the body: what came so far may be valid, and would be done
        return message

    async def send(self, message: Message) -> None:
        if self._over and not self._begun:
            self._begun = True
            await self.refuse()
        elif self._over and message["type"].startswith("http.response"):
            return
        else:
            self._begun = True
            await self._send(self._with_quota(message))

    async def close(self) -> None:
        """Nothing more comes from the application."""
        if self._over and not self._begun:
            await self.refuse()

    async def refuse(self) -> None:
        """The answer to a body that is too large."""
        error = TooLarge(f"the body is larger than {self._limit} bytes, which is all that is taken here")
        await answer_of(error, self._scope["path"])(self._scope, self._receive, self._send)

    def _with_quota(self, message: Message) -> Message:
        quota: Quota | None = self._scope["state"].get("quota")
        if quota is not None and message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(quota.headers)
        return message


def _is_upload(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "")
    return scope["path"] in UPLOADS and kind.lower().startswith("multipart/form-data")


def _declared(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0
