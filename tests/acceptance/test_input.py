"""What people hand in: folders, names of every script, and pictures that are none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

TINY = ("--pairs", 1, "--resolution", "180p", "--clip-duration", 1, "--skip-audio")
REFUSED = 2


def complaint(said: str) -> str:
    """The one line that says what is wrong."""
    assert "Traceback" not in said
    first, *rest = [line.strip() for line in said.splitlines()]
    assert all(line.startswith("What is done is kept.") for line in rest), said
    return first


def test_a_folder_stands_for_its_pictures_and_names_may_be_of_any_script(
    genlock: Any, photo: Any, player: Any
) -> None:
    folder = genlock.folder / "Fotos 2026 été"
    (folder / "licences").mkdir(parents=True)
    (genlock.folder / "ausgang").mkdir()
    for name, source in zip(("写真 1.JPG", "фото 2.jpeg"), photo("two-dogs", "wall-clock"), strict=True):
        shutil.copy(source, folder / name)
    shutil.copy(photo("dandelion")[0], folder / ".hidden.jpg")
    shutil.copy(photo("dandelion")[0], folder / "licences" / "inner.jpg")
    (folder / "notes.txt").write_text("not a picture")
    said = genlock("run", "campaign", "Fotos 2026 été", "-o", "ausgang/mein Film – ქართული.mp4", *TINY)
    film = genlock.folder / "ausgang" / "mein Film – ქართული.mp4"
    assert str(film) in said
    playback = player(film)
    job = genlock.answer("jobs", "list")[0]
    assert playback.frames == job["result"]["frames"] == 30
    taken = genlock.outputs(job["id"])["asset_collection"]["assets"]
    assert [asset["name"] for asset in taken] == ["фото 2.jpeg", "写真 1.JPG"], "by name"


def test_relative_paths_are_meant_from_where_the_command_was_given(genlock: Any, photo: Any) -> None:
    for name in ("here", "there"):
        (genlock.folder / name).mkdir()
    for source in photo("two-dogs", "wall-clock"):
        shutil.copy(source, genlock.folder / "here")
    words = ("run", "campaign", "two-dogs.jpg", "./wall-clock.jpg", "-o", "../there/film.mp4", *TINY)
    genlock(*words, folder=genlock.folder / "here")
    assert (genlock.folder / "there" / "film.mp4").stat().st_size > 10_000


REFUSALS: dict[tuple[object, ...], str] = {
    (): "photos",
    ("empty",): "there are no pictures in",
    ("nowhere.jpg",): "there is no file",
    ("two-dogs.jpg", "--pairs", 0): "--pairs",
    ("two-dogs.jpg", "--clip-duration", 0.1): "--clip-duration",
    ("two-dogs.jpg", "--set", "colour=red"): "colour",
    ("two-dogs.jpg", "wall-clock.jpg", "-o", "empty"): "is a folder",
    ("two-dogs.jpg", "wall-clock.jpg", "-o", "nowhere/film.mp4"): "there is no folder",
}


def test_an_order_that_cannot_be_carried_out_is_refused_before_anything_begins(
    genlock: Any, photo: Any
) -> None:
    (genlock.folder / "empty").mkdir()
    for source in photo("two-dogs", "wall-clock"):
        shutil.copy(source, genlock.folder)
    for words, says in REFUSALS.items():
        said = complaint(genlock("run", "campaign", "-o", "film.mp4", *words, code=REFUSED))
        assert says in said
    assert not (genlock.folder / "film.mp4").exists()
    assert genlock.answer("jobs", "list") == []


def test_one_photo_makes_no_pair(genlock: Any, photo: Any) -> None:
    said = complaint(genlock("run", "campaign", *photo("two-dogs"), "-o", "film.mp4", *TINY, code=REFUSED))
    assert "needs from two to 10000 photos, and one was given" in said
    assert not (genlock.folder / "film.mp4").exists()
    assert genlock.answer("jobs", "list") == []


def _cut(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[:30_000])


def _animated(path: Path, good: Path) -> None:
    with Image.open(good) as photo:
        small = photo.convert("RGB").resize((120, 80))
    small.save(path, save_all=True, append_images=[small.rotate(180)])


def _socket(path: Path, good: Path) -> None:
    del good
    with socket.socket(socket.AF_UNIX) as bound:
        at = Path.cwd()
        os.chdir(path.parent)  # a socket's address holds only some hundred bytes
        try:
            bound.bind(path.name)
        finally:
            os.chdir(at)


def _huge(path: Path, good: Path) -> None:
    """A real picture in a file of 2 GB, which costs the disk nothing."""
    shutil.copy(good, path)
    os.truncate(path, 2 * 10**9)


BAD: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "half.jpg": (_cut, "is damaged or cut off: its end is missing; copy it again from where it came"),
    "text.jpg": (lambda path, _: path.write_text("<html>not found</html>"), "is a web page"),
    "empty.png": (lambda path, _: path.touch(), "is empty; copy it again"),
    "folder.jpg": (lambda path, _: path.mkdir(), "is a folder, not a picture"),
    "pipe.jpg": (lambda path, _: os.mkfifo(path), "is a pipe, not a picture"),
    "socket.jpg": (_socket, "is a socket, not a picture"),
    "zero.jpg": (lambda path, _: path.symlink_to("/dev/zero"), "is a device, not a picture"),
    "loop.jpg": (lambda path, _: path.symlink_to(path), "is a link that leads back to itself"),
    "gone.jpg": (lambda path, _: path.symlink_to("/no/where.jpg"), "is a link to /no/where.jpg, where there"),
    "huge.jpg": (_huge, "is a file of 2.0 GB; at most 1.1 GB are read"),
    "bomb.png": (lambda path, _: Image.new("1", (20_000, 20_000)).save(path), "= 400 million pixels"),
    "dot.png": (lambda path, _: Image.new("RGB", (1, 1)).save(path), "has only 1x1 pixels"),
    "thread.png": (lambda path, _: Image.new("L", (64, 6500)).save(path), "more than 100 times as long"),
    "dance.gif": (_animated, "is animated (2 frames)"),
    "phone.heic": (lambda path, _: path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(99)), "is an HEIC picture"),
    "logo.svg": (lambda path, _: path.write_text("<svg/>"), "is an SVG drawing"),
    "line\nbreak.jpg": (lambda path, _: path.write_text("?"), "line\\nbreak.jpg is no picture"),
    "red\x1b[31m.jpg": (lambda path, _: path.write_text("?"), "red\\x1b[31m.jpg is no picture"),
    "txt\u202egpj.jpg": (lambda path, _: path.write_text("?"), "txt\\u202egpj.jpg is no picture"),
    "x" * 240 + ".jpg": (lambda path, _: path.write_text("?"), "…xxxxxxxxxxxxxxxx.jpg is no picture"),
}
GOOD = ("-rf.jpg", "写真 🏠.JPG", "שלום.jpeg", os.fsdecode(b"caf\xe9.jpg"))


@pytest.fixture
def messy(genlock: Any, photo: Any) -> Path:
    """A folder as it comes from a client's disk."""
    folder: Path = genlock.folder / "from the client"
    folder.mkdir()
    good = photo("two-dogs", "wall-clock", "dandelion", "two-dogs-near")
    for name, source in zip(GOOD, good, strict=True):
        shutil.copy(source, folder / name)
    for name, (make, _) in BAD.items():
        make(folder / name, good[0])
    for ignored in (".hidden.jpg", "notes.txt", "Thumbs.db"):
        (folder / ignored).write_text("not meant")
    return folder


