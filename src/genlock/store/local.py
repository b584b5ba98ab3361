"""The store as a folder: `objects/ab/abcd…` holds the bytes, `names/ab/abcd…` what they are called."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from genlock.errors import StoreError
from genlock.store.artifact import Artifact, Freed

CHUNK = 1 << 20
YOUNG = 3600.0  # seconds in which an artifact may not have reached the ledger yet


class LocalStore:
    """Artifacts in a folder of this machine. Safe for any number of processes: files appear by rename."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects, self._names, self._incoming = root / "objects", root / "names", root / "incoming"
        for folder in (self._objects, self._names, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)

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

    def free_share(self) -> float:
        usage = shutil.disk_usage(self.root)
        return usage.free / usage.total

    def _object(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def _name(self, name: str) -> Path:
        return self._names / name[:2] / name

    def _put(self, path: Path, media_type: str, move: bool) -> Artifact:
        try:
            with self._arriving() as (taken, file), path.open("rb") as source:
                digest, size = hashlib.sha256(), 0
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    size += file.write(chunk)
                artifact = Artifact(sha256=digest.hexdigest(), size=size, media_type=media_type)
                self._settle(taken, self._object(artifact.sha256))
        except OSError as error:
            raise StoreError(f"{path} cannot be taken into the store: {error.strerror or error}") from error
        if move:
            path.unlink(missing_ok=True)
        return artifact

    def _bind(self, name: str, artifact: Artifact) -> None:
        with self._arriving() as (taken, file):
            file.write(artifact.model_dump_json().encode())
            self._settle(taken, self._name(name))

    def _find(self, name: str) -> Artifact | None:
        try:
            artifact = Artifact.model_validate_json(self._name(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        path = self._object(artifact.sha256)
        if _size(path) != artifact.size:
            return None
        os.utime(path)  # found again: as young as when it was put
        return artifact

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
        taken.chmod(0o444)
        if not to.parent.exists():
            to.parent.mkdir(exist_ok=True)
            _sync_folder(to.parent.parent)
        taken.replace(to)
        _sync_folder(to.parent)

    def _clean(self, keep: frozenset[str], dry_run: bool) -> Freed:
        files = size = 0
        oldest = time.time() - YOUNG
        for path in [*self._objects.glob("*/*"), *self._incoming.iterdir()]:
            with suppress(FileNotFoundError):
                stat = path.stat()
                if path.name in keep or stat.st_mtime > oldest:
                    continue
                files, size = files + 1, size + stat.st_size
                if not dry_run:
                    path.unlink()
        if not dry_run:
            for path in self._names.glob("*/*"):
                if self._find_dangling(path):
                    path.unlink(missing_ok=True)
        return Freed(files, size)

    def _find_dangling(self, name: Path) -> bool:
        try:
            artifact = Artifact.model_validate_json(name.read_bytes())
        except (FileNotFoundError, ValidationError):
            return True
        return not self._object(artifact.sha256).exists()


class _Arrival:
    """A file being written, flushed before it is looked at again."""

    def __init__(self, handle: int) -> None:
        self._file = os.fdopen(handle, "wb", buffering=0)

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
        handle, name = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
        os.close(handle)
        part = Path(name)
        try:
            shutil.copyfile(source, part)
            umask = os.umask(0)
            os.umask(umask)
            part.chmod(0o666 & ~umask)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{to} cannot be written: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
