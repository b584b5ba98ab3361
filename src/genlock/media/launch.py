"""How rendering children come to be, and what they are given on their way. See `genlock.media.fork` too."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol

Settings = Mapping[str, Any]  # what a child is told: its parent, its limits, and where operations are

# What children get for an environment. Pictures, planes and encoders come and go by the megabyte. The C
# library would give each back to the system and be given pages that have to be cleared first, which costs a
# tenth of a film; up to here it keeps them.
ENVIRONMENT: Mapping[str, str] = {
    "PYTHONUTF8": "1",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # finding out that there are none takes long
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}


class Launcher(Protocol):
    """Starts the children of one pool."""

    async def prepare(self, settings: Settings) -> bool:
        """Begin with what takes long before the first child is asked for; it goes on beside the caller.

        Answers whether there is such a thing: if not, children are begun with themselves.
        """
        ...

    async def launch(self, settings: Settings) -> asyncio.subprocess.Process:
        """A child with pipes for stdin, stdout and stderr. `NoRenderer` if there can be none."""
        ...

    async def close(self) -> None:
        """End what was begun; every child has ended by now."""
        ...


class Started:
    """Each child is a new interpreter, which is of use at once; its libraries load meanwhile."""

    async def prepare(self, settings: Settings) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing is shared, so there is nothing to begin with."""
        return False

    async def launch(self, settings: Settings) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = child_command(settings)
        return await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment()
        )

    async def close(self) -> None:
        """Children end with their pool."""


def child_command(settings: Settings) -> list[str]:
    """The command of a child that starts from nothing."""
    return [sys.executable, "-m", "genlock.media.child", json.dumps(settings)]


def environment() -> dict[str, str]:
    """All that a child finds in its environment: our keys have no business where foreign files are opened."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **ENVIRONMENT}
