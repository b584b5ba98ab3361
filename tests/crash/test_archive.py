"""What a proof hands out again instead of having it rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genlock.testing.proof.archive import Archive


class Renderer:
    """Writes what it is asked to, and counts how often it is asked."""

    def __init__(self, *, beside: bool = False, fails: bool = False) -> None:
        self.asked = 0
        self.beside, self.fails = beside, fails

    def __call__(self, what: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        request = what["request"]
        to = Path(request["to"])
        if self.fails:
            return {"failed": "BadPicture", "message": "no picture", "trace": ""}
        to.write_text(Path(request["source"]).read_text().upper())
        if self.beside:
            to.with_name("notes.txt").write_text("more than was asked for")
        return {"done": {"to": str(to), "source": request["source"], "frames": request["frames"]}}


def ask(folder: Path, text: str = "a picture", frames: int = 12) -> dict[str, Any]:
    folder.mkdir()
    source = folder / "source.jpg"
    source.write_text(text)
    request = {"source": str(source), "to": str(folder / "film.mp4"), "frames": frames}
    return {"operation": "render", "request": request}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def test_the_same_of_the_same_bytes_is_handed_out_wherever_files_lie(
    archive: Archive, tmp_path: Path
) -> None:
    render = Renderer()
    archive.perform(ask(tmp_path / "one"), render)
    again = ask(tmp_path / "two")
    answer = archive.perform(again, render)
    assert render.asked == 1
    assert (tmp_path / "two" / "film.mp4").read_text() == "A PICTURE"
    assert answer == {"done": {**again["request"]}}


@pytest.mark.parametrize("other", [{"text": "another picture"}, {"frames": 13}])
def test_anything_else_is_made(archive: Archive, tmp_path: Path, other: dict[str, Any]) -> None:
    render = Renderer()
    archive.perform(ask(tmp_path / "one"), render)
    archive.perform(ask(tmp_path / "two", **other), render)
    assert render.asked == 2
    assert (tmp_path / "two" / "film.mp4").read_text() == other.get("text", "a picture").upper()


def test_what_is_handed_out_is_a_file_of_its_own(archive: Archive, tmp_path: Path) -> None:
    render = Renderer()
    for name in ("one", "two"):
        archive.perform(ask(tmp_path / name), render)
        (tmp_path / name / "film.mp4").write_text("spoiled")
    archive.perform(ask(tmp_path / "three"), render)
    assert (tmp_path / "three" / "film.mp4").read_text() == "A PICTURE"


@pytest.mark.parametrize("how", [{"fails": True}, {"beside": True}])
def test_a_failure_or_a_file_that_nobody_asked_for_is_not_kept(
    archive: Archive, tmp_path: Path, how: dict[str, bool]
) -> None:
    render = Renderer(**how)
    archive.perform(ask(tmp_path / "one"), render)
    archive.perform(ask(tmp_path / "two"), render)
    assert render.asked == 2


def test_a_file_that_lay_in_the_way_is_written_over_each_time(archive: Archive, tmp_path: Path) -> None:
    render = Renderer()
    for name in ("one", "two"):
        asked = ask(tmp_path / name)
        (tmp_path / name / "film.mp4").write_text("left behind")
        archive.perform(asked, render)
        assert (tmp_path / name / "film.mp4").read_text() == "A PICTURE"
    assert render.asked == 2
