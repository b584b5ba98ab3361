"""`genlock serve`: own the home, run every job in it and answer over HTTP until told to stop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from genlock.errors import HomeTaken, PortTaken

if TYPE_CHECKING:
    import socket

    from genlock.api.dependency import Services
    from genlock.cli.session import Interrupt
    from genlock.settings import Settings

SLACK = timedelta(seconds=4.5)  # for all that has to end besides the bodies, which have the grace


def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen on.", show_default="GENLOCK_HOST, 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="The port; 0: any free one.", min=0, max=65535, show_default="GENLOCK_PORT, 8080"),
    ] = None,
) -> None:
    """Run every job of this home and answer over HTTP until told to stop.

    SIGTERM and Ctrl-C stop it; jobs go on at the next start.
    """
    from genlock.api import heap
    from genlock.cli.session import run_async
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    heap.share()
    given = {"host": host, "port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    log_to_stderr(settings, at_most="info", serving=True)

    async def act(interrupt: Interrupt) -> int:
        return await _serve(settings, interrupt)

    raise typer.Exit(run_async(act))


async def _serve(settings: Settings, interrupt: Interrupt) -> int:
    from genlock.api.serving import serving
    from genlock.cli.session import connect

    with _bound(settings) as bound:
        async with connect(settings, command="genlock serve", execute=True) as session:
            if session.home is None:
                raise _taken(settings)
            with _in_time(interrupt, settings.grace + SLACK):
                async with serving(session.home, session.release()) as services:
                    await _listen(services, bound, interrupt)
    return 0


async def _listen(services: Services, bound: socket.socket, interrupt: Interrupt) -> None:
    """Answer on the port until told to stop."""
    import structlog

    from genlock.api.listener import url_of
    from genlock.api.server import Server

    server = Server(services)
    bound.listen()  # who connects as soon as it is said waits, and is not refused
    answering = asyncio.create_task(server.serve(bound), name="genlock-port")
    asked = asyncio.create_task(interrupt.asked.wait())
    structlog.get_logger("genlock").info(f"Listening on {url_of(bound)}")
    await asyncio.wait((answering, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    server.stop()
    await answering


@contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """The port, before anything else is begun. A home that is served already is the better reason."""
    from genlock.api.listener import bind
    from genlock.owner import owner_of

    try:
        bound = bind(settings.host, settings.port)
    except PortTaken:
        if owner_of(settings) is not None:
            raise _taken(settings) from None
        raise
    with bound:
        yield bound


def _taken(settings: Settings) -> HomeTaken:
    from genlock.owner import owner_of

    return HomeTaken(
        f"{owner_of(settings) or 'another process'} owns {settings.home} already: a home has one "
        "owner. Set GENLOCK_HOME to serve another home"
    )


@contextmanager
def _in_time(interrupt: Interrupt, limit: timedelta) -> Iterator[None]:
    """Once told to stop, this process ends within `limit`, whatever a body does that does not end.

    That costs no more than a kill: what is finished is written, and the rest begins again.
    """
    watcher = asyncio.create_task(_watch(interrupt, limit))
    try:
        yield
    finally:
        watcher.cancel()


async def _watch(interrupt: Interrupt, limit: timedelta) -> None:
    await interrupt.asked.wait()
    last = threading.Timer(limit.total_seconds(), os._exit, (interrupt.code,))
    last.daemon = True
    last.start()
