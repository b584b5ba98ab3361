"""Where requests come in: the socket of a home, which its own user alone can open, and a port for everybody.

The web framework is imported when somebody asks for the first time: most jobs nobody asks about.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import structlog

from genlock.errors import PortTaken
from genlock.owner import Ownership

if TYPE_CHECKING:
    from genlock.api.dependency import Services

log = structlog.get_logger(__name__)


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound and not listened on yet. `PortTaken` if that cannot be had, and why."""
    try:
        [family, kind, protocol, _, address] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise PortTaken(f"{host!r} is no address of this machine ({error.strerror}): see --host") from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise PortTaken(f"cannot listen on {host} port {port}: {_words(error)}") from error
    return bound


def _words(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program does already. Choose another with --port or GENLOCK_PORT"
    return (error.strerror or str(error)).lower()


def url_of(bound: socket.socket) -> str:
    """Where a bound socket is reached."""
    host, port, *_ = bound.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def answering(ownership: Ownership, services: Callable[[], Services]) -> AsyncIterator[None]:
    """The API on the home's socket, inside the `async with`; `services` are made when somebody knocks.

    Nobody has to sign in there, for only whoever owns the socket's file can open it.
    """
    stopping = asyncio.Event()
    task = asyncio.create_task(_answer(ownership, services, stopping), name="genlock-socket")
    try:
        yield
    finally:
        stopping.set()
        await task


async def _answer(ownership: Ownership, services: Callable[[], Services], stopping: asyncio.Event) -> None:
    try:
        with ownership.bind() as bound:
            halt = asyncio.create_task(stopping.wait())
            await _knocked(bound, halt)
            if not stopping.is_set():
                server = await asyncio.to_thread(_build, services)
                serving = asyncio.create_task(server.serve(bound))
                await asyncio.wait((serving, halt), return_when=asyncio.FIRST_COMPLETED)
                server.stop()
                await serving
            halt.cancel()
    except Exception:
        log.exception("other commands cannot reach this process")  # jobs go on


async def _knocked(bound: socket.socket, halt: asyncio.Task[Any]) -> None:
    """Return when somebody connects, who is let in later, or when nobody is waited for any more."""
    knock = asyncio.Event()
    bound.listen()
    loop = asyncio.get_running_loop()
    loop.add_reader(bound, knock.set)
    try:
        knocking = asyncio.create_task(knock.wait())
        await asyncio.wait((knocking, halt), return_when=asyncio.FIRST_COMPLETED)
        knocking.cancel()
    finally:
        loop.remove_reader(bound)


def _build(services: Callable[[], Services]) -> Any:
    from genlock.api.server import Server

    return Server(services())
