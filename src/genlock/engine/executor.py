"""What the engine asks of whatever runs tasks in its process."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Protocol

from genlock.ledger.records import Claim, Taker, TaskRef


class Executor(Protocol):
    """Runs claimed tasks; keeps nothing that the ledger does not know."""

    def ring(self) -> None:
        """Somebody has changed what there is to do."""
        ...

    def expect(self, due: timedelta | None) -> None:
        """Something new comes due so long from now (None: never), and must not be overslept."""
        ...

    def reserve(self, resources: Iterable[str]) -> Taker | None:
        """Keep a place free for one task that asks for the first of these that there is room for, until
        `fill`. None if there is no room, or others wait for it.
        """
        ...

    def fill(self, taker: Taker, claims: Collection[Claim]) -> None:
        """Give a reserved place to what was claimed for it, or back."""
        ...

    async def stop_tasks(self, refs: Collection[TaskRef]) -> None:
        """End the bodies of these tasks here: their claims are gone."""
        ...

    async def stop_lost(self) -> None:
        """End the bodies whose claims turn out to be gone, whatever took them away."""
        ...


class NoExecutor:
    """Nothing runs in this process."""

    def ring(self) -> None:
        """Nobody hears."""

    def expect(self, due: timedelta | None) -> None:
        """Nobody waits."""

    def reserve(self, resources: Iterable[str]) -> Taker | None:  # noqa: ARG002 - there is no place for any
        return None

    def fill(self, taker: Taker, claims: Collection[Claim]) -> None:
        """Nothing was reserved."""

    async def stop_tasks(self, refs: Collection[TaskRef]) -> None:
        """None of them is here."""

    async def stop_lost(self) -> None:
        """None of them is here."""
