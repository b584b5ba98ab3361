"""What a script says, line by line: into the log, into a file, and its last lines kept."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

LARGEST = 10 << 20  # bytes of output that are kept
LINE = 4000  # characters of a line that are told
LAST = 20  # lines that are kept beside the file
CHUNK = 65536  # bytes read at a time; a longer line is told in parts


class Transcript:
    """Takes bytes as they come and gives them as lines. The file holds them as they were, up to a size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._written = self._left_out = 0
        self._rest = b""
        self.count = 0
        self.tail: deque[str] = deque(maxlen=LAST)

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        if self._left_out:
            self._file.write(f"\n… {self._left_out} bytes more were left out\n".encode())
        self._file.close()

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        self._keep(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > CHUNK:
            whole, self._rest = [*whole, self._rest], b""
        return self._told(whole)

    def end(self) -> list[str]:
        """The line that was not ended, if there is one."""
        rest, self._rest = self._rest, b""
        return self._told([rest] if rest else [])

    def _keep(self, data: bytes) -> None:
        assert self._file is not None
        room = data[: max(0, LARGEST - self._written)]
        self._file.write(room)
        self._written += len(room)
        self._left_out += len(data) - len(room)

    def _told(self, lines: list[bytes]) -> list[str]:
        told = [_plain(line) for line in lines]
        self.count += len(told)
        self.tail.extend(told)
        return told


def _plain(line: bytes) -> str:
    """As it may go into a log: what moves cursors or rings bells is shown and not done."""
    text = line.rstrip(b"\r").decode(errors="backslashreplace")
    shown = "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LINE else f"{shown[: LINE - 1]}…"
