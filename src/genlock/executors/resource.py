"""What one process has to give to task bodies, and what of it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping


def parse(text: str) -> dict[str, int]:
    """`"cpu=1,gpu=2"` as numbers by name."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: int(count) for name, _, count in pairs}


class Resources:
    """Counted resources of this process. One nobody declared has room for one, as in Luigi.

    A task that asks for more than there is gets all there is: it runs alone instead of never.
    """

    def __init__(self, capacity: Mapping[str, int]) -> None:
        self._capacity = dict(capacity)
        self._used: dict[str, int] = {}
        self._known: dict[str, dict[str, int]] = {}  # needs by their texts
        self._line: list[tuple[str, asyncio.Future[None]]] = []  # bodies that wait for theirs again

    def room(self, text: str) -> int | None:
        """How many tasks with these needs could start now; None if they need nothing. None starts for
        whose resources a body at work waits.
        """
        return 0 if self.is_awaited(text) else self._room(text)

    def _room(self, text: str) -> int | None:
        needs = self._needs(text)
        return min((max(self._free(n), 0) // c for n, c in needs.items()), default=None)

    def is_awaited(self, text: str) -> bool:
        """Whether a body at work waits for any of these resources."""
        if not self._line:  # as nearly always; asked for each task
            return False
        return any(self._needs(text).keys() & self._needs(theirs).keys() for theirs, _ in self._line)

    def covers(self, mine: str, text: str) -> bool:
        """Whether a task with these needs can start with what another one gives back, and nothing else."""
        given = self._needs(mine)
        return all(given.get(name, 0) >= count for name, count in self._needs(text).items())

    def take(self, text: str) -> None:
        """A task with these needs begins."""
        self._add(text, 1)

    def give(self, text: str) -> None:
        """A task with these needs has ended, or does without them for a while."""
        self._add(text, -1)
        if not self._line:
            return
        for place in [place for place in self._line if not place[1].done()]:
            if self._room(place[0]) != 0:
                self._add(place[0], 1)
                self._line.remove(place)
                place[1].set_result(None)

    async def regain(self, text: str) -> None:
        """Take what a body has done without, before any task that has not begun."""
        if self._room(text) != 0:
            self._add(text, 1)
            return
        place = (text, asyncio.get_running_loop().create_future())
        self._line.append(place)
        try:
            await place[1]
        except asyncio.CancelledError:
            if place in self._line:
                self._line.remove(place)
            elif not place[1].cancelled():  # it was handed over at that very moment
                self.give(text)
            raise

    def _add(self, text: str, sign: int) -> None:
        if not text:
            return
        for name, count in self._needs(text).items():
            self._used[name] = self._used.get(name, 0) + sign * count

    def _needs(self, text: str) -> dict[str, int]:
        if text not in self._known:
            needs = {name: min(count, self._of(name)) for name, count in parse(text).items()}
            self._known[text] = {name: count for name, count in needs.items() if count}
        return self._known[text]

    def _of(self, name: str) -> int:
        return self._capacity.get(name, 1)

    def _free(self, name: str) -> int:
        return self._of(name) - self._used.get(name, 0)


class Share:
    """What one body has of the resources. While it only waits for somebody outside it lends them to others.

    A body may wait for several at once: it has its share again when it has got all their answers.
    """

    __slots__ = ("_freed", "_held", "_lent", "_one", "_resources", "_text")

    def __init__(self, resources: Resources, text: str, freed: Callable[[], None]) -> None:
        self._resources, self._text, self._freed = resources, text, freed
        self._lent, self._held = 0, True
        self._one: asyncio.Lock | None = None
        resources.take(text)

    def lend(self) -> None:
        """Others may have it."""
        self._lent += 1
        if self._held:
            self.give()
            self._freed()

    async def regain(self) -> None:
        """Have it again, as soon as there is room."""
        self._lent -= 1
        self._one = self._one or asyncio.Lock()
        async with self._one:  # two that stood in line for one share would wait for each other
            if self._lent or self._held:
                return
            await self._resources.regain(self._text)
            self._held = True
        if self._lent:  # again, while it stood in line
            self.give()

    def give(self) -> None:
        """Let go of it, if the body has it."""
        if self._held:
            self._held = False
            self._resources.give(self._text)
