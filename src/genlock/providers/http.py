"""The way out to a vendor, and the only module that imports an HTTP client.

Two kinds of request leave here, and the difference is money. A *submission* is sent once, on a connection of
its own, never repeated and never redirected; what becomes of it is one of success, `Refused`,
`OutOfCredit`, `NotAccepted` or `Doubtful`, and `Doubtful` is the rule for whatever is not one of the
others. A *question* costs nothing: `Transient` if it may be asked again, `NotFound`, or `Permanent`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from pydantic import SecretStr

from genlock import failpoint
from genlock.errors import Doubtful, GenlockError, NotAccepted, Permanent, Transient
from genlock.providers.fault import Judge, of_question, of_submission
from genlock.providers.reply import Reply
from genlock.providers.scrub import Scrub

log = structlog.get_logger(__name__)

CONNECT = 10.0  # seconds to a connection with TLS
ANSWER = 60.0  # seconds of silence before an answer counts as lost
REPLY = 8 << 20  # bytes of an answer in JSON; nothing that is asked for here comes near it
_LEAVING = "send_request_headers.started"  # what the client reports right before a request's first byte

LOST = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, TimeoutError)
Response = httpx2.Response
Sign = Callable[[], Mapping[str, str]]
Body = Mapping[str, Any]


def _unsigned() -> Mapping[str, str]:
    return {}


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Account:
    """Whose account a door leads to: `key_name` is the variable with the key, `sign` makes the headers that
    show it, `secrets` never appear in anything that is said.
    """

    vendor: str
    url: str
    key_name: str = "no variable"
    sign: Sign = _unsigned
    secrets: tuple[SecretStr, ...] = ()

    def __repr__(self) -> str:
        return f"Account({self.vendor}, {self.url})"


class Door:
    """HTTP to one vendor's account. Opens on first use; `close` it, and it opens again.

    `answer` is how many seconds the vendor may be silent, `connect` how many until it is reached; `judge`
    reads refusals that only this vendor has.
    """

    def __init__(
        self,
        account: Account,
        *,
        answer: float = ANSWER,
        connect: float = CONNECT,
        judge: Judge | None = None,
    ) -> None:
        self.account, self.vendor, self.url = account, account.vendor, account.url
        self.hide = Scrub(account.secrets)
        self._answer, self._connect, self._judge = answer, connect, judge
        self._clients: dict[bool, httpx2.AsyncClient] = {}
        _quiet_addresses()

    def __repr__(self) -> str:
        return f"Door({self.vendor}, {self.url})"

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        async with AsyncExitStack() as stack:
            for client in clients:
                stack.push_async_callback(client.aclose)

    async def submit(
        self,
        path: str,
        body: Body,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        in_time: Callable[[], bool] = _always,
        most: int = REPLY,
    ) -> Reply:
        """Send what may cost money, once. `in_time` is asked right before the first byte leaves."""
        leaving = _Leaving(self.vendor, in_time)
        request = self._request("POST", path, fresh=True, headers=headers, query=query, json=dict(body))
        request.extensions["trace"] = leaving.trace
        fault: GenlockError
        try:
            with failpoint.around("send"):
                reply = await self._exchange(request, most, fresh=True, unclear=Doubtful)
        except (*LOST, _TooMuch) as error:
            fault = leaving.fault(self._words(error))
        else:
            refused = of_submission(reply, self.account.key_name, self._judge)
            if refused is None:
                return reply
            fault = refused
        raise fault  # out of the handler: the client's own error, with the request in it, is not its context

    async def ask(
        self,
        path: str,
        what: str,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        allow: Collection[int] = (),
        most: int = REPLY,
    ) -> Reply:
        """Ask for something that costs nothing, or tell something; answers in `allow` are no errors."""
        request = self._request(method, path, query=query, json=None if body is None else dict(body))
        return await self._question(request, what, allow, most)

    async def upload(
        self, path: str, name: str, content: bytes, media_type: str, *, fields: Mapping[str, str]
    ) -> Reply:
        """Hand over a file, as a form does. Costs nothing; if it fails nothing was bought: `NotAccepted`."""
        files = {"content": (name, content, media_type)}
        request = self._request("POST", path, files=files, data=dict(fields))
        try:
            return await self._question(request, "a place for a picture", (), REPLY)
        except Transient as error:
            raise NotAccepted(str(error), retry_after=error.retry_after) from None

    async def _question(self, request: httpx2.Request, what: str, allow: Collection[int], most: int) -> Reply:
        fault: GenlockError
        try:
            reply = await self._exchange(request, most, fresh=False, unclear=Transient)
        except (*LOST, _TooMuch) as error:
            fault = Transient(f"{self.vendor} cannot be asked for {what}: {self._words(error)}")
        else:
            failed = of_question(reply, self.account.key_name, what)
            if failed is None or reply.status in allow:
                return reply
            fault = failed
        raise fault

    def stream(self, url: str, headers: Mapping[str, str]) -> Any:
        """A download under way, for `genlock.providers.download`; follows nothing, shows no key."""
        return self._client(fresh=False).stream("GET", url, headers=dict(headers))

    def own(self, url: str) -> bool:
        """Whether an address is on the vendor's own server, to which the key may be shown."""
        return _origin(url) == _origin(self.url)

    def reachable(self, url: str) -> bool:
        """Whether a file may be fetched from there: not in the clear, and from no machine of our own, unless
        that is where the vendor itself was said to be.
        """
        if self.own(url):
            return True
        parts, base = urlsplit(url), urlsplit(self.url)
        if base.scheme == "http":
            return parts.scheme in ("http", "https")
        return parts.scheme == "https" and _public(parts.hostname or "")

    def words(self, error: BaseException) -> str:
        """What a failed exchange said, without secrets."""
        return self._words(error)

    def _request(
        self,
        method: str,
        path: str,
        *,
        fresh: bool = False,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx2.Request:
        url = path if path.startswith(("http://", "https://")) else self.url + path
        if not self.own(url):
            raise Permanent(f"the key of {self.vendor} is not shown to {self.hide(url.partition('?')[0])}")
        signed = {**self.account.sign(), **(headers or {})}
        return self._client(fresh=fresh).build_request(method, url, headers=signed, params=query, **body)

    async def _exchange(
        self, request: httpx2.Request, most: int, *, fresh: bool, unclear: type[Doubtful] | type[Transient]
    ) -> Reply:
        """Ask, and read all of the answer, within the time that silence may last twice over."""
        async with asyncio.timeout(2 * self._answer + self._connect):
            response = await self._client(fresh=fresh).send(request, stream=True)
            try:
                content = await _read(response, most)
            finally:
                await response.aclose()
        log.debug(
            "a vendor answered",
            action="provider",
            vendor=self.vendor,
            method=request.method,
            path=self.hide(request.url.path),
            status=response.status_code,
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(self.vendor, response.status_code, headers, content, unclear, self.hide)

    def _client(self, *, fresh: bool) -> httpx2.AsyncClient:
        """With `fresh` every request has a new connection: on one that stood idle, a vendor that just closed
        it cannot be told from one that took the request and closed it.
        """
        if fresh not in self._clients:
            self._clients[fresh] = httpx2.AsyncClient(
                verify=trusted(),
                timeout=httpx2.Timeout(self._answer, connect=self._connect, pool=self._connect),
                limits=httpx2.Limits(max_connections=64, max_keepalive_connections=0 if fresh else 8),
                follow_redirects=False,
                headers={"user-agent": "genlock"},
            )
        return self._clients[fresh]

    def _words(self, error: BaseException) -> str:
        kind = "no answer in time" if isinstance(error, TimeoutError | httpx2.TimeoutException) else ""
        return self.hide(kind or str(error) or type(error).__name__)


@cache
def trusted() -> ssl.SSLContext:
    """Which servers are who they say: read once, for that takes longer than many a request."""
    return httpx2.create_ssl_context()


class _TooMuch(Exception):
    """An answer longer than anything that was asked for."""


class _Leaving:
    """Knows whether a request's first byte has left: before that nothing was accepted."""

    def __init__(self, vendor: str, in_time: Callable[[], bool]) -> None:
        self._vendor, self._in_time = vendor, in_time
        self._left = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the client at each step. What is said to a proxy is not said to the vendor yet."""
        if not event.endswith(_LEAVING) or getattr(info.get("request"), "method", b"") == b"CONNECT":
            return
        if not self._left and not self._in_time():
            raise NotAccepted(f"the request to {self._vendor} was not sent: too long after it was begun")
        self._left = True

    def fault(self, words: str) -> GenlockError:
        """What it means for a submission that the exchange failed like this."""
        if self._left:
            return Doubtful(f"{self._vendor} was sent the request and gave no whole answer: {words}")
        return NotAccepted(f"{self._vendor} was not reached: {words}")


async def _read(response: httpx2.Response, most: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > most:
            raise _TooMuch(f"an answer of more than {most} bytes")
    return bytes(content)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))


class _Addresses(logging.Filter):
    """Leaves the query out of addresses in the client's own log lines: it may be a signature."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, Iterable):
            record.args = tuple(
                str(a.copy_with(query=None)) if isinstance(a, httpx2.URL) else a for a in record.args
            )
        return True


_ADDRESSES = _Addresses()


def _quiet_addresses() -> None:
    logging.getLogger("httpx2").addFilter(_ADDRESSES)  # added once, however often this is called
