"""Backups of a home: what its ledger was at one moment, and every file that the ledger reaches.

A backup is a folder that many snapshots share: `objects/` holds each file once, under the name of its
SHA-256, and `snapshots/<time>/` a ledger with a manifest of what belongs to it. The ledger is copied
first and the files after it, while nothing may be cleaned away, so nothing that it names can be missing. A
snapshot appears by rename when all of it is on the disk.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genlock.errors import BackupError, SchemaTooNew
from genlock.ledger import schema
from genlock.ledger.copying import look_into, texts_in
from genlock.settings import Settings
from genlock.store.local import LocalStore
from genlock.store.transfer import (
    Piece,
    Progress,
    carry,
    copy_whole,
    is_there,
    make_room,
    pieces_in,
    sync_folder,
    trouble,
    verify,
    write_whole,
)

FORMAT = 1
MANIFEST, LEDGER = "manifest.json", "ledger.db"
HASH = re.compile(r"\b[0-9a-f]{64}\b")


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # and so never the path of another place
Count = Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """What belongs to one snapshot. `missing` are files that the home had lost already."""

    model_config = ConfigDict(frozen=True)

    format: int
    genlock: str
    schema_revision: str
    created_at: datetime
    home: str
    jobs: int
    unfinished: int
    ledger: tuple[Digest, Count]
    objects: list[tuple[Digest, Count]]
    names: dict[Digest, str]
    missing: list[tuple[Digest, Count]] = []

    @property
    def pieces(self) -> list[Piece]:
        """The files of the store."""
        return [Piece(*each) for each in self.objects]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return self.ledger[1] + sum(size for _, size in self.objects)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot and how much of it was copied now; the rest was there already."""

    folder: Path
    manifest: Manifest
    copied: int
    copied_size: int


def back_up(
    copy_ledger: Callable[[], Path],
    settings: Settings,
    to: Path,
    *,
    now: datetime,
    progress: Progress,
    incomplete: bool = False,
) -> Snapshot:
    """Make a snapshot of the home's ledger and of what it reaches. `copy_ledger` makes a copy of it to take.

    `BackupError` if the folder is not for backups, if the disk is full, if a file is damaged, or is
    missing though the ledger names it; with `incomplete` the last is only written down.
    """
    try:
        store = LocalStore(settings.store)
        with _alone_in(to), store.held(), _taken(copy_ledger) as ledger:
            return _snapshot(ledger, store, settings.home, to, now, progress, incomplete)
    except OSError as error:
        raise trouble(error, to) from error


@contextmanager
def _taken(copy_ledger: Callable[[], Path]) -> Iterator[Path]:
    ledger = copy_ledger()
    try:
        yield ledger
    finally:
        ledger.unlink(missing_ok=True)


