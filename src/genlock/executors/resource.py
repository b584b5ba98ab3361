"""What one process has to give to task bodies, and what of it is taken."""

from __future__ import annotations

from collections.abc import Mapping


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

    def room(self, text: str) -> int | None:
        """How many tasks with these needs could start now; None if they need nothing."""
        needs = self._needs(text)
        return min((max(self._free(n), 0) // c for n, c in needs.items() if c), default=None)

    def covers(self, mine: str, text: str) -> bool:
        """Whether a task with these needs can start with what another one gives back, and nothing else."""
        given = self._needs(mine)
        return all(given.get(name, 0) >= count for name, count in self._needs(text).items())

    def take(self, text: str) -> None:
        """A task with these needs begins."""
        self._add(text, 1)

    def give(self, text: str) -> None:
        """A task with these needs has ended."""
        self._add(text, -1)

    def _add(self, text: str, sign: int) -> None:
        if not text:
            return
        for name, count in self._needs(text).items():
            self._used[name] = self._used.get(name, 0) + sign * count

    def _needs(self, text: str) -> dict[str, int]:
        if text not in self._known:
            self._known[text] = {name: min(count, self._of(name)) for name, count in parse(text).items()}
        return self._known[text]

    def _of(self, name: str) -> int:
        return self._capacity.get(name, 1)

    def _free(self, name: str) -> int:
        return self._of(name) - self._used.get(name, 0)
