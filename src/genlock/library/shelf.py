"""Pictures of the store under the names that people gave them: links, since films speak of photos by name."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

LONGEST = 200  # bytes of a name on any file system, with room for what is added


class Shelf:
    """A folder of links, `SHA256/name.jpg`. The hash in a link's path keeps the file for whoever names it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def show(self, name: str, file: Path) -> Path:
        """A path to `file`, which is called by its SHA-256, under this name."""
        return await asyncio.to_thread(self._show, name, file)

    def _show(self, name: str, file: Path) -> Path:
        link = self._root / file.name / _short(name)
        if link.is_symlink() and link.readlink() == file:
            return link
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = link.with_name(f".{secrets.token_hex(8)}")
        part.symlink_to(file)
        part.replace(link)
        return link

    def clean(self, keep: Collection[str]) -> None:
        """Remove the links to files that are not kept."""
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            if folder.name not in keep:
                with suppress(FileNotFoundError):  # another process cleans as well
                    for link in folder.iterdir():
                        link.unlink(missing_ok=True)
                with suppress(OSError):  # somebody shows a picture at this moment
                    folder.rmdir()


def _short(name: str) -> str:
    """A name that fits, with its ending, cut between characters."""
    if len(os.fsencode(name)) <= LONGEST:
        return name
    stem, dot, ending = name.rpartition(".")
    end = f"{dot}{ending}" if stem and len(os.fsencode(ending)) < 20 else ""
    while len(os.fsencode(name + end)) > LONGEST:
        name = name[:-1]
    return name + end