def test_all_that_cannot_be_used_is_named_at_once_and_nothing_is_rendered(genlock: Any, messy: Path) -> None:
    said = genlock("run", "campaign", messy, "-o", "film.mp4", *TINY, code=REFUSED)
    first, *lines = said.splitlines()
    assert (
        first.strip()
        == f"asset_collection failed: {len(BAD)} of {len(BAD) + len(GOOD)} photos cannot be used:"
    )
    for name, (_, why) in BAD.items():
        (line,) = [line for line in lines if why in line]
        assert "\\" in line or line.startswith(f"    {name[:30]}")
    assert len(lines) == len(BAD) + 2, "a line each, what to do, and how to go on"
    assert "go on without them: --skip-bad" in lines[-2]
    assert "\x1b" not in said
    job = genlock.answer("jobs", "list")[0]
    events = genlock.events(job["id"])
    assert {event["task"] for event in events if event["kind"] == "task.claimed"} == {"asset_collection"}
    assert [event["kind"] for event in events].count("task.claimed") == 1, "a bad picture is not tried again"
    assert not (genlock.folder / "film.mp4").exists()
    assert list(genlock.home.glob("store/names/*/*")) == []


def test_the_good_ones_of_a_folder_become_a_film_and_the_others_are_listed(
    genlock: Any, messy: Path, player: Any
) -> None:
    command = genlock.start("run", "campaign", messy, "-o", "film.mp4", "--skip-bad", *TINY)
    assert command.wait() == 0, command.err
    for heard in (command.err, command.out):  # as soon as it is known, and at the end
        assert f"without {len(BAD)} photos that cannot be used:" in heard
        assert [why for _, why in BAD.values() if why not in heard] == []
    assert command.err.index("without") < len(command.err)
    assert player(genlock.folder / "film.mp4").frames == 30
    job = genlock.answer("jobs", "list")[0]["id"]
    assert "is a link that leads back to itself" in genlock("jobs", "show", job)
    shown = genlock.answer("jobs", "show", job)
    assert {Path(each["photo"]).name for each in shown["result"]["left_out"]} == set(BAD)
    taken = {asset["name"] for asset in genlock.outputs(job)["asset_collection"]["assets"]}
    assert taken == {"-rf.jpg", "写真 🏠.JPG", "שלום.jpeg", "caf\\xe9.jpg"}


