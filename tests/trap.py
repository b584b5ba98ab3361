"""What tells whether a crafted file makes anybody open another file, or speak to the network."""

from __future__ import annotations

import ctypes
import os
import socket
from dataclasses import dataclass
from pathlib import Path

OPENED, READ = 0x20, 0x01  # of inotify


class Watch:
    """Tells whether anybody has opened or read a file."""

    def __init__(self, path: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._handle >= 0
        assert self._libc.inotify_add_watch(self._handle, os.fsencode(path), OPENED | READ) >= 0

    def seen(self) -> bool:
        try:
            return bool(os.read(self._handle, 64 * 1024))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._handle)


@dataclass
class Trap:
    canary: Path
    watch: Watch
    listener: socket.socket

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/x.ts"

    def sprung(self) -> bool:
        """Whether anybody has looked at the canary or knocked at the door since it was last asked."""
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return self.watch.seen()
        return True
