"""What people hand in: folders, names of every script, and pictures that are none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

TINY = ("--pairs", 1, "--resolution", "180p", "--clip-duration", 1, "--skip-audio")
REFUSED, FAILED = 2, 1


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
    taken = genlock.outputs(job["id"])["asset_collection"]
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
    ("two-dogs.jpg", "--pairs", 0): "num_pairs",
    ("two-dogs.jpg", "--clip-duration", 0.5): "clip_duration",
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


def test_pictures_that_are_none_are_all_named_at_once_and_nothing_is_rendered(
    genlock: Any, photo: Any
) -> None:
    good, cut = photo("two-dogs", "wall-clock")
    truncated, text, empty = (genlock.folder / name for name in ("half.jpg", "text.jpg", "empty.png"))
    truncated.write_bytes(cut.read_bytes()[:30_000])
    text.write_text("<html>not found</html>")
    empty.touch()
    said = genlock("run", "campaign", good, truncated, text, empty, "-o", "film.mp4", *TINY, code=FAILED)
    line = complaint(said)
    assert "3 of 4 photos cannot be used" in line
    assert [name in line for name in ("half.jpg", "text.jpg", "empty.png", "two-dogs")] == [True] * 3 + [
        False
    ]
    job = genlock.answer("jobs", "list")[0]
    events = genlock.events(job["id"])
    assert {event["task"] for event in events if event["kind"] == "task.claimed"} == {"asset_collection"}
    assert [event["kind"] for event in events].count("task.claimed") == 1, "a bad picture is not tried again"
    assert not (genlock.folder / "film.mp4").exists()
    assert list(genlock.home.glob("store/names/*/*")) == []


def test_a_failed_order_goes_on_once_its_picture_is_mended(genlock: Any, photo: Any) -> None:
    good, other = photo("two-dogs", "wall-clock")
    mended: Path = genlock.folder / "other.jpg"
    mended.write_bytes(other.read_bytes()[:30_000])
    genlock("run", "campaign", good, mended, "-o", "film.mp4", "--job-id", "mend", *TINY, code=FAILED)
    shutil.copy(other, mended)
    genlock("resume", "mend")
    assert (genlock.folder / "film.mp4").is_file()
