"""The service for a server that others run: `uvicorn genlock.api.app:create --factory --reload`.

The home is opened when the server starts and closed when it stops; a process that is started while another
one still has it, as by `--reload`, waits for the lock.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from genlock.api import heap
from genlock.api.serving import serving
from genlock.bootstrap import open_home
from genlock.log import log_to_file, log_to_stderr
from genlock.owner import Ownership, owner_of
from genlock.settings import Settings, load_settings

log = structlog.get_logger("genlock")
COMMAND = "uvicorn"  # what the lock says of who has it
PAUSE = 0.1  # seconds between two looks at a lock that is waited for
ENDING = (signal.SIGINT, signal.SIGTERM)
Build = Callable[[Any], FastAPI]


class Application:
    """An application that opens its home when its server starts. It takes its settings when it is made."""

    def __init__(self, build: Build) -> None:
        heap.share()
        self._settings = load_settings()
        self._build = build
        self._app: ASGIApp | None = None
        log_to_stderr(self._settings, at_most="info", serving=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is None:
            raise RuntimeError("the server has not started the application: it needs lifespan events")
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Once, from the server's start to its end."""
        await receive()
        async with AsyncExitStack() as stack:
            try:
                self._app = await stack.enter_async_context(self._open())
            except Exception as error:  # noqa: BLE001 - the server says so and ends
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[ASGIApp]:
        settings = self._settings
        with await _owned(settings) as ownership, log_to_file(settings):
            async with open_home(settings) as home, serving(home, ownership) as services:
                with _told_of_the_end(services.stop):
                    yield self._build(services)


async def _owned(settings: Settings) -> Ownership:
    """The home's lock, once whoever has it has let it go."""
    told = False
    while (ownership := Ownership.take(settings, command=COMMAND)) is None:
        if not told:
            told = True
            log.info(f"Waiting for {settings.home}, which {owner_of(settings) or 'another process'} has")
        await asyncio.sleep(PAUSE)
    return ownership


@contextmanager
def _told_of_the_end(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` when this process is told to end, and then whatever the server has for that.

    A server waits for its answers to end, and event streams end when they are told.
    """
    if threading.current_thread() is not threading.main_thread():  # signals go to that one alone
        yield
        return
    loop, before = asyncio.get_running_loop(), {number: signal.getsignal(number) for number in ENDING}

    def tell(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        then = before[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for number in ENDING:
        signal.signal(number, tell)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
