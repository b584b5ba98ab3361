"""Backups of a home: made while jobs write, checked before they are put back, and gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock import backup
from genlock.errors import BackupError, Conflict, SchemaTooNew, Unsupported
from genlock.ledger.copying import MARK, look_into
from genlock.ledger.records import JobSpec, NodeSpec
from genlock.ledger.sql import SqlLedger
from genlock.settings import Settings
from genlock.store.local import LocalStore
from genlock.testing import FakeClock

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Place:
    """A home with a ledger and files in its store, and a folder for backups."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder / "home")
        self.settings.home.mkdir(parents=True)
        self.to = folder / "backups"
        self.now = NOON
        self.store = LocalStore(self.settings.store)
        self.told: list[tuple[int, ...]] = []

    async def keep(self, *texts: str) -> list[Path]:
        """A job for each of these, with a file in the store that its input names; the files."""
        ledger = await SqlLedger.open(self.settings.database, FakeClock())
        found = []
        for text in texts:
            loose = self.settings.home / "loose"
            loose.write_text(text)
            artifact = await self.store.put(loose, "text/plain", move=True)
            await self.store.bind(hashlib.sha256(text.encode() * 2).hexdigest(), artifact)
            nodes = [NodeSpec("a")]
            await ledger.create_job(JobSpec(text, "p", "{}", artifact.model_dump_json(), nodes, []))
            found.append(await self.store.path(artifact))
        await ledger.close()
        return found

    def back_up(self, **options: Any) -> backup.Snapshot:
        self.now += timedelta(minutes=1)
        return backup.back_up(
            self._copy, self.settings, self.to, now=self.now, progress=self._tell, **options
        )

    def restore(self, home: Path, name: str | None = None, **more: Any) -> Settings:
        settings = Settings(home=home, **more)
        home.mkdir(exist_ok=True)
        backup.restore(self.to, settings, name=name, progress=self._tell)
        return settings

    def _copy(self) -> Path:
        copy = self.settings.home / f"ledger.db{MARK}1"
        with sqlite3.connect(self.settings.database) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()
        return copy

    def _tell(self, *numbers: int) -> None:
        self.told.append(numbers)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


async def test_what_is_restored_is_what_was_backed_up(place, tmp_path):
    await place.keep("one", "two")
    made = place.back_up()
    assert (made.manifest.jobs, made.manifest.unfinished, made.copied) == (2, 2, 2)
    assert place.told[-1] == (2, 6, 2, 6)
    assert contents(place.settings.home).keys() >= {"ledger.db"}
    assert not list(place.settings.home.glob(f"*{MARK}*")), "the copy of the ledger was taken away"
    settings = place.restore(tmp_path / "other")
    assert contents(settings.store / "objects") == contents(place.settings.store / "objects")
    assert contents(settings.store / "names") == contents(place.settings.store / "names")
    ledger = await SqlLedger.open(settings.database, FakeClock())
    assert [row.id for row in await ledger.reader.jobs()] == ["two", "one"]
    await ledger.close()


async def test_a_second_backup_copies_only_what_is_new_and_both_can_be_restored(place, tmp_path):
    await place.keep("one")
    first = place.back_up()
    await place.keep("two")
    second = place.back_up()
    assert (first.copied, second.copied, len(second.manifest.objects)) == (1, 1, 2)
    assert len(contents(place.to / "objects")) == 2
    older = place.restore(tmp_path / "older", first.folder.name)
    assert len(contents(older.store / "objects")) == 1
    assert look_into(older.database).jobs == 1
    assert look_into(place.restore(tmp_path / "newest").database).jobs == 2
    with pytest.raises(BackupError, match=f"no snapshot 'x'; there are: {first.folder.name}, "):
        place.restore(tmp_path / "none", "x")


async def test_only_what_the_ledger_reaches_is_copied(place):
    await place.keep("one")
    loose = place.settings.home / "loose"
    loose.write_text("nobody's")
    await place.store.put(loose, "text/plain", move=True)
    assert place.back_up().copied == 1


async def test_a_home_whose_ledger_is_on_a_server_is_not_restored_to(place, tmp_path):
    await place.keep("one")
    place.back_up()
    with pytest.raises(BackupError, match="GENLOCK_DATABASE_URL names one on a server: unset it"):
        place.restore(tmp_path / "other", database_url="postgresql://nobody@127.0.0.1/none")
    assert not list((tmp_path / "other").iterdir())


async def test_two_backups_of_one_second_have_names_of_their_own(place):
    await place.keep("one")
    names = []
    for _ in range(2):
        place.now = NOON
        names.append(place.back_up().folder.name)
    assert names == ["20260504T120100Z", "20260504T120100Z-2"]


# What is refused


