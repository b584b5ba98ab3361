"""A fork server for all trials of a lane: rendering children come from one warm process.

Each is a process of its own, as always, under the same limits. It lives at a socket with a name, because who
asks is itself forked, and killed at any moment.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genlock.errors import BadInput
from genlock.media.fork import ask
from genlock.media.launch import Settings
from genlock.settings import bare_environment
from genlock.testing.proof.archive import Archive

SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}


class Renderer:
    """The warm process, listening at a socket until the end of the `with`. What was made once is handed out
    again from `archive`.
    """

    def __init__(self, place: Path, archive: Path) -> None:
        self._place, self._archive = place, archive
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int:
        """The process's own id."""
        assert self._process is not None
        return self._process.pid

    def poll(self) -> int | None:
        """How the process ended; None if it goes on."""
        assert self._process is not None
        return self._process.poll()

    def __enter__(self) -> Self:
        self._place.unlink(missing_ok=True)  # whoever listened there is gone
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "genlock.testing.proof.renderer",
                    str(self._place),
                    str(self._archive),
                ],
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                env={**bare_environment(), **SINGLE},
                start_new_session=True,
            )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"1\n":
            self._close()
            raise BadInput(
                "the libraries that render start threads when they are imported: none can be forked"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        assert self._process is not None
        assert self._control is not None
        assert self._process.stdout is not None
        self._control.close()
        self._process.wait()
        self._process.stdout.close()


class Borrowed:
    """Lets the warm process at a socket fork the children of a pool."""

    def __init__(self, place: Path) -> None:
        self._place = place

    async def prepare(self, settings: Settings) -> bool:  # noqa: ARG002 - the protocol's signature
        """It is warm."""
        return True

    async def launch(self, settings: Settings) -> asyncio.subprocess.Process:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.connect(str(self._place))
            return await ask(door, settings)

    async def close(self) -> None:
        """It is another's."""


# In the warm process


def main(place: Path, archive: Archive) -> None:
    """Import all, say how many threads that made, and fork whoever is asked for, until stdin closes."""
    from genlock.media import child
    from genlock.media.forkserver import Server, threads
    from genlock.media.operation import MODULES

    def render(settings: Mapping[str, Any]) -> None:
        child.main(settings, archive.perform)

    child.load_libraries()
    for name in sorted(set(MODULES.values())):
        importlib.import_module(name)
    gc.collect()
    with socket.socket(fileno=0) as control, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(str(place))
        door.listen()
        print(threads(), flush=True)  # noqa: T201 - the answer to whoever started this
        Server(control, door, render).serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Archive(Path(sys.argv[2])))
