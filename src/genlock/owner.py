"""Who writes a home: the one process that holds `flock` on `GENLOCK_HOME/lock`.

SQLite before 3.51.3 can corrupt a WAL with two writers, so one process owns the ledger and every
other one asks it over `GENLOCK_HOME/genlock.sock`. The kernel drops the lock when its process ends,
however it ends, so there is nothing stale to clean up after a crash but the socket's file.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from genlock.clock import Clock, SystemClock
from genlock.errors import OwnerError
from genlock.settings import Settings

SUN_PATH = 100  # bytes of a socket's path that every POSIX system takes (Linux 107, macOS 103)
REMOTE = ("nfs", "cifs", "smb", "afs", "ncpfs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.s3fs")
PROGRAM = "python"  # the command of an owner that is somebody's program: it opens no socket
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_held: weakref.WeakSet[Ownership] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a home, as it wrote itself into the lock file."""

    pid: int
    command: str
    started_at: datetime | None

    def __str__(self) -> str:
        if self.started_at is None:
            return "a process that is just starting"
        return f"process {self.pid} ({self.command}, since {self.started_at.astimezone():%Y-%m-%d %H:%M:%S})"


class Ownership:
    """The right to write a home, until `release` or the end of the process. Forked children never keep it."""

    def __init__(self, settings: Settings, descriptor: int) -> None:
        self.settings = settings
        self._descriptor: int | None = descriptor
        _held.add(self)

    @classmethod
    def take(
        cls, settings: Settings, *, command: str = "genlock", clock: Clock | None = None
    ) -> Ownership | None:
        """The ownership of the settings' home, or None when another process has it.

        Creates the home (0700) if it is missing. `OwnerError` if the home cannot be used: not a
        folder, not writable, or on a network filesystem.
        """
        prepare_home(settings.home)
        descriptor = _open_lock(settings.lock)
        try:
            taken = _lock(descriptor, settings.lock)
            if taken:
                _sign(descriptor, command, (clock or SystemClock()).now())
                settings.socket.unlink(missing_ok=True)  # whoever bound it held this lock, so is gone
        except BaseException:
            os.close(descriptor)
            raise
        if not taken:
            os.close(descriptor)
            return None
        return cls(settings, descriptor)

    def release(self) -> None:
        """Remove the socket's file and let go of the lock; twice is once."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            self.settings.socket.unlink(missing_ok=True)
        self._drop()

    def bind(self) -> socket.socket:
        """A listening-ready Unix socket at the home's socket path, open to this user alone (0600)."""
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(bound.fileno(), 0o600)  # on Linux the file is then made with this mode: no open moment
            with short_path(self.settings.socket) as path:
                bound.bind(path)
            self.settings.socket.chmod(0o600)
        except OSError as error:
            bound.close()
            raise OwnerError(f"cannot listen on {self.settings.socket}: {_words(error)}") from error
        return bound

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Ownership:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _drop_inherited() -> None:
    """In a forked child: let go, or a child that outlives a killed owner would keep the home taken."""
    for ownership in list(_held):
        ownership._drop()  # noqa: SLF001 - the same module


os.register_at_fork(after_in_child=_drop_inherited)


def owner_of(settings: Settings) -> Owner | None:
    """Who holds the home right now, None if nobody does. Looks without taking the lock."""
    try:
        descriptor = os.open(settings.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OwnerError(f"cannot read {settings.lock}: {_words(error)}") from error
    try:
        if _lock(descriptor, settings.lock, shared=True):
            return None
        return _signature(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)


def succeed(settings: Settings, holder: str) -> str | None:
    """Who ran this home's tasks before, by the name that the ledger has for it, and is gone: this process has
    the home's lock. From now on that is `holder`.
    """
    path = settings.home / "holder"
    try:
        before = path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        before = None
    part = path.with_name(f".{path.name}.part")
    part.write_text(holder, encoding="utf-8")
    part.replace(path)
    return before


def prepare_home(home: Path) -> None:
    """Make sure that the home is a folder this process can write, on a disk of this machine."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OwnerError(f"{home} is a file, not a folder: set GENLOCK_HOME to a folder") from error
    except OSError as error:
        raise OwnerError(f"cannot create {home}: {_words(error)}. Set GENLOCK_HOME to a folder") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise OwnerError(f"cannot write to {home}: set GENLOCK_HOME to a folder of yours")
    kind = filesystem_of(home)
    if kind.startswith(REMOTE):
        raise OwnerError(
            f"{home} is on a network filesystem ({kind}), where neither the lock nor SQLite is safe: "
            "set GENLOCK_HOME to a local disk"
        )


def filesystem_of(path: Path) -> str:
    """The kind of filesystem a path is on, such as "ext4" or "nfs4"; empty where the system does not tell."""
    table = Path("/proc/self/mountinfo")
    if not table.exists():
        return ""
    real = path.resolve()
    found, depth = "", 0
    for line in table.read_text(errors="replace").splitlines():
        left, _, right = line.partition(" - ")
        point = Path(left.split(" ")[4].replace("\\040", " "))  # the kernel writes a space in octal
        if len(point.parts) >= depth and real.is_relative_to(point):
            found, depth = right.partition(" ")[0], len(point.parts)
    return found


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits in `sockaddr_un`, valid inside the `with`.

    A longer one goes through `/proc/self/fd/N`, the open folder: nothing is left behind by a killed
    process, unlike a symlink in a temporary folder, and the working directory stays where it is.
    """
    if len(os.fsencode(path)) <= SUN_PATH:
        yield str(path)
        return
    if sys.platform != "linux":
        raise OwnerError(
            f"{path} is longer than the {SUN_PATH} bytes a socket may have: shorten GENLOCK_HOME"
        )
    try:
        folder = os.open(path.parent, FOLDER_FLAGS)
    except OSError as error:
        raise OwnerError(f"cannot open {path.parent}: {_words(error)}") from error
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OwnerError(f"cannot open {path}: {_words(error)}") from error


def _lock(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    """Whether the lock was to be had."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise OwnerError(
                f"{path} cannot be locked on this filesystem ({_words(error)}): "
                "set GENLOCK_HOME to a local disk"
            ) from error
        raise OwnerError(f"cannot lock {path}: {_words(error)}") from error
    return True


def _sign(descriptor: int, command: str, now: datetime) -> None:
    text = json.dumps({"pid": os.getpid(), "command": command, "startedAt": now.isoformat()})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{text}\n".encode(), 0)


def _signature(text: bytes) -> Owner:
    """Who signed. The owner may be between taking the lock and signing: then nobody is named yet."""
    try:
        fields = json.loads(text)
        return Owner(int(fields["pid"]), str(fields["command"]), datetime.fromisoformat(fields["startedAt"]))
    except (ValueError, KeyError, TypeError):
        return Owner(0, "", None)


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
