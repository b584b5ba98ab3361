"""Around every request: its name, its place in logs and traces, its count, and an answer in any case."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genlock import trace
from genlock.api.problem import answer_of
from genlock.trace import Place

if TYPE_CHECKING:
    from genlock.api.dependency import Services
    from genlock.api.oversight import Oversight

log = structlog.get_logger(__name__)
REQUEST_ID, TRACEPARENT = "X-Request-Id", "traceparent"
STREAM = b"text/event-stream"
NOWHERE = "none"  # the route of a request that none fits
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_QUIET = frozenset({"GET", "HEAD", "OPTIONS"})  # they change nothing: a line each would hide those that do


@dataclass(slots=True)
class _Answer:
    """What is seen of an answer as it passes."""

    status: int = 0
    streams: bool = False


class Requests:
    """Middleware. A request that brings an `X-Request-Id` keeps it; the answer has it in any case."""

    def __init__(self, app: ASGIApp, rng: random.Random | None = None) -> None:
        self._app = app
        self._names = rng or random.Random()  # they are no secrets; the system's randomness costs a call each

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        name = given if _ID.fullmatch(given) else f"{self._names.getrandbits(64):016x}"
        tracer = services.oversight.tracer if services.oversight else None
        token = trace.enter(
            Place(request=name, parent=trace.parent_of(headers.get(TRACEPARENT)), tracer=tracer)
        )
        try:
            with trace.span("request", method=scope["method"], path=scope["path"]) as told:
                await self._answer(scope, receive, send, name, services.oversight, told)
        finally:
            trace.leave(token)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        name: str,
        oversight: Oversight | None,
        told: dict[str, Any],
    ) -> None:
        began, answer = _now(), _Answer()

        async def passing(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = name
                answer.status = message["status"]
                answer.streams = _is_stream(message)
                if answer.streams and oversight:
                    oversight.metrics.streams.inc()
            await send(message)

        try:
            await self._app(scope, receive, passing)
        except Exception as error:
            log.exception("a request could not be answered", action="request", path=scope["path"])
            if answer.status:  # it was begun: all that can be done is to break it off
                raise
            await answer_of(error, scope["path"])(scope, receive, passing)
        finally:
            route, seconds = _route(scope), _now() - began
            told |= {"route": route, "status": answer.status}
            _log(scope["method"], route, answer, seconds)
            if oversight:
                _count(oversight, scope["method"], route, answer, seconds)


def _is_stream(message: Message) -> bool:
    return any(key == b"content-type" and value.startswith(STREAM) for key, value in message["headers"])


def _count(oversight: Oversight, method: str, route: str, answer: _Answer, seconds: float) -> None:
    if answer.streams:
        oversight.metrics.streams.dec()
    named = method if method in METHODS else NOWHERE  # anybody may invent one: it is no label
    oversight.metrics.answered(named, route, answer.status, None if answer.streams else seconds)


def _log(method: str, route: str, answer: _Answer, seconds: float) -> None:
    """Without the query, in which somebody may have put what is nobody else's business."""
    level = logging.DEBUG if method in _QUIET and answer.status < 500 else logging.INFO
    if logging.getLogger(__name__).isEnabledFor(level):
        said = {"method": method, "route": route, "status": answer.status, "seconds": round(seconds, 4)}
        log.log(level, "answered", action="request", **said)


def _route(scope: Scope) -> str:
    """As it was declared, so that no name of a thing is in it."""
    within = scope.get("fastapi", {}).get("effective_route_context")  # with the prefix of its router
    path = getattr(within or scope.get("route"), "path", None)
    return path if isinstance(path, str) else NOWHERE


def _now() -> float:
    return asyncio.get_running_loop().time()
