"""A simulator in a thread of this process, or in a process of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from genlock.errors import BadInput, Transient
from genlock.testing.simulator import desk
from genlock.testing.simulator.face import Face
from genlock.testing.simulator.server import serve
from genlock.testing.simulator.world import World

_PATIENCE = 20.0  # seconds for a start, an answer, an end
_PAUSE = 0.02


class Simulator(Face):
    """Simulated vendors in a thread: `with Simulator() as vendors:`, or `async with`.

    `port` 0 takes one that is free; with `state`, what happened is kept in that folder and found again.
    Settings are those of `tune`.
    """

    def __init__(self, *, port: int = 0, state: Path | None = None, **settings: Any) -> None:
        self._port, self._state, self._settings = port, state, settings
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._world: World | None = None
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="provider simulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise Transient(f"the provider simulator did not start within {_PATIENCE:.0f} s")
        if self._failed is not None:
            raise self._failed
        if self._settings:
            self.tune(**self._settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the start
            self._failed = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(self._port, self._state, self._started, self._stop)

    def _started(self, world: World, port: int) -> None:
        self._world, self.url = world, f"http://127.0.0.1:{port}"
        self._ready.set()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        if self._world is None or self._loop is None or not self._thread.is_alive():
            raise BadInput("this simulator is not running: use it in `with Simulator() as vendors:`")
        future = asyncio.run_coroutine_threadsafe(_asked(self._world, method, path, body), self._loop)
        return future.result(_PATIENCE)


async def _asked(world: World, method: str, path: str, body: Any) -> Any:
    return desk.ask(world, method, path, body)


class SimulatorProcess(Face):
    """Simulated vendors that go on when those who call them are killed, in a process of their own.

    It ends with the `with SimulatorProcess() as vendors:`, or with this process. Parameters are those of
    `Simulator`.
    """

    def __init__(self, *, port: int = 0, state: Path | None = None, **settings: Any) -> None:
        self._port, self._state, self._settings = port, state, settings
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process's own id."""
        return self._running().pid

    def poll(self) -> int | None:
        """How the process ended; None if it goes on."""
        return self._running().poll()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "genlock.testing.simulator", "--port", str(self._port)]
        command += ["--state", str(self._state)] if self._state else []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            code = self._process.wait()
            self._process.stdout.close()
            raise BadInput(f"the provider simulator did not start and ended with {code}")
        if self._settings:
            self.tune(**self._settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def kill(self) -> None:
        """End the process as a crash would; with `state`, another goes on with what this one knew."""
        process = self._running()
        process.kill()
        process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise BadInput("this simulator is not running: use it in `with SimulatorProcess() as vendors:`")
        return self._process

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        process = self._running()
        for _ in range(int(_PATIENCE / _PAUSE)):
            try:
                return self._talk(method, path, body)
            except ConnectionError:  # its door is shut: that is a fault which may be set
                if process.poll() is not None:
                    break
                time.sleep(_PAUSE)
        raise Transient(f"the provider simulator at {self.url} does not answer")

    def _talk(self, method: str, path: str, body: Any) -> Any:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise BadInput(content["error"])
        return content
