"""Room in SQLite's write-ahead log ahead of what is written to it.

A commit that makes the log longer has the file system write down the new length as well, which on ext4 costs
as much again as the commit: 0.34 ms instead of 0.16 for six pages. So the log is made longer by many pages at
once. A frame without the log's salts and checksum is none (https://sqlite.org/fileformat2.html, 4.1), and
old ones follow wherever a log is written from its beginning again after a checkpoint: zeros mean as little.
"""

from __future__ import annotations

import os
from contextlib import suppress

_STRIDE = 128 * 4096  # bytes, for about twenty commits of a stage
_ZEROS = bytes(_STRIDE)


class Headroom:
    """Of the log beside this database; for whoever holds its write lock, and so is alone at its end."""

    def __init__(self, database: str) -> None:
        self._log = f"{database}-wal"
        self._opened: int | None = None
        self._end: int | None = None  # of the file, as far as it is known

    def keep(self) -> None:
        """Make the log longer, if the last commits have."""
        if self._opened is None:
            try:
                self._opened = os.open(self._log, os.O_WRONLY)
            except OSError:  # nothing was written yet
                return
        end = os.fstat(self._opened).st_size
        if self._end is not None and end > self._end:
            with suppress(OSError):  # a full disk is met, and told of, by the commit
                end += os.pwrite(self._opened, _ZEROS, end)
        self._end = end

    def close(self) -> None:
        """Let go of the log: it goes with the last connection."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = self._end = None
