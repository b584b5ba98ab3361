"""The folder in which an attempt keeps its scratch files while it runs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from genlock.ledger.records import Claim


class Scratch:
    """A folder that is made when it is first asked for, and gone when the attempt has ended."""

    def __init__(self, parent: Path, claim: Claim) -> None:
        self._parent, self._claim = parent, claim
        self.made = False

    @property
    def _place(self) -> Path:
        """Its name is short, and no two are the same."""
        return self._parent / f"{self._claim.task.node}-{self._claim.token}"

    def folder(self) -> Path:
        """The folder, which is there from now on."""
        self._place.mkdir(parents=True, exist_ok=True)
        self.made = True
        return self._place

    async def clear(self) -> None:
        """Delete it with all that is in it."""
        await asyncio.to_thread(shutil.rmtree, self._place, ignore_errors=True)
