"""The parent's side of rendering: warm child processes that do one operation at a time each.

Nothing heavy is imported here. A child that hangs, dies or is no longer wanted is killed; the next
operation gets a fresh one, so the worst file costs one attempt.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import BaseModel

import genlock.errors
from genlock import trace
from genlock.errors import GenlockError, NoRenderer, RenderCrashed, RenderRefused
from genlock.media import message
from genlock.media.fork import ForkServer
from genlock.media.launch import Launcher, Started
from genlock.media.operation import MODULES, Request
from genlock.media.slot import Slot, Slots

R = TypeVar("R", bound=BaseModel)
OnProgress = Callable[[float, str | None], Awaitable[None] | None]

Heard = Callable[[str, float, Mapping[str, Any]], None]  # an operation, its seconds, and what it answered

_TAIL = 8 * 1024
_FAREWELL = 0.5


def quickest() -> Launcher:
    """Forks children where that is safe; elsewhere libraries of the system do not outlive it."""
    return ForkServer() if sys.platform == "linux" else Started()


class RenderPool:
    """Runs media operations in up to `workers` children, which are started when first needed.

    `memory` is the most address space a child may take, in bytes (enforced on Linux); `stall` is how
    many seconds a child may say nothing before it counts as hung; `nice` lowers its priority; after
    `reuse` operations a child is replaced, so that leaks of decoders stay small; `launcher` starts one.
    Children get no environment of ours: keys have no business in a process that opens foreign files.
    """

    def __init__(
        self,
        workers: int,
        *,
        memory: int = 3 * 1024**3,
        stall: float = 60.0,
        nice: int = 5,
        reuse: int = 200,
        modules: Mapping[str, str] = MODULES,
        launcher: Launcher | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"a render pool needs at least one worker, not {workers}")
        self._stall = stall
        self._reuse = reuse
        self._launcher = launcher or quickest()
        self._limits = {"memory": memory, "nice": nice, "modules": dict(modules)}
        self._slots = Slots[_Child](workers)
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self.heard: Heard | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def workers(self) -> int:
        """How many operations can be under way at once."""
        return len(self._slots.all)

    @property
    def pids(self) -> list[int]:
        """The process ids of the children now alive."""
        return [slot.hand.pid for slot in self._slots.all if slot.hand]

    @property
    def busy(self) -> int:
        """How many operations are under way."""
        return len(self._slots.all) - len(self._slots.free)

    @property
    def closed(self) -> bool:
        """Whether no more operations are done: what was under way then ends as if it had crashed."""
        return self._closed

    async def prepare(self) -> None:
        """Begin with what children need, long before the first of them; it is made while you go on."""
        if not await self._launcher.prepare(self._settings):
            await self.warm()

    async def warm(self) -> None:
        """Start the children before they are needed."""
        empty = [slot for slot in self._slots.free if slot.hand is None]
        for slot, child in zip(empty, await asyncio.gather(*(self._start() for _ in empty)), strict=True):
            if self._closed or slot not in self._slots.free:  # somebody was faster
                self._dismiss(child)
            else:
                slot.hand = child

    async def close(self) -> None:
        """End every child, at work or not; operations still awaited raise `RenderCrashed`."""
        self._closed = True
        for slot in self._slots.all:
            if slot.hand:
                slot.hand.kill()  # a `run` that awaits it sees it end
        await self._slots.unused()
        for slot in self._slots.all:
            self._end(slot)
        await self._launcher.close()  # before children are waited for: it may hang, and nobody tell of them
        await asyncio.gather(*self._ending)

    async def run(
        self,
        operation: str,
        request: Request[R],
        *,
        progress: OnProgress | None = None,
        about: str | None = None,
    ) -> R:
        """Do an operation in a child and return its answer.

        `progress` hears (0..1, note) a few times a second; what it raises ends the operation. Operations
        `about` the same thing rather go to one child, which remembers what it loaded for the last of them.
        Cancelling the awaiting task kills the child at once. Raises `RenderCrashed` when the child died or
        hung, `NoRenderer` when there can be none, and what the operation itself raised, by class
        (`BadPicture`, `CheckFailed`, `RenderRefused`, …).
        """
        async with self._slots.one(about) as slot:
            child = await self._in(slot)
            try:
                with trace.span("render", operation=operation):
                    answer = await child.perform(operation, request, self._stall, progress)
            except BaseException:
                self._end(slot)
                raise
            if child.used >= self._reuse or child.exhausted:
                self._end(slot)
        if self.heard is not None:
            self.heard(operation, child.seconds, answer.get("done") or {})
        return request.response().model_validate(_outcome(answer))

    async def _in(self, slot: Slot[_Child]) -> _Child:
        """The slot's child, which is alive."""
        if slot.hand and not slot.hand.alive:
            self._end(slot)
        if slot.hand is None and not self._closed:
            slot.hand = await self._start()
        if slot.hand is None or self._closed:
            self._end(slot)
            raise RenderCrashed("the render pool is closed")
        return slot.hand

    @property
    def _settings(self) -> Mapping[str, Any]:
        return {**self._limits, "parent": os.getpid()}

    async def _start(self) -> _Child:
        try:
            async with asyncio.timeout(self._stall):
                return _Child(await self._launcher.launch(self._settings))
        except TimeoutError:
            await self._launcher.close()  # the next child has nothing to do with what hangs
            raise NoRenderer(f"no rendering process could be started in {self._stall:g} s") from None

    def _end(self, slot: Slot[_Child]) -> None:
        """The slot has no child any more."""
        if slot.hand is not None:
            child, slot.hand = slot.hand, None
            self._dismiss(child)

    def _dismiss(self, child: _Child) -> None:
        """Kill a child now; it is reaped beside whatever comes next."""
        child.kill()
        task = asyncio.create_task(child.reap())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Child:
    """One child process and its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._tail = bytearray()
        self._draining = asyncio.create_task(self._drain())
        self._killed = False
        self.used = 0
        self.seconds = 0.0  # that the last operation took
        self.exhausted = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._killed and self._process.returncode is None

    async def perform(
        self, operation: str, request: BaseModel, stall: float, progress: OnProgress | None
    ) -> message.Message:
        """Send a request and read until its answer, passing progress on."""
        self.used += 1
        began = asyncio.get_running_loop().time()
        what = {"operation": operation, "request": request.model_dump(mode="json")}
        answer = await self._exchange(operation, stall, message.pack(what))
        while "progress" in answer:
            if progress and (waiting := progress(answer["progress"], answer["note"])):
                await waiting
            answer = await self._exchange(operation, stall)
        self.exhausted = bool(answer.get("exhausted"))
        self.seconds = asyncio.get_running_loop().time() - began
        return answer

    async def _exchange(self, operation: str, stall: float, request: bytes = b"") -> message.Message:
        """Send what there is to send and read one message; a dead or silent child is an error."""
        try:
            async with asyncio.timeout(stall):
                self._stdin.write(request)
                await self._stdin.drain()
                header = await self._stdout.readexactly(message.HEADER)
                return message.unpack(await self._stdout.readexactly(message.length(header)))
        except TimeoutError:
            raise RenderCrashed(self._said(f"{operation} gave no sign of life for {stall:g} s")) from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise RenderCrashed(self._said(await self._ending(operation))) from error

    async def _drain(self) -> None:
        """Keep the end of what the child writes to stderr, so that it never blocks and can be quoted."""
        while chunk := await self._stderr.read(4096):
            self._tail += chunk
            del self._tail[:-_TAIL]

    async def _ending(self, operation: str) -> str:
        """How the child ended: its pipes close a moment before its exit code is known."""
        await self._settle()
        code = self._process.returncode
        if code is None:
            return f"{operation}: the rendering process closed its pipe"
        if code < 0:
            return f"{operation}: the rendering process was killed by signal {-code}"
        return f"{operation}: the rendering process ended with code {code}"

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._process.wait()
                await asyncio.shield(self._draining)

    def _said(self, sentence: str) -> str:
        tail = self._tail.decode(errors="replace").strip()
        return f"{sentence}; its last words:\n{tail}" if tail else sentence

    def kill(self) -> None:
        """End the process now, without waiting."""
        self._killed = True
        with suppress(ProcessLookupError):
            self._process.kill()

    async def reap(self) -> None:
        """Wait until the process is gone and its pipes are closed; a full pipe must be read to its end."""
        self._stdin.close()
        while await self._stdout.read(64 * 1024):
            pass
        await self._draining
        await self._process.wait()


def _outcome(answer: message.Message) -> Any:
    """The answer's content, or the error that the operation raised, with the child's trace as a note."""
    if "done" in answer:
        return answer["done"]
    kind = getattr(genlock.errors, answer["failed"], RenderRefused)
    if not (isinstance(kind, type) and issubclass(kind, GenlockError)):
        kind = RenderRefused
    error = kind(answer["message"])
    error.add_note(answer["trace"])
    raise error
