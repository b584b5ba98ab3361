"""HEAD wherever there is GET: the same answer, of which nothing is sent but its headers."""

from __future__ import annotations

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STREAM = b"text/event-stream"


class Head:
    """Middleware around all routes. Nothing is read of a file, or of a stream, that is not sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            await send({"type": "http.response.body", "body": b""})
            raise _Enough

        headers = scope["headers"]
        scope["method"] = "GET"
        scope["headers"] = [each for each in headers if each[0] != b"accept" or STREAM not in each[1]]
        try:
            with suppress(_Enough):
                await self._app(scope, receive, sending)
        finally:  # those around see what was asked
            scope["method"], scope["headers"] = "HEAD", headers


class _Enough(Exception):
    """The headers are sent."""