async def test_nothing_is_overwritten(place, tmp_path):
    await place.keep("one")
    place.to.mkdir()
    (place.to / "thesis.txt").write_text("years of work")
    with pytest.raises(BackupError, match="not empty and holds no backups"):
        place.back_up()
    shutil.rmtree(place.to)
    place.to.write_text("a file")
    with pytest.raises(BackupError, match="is a file"):
        place.back_up()
    place.to.unlink()
    place.back_up()
    with pytest.raises(BackupError, match="has a ledger: a backup is restored into an empty home only"):
        place.restore(place.settings.home)
    with pytest.raises(BackupError, match="holds no backup"):
        backup.snapshots(tmp_path / "home")


@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
async def test_a_file_that_is_not_what_its_name_says_is_noticed(place, tmp_path, harm):
    [path] = await place.keep("one")
    made = place.back_up()
    kept = place.to / "objects" / path.parent.name / path.name
    data, words = {"changed": (b"eno", "bytes are not those"), "cut": (b"o", "has 1 bytes where 3 were")}.get(
        harm, (None, "is missing")
    )
    if data is None:
        kept.unlink()
    else:
        damage(kept, data)
    with pytest.raises(BackupError, match=words) as caught:
        place.restore(tmp_path / "other")
    assert path.name in str(caught.value)
    assert not (tmp_path / "other" / "ledger.db").exists()
    assert not list((tmp_path / "other").rglob("objects/*/*")), (
        "all of it is checked before any of it is put back"
    )
    if harm != "changed":  # only its size is looked at, so that a backup stays quick
        assert place.back_up().copied == 1, "the next backup mends what the last one has lost"
        place.restore(tmp_path / "other", made.folder.name)


async def test_a_store_that_is_damaged_is_not_backed_up_in_silence(place):
    one, two = await place.keep("one", "two")
    damage(one, b"eno")
    with pytest.raises(BackupError, match="bytes are not those its name stands for"):
        place.back_up()
    one.unlink()
    with pytest.raises(BackupError, match=r"1 files that jobs name are missing .* --incomplete") as caught:
        place.back_up()
    assert one.name[:12] in str(caught.value)
    made = place.back_up(incomplete=True)
    assert made.manifest.missing == [(one.name, 3)]
    assert list(contents(place.to / "objects")) == [two.name]


async def test_a_damaged_ledger_and_a_damaged_manifest_are_noticed(place, tmp_path):
    await place.keep("one")
    made = place.back_up()
    manifest = (made.folder / "manifest.json").read_text()
    data = (made.folder / "ledger.db").read_bytes()
    (made.folder / "ledger.db").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BackupError, match=r"ledger\.db is damaged"):
        place.restore(tmp_path / "other")
    (made.folder / "ledger.db").write_bytes(data)
    for text in ("{", "[]", '{"format": 1}'):
        (made.folder / "manifest.json").write_text(text)
        with pytest.raises(BackupError, match=r"manifest\.json cannot be read"):
            place.restore(tmp_path / "other")
    for part, value in (("names", {"../../../escaped": "{}"}), ("objects", [["../../etc/passwd", 3]])):
        (made.folder / "manifest.json").write_text(json.dumps(json.loads(manifest) | {part: value}))
        with pytest.raises(BackupError, match=r"manifest\.json cannot be read"):
            place.restore(tmp_path / "other")
    (made.folder / "manifest.json").write_text(manifest)
    place.restore(tmp_path / "other")


