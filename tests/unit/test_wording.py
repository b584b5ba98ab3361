"""Titles and captions from files, and which photo each caption is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genlock.errors import BadInput
from genlock.pipelines.models import CampaignOrder, SetOrder
from genlock.pipelines.wording import photos_of, read_titles

PHOTOS = ["/a/one.jpg", "/a/Two Dogs.JPG", "/b/three.png"]
SAID = {"title": "Autumn", "ending": "The farm", "captions": {"one.jpg": "First, a hill", "three": "Third"}}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.json",
            '{"title": "Autumn", "ending": "The farm", '
            '"captions": {"one.jpg": "First, a hill", "three": "Third"}}',
        ),
        ("b.json", '{"title": "Autumn", "ending": "The farm", "one.jpg": "First, a hill", "three": "Third"}'),
        (
            "a.toml",
            'title = "Autumn"\nending = "The farm"\n[captions]\n"one.jpg" = "First, a hill"\nthree = "Third"',
        ),
        ("a.csv", 'photo,caption\ntitle,Autumn\nending,The farm\none.jpg,"First, a hill"\nthree,Third\n'),
        ("b.csv", "title;Autumn\r\nending;The farm\r\none.jpg;First, a hill\r\n\r\nthree;Third\r\n"),
        ("a.tsv", "title\tAutumn\nending\tThe farm\none.jpg\tFirst, a hill\nthree\tThird"),
        ("a.txt", "# words\ntitle: Autumn\nending: The farm\n\none.jpg: First, a hill\nthree: Third\n"),
    ],
)
def test_every_format_says_the_same(name: str, content: str, write: Any) -> None:
    assert read_titles(write(name, content)) == SAID


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_other_programs_are_read(encoding: str, write: Any) -> None:
    path = write("a.csv", "one.jpg,Frühstück für zwei".encode(encoding))
    assert read_titles(path) == {"captions": {"one.jpg": "Frühstück für zwei"}}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"one.jpg,Fr\xfchst\xfcck", "line 1: byte 0xfc is not UTF-8; save the file as UTF-8"),
        ("a.csv", "one.jpg,A\none.jpg,B", "line 2: 'one.jpg' was given words before (line 1)"),
        ("a.csv", "one.jpg,A,B", "line 1: 3 columns"),
        ("a.csv", "one.jpg", "line 1: 1 columns"),
        ("a.csv", 'one.jpg,"A', "line 1: unexpected end of data"),
        ("a.txt", "one.jpg A", "line 1: write a photo, a colon and its words"),
        ("a.txt", "one.jpg:  ", "line 1: there are no words for 'one.jpg'"),
        ("a.json", '{"one.jpg": "A", "one.jpg": "B"}', "'one.jpg' is there twice"),
        ("a.json", '{"one.jpg": 5}', "the words for 'one.jpg' are no text: 5"),
        ("a.json", "{", "line 1: not JSON"),
        ("a.json", "[]", "write names and words"),
        ("a.toml", "title = ", "not TOML"),
        ("a.docx", "title", "titles are read from .csv, .json, .toml and .txt files"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(name: str, content: str | bytes, words: str, write: Any) -> None:
    path = write(name, content)
    with pytest.raises(BadInput) as caught:
        read_titles(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"titles cannot be read: .*no\.csv"):
        read_titles(tmp_path / "no.csv")


def test_a_logo_lies_beside_its_file_of_titles(write: Any) -> None:
    path = write("a.txt", "logo: logo.png")
    assert read_titles(path) == {"logo": str(path.parent / "logo.png")}


@pytest.mark.parametrize(
    "name", ["Two Dogs.JPG", "two dogs.jpg", "Two Dogs", "a/Two Dogs.JPG", "/a/Two Dogs.JPG"]
)
def test_a_photo_is_called_by_its_name_in_several_ways(name: str) -> None:
    assert photos_of({name: "Hello"}, PHOTOS) == {"/a/Two Dogs.JPG": "Hello"}


def test_words_for_a_photo_that_is_not_there_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ValidationError, match=r"no photo of the order is called so; did you mean 'three\.png'\?"
    ):
        CampaignOrder(photos=PHOTOS, captions={"thre.png": "Hello"})


def test_a_name_of_several_photos_needs_its_folder() -> None:
    with pytest.raises(
        ValueError, match=r"name of 2 photos: write a folder before it, as in 'a/1.jpg' or 'b/1.jpg'"
    ):
        photos_of({"1.jpg": "Hello"}, ["/x/a/1.jpg", "/x/b/1.jpg"])


def test_a_photo_is_given_words_once() -> None:
    with pytest.raises(ValueError, match=r"one\.jpg is given words twice"):
        photos_of({"one": "A", "one.jpg": "B"}, PHOTOS)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"title": "x" * 121}, "at most 120"),
        ({"title": "  "}, "at least 1"),
        ({"subtitle": "A place"}, "has no title to stand below"),
        ({"logo": "/logo.png"}, "has no end card to stand on"),
    ],
)
def test_words_that_cannot_be_placed_are_refused(words: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CampaignOrder.model_validate({"photos": PHOTOS, **words})


def test_shapes_are_written_with_commas_each_once() -> None:
    assert SetOrder.model_validate({"photos": PHOTOS, "aspects": "1:1, 16:9"}).aspects == ["1:1", "16:9"]
    with pytest.raises(ValidationError, match="each shape once"):
        SetOrder.model_validate({"photos": PHOTOS, "aspects": "1:1,1:1"})
    with pytest.raises(ValidationError, match="'16:9', '9:16' or '1:1'"):
        SetOrder.model_validate({"photos": PHOTOS, "aspects": "4:3"})
