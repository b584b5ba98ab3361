"""What an attempt is given by whatever runs it: a seat with resources, and room for what follows."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Next:
    """What could be run at once: so many tasks, with one of these resources (None: any)."""

    limit: int = 0
    resources: frozenset[str] | None = None


class Seat(Protocol):
    """Where an attempt runs, with the resources that its stage asks for."""

    def next(self) -> Next:
        """What could be run in it next. Asked when the task has succeeded: stopping may have begun."""
        ...

    def lend(self) -> None:
        """Let others have the resources, while the body only waits for a provider."""
        ...

    async def regain(self) -> None:
        """Have them again, before any task that has not begun. Once for each `lend`, unless the body ends."""
        ...


class Nowhere:
    """A seat without resources, and nothing follows."""

    def next(self) -> Next:
        return Next()

    def lend(self) -> None:
        """There is nothing to lend."""

    async def regain(self) -> None:
        """Nothing was lent."""


NOWHERE = Nowhere()


class Asker(Protocol):
    """The running task, as whoever asks a provider for it sees it."""

    async def report(self, progress: float, note: str | None = None) -> None:
        """Show how far it is, 0..1."""
        ...

    def aside(self) -> AbstractAsyncContextManager[None]:
        """While this lasts the task only waits, and others may have its resources."""
        ...
