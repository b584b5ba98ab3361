"""A file is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft(to: Path) -> Iterator[Path]:
    """A path beside `to` to write to; it takes that name when the block ends well, else it is removed."""
    path = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        yield path
        path.replace(to)
    finally:
        path.unlink(missing_ok=True)
