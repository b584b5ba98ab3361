"""Connections on which more would come than anybody reads: closed behind the answer.

A server that has answered goes on reading what is left of the request, so that who is still sending hears
the answer, and the next request can follow. Of a body without an end it would read for ever.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE = 1 << 30  # bytes of a body of told length that are read on behind an answer


class Farewell:
    """Middleware. An answer to a body that was not read to its end, and is long or of no told length, is the
    last one on its connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_long(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        ended = False

        async def reading() -> Message:
            nonlocal ended
            message = await receive()
            ended = ended or not message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not ended:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, reading, sending)


def _is_long(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        return int(length) > PATIENCE
    return "transfer-encoding" in headers
