"""The folder in which an attempt keeps its scratch files while it runs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path


class Scratch:
    """A folder that is made when it is first asked for, and gone when the attempt has ended."""

    def __init__(self, parent: Path, name: str) -> None:
        self._parent, self._name = parent, name
        self.made = False

    def folder(self) -> Path:
        """The folder, which is there from now on."""
        folder = self._parent / self._name
        folder.mkdir(parents=True, exist_ok=True)
        self.made = True
        return folder

    async def clear(self) -> None:
        """Delete it with all that is in it."""
        await asyncio.to_thread(shutil.rmtree, self._parent / self._name, ignore_errors=True)