@contextmanager
def _alone_in(to: Path) -> Iterator[None]:
    """A folder for backups, to which no other process is making one."""
    _prepare(to)
    handle = os.open(to / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in (
            *to.glob("snapshots/.*.part"),
            *to.glob("objects/*/.*.part"),
        ):  # of a backup that was killed
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    except BlockingIOError as error:
        raise BackupError(f"another backup is being made to {to}: wait until it has ended") from error
    finally:
        os.close(handle)


def _prepare(to: Path) -> None:
    """Make the folder, unless it is one for backups. `BackupError` if it has something else in it."""
    if to.exists() and not to.is_dir():
        raise BackupError(f"{to} is a file: name a folder for the backups")
    if not (to / "snapshots").is_dir() and to.is_dir() and any(to.iterdir()):
        raise BackupError(
            f"{to} is not empty and holds no backups: nothing in it is overwritten. Name another folder"
        )
    (to / "snapshots").mkdir(mode=0o700, parents=True, exist_ok=True)


def _snapshot(
    ledger: Path, store: LocalStore, home: Path, to: Path, now: datetime, progress: Progress, incomplete: bool
) -> Snapshot:
    contents, objects = look_into(ledger), store.root / "objects"
    wanted, missing = _reached(ledger, objects)
    if missing and not incomplete:
        raise BackupError(
            f"{len(missing)} files that jobs name are missing from {store.root}, such as "
            f"{missing[0].sha256[:12]}: with --incomplete all others are backed up"
        )
    new = [piece for piece in wanted if not is_there(piece, to / "objects")]
    make_room(sum(piece.size for piece in new) + ledger.stat().st_size, to)
    _carry_all(new, objects, to / "objects", progress)
    kept = {piece.sha256 for piece in wanted}
    part = to / "snapshots" / f".{secrets.token_hex(8)}.part"
    part.mkdir(mode=0o700)
    try:
        copied = copy_whole(ledger, part / LEDGER)
        manifest = Manifest(
            format=FORMAT,
            genlock=version("genlock"),
            schema_revision=contents.revision,
            created_at=now,
            home=str(home),
            jobs=contents.jobs,
            unfinished=contents.unfinished,
            ledger=(copied.sha256, copied.size),
            objects=[(piece.sha256, piece.size) for piece in wanted],
            names={n: text for n, text in store.names() if HASH.fullmatch(n) and _bound(text) in kept},
            missing=[(piece.sha256, piece.size) for piece in missing],
        )
        write_whole(manifest.model_dump_json(indent=1), part / MANIFEST)
        folder = _appear(part, now)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Snapshot(folder, manifest, len(new), sum(piece.size for piece in new))


def _appear(part: Path, now: datetime) -> Path:
    """Give a finished snapshot its name: the time, and a number if two are made in one second."""
    name, number = f"{now:%Y%m%dT%H%M%SZ}", 1
    while True:
        folder = part.with_name(name if number == 1 else f"{name}-{number}")
        if not folder.exists():
            part.rename(folder)
            sync_folder(folder.parent)
            return folder
        number += 1


def _reached(ledger: Path, objects: Path) -> tuple[list[Piece], list[Piece]]:
    """The files that a ledger names and that are there, and those that it names as artifacts and are not."""
    named: set[str] = set()
    artifacts: set[Piece] = set()
    for text in texts_in(ledger):
        if HASH.search(text):
            named.update(HASH.findall(text))
            artifacts.update(_artifacts(json.loads(text)))
    there = {piece.sha256: piece for piece in pieces_in(objects)}
    missing = {piece.sha256: piece for piece in artifacts if there.get(piece.sha256) != piece}
    found = [there[name] for name in sorted(named) if name in there and name not in missing]
    return found, [missing[name] for name in sorted(missing)]


def _artifacts(value: Any) -> Iterator[Piece]:
    """The references to artifacts in a JSON value."""
    if isinstance(value, dict):
        if {"sha256", "size", "media_type"} <= value.keys() and isinstance(value["size"], int):
            yield Piece(str(value["sha256"]), value["size"])
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _artifacts(each)


def _bound(text: str) -> str:
    """The artifact that a name is bound to."""
    found = HASH.search(text)
    return found.group() if found else ""


def _carry_all(pieces: Iterable[Piece], source: Path, to: Path, progress: Progress) -> None:
    wanted = list(pieces)
    total, done = sum(piece.size for piece in wanted), 0
    for number, piece in enumerate(wanted, 1):
        carry(piece, source, to)
        done += piece.size
        progress(number, done, len(wanted), total)


def snapshots(source: Path) -> list[Path]:
    """The snapshots in a folder of backups, oldest first. `BackupError` if there is none."""
    found = sorted(path for path in (source / "snapshots").glob("*") if (path / MANIFEST).is_file())
    if not found:
        raise BackupError(f"{source} holds no backup: name the folder that was given to `genlock backup`")
    return found


def open_snapshot(source: Path, name: str | None = None) -> tuple[Path, Manifest]:
    """The newest snapshot of a folder, or the one of this name. `BackupError` if it cannot be read."""
    found = {path.name: path for path in snapshots(source)}
    if name is not None and name not in found:
        raise BackupError(f"{source} has no snapshot {name!r}; there are: {', '.join(found)}")
    folder = found[name] if name is not None else list(found.values())[-1]
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if data.get("format") != FORMAT:
            raise SchemaTooNew(
                f"{folder} is a backup of format {data.get('format')}, and this genlock knows format {FORMAT}"
            )
        return folder, Manifest.model_validate(data)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        raise BackupError(f"{folder / MANIFEST} cannot be read: {error}") from error


def check(source: Path, folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Read a snapshot through, to the last byte. `BackupError` names what is damaged or missing."""
    if manifest.schema_revision > schema.REVISION:
        raise SchemaTooNew(
            f"the ledger in {folder} has schema {manifest.schema_revision} and this genlock knows up to "
            f"{schema.REVISION}: install genlock {manifest.genlock} or a newer one"
        )
    verify(Piece(*manifest.ledger), folder / LEDGER)
    look_into(folder / LEDGER)
    done, pieces, total = 0, manifest.pieces, sum(size for _, size in manifest.objects)
    for number, piece in enumerate(pieces, 1):
        verify(piece, piece.place(source / "objects"))
        done += piece.size
        progress(number, done, len(pieces), total)


def restore(
    source: Path, settings: Settings, *, name: str | None, progress: Progress
) -> tuple[Path, Manifest]:
    """Put a snapshot into an empty home, which this process owns; all of it is checked before.

    The ledger comes last: a home whose restoring was killed has none, and can be restored to again.
    """
    folder, manifest = open_snapshot(source, name)
    _demand_empty(settings)
    check(source, folder, manifest, progress)
    make_room(manifest.size, settings.home)
    try:
        store = LocalStore(settings.store)
        _carry_all(manifest.pieces, source / "objects", store.root / "objects", progress)
        for each, text in manifest.names.items():
            store.give_name(each, text)
        copy_whole(folder / LEDGER, settings.database)
    except OSError as error:
        raise trouble(error, settings.home) from error
    return folder, manifest


def _demand_empty(settings: Settings) -> None:
    if settings.database_url is not None:
        raise BackupError(
            "a backup holds a ledger in a file, and GENLOCK_DATABASE_URL names one on a server: "
            "unset it to restore, or bring that server's own dump back with pg_restore"
        )
    if settings.database.exists() and settings.database.stat().st_size:
        raise BackupError(
            f"{settings.home} has a ledger: a backup is restored into an empty home only. "
            "Set GENLOCK_HOME to another folder, or move this one away"
        )
