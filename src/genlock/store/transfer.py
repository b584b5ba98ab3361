"""Copying artifacts between folders: each is hashed on the way, and appears whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from genlock.errors import BackupError

CHUNK = 1 << 20
Progress = Callable[[int, int, int, int], None]  # files and bytes so far, files and bytes in all


@dataclass(frozen=True, slots=True)
class Piece:
    """A file by its SHA-256, and its size in bytes."""

    sha256: str
    size: int

    def place(self, objects: Path) -> Path:
        """Where it lies in a folder of objects."""
        return objects / self.sha256[:2] / self.sha256


def pieces_in(objects: Path) -> Iterator[Piece]:
    """All files of a folder of objects."""
    for path in objects.glob("*/*"):
        yield Piece(path.name, path.stat().st_size)


def is_there(piece: Piece, objects: Path) -> bool:
    """Whether a file of that name and size is there."""
    try:
        return piece.place(objects).stat().st_size == piece.size
    except FileNotFoundError:
        return False


def carry(piece: Piece, source: Path, to: Path) -> None:
    """Copy one file from one folder of objects to another. `BackupError` if it is not what its name says."""
    copy_whole(piece.place(source), piece.place(to), piece)


def copy_whole(source: Path, to: Path, piece: Piece | None = None) -> Piece:
    """Copy a file, on disk before it appears; what it was. With `piece` it must be that one."""
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = to.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with source.open("rb") as whole, part.open("xb") as file:
            found = _pour(whole, file.write)
            _demand(piece, found, source)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o400 if piece else 0o600)
        part.replace(to)
        sync_folder(to.parent)
    except OSError as error:
        raise trouble(error, to if error.errno == errno.ENOSPC else source) from error
    finally:
        part.unlink(missing_ok=True)
    return found


def verify(piece: Piece, path: Path) -> None:
    """Read a file through. `BackupError` if it is not the one it should be."""
    try:
        with path.open("rb") as whole:
            _demand(piece, _pour(whole, len), path)
    except OSError as error:
        raise trouble(error, path) from error


def make_room(need: int, folder: Path) -> None:
    """`BackupError` if so many bytes do not fit on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    if need > free:
        raise BackupError(
            f"there is no room in {folder}: {need / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free"
        )


def write_whole(text: str, to: Path) -> None:
    """Write a text, on disk before it appears."""
    part = to.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(to)
        sync_folder(to.parent)
    except OSError as error:
        raise trouble(error, to) from error
    finally:
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make sure that names in a folder outlive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def trouble(error: OSError, path: Path) -> BackupError:
    """An error of the system as a sentence about a file."""
    if error.errno == errno.ENOSPC:
        return BackupError(
            f"{path} cannot be written: the disk is full. What was copied stays: make room, try again"
        )
    if isinstance(error, FileNotFoundError):
        return BackupError(f"{path} is missing")
    return BackupError(f"{path}: {(error.strerror or str(error)).lower()}")


def _pour(whole: BinaryIO, take: Callable[[bytes], object]) -> Piece:
    digest, size = hashlib.sha256(), 0
    while chunk := whole.read(CHUNK):
        digest.update(chunk)
        take(chunk)
        size += len(chunk)
    return Piece(digest.hexdigest(), size)


def _demand(piece: Piece | None, found: Piece, path: Path) -> None:
    if piece is None or piece == found:
        return
    if piece.size != found.size:
        raise BackupError(f"{path} is damaged: it has {found.size} bytes where {piece.size} were written")
    raise BackupError(f"{path} is damaged: its bytes are not those its name stands for")
