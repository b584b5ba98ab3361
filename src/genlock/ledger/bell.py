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
REMEMBERED = 1024  # jobs
Newest = tuple[int, bool]  # the number of a job's newest event, and whether it has ended


@dataclass(eq=False, slots=True)
class _Waiter:
    job: str
    after: int | None  # an event's number; None waits for the end of the job
    loop: asyncio.AbstractEventLoop
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def has(self, found: Newest | None) -> bool:
        """Whether what it waits for has come, or the job is gone."""
        if found is None:
            return True
        last_event, ended = found
        return ended if self.after is None else last_event > self.after


class Bell:
    """`newest` tells how far jobs have come; those that are gone are left out."""

    def __init__(self, newest: Callable[[Collection[str]], Awaitable[Mapping[str, Newest]]]) -> None:
        self._newest = newest
        self._waiters: dict[asyncio.AbstractEventLoop, set[_Waiter]] = {}
        self._lookers: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self._lock = threading.Lock()
        self._heard: dict[str, bool] = {}  # of jobs that this process changed last: did they end

    def ring(self, jobs: Mapping[str, bool]) -> None:
        """These jobs have changed, and ended where it says so; may be called from any thread."""
        with self._lock:
            self._remember(jobs)
            if not self._waiters:
                return
            every = [waiter for waiters in self._waiters.values() for waiter in waiters if waiter.job in jobs]
        woken = [waiter for waiter in every if waiter.after is not None or jobs[waiter.job]]
        for waiter in woken:
            with suppress(RuntimeError):  # the loop ended while it waited: nobody is left to tell
                waiter.loop.call_soon_threadsafe(waiter.heard.set)

    def _remember(self, jobs: Mapping[str, bool]) -> None:
        for job, ended in jobs.items():
            self._heard.pop(job, None)
            self._heard[job] = ended
        while len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]

    async def wait(self, job: str, after: int | None) -> None:
        """Return when the job has an event beyond `after` (None: when it has ended), or is gone."""
        waiter = _Waiter(job, after, asyncio.get_running_loop())
        self._join(waiter)
        # What this process knows to go on need not be looked at: it is told of the end, whoever makes it.
        goes_on = after is None and self._heard.get(job) is False
        try:
            while goes_on or not waiter.has((await self._newest([job])).get(job)):
                await waiter.heard.wait()
                waiter.heard.clear()
                if after is None:  # nobody is told of an end that is none
                    return
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
                if waiter.has(newest.get(waiter.job)):
                    waiter.heard.set()
