"""The API on a socket that is bound already, inside the event loop of the process that owns the home."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from genlock.api.app import create_app
from genlock.api.dependency import Services

DRAIN = 1  # seconds that answers under way may take once the server stops
# A connection that nobody uses is closed by whoever gives it up first. If that is the server, a request may
# be on its way, and is lost: clients keep theirs for 5 to 60 s, as proxies do.
IDLE = 75  # seconds


class Server:
    """Serves these services. Takes no signal handlers: the process that runs it has its own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._app = create_app(services)
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=DRAIN,
            timeout_keep_alive=IDLE,
            server_header=False,
        )
        config.load()
        self._server = _Quiet(config)

    async def serve(self, bound: socket.socket) -> None:
        """Answer on a bound socket until `stop`; the socket is closed at the end."""
        await self._server.serve([bound])

    def stop(self) -> None:
        """End event streams (their readers come again elsewhere) and let `serve` return."""
        self._app.state.stopping.set()
        self._services.stop()
        self._server.should_exit = True


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