def test_what_is_left_out_is_shown_while_the_job_is_unfinished(genlock: Any, messy: Path) -> None:
    command = genlock.start("run", "campaign", messy, "--skip-bad", "--json", "--clip-duration", 30)
    assert command.until_event("task.done", "asset_collection")
    command.kill()
    job = genlock.answer("jobs", "list")[0]
    assert job["state"] == "running"
    assert f"without   {len(BAD)} photos" in genlock("jobs", "show", job["id"])


def test_too_few_good_ones_make_no_film(genlock: Any, photo: Any) -> None:
    (genlock.folder / "bad.jpg").write_text("?")
    given = [*photo("two-dogs"), genlock.folder / "bad.jpg"]
    said = genlock("run", "campaign", *given, "-o", "film.mp4", "--skip-bad", *TINY, code=REFUSED)
    assert "only one of 2 photos can be used, and a film needs two:" in said
    assert "bad.jpg is no picture" in said


def test_the_same_picture_twice_makes_no_pair(genlock: Any, photo: Any) -> None:
    (one,) = photo("two-dogs")
    shutil.copy(one, genlock.folder / "copy of it.jpg")
    said = genlock("run", "campaign", one, "copy of it.jpg", "-o", "film.mp4", *TINY, code=REFUSED)
    assert "the 2 photos are all the same picture: a film needs two different ones" in said


def test_a_full_disk_is_said_where_the_job_is_watched_and_the_job_waits(genlock: Any, photo: Any) -> None:
    genlock.env["GENLOCK_DISK_RESERVE"] = "0.999999"
    command = genlock.start("run", "campaign", *photo("two-dogs", "wall-clock"), "--job-id", "full", *TINY)
    command.until(lambda: "asset_collection parked: disk nearly full: " in command.out)
    command.signal(signal.SIGINT)
    assert command.wait() == 128 + signal.SIGINT
    assert "genlock resume full" in command.err
    assert "disk nearly full: " in genlock("jobs", "show", "full")
    genlock.env["GENLOCK_DISK_RESERVE"] = "0"
    genlock("run", "campaign", *photo("two-dogs", "wall-clock"), "-o", "film.mp4", *TINY)


def test_a_failed_order_goes_on_once_its_picture_is_mended(genlock: Any, photo: Any) -> None:
    good, other = photo("two-dogs", "wall-clock")
    mended: Path = genlock.folder / "other.jpg"
    mended.write_bytes(other.read_bytes()[:30_000])
    genlock("run", "campaign", good, mended, "-o", "film.mp4", "--job-id", "mend", *TINY, code=REFUSED)
    shutil.copy(other, mended)
    genlock("resume", "mend")
    assert (genlock.folder / "film.mp4").is_file()
