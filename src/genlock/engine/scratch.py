"""The folder in which an attempt keeps its scratch files while it runs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path


class Scratch:
    """A folder that is made when it is first asked for, and gone when the attempt has ended."""

    def __init__(self, place: Path) -> None:
        self._place, self._made = place, False

    def folder(self) -> Path:
        self._place.mkdir(parents=True, exist_ok=True)
        self._made = True
        return self._place

    async def clear(self) -> None:
        if self._made:
            await asyncio.to_thread(shutil.rmtree, self._place, ignore_errors=True)