async def test_a_backup_of_a_newer_genlock_is_refused(place, tmp_path):
    await place.keep("one")
    made = place.back_up()
    manifest = json.loads((made.folder / "manifest.json").read_text())
    for change, words in (({"schema_revision": "9999"}, "schema 9999"), ({"format": 2}, "format 2")):
        (made.folder / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(SchemaTooNew, match=words):
            place.restore(tmp_path / "other")


async def test_a_disk_without_room_is_noticed_before_anything_is_copied(place, tmp_path, monkeypatch):
    await place.keep("one")
    full = shutil.disk_usage(tmp_path)._replace(free=10)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        with pytest.raises(BackupError, match="there is no room in"):
            place.back_up()
    assert set(contents(place.to)) == {"lock"}
    place.back_up()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(BackupError, match="there is no room in"):
        place.restore(tmp_path / "other")
    assert not (tmp_path / "other" / "ledger.db").exists()


async def test_a_disk_that_becomes_full_is_said_to_be(place, monkeypatch):
    await place.keep("one")

    sync = os.fsync

    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(28, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(BackupError, match="the disk is full"):
            place.back_up()
    assert [name for name in contents(place.to) if name.endswith(".part")] == []
    assert list((place.to / "snapshots").iterdir()) == []
    place.back_up()


async def test_nothing_is_cleaned_away_while_a_backup_is_made(place, tmp_path):
    await place.keep("one")
    other = LocalStore(place.settings.store)  # as another process would have
    with place.store.held():
        with other.held():
            pass
        with pytest.raises(Conflict, match=r"a backup of .* is being made"):
            await other.clean([])
    assert (await other.clean([])).files == 0


async def test_two_backups_to_one_folder_do_not_meet_and_a_killed_one_leaves_nothing(place):
    await place.keep("one")
    (place.to / "snapshots" / ".12.part").mkdir(parents=True)
    (place.to / "objects" / "ab").mkdir(parents=True)
    (place.to / "objects" / "ab" / ".12.part").write_text("half")
    copy = place._copy

    def meanwhile() -> Path:
        place._copy = copy
        with pytest.raises(BackupError, match="another backup is being made to"):
            place.back_up()
        return copy()

    place._copy = meanwhile
    made = place.back_up()
    assert [path.name for path in (place.to / "snapshots").iterdir()] == [made.folder.name]
    assert [name for name in contents(place.to) if name.endswith(".part")] == []


async def test_a_restore_that_was_killed_can_be_done_again(place, tmp_path):
    [path] = await place.keep("one")
    place.back_up()
    home = tmp_path / "other"
    half = LocalStore(home / "store").root / "objects" / path.parent.name
    half.mkdir()
    (half / ".0123.part").write_text("o")
    place.restore(home)
    assert look_into(home / "ledger.db").jobs == 1


@pytest.mark.parametrize("kind", ["memory", "postgres"])
async def test_a_ledger_that_is_no_file_says_how_it_is_backed_up(kind, request):
    from genlock.clock import SystemClock
    from genlock.ledger.memory.ledger import MemoryLedger

    if kind == "memory":
        with pytest.raises(Unsupported, match="in memory"):
            await MemoryLedger(SystemClock()).copy()
        return
    ledger = await SqlLedger.open(request.getfixturevalue("postgres_url"), SystemClock())
    with pytest.raises(Unsupported, match="pg_dump"):
        await ledger.reader.copy()
    await ledger.close()


# With real processes


SCENES = ("dandelion", "summit-sunset", "wall-clock", "two-dogs")
ORDER = ("--pairs", 3, "--resolution", "720p", "--clip-duration", 4)  # a backup takes less time


def objects(home: Path) -> dict[str, str]:
    """Every file of a home's store by name, with the hash of its bytes."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (home / "store" / "objects").glob("*/*")
    }


def test_a_campaign_backed_up_half_way_is_finished_elsewhere_and_nothing_is_done_again(
    genlock: Any, photo: Any, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    server = genlock.start("serve")
    assert server.until((genlock.home / "genlock.sock").exists)
    maker = genlock.start(
        "run", "campaign", *photo(*SCENES), "-o", film, "--job-id", "film", "--json", *ORDER
    )
    assert maker.until_event("task.done", "video_generation/0")
    told = genlock("backup", tmp_path / "backups")
    assert "1 job (1 unfinished)" in told
    assert server.code is None
    for process in (maker, server):
        process.kill()
    assert server.survivors() == []
    shutil.rmtree(genlock.home)
    genlock.home = tmp_path / "elsewhere"
    genlock.env["GENLOCK_HOME"] = str(genlock.home)
    assert "go on with 1 of them: genlock resume" in genlock("restore", tmp_path / "backups")
    assert all(name == digest for name, digest in objects(genlock.home).items())
    before = genlock.events("film")
    done = {event["task"] for event in before if event["kind"] == "task.done"}
    assert "video_generation/0" in done
    genlock("resume")
    shown = genlock.answer("jobs", "show", "film")
    assert shown["state"] == "completed"
    assert all(finding["passed"] for finding in shown["result"]["report"]["findings"])
    after = genlock.events("film")
    assert after[: len(before)] == before
    assert done.isdisjoint(event["task"] for event in after[len(before) :])
    assert hashlib.sha256(film.read_bytes()).hexdigest() == shown["result"]["film"]["sha256"]


def test_a_home_that_is_owned_is_not_restored_to_and_a_copy_that_was_left_is_removed(
    genlock: Any, tmp_path: Path
) -> None:
    genlock("backup", tmp_path / "backups")
    assert "is whole: 0 jobs, 0 files" in genlock("restore", tmp_path / "backups", "--check")
    left = genlock.home / f"ledger.db{MARK}12345678"
    left.touch()
    server = genlock.start("serve")
    assert server.until((genlock.home / "genlock.sock").exists)
    assert not left.exists()
    assert "owns" in genlock("restore", tmp_path / "backups", code=4)
    genlock("backup", tmp_path / "backups")
    assert len(backup.snapshots(tmp_path / "backups")) == 2
    server.signal(signal.SIGTERM)
    assert server.wait(10) == 0
    assert "empty home only" in genlock("restore", tmp_path / "backups", code=4)
