"""The photographs that genlock is tried with, and its typefaces: usable, and each with its credit."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = sorted((ROOT / "examples" / "photos").glob("*.jpg"))
FONTS = sorted((ROOT / "src" / "genlock" / "media" / "text" / "fonts").glob("*.[to]tf"))
LICENCES = ROOT / "examples" / "photos" / "licences"
FIELDS = {"File", "Title", "Author", "Licence", "Source", "Changes", "SHA256"}
MEGABYTE = 1_000_000


def credited(part: str = "Example photographs") -> dict[str, dict[str, str]]:
    """The entries of a part of NOTICE by file."""
    text = (ROOT / "NOTICE").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^(\w[\w ]+)\n=+\n(.*?)(?=\n\n\n|\Z)", text, flags=re.MULTILINE | re.DOTALL))
    _, *entries = re.split(r"^(?=File: )", parts[part], flags=re.MULTILINE)
    found = [dict(re.findall(r"^(\w+): +(.+)$", entry, flags=re.MULTILINE)) for entry in entries]
    return {entry["File"]: entry for entry in found}


def test_every_photograph_is_credited_with_its_right_hash() -> None:
    hashes = {p.relative_to(ROOT).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in PHOTOS}
    assert {file: entry["SHA256"] for file, entry in credited().items()} == hashes


def test_every_credit_is_whole_and_its_licence_is_there() -> None:
    for entry in credited().values():
        assert set(entry) == FIELDS
        text = (LICENCES / f"{entry['Licence']}.txt").read_text(encoding="utf-8")
        assert len(text) > 5000, "the whole legal text, not a summary"


def test_every_typeface_is_unaltered_and_its_licence_lies_beside_it() -> None:
    hashes = {p.relative_to(ROOT).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in FONTS}
    entries = credited("Typefaces")
    assert {file: entry["SHA256"] for file, entry in entries.items()} == hashes
    assert {entry["Licence"] for entry in entries.values()} == {"OFL-1.1"}
    text = FONTS[0].with_name("OFL.txt").read_text(encoding="utf-8")
    assert len(text) > 4000, "the whole legal text, not a summary"
    assert [font.name for font in FONTS if font.name not in text] == []


def test_the_photographs_are_upright_sharp_enough_and_free_of_metadata() -> None:
    assert sum(1 for path in PHOTOS if not path.stem.endswith("-near")) >= 12
    for path in PHOTOS:
        with Image.open(path) as picture:
            assert (picture.format, picture.mode) == ("JPEG", "RGB")
            assert 1300 <= max(picture.size) <= 1920
            assert not picture.getexif()
            assert not {"icc_profile", "exif", "xmp", "comment"} & set(picture.info)


def test_some_scenes_are_there_twice() -> None:
    second = [path for path in PHOTOS if path.stem.endswith("-near")]
    assert len(second) >= 6
    assert [p for p in second if p.with_stem(p.stem.removesuffix("-near")) not in PHOTOS] == []


def test_the_examples_stay_small_enough_to_clone() -> None:
    assert (
        sum(path.stat().st_size for path in (ROOT / "examples").rglob("*") if path.is_file()) < 8 * MEGABYTE
    )
