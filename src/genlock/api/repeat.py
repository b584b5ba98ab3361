"""Requests with an `Idempotency-Key`: asked twice, they are done once, and answered alike.

Around the whole application, so that no route can forget it. What was answered is kept in the ledger for a
day; answers that say "not now" or "not you" are not, so the same request may be sent again. Nor is one that
has a secret in it: what is kept in its place says that it was shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genlock.api.caller import identify
from genlock.api.dependency import Services
from genlock.api.problem import answer_of
from genlock.errors import BadInput, Conflict, GenlockError, Underway
from genlock.ledger.access.protocol import AccessLedger
from genlock.ledger.access.records import Answer, Question, Standing, Turn

log = structlog.get_logger(__name__)

KEY, REPLAYED = "idempotency-key", "idempotency-replayed"
LONGEST = 255  # characters of a key
KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=30)  # after which a request counts as abandoned whose process is gone
AGAIN = timedelta(seconds=1)
REST = 16 << 20  # bytes behind a refusal that are read only to be hashed
WHOLE = 4 << 30  # bytes of a repetition
NOT_NOW = frozenset((401, 403, 408, 413, 429))  # and whatever is from 500 on

PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the same key and body within 24 hours are done once and answered alike",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]+$"},
}


async def once_of(request: Request) -> str | None:
    """What tells this request from all others, if it has a key: the same when it is sent again."""
    once: str | None = getattr(request.state, "once", None)
    return once


Once = Annotated[str | None, Depends(once_of)]


def show_once(request: Request, instead: GenlockError) -> None:
    """The answer to this request has a secret in it, which no ledger may keep: `instead` is what is answered
    when it is asked again.
    """
    request.state.instead = instead


class Repeat:
    """Answers a request that was answered before, as it was answered then."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._services.access
        key = _key(scope) if scope["type"] == "http" and scope["method"] == "POST" else None
        if key is None or access is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            caller = await identify(request, self._services)
        except GenlockError:  # the route says the same, unless nobody has to sign in there
            await self._app(scope, receive, send)
            return
        try:
            await self._answer(access.ledger, _question(scope, caller.user, key), request, send)
        except GenlockError as error:
            await answer_of(error, request.url.path)(scope, receive, send)

    async def _answer(self, ledger: AccessLedger, question: Question, request: Request, send: Send) -> None:
        holder = secrets.token_hex(8)
        body = Body(request.receive, request.headers.get("content-type", ""))
        turn = await ledger.begin(question, holder, lease=LEASE, kept=KEPT)
        if turn.standing is Standing.RUNNING:
            raise Underway(
                f"the first request with this {KEY} is being answered: ask again", retry_after=AGAIN
            )
        if turn.standing is Standing.DONE:
            await _replay(await _same(turn, body), send)
            return
        request.state.once = _once(question, turn)
        kept = False
        try:
            async with _held(ledger, question, holder):
                given = Given()
                await self._app(request.scope, body.receive, given.send)
                asked = await body.hash(REST) if given.is_kept else None
                if asked is not None:
                    kept = await ledger.finish(question, holder, asked, _kept(request, given))
        finally:
            if not kept:
                await ledger.let_go(question, holder)
        for message in given.messages:
            await send(message)


@dataclass
class Given:
    """An answer that is held back until it is kept."""

    messages: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def is_kept(self) -> bool:
        """Whether asking again would be answered no other way."""
        status = self.messages[0]["status"]
        return status < 500 and status not in NOT_NOW

    def answer(self) -> Answer:
        """All of it, as it is kept."""
        start, *rest = self.messages
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
        return Answer(start["status"], headers, b"".join(m.get("body", b"") for m in rest).decode())


def _kept(request: Request, given: Given) -> Answer:
    """What is answered when the same is asked again."""
    instead: GenlockError | None = getattr(request.state, "instead", None)
    if instead is None:
        return given.answer()
    shown = answer_of(instead, request.url.path)
    return Answer(shown.status_code, tuple(shown.headers.items()), bytes(shown.body).decode())


class Body:
    """A request's body, hashed as it is read. What stands between the parts of a form is not counted: it
    is another each time that the same form is sent.
    """

    def __init__(self, receive: Receive, content_type: str) -> None:
        self._receive, self._digest = receive, hashlib.sha256()
        self._boundary, self._tail = _boundary(content_type), b""
        self._more, self._broken = True, False

    async def receive(self) -> Message:
        """The next message, as the application reads it."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._more = message.get("more_body", False)
            self._feed(message.get("body", b""))
        elif message["type"] == "http.disconnect":
            self._more, self._broken = False, self._broken or self._more
        return message

    async def hash(self, most: int) -> str | None:
        """Of the whole, with what the application did not read; None if it broke off, or if that is more than
        `most` bytes.
        """
        while self._more:
            most -= len((await self.receive()).get("body", b""))
            if most < 0:
                return None
        if self._broken:
            return None
        self._digest.update(self._tail)
        self._tail = b""
        return self._digest.hexdigest()

    def _feed(self, chunk: bytes) -> None:
        if not self._boundary:
            self._digest.update(chunk)
            return
        *before, rest = (self._tail + chunk).split(self._boundary)
        for part in before:
            self._digest.update(part + b"\0")
        cut = max(0, len(rest) - len(self._boundary) + 1)
        self._digest.update(rest[:cut])
        self._tail = rest[cut:]


def _key(scope: MutableMapping[str, Any]) -> str | None:
    for name, value in scope["headers"]:
        if name == KEY.encode():
            return str(value.decode("latin-1"))
    return None


def _question(scope: MutableMapping[str, Any], user: str, key: str) -> Question:
    if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise BadInput(f"Idempotency-Key must be 1 to {LONGEST} printable ASCII characters")
    query = scope.get("query_string", b"").decode("latin-1")
    return Question(user, f"POST {scope['path']}" + (f"?{query}" if query else ""), key)


def _once(question: Question, turn: Turn) -> str:
    """Another one when the same key is used after a day."""
    named = "\n".join((question.user, question.route, question.key, str(turn.since)))
    return "key:" + hashlib.sha256(named.encode()).hexdigest()


def _boundary(content_type: str) -> bytes:
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        return b""
    for each in rest.split(";"):
        name, _, value = each.strip().partition("=")
        if name.lower() == "boundary":
            return value.strip('"').encode("latin-1")
    return b""


async def _same(turn: Turn, body: Body) -> Answer:
    """What was answered then, if the same was asked."""
    if await body.hash(WHOLE) != turn.request_hash or turn.answer is None:
        raise Conflict(f"this {KEY} was used for another request within a day: use a new one")
    return turn.answer


async def _replay(answer: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((REPLAYED.encode(), b"true"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body.encode()})


@asynccontextmanager
async def _held(ledger: AccessLedger, question: Question, holder: str) -> AsyncIterator[None]:
    """Nobody else takes the question up while this lasts."""

    async def hold() -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            if not await ledger.hold(question, holder, LEASE):
                log.warning("another process answers this request as well", route=question.route)
                return

    task = asyncio.create_task(hold(), name="genlock-hold")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
