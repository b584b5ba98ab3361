"""Waiting for events of a job: rung by this process's commits, and by looking for those of others.

All who wait on one event loop share one look at the database. PostgreSQL could send notifications
instead; but each transaction that sends one holds a lock of the whole server while it commits, they
need a connection that no pooler hands out, and they are lost with it, so that looking would stay.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from genlock.errors import LedgerError

LOOK_EVERY = 0.25  # seconds


@dataclass(eq=False, slots=True)
class _Waiter:
    job: str
    after: int
    loop: asyncio.AbstractEventLoop
    heard: asyncio.Event = field(default_factory=asyncio.Event)


class Bell:
    """`newest` tells the numbers of the newest events of jobs; those that are gone are left out."""

    def __init__(self, newest: Callable[[Collection[str]], Awaitable[Mapping[str, int]]]) -> None:
        self._newest = newest
        self._waiters: dict[asyncio.AbstractEventLoop, set[_Waiter]] = {}
        self._lookers: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self._lock = threading.Lock()

    def ring(self, jobs: Collection[str]) -> None:
        """These jobs have changed; may be called from any thread."""
        if not self._waiters:
            return
        with self._lock:
            woken = [waiter for waiters in self._waiters.values() for waiter in waiters if waiter.job in jobs]
        for waiter in woken:
            with suppress(RuntimeError):  # the loop ended while it waited: nobody is left to tell
                waiter.loop.call_soon_threadsafe(waiter.heard.set)

    async def wait(self, job: str, after: int) -> None:
        """Return when the job has an event beyond `after`, or is gone."""
        waiter = _Waiter(job, after, asyncio.get_running_loop())
        self._join(waiter)
        try:
            while (await self._newest([job])).get(job, after + 1) <= after:
                await waiter.heard.wait()
                waiter.heard.clear()
        finally:
            self._leave(waiter)

    def _join(self, waiter: _Waiter) -> None:
        with self._lock:
            self._waiters.setdefault(waiter.loop, set()).add(waiter)
        if waiter.loop not in self._lookers:
            self._lookers[waiter.loop] = waiter.loop.create_task(self._look(waiter.loop), name="genlock-bell")

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            others = self._waiters[waiter.loop]
            others.discard(waiter)
            if others:
                return
            del self._waiters[waiter.loop]
        self._lookers.pop(waiter.loop).cancel()

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """While anybody waits here, see what other processes have committed."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            waiters = list(self._waiters.get(loop, ()))
            try:
                newest = await self._newest({waiter.job for waiter in waiters})
            except LedgerError:
                newest = {}  # each that waits looks for itself, and is told
            for waiter in waiters:
                if newest.get(waiter.job, waiter.after + 1) > waiter.after:
                    waiter.heard.set()
