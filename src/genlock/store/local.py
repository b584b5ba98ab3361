"""The store as a folder: `objects/ab/abcd…` holds the bytes, `names/ab/abcd…` what they are called."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from genlock.errors import Conflict, DiskFull, StoreError, is_full
from genlock.store.artifact import Artifact, Freed

CHUNK = 1 << 20
YOUNG = 3600.0  # seconds in which an artifact may not have reached the ledger yet


class LocalStore:
    """Artifacts in a folder of this machine, for their owner's eyes alone.

    Files appear by rename, so any number of processes may put and find, and one of them at a time may clean.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects, self._names, self._incoming = root / "objects", root / "names", root / "incoming"
        for folder in (self._objects, self._names, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._on_disk = {root.parent, root}  # folders that a power failure cannot take any more
        for folder in self._on_disk:
            _sync_folder(folder)
        self._still = _Still(root / "still")
        self._forget_arrivals()

    async def put(self, path: Path, media_type: str, *, move: bool = False) -> Artifact:
        return await asyncio.to_thread(self._put, path, media_type, move)

    async def path(self, artifact: Artifact) -> Path:
        path = self._object(artifact.sha256)
        size = await asyncio.to_thread(_size, path)
        if size is None:
            raise StoreError(f"{artifact.sha256[:12]} is missing from the store at {self.root}")
        if size != artifact.size:
            raise StoreError(
                f"{path} has {size} bytes where {artifact.size} were written: it was damaged from outside"
            )
        return path

    async def called(self, sha256: str) -> Path | None:
        path = self._object(sha256)
        return path if await asyncio.to_thread(path.is_file) else None

    async def bind(self, name: str, artifact: Artifact) -> None:
        await asyncio.to_thread(self._bind, name, artifact)

    async def find(self, name: str) -> Artifact | None:
        return await asyncio.to_thread(self._find, name)

    async def export(self, artifact: Artifact, to: Path) -> Path:
        source = await self.path(artifact)
        await asyncio.to_thread(_copy, source, to)
        return to

    async def clean(self, keep: Collection[str], *, dry_run: bool = False) -> Freed:
        return await asyncio.to_thread(self._clean, frozenset(keep), dry_run)

    def identify(self) -> tuple[str, bool]:
        """By which name a ledger knows this store, drawn when it is first asked for; and whether one does."""
        path = self.root / "identity"
        if not path.exists():
            with self._arriving() as (taken, file), suppress(FileExistsError):
                file.write(secrets.token_hex(16).encode())
                os.fsync(file.fileno())
                os.link(taken, path)  # of several processes that begin at once, one has drawn it
            _sync_folder(self.root)
        return path.read_text(encoding="ascii"), (self.root / "bound").exists()

    def bound(self) -> None:
        """A ledger knows this store from now on, and no other ledger will."""
        (self.root / "bound").touch()
        _sync_folder(self.root)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every process from cleaning for as long as this lasts. `Conflict` if one is cleaning now."""
        with self._lock(fcntl.LOCK_SH, f"{self.root} is being cleaned: try again when that has ended"):
            yield

    def names(self) -> Iterator[tuple[str, str]]:
        """Every name that is bound, with the text that says to what."""
        for path in self._names.glob("*/*"):
            with suppress(FileNotFoundError):
                yield path.name, path.read_text(encoding="utf-8")

    def give_name(self, name: str, text: str) -> None:
        """Bind a name again, as `names` told it."""
        self._bind(name, Artifact.model_validate_json(text))

    @contextmanager
    def _lock(self, how: int, why_not: str) -> Iterator[None]:
        handle = os.open(self.root / "cleaning", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise Conflict(why_not) from error
        finally:
            os.close(handle)

    def free_share(self) -> float:
        usage = shutil.disk_usage(self.root)
        return usage.free / usage.total

    def _object(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def _name(self, name: str) -> Path:
        return self._names / name[:2] / name

    def _put(self, path: Path, media_type: str, move: bool) -> Artifact:
        try:
            if move and (moved := self._move_in(path)) is not None:
                return self._keep(moved, path, media_type)
            with self._arriving() as (taken, file), path.open("rb") as source:
                digest, size = hashlib.sha256(), 0
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    size += file.write(chunk)
                artifact = Artifact(sha256=digest.hexdigest(), size=size, media_type=media_type)
                self._settle(taken, self._object(artifact.sha256))
        except OSError as error:
            raise _trouble(f"{path} cannot be taken into the store", error) from error
        if move:
            path.unlink(missing_ok=True)
        return artifact

    def _move_in(self, path: Path) -> Path | None:
        """Where a file has been moved to; None if it has to be copied."""
        found, taken = path.lstat(), self._incoming / secrets.token_hex(8)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            return None
        try:
            os.utime(path)  # from now on it is young
            path.replace(taken)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.EACCES):  # another disk, or somebody else's
                return None
            raise
        return taken

    def _keep(self, taken: Path, path: Path, media_type: str) -> Artifact:
        """Settle a file that was moved in from `path`. Where that fails it is back in its place."""
        try:
            with taken.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            artifact = Artifact(sha256=sha256, size=taken.stat().st_size, media_type=media_type)
            self._settle(taken, self._object(sha256))
        except BaseException:
            with suppress(FileNotFoundError):  # it is in the store already
                taken.replace(path)
            raise
        return artifact

    def _bind(self, name: str, artifact: Artifact) -> None:
        try:
            with self._arriving() as (taken, file):
                file.write(artifact.model_dump_json().encode())
                self._settle(taken, self._name(name))
        except OSError as error:
            raise _trouble(f"{name[:12]} cannot be bound in the store", error) from error

    def _find(self, name: str) -> Artifact | None:
        try:
            artifact = Artifact.model_validate_json(self._name(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        path = self._object(artifact.sha256)
        with self._still, suppress(FileNotFoundError):  # another process may be cleaning
            if _size(path) == artifact.size:
                os.utime(path)  # found again: as young as when it was put
                return artifact
        return None

    @contextmanager
    def _arriving(self) -> Iterator[tuple[Path, _Arrival]]:
        handle, name = tempfile.mkstemp(dir=self._incoming)
        taken = Path(name)
        try:
            with _Arrival(handle) as file:
                yield taken, file
        finally:
            taken.unlink(missing_ok=True)

    def _settle(self, taken: Path, to: Path) -> None:
        """On disk first, then visible: a name never stands for half a file, whatever the power does."""
        handle = os.open(taken, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        taken.chmod(0o400)
        if to.parent not in self._on_disk:  # by whomever it was made: it may not be on the disk yet
            to.parent.mkdir(exist_ok=True)
            _sync_folder(to.parent.parent)
            self._on_disk.add(to.parent)
        with self._still:
            taken.replace(to)
        _sync_folder(to.parent)

    def _clean(self, keep: frozenset[str], dry_run: bool) -> Freed:
        with self._lock(fcntl.LOCK_EX, f"a backup of {self.root} is being made: clean when that has ended"):
            return self._remove_others(keep, dry_run)

    def _remove_others(self, keep: frozenset[str], dry_run: bool) -> Freed:
        files = size = 0
        for path in [*self._objects.glob("*/*"), *self._incoming.iterdir()]:
            freed = None if path.name in keep else self._remove_old(path, dry_run)
            if freed is not None:
                files, size = files + 1, size + freed
        if not dry_run:
            for path in self._names.glob("*/*"):
                with self._still:
                    if self._is_dangling(path):
                        path.unlink(missing_ok=True)
        return Freed(files, size)

    def _remove_old(self, path: Path, dry_run: bool = False) -> int | None:
        """How many bytes a file that is not young any more has given back; None if it stays."""
        with self._still, suppress(FileNotFoundError):
            found = path.stat()
            if found.st_mtime <= time.time() - YOUNG:
                if not dry_run:
                    path.unlink()
                return found.st_size
        return None

    def _forget_arrivals(self) -> None:
        """Remove what a process brought in and did not live to settle."""
        for path in self._incoming.iterdir():
            self._remove_old(path)

    def _is_dangling(self, name: Path) -> bool:
        try:
            artifact = Artifact.model_validate_json(name.read_bytes())
        except (FileNotFoundError, ValidationError):
            return True
        return not self._object(artifact.sha256).exists()


class _Still:
    """While this is held nothing is found, put or removed: not between a look at a file and its removal, by
    whichever thread or process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._handle: int | None = None

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
        self._lock.release()


class _Arrival:
    """A file being written, flushed before it is looked at again."""

    def __init__(self, handle: int) -> None:
        self._file = os.fdopen(handle, "wb", buffering=0)

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return len(data)

    def __enter__(self) -> _Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _copy(source: Path, to: Path) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.parent / f".genlock-{secrets.token_hex(8)}.part"
        try:
            with source.open("rb") as whole, part.open("xb") as file:  # with the rights of any new file there
                shutil.copyfileobj(whole, file, CHUNK)
                file.flush()
                os.fsync(file.fileno())
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _trouble(f"{to} cannot be written", error) from error


def _trouble(what: str, error: OSError) -> StoreError | DiskFull:
    told = f"{what}: {error.strerror or error}"
    return DiskFull(told) if is_full(error) else StoreError(told)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
