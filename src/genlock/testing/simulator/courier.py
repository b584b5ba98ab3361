"""Carries what vendors say by themselves, until somebody takes it; and fetches pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from genlock.errors import BadInput
from genlock.testing.simulator.book import Book, Report
from genlock.testing.simulator.fault import Do, Mischief
from genlock.testing.simulator.outgoing import ask
from genlock.testing.simulator.shelf import Shelf
from genlock.testing.simulator.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Notice:
    """A report to a customer's webhook. `event` is what it says, `id` is the same when it is sent again."""

    vendor: str
    url: str
    id: str
    event: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    retries: Sequence[float] = ()  # seconds after which it is sent again while nobody takes it


class Courier:
    """Works in the server's event loop; `stop` ends what is under way."""

    def __init__(self, book: Book, mischief: Mischief, timeline: Timeline, shelf: Shelf) -> None:
        self._book, self._mischief, self._timeline, self._shelf = book, mischief, timeline, shelf
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fetched: dict[str, asyncio.Task[str | None]] = {}

    async def stop(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, notice: Notice) -> None:
        """Deliver it meanwhile."""
        self._spawn(self.deliver(notice))

    async def deliver(self, notice: Notice) -> None:
        """Send a report until somebody takes it, or as the faults say whose turn it is."""
        now = self._timeline.now()
        names = frozenset({"webhook"})
        faults = self._mischief.strike(notice.vendor, names, f"{notice.url} {notice.event}", now)
        told = {fault.do: fault for fault in faults}
        if Do.LOST in told:
            self._note(notice, 0, "lost")
            return
        if Do.LATE in told:
            await self._timeline.sleep(told[Do.LATE].seconds)
        if Do.FORGED in told:
            notice = replace(notice, headers=_forged(notice.headers))
        await self._send(notice)
        if Do.DUPLICATE in told:
            await self._send(notice)

    def fetch(self, url: str) -> None:
        """Get a picture meanwhile; `pictures` waits for it."""
        if url not in self._fetched:
            self._fetched[url] = self._spawn(self._fetch(url))

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something when so many seconds of the vendors' time have passed."""

        async def wait() -> None:
            await self._timeline.sleep(seconds)
            act()

        self._spawn(wait())

    async def pictures(self, names: Iterable[str | None]) -> tuple[str | None, ...]:
        """Hashes of pictures, fetched ones included; None for what is not to be had."""
        found = []
        for name in names:
            task = self._fetched.get(name or "")
            found.append(name if task is None else await asyncio.shield(task))
        return tuple(found)

    async def _send(self, notice: Notice) -> None:
        headers = {"content-type": "application/json", **notice.headers}
        for pause in (*notice.retries, None):
            try:
                said = await ask("POST", notice.url, headers, notice.body)
            except BadInput as error:
                self._note(notice, 0, f"not sent: {error}")
                return
            self._note(notice, said.status, notice.event)
            if 200 <= said.status < 300 or pause is None:
                return
            await self._timeline.sleep(pause)

    async def _fetch(self, url: str) -> str | None:
        said = await ask("GET", url, {})
        return self._shelf.put(said.body) if said.status == 200 and said.body else None

    def _note(self, notice: Notice, status: int, event: str) -> None:
        at = self._timeline.now()
        self._book.report(Report(at, notice.vendor, notice.id, notice.url, status, event))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _forged(headers: dict[str, str]) -> dict[str, str]:
    """The same headers with a signature of somebody who does not know the secret."""
    return {
        name: text[:-8] + "AAAAAAA=" if name.endswith("signature") else text for name, text in headers.items()
    }
