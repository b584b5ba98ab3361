"""What a command speaks to: the engine of this process, which owns the home, or the process that does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from genlock.errors import HomeTaken, OwnerGone

if TYPE_CHECKING:
    from genlock.access.service import AccessService
    from genlock.api.dependency import Services
    from genlock.bootstrap import Home
    from genlock.engine.service import JobService
    from genlock.media.pool import RenderPool
    from genlock.owner import Ownership
    from genlock.pipelines.video import VideoService
    from genlock.schedules.service import ScheduleService
    from genlock.settings import Settings

T = TypeVar("T")
WAIT = 20.0  # seconds an owner may hold the home without answering: it is opening or closing it
PAUSE = 0.05  # seconds between two looks
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Session:
    """An open home: `home` if this process owns it, else None. `service` is the same face either way."""

    def __init__(
        self, settings: Settings, service: JobService, home: Home | None, ownership: Ownership | None
    ) -> None:
        self.settings, self.service, self.home = settings, service, home
        self._ownership, self._stack = ownership, AsyncExitStack()

    @property
    def access(self) -> AccessService:
        """Users and tokens, as the admin that one is on one's own machine."""
        from genlock.access.identity import ANYBODY
        from genlock.access.office import Office
        from genlock.client.socket import SocketClient

        if self.home is not None:
            return Office(self.home.access, ANYBODY)
        assert isinstance(self.service, SocketClient)
        return self.service.access

    @property
    def schedules(self) -> ScheduleService:
        """What starts by itself, of this home."""
        from genlock.client.socket import SocketClient

        if self.home is not None:
            return self.home.schedules
        assert isinstance(self.service, SocketClient)
        return self.service.schedules

    @property
    def executes(self) -> bool:
        """Whether jobs run as long as this session is open, here or in the owner."""
        return self.home is None or self.home.executor is not None

    @property
    def videos(self) -> VideoService:
        """The films of this home."""
        from genlock.client.socket import SocketClient

        if self.home is not None:
            return self.home.videos
        assert isinstance(self.service, SocketClient)
        return self.service.videos

    async def open_socket(self) -> None:
        """Let other processes ask, from now on; nothing if this process is not the owner.

        Returns at once: the socket is opened in the background, and the web framework is imported when
        somebody asks for the first time. Most jobs nobody asks about.
        """
        if self._ownership is not None:
            from genlock.api.listener import answering

            await self._stack.enter_async_context(answering(self._ownership, self._services))
            self._ownership = None

    def release(self) -> Ownership:
        """The ownership of the home, for whoever opens the socket in another way."""
        assert self._ownership is not None, "only an owner can, and only once"
        ownership, self._ownership = self._ownership, None
        return ownership

    def _services(self) -> Services:
        from genlock.api.dependency import Services

        assert self.home is not None, "only the owner answers"
        return Services.of(self.home, trusted=True)

    async def close(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def connect(
    settings: Settings, *, command: str, execute: bool, pool: RenderPool | None = None
) -> AsyncIterator[Session]:
    """Own the home if nobody does, else be a client of the process that does.

    With `execute` an owner runs what is ready, in the rendering processes of `pool` if they were started
    already; a client has no use for them. `HomeTaken` if the owner does not answer.
    """
    async with AsyncExitStack() as stack:
        ownership = await _reach(settings, command, stack)
        if isinstance(ownership, Session):
            if pool is not None:
                await pool.close()
            yield ownership
            return
        stack.enter_context(ownership)
        session = await _open(settings, ownership, stack, execute=execute, pool=pool)
        stack.push_async_callback(session.close)
        yield session


def ask(settings: Settings, command: str, act: Callable[[Session], Awaitable[T]]) -> T:
    """Ask whoever owns the home, or look oneself if nobody does; no job is run for it."""

    async def asking() -> T:
        async with connect(settings, command=command, execute=False) as session:
            return await act(session)

    return asyncio.run(asking())


async def pursue(
    settings: Settings,
    command: str,
    act: Callable[[Session], Awaitable[T]],
    *,
    notice: Callable[[str], None],
    pool: RenderPool | None = None,
) -> T:
    """Do `act` with an executing session; when the owner it asks dies, connect anew and go on."""
    while True:
        try:
            async with connect(settings, command=command, execute=True, pool=pool) as session:
                return await act(session)
        except OwnerGone as error:
            notice(f"{error}; going on without it")
            pool = None  # whoever has an owner has let go of it


class Interrupt:
    """Signals that end a command: the first asks it to stop, the second stops it at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.signal: int | None = None

    @property
    def code(self) -> int:
        """The exit code that says so."""
        return 128 + (self.signal or 0)

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP of this process's event loop."""
        loop = asyncio.get_running_loop()
        for each in STOPPING:
            loop.add_signal_handler(each, self._hit, each)

    def _hit(self, number: int) -> None:
        if self.signal is not None:
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), b"\x1b[?25h\n")  # the live display hid the cursor
            os._exit(128 + number)  # children notice that this process is gone and end themselves
        self.signal = number
        self.asked.set()


def run_async(
    act: Callable[[Interrupt], Coroutine[Any, Any, int]],
    run: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run,
) -> int:
    """Run a long command until it ends or is interrupted; its exit code."""

    async def listening() -> int:
        interrupt = Interrupt()
        interrupt.listen()
        return await act(interrupt)

    return run(listening())


async def _reach(settings: Settings, command: str, stack: AsyncExitStack) -> Ownership | Session:
    """The ownership, or a session with the owner. An owner that is opening or closing is waited for."""
    from genlock.owner import Ownership, owner_of

    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT
    while loop.time() < deadline:
        if ownership := Ownership.take(settings, command=command):
            return ownership
        from genlock.client.socket import SocketClient  # an owner has nobody to ask

        async with AsyncExitStack() as attempt:
            client = await attempt.enter_async_context(SocketClient(settings))
            if await client.ready():
                stack.push_async_exit(attempt.pop_all())
                return Session(settings, client, None, None)
        _refuse_program(settings)
        await asyncio.sleep(PAUSE)
    raise HomeTaken(
        f"{owner_of(settings) or 'another process'} owns {settings.home} and does not answer: "
        "wait for it, or end it"
    )


def _refuse_program(settings: Settings) -> None:
    """`HomeTaken` at once if a Python program owns the home: it opens no socket, so waiting is in vain."""
    from genlock.owner import PROGRAM, owner_of

    owner = owner_of(settings)
    if owner is not None and owner.command == PROGRAM and not settings.socket.exists():
        raise HomeTaken(
            f"{settings.home} belongs to a Python program, {owner}, that takes no questions while it has "
            "its engine open. It is at work: wait until it ends, or ask inside it (engine.show, engine.watch)"
        )


async def _open(
    settings: Settings,
    ownership: Ownership,
    stack: AsyncExitStack,
    *,
    execute: bool,
    pool: RenderPool | None,
) -> Session:
    from genlock.bootstrap import open_home
    from genlock.log import log_to_file

    stack.enter_context(log_to_file(settings))
    home = await stack.enter_async_context(open_home(settings, execute=execute, pool=pool))
    return Session(settings, home.engine, home, ownership)
