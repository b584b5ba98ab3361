"""The store keeps whole files under the names of what is in them."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path
from threading import Thread

import pytest

from genlock.errors import DiskFull, StoreError
from genlock.store.local import YOUNG, LocalStore


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


def _file(tmp_path, data: bytes, name: str = "in.bin"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def _age(store):
    for path in store.root.glob("objects/*/*"):
        os.utime(path, (0, path.stat().st_mtime - YOUNG - 1))


async def test_a_file_comes_back_under_the_hash_of_its_bytes(store, tmp_path):
    data = os.urandom(3_000_000)
    artifact = await store.put(_file(tmp_path, data), "video/mp4")
    assert artifact.sha256 == hashlib.sha256(data).hexdigest()
    assert artifact.size == len(data)
    assert (await store.path(artifact)).read_bytes() == data


async def test_the_same_bytes_are_kept_once_even_when_put_by_many_at_once(store, tmp_path):
    files = [_file(tmp_path, b"same", f"{n}.bin") for n in range(20)]
    artifacts = await asyncio.gather(*(store.put(f, "image/jpeg") for f in files))
    assert len(set(artifacts)) == 1
    assert len(list(store.root.glob("objects/*/*"))) == 1
    assert list((store.root / "incoming").iterdir()) == []


async def test_moving_takes_the_original_away_and_putting_leaves_it(store, tmp_path):
    stays, goes = _file(tmp_path, b"a", "a"), _file(tmp_path, b"b", "b")
    await store.put(stays, "text/plain")
    await store.put(goes, "text/plain", move=True)
    assert stays.exists()
    assert not goes.exists()


async def test_a_file_that_is_moved_is_not_written_again(store, tmp_path):
    path = _file(tmp_path, b"a film")
    number = path.stat().st_ino
    os.utime(path, (0, 0))
    artifact = await store.put(path, "video/mp4", move=True)
    kept = await store.path(artifact)
    assert (kept.read_bytes(), kept.stat().st_ino) == (b"a film", number)
    assert artifact.sha256 == hashlib.sha256(b"a film").hexdigest()
    assert (await store.clean(set())).files == 0, "it is as young as one that is put"


async def test_what_others_see_too_is_copied_before_it_is_taken_away(store, tmp_path):
    path = _file(tmp_path, b"shared")
    other = tmp_path / "other"
    other.hardlink_to(path)
    pointer = tmp_path / "pointer"
    pointer.symlink_to(other)
    for each in (path, pointer):
        artifact = await store.put(each, "text/plain", move=True)
        kept = await store.path(artifact)
        assert not kept.is_symlink()
        assert each not in list(tmp_path.iterdir())
        other.write_bytes(b"changed")
        assert kept.read_bytes() == b"shared"
        other.write_bytes(b"shared")


@pytest.mark.parametrize("when", ["fsync", "replace"])
async def test_a_file_that_cannot_be_moved_in_is_where_it_was(store, tmp_path, monkeypatch, when):
    path = _file(tmp_path, b"paid for")

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        if when == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(store, "_still", _Broken())
        with pytest.raises((DiskFull, StoreError)):
            await store.put(path, "video/mp4", move=True)
    assert path.read_bytes() == b"paid for"
    assert list((store.root / "incoming").iterdir()) == []
    assert (await store.put(path, "video/mp4", move=True)).size == 8


class _Broken:
    def __enter__(self):
        raise OSError(errno.EIO, "the disk is gone")

    def __exit__(self, *_):
        return None


async def test_a_name_finds_what_was_bound_to_it_and_nothing_else(store, tmp_path):
    artifact = await store.put(_file(tmp_path, b"segment"), "video/mp4")
    await store.bind("f" * 64, artifact)
    assert await store.find("f" * 64) == artifact
    assert await store.find("e" * 64) is None


async def test_a_damaged_or_missing_file_is_said_to_be_so_and_not_found_by_name(store, tmp_path):
    artifact = await store.put(_file(tmp_path, b"whole"), "video/mp4")
    await store.bind("f" * 64, artifact)
    path = await store.path(artifact)
    path.chmod(0o644)
    path.write_bytes(b"cut")
    assert await store.find("f" * 64) is None
    with pytest.raises(StoreError, match="damaged"):
        await store.path(artifact)
    path.unlink()
    with pytest.raises(StoreError, match="missing"):
        await store.path(artifact)


async def test_what_cannot_be_read_is_an_error_that_names_it(store, tmp_path):
    with pytest.raises(StoreError, match=r"absent\.jpg"):
        await store.put(tmp_path / "absent.jpg", "image/jpeg")


async def test_cleaning_keeps_what_is_reached_or_young_and_forgets_the_names_of_the_rest(store, tmp_path):
    kept = await store.put(_file(tmp_path, b"kept"), "video/mp4")
    gone = await store.put(_file(tmp_path, b"gone"), "video/mp4")
    await store.bind("a" * 64, gone)
    assert (await store.clean({kept.sha256})).files == 0  # both are young
    _age(store)
    assert (await store.clean({kept.sha256}, dry_run=True)).size == 4
    freed = await store.clean({kept.sha256})
    assert (freed.files, freed.size) == (1, 4)
    assert await store.find("a" * 64) is None
    assert (await store.path(kept)).read_bytes() == b"kept"
    assert list(store.root.glob("names/*/*")) == []


async def test_export_replaces_a_file_whole(store, tmp_path):
    artifact = await store.put(_file(tmp_path, b"film"), "video/mp4")
    to = tmp_path / "films" / "mine.mp4"
    await store.export(artifact, to)
    await store.export(artifact, to)
    assert to.read_bytes() == b"film"
    assert os.access(to, os.W_OK)
    assert list(to.parent.iterdir()) == [to]


async def test_a_place_that_cannot_be_written_is_named(store, tmp_path):
    artifact = await store.put(_file(tmp_path, b"film"), "video/mp4")
    _file(tmp_path, b"", "wall")
    with pytest.raises(StoreError, match="wall"):
        await store.export(artifact, tmp_path / "wall" / "film.mp4")


async def test_what_is_found_while_the_store_is_cleaned_is_there(store, tmp_path, monkeypatch):
    artifact = await store.put(_file(tmp_path, b"segment"), "video/mp4")
    await store.bind("f" * 64, artifact)
    _age(store)
    unlink, found = Path.unlink, []
    looking = Thread(target=lambda: found.append(store._find("f" * 64)))

    def look_first(path, missing_ok=False):
        if path.name == artifact.sha256:
            looking.start()
            looking.join(0.1)  # it finds the file, or waits until it is gone
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", look_first)
    await store.clean(set())
    looking.join()
    assert found == [None]


async def test_a_name_whose_file_goes_while_it_is_looked_for_is_not_found(store, tmp_path, monkeypatch):
    artifact = await store.put(_file(tmp_path, b"segment"), "video/mp4")
    await store.bind("f" * 64, artifact)
    look = os.utime

    def gone(path, *args):
        path.unlink()  # by a process that cleans at the same time
        look(path, *args)

    monkeypatch.setattr(os, "utime", gone)
    assert await store.find("f" * 64) is None


async def test_what_a_killed_process_was_bringing_in_is_thrown_away_at_the_next_opening(store, tmp_path):
    left, arriving = (store.root / "incoming" / name for name in ("left", "arriving"))
    for path in (left, arriving):
        path.write_bytes(b"half")
    os.utime(left, (0, left.stat().st_mtime - YOUNG - 1))
    LocalStore(store.root)
    assert list((store.root / "incoming").iterdir()) == [arriving]


async def test_what_is_stored_is_for_its_owner_alone_and_what_is_exported_as_any_new_file(store, tmp_path):
    artifact = await store.put(_file(tmp_path, b"film"), "video/mp4")
    assert (await store.path(artifact)).stat().st_mode & 0o777 == 0o400
    usual = _file(tmp_path, b"", "usual").stat().st_mode
    to = await store.export(artifact, tmp_path / ("f" * 251 + ".mp4"))
    assert to.stat().st_mode == usual
