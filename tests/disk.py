"""Looks at the folders of a server that works in them meanwhile: what goes while one looks is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def files(*folders: Path) -> list[Path]:
    """All files below, unlike `Path.rglob`, which fails for a folder removed as it is read (CPython 3.11)."""
    return [
        Path(folder, name)
        for root in folders
        for folder, _, names in os.walk(root, onerror=_gone)
        for name in names
    ]


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """All files below and what is in them."""
    for path in files(folder):
        with suppress(FileNotFoundError):
            yield path, path.read_bytes()


def _gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
