"""Pictures that cannot be used: each refused by name, in words, before anything is made of it."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genlock.errors import BadPicture
from genlock.media.photo.picture import import_picture, look
from genlock.media.request import ImportPicture, LookAtPicture

RED, GREEN, BLUE = (200, 30, 40), (30, 160, 60), (30, 60, 190)


def quiet(fraction: float, note: str | None = None) -> None: ...


def flag() -> Image.Image:
    image = Image.new("RGB", (120, 80), RED)
    image.paste(BLUE, (0, 40, 120, 80))
    return image


def report(path: Path, **options: int) -> object:
    return look(LookAtPicture(path=path, **options), quiet)


def imported(path: Path) -> Image.Image:
    copy = path.with_name("copy.jpg")
    import_picture(ImportPicture(path=path, to=copy), quiet)
    with Image.open(copy) as opened:
        opened.load()
    return opened


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def large_photo() -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8)
    kept = io.BytesIO()
    Image.fromarray(noise).save(kept, "JPEG", quality=95)
    return kept.getvalue()


def animation() -> bytes:
    kept = io.BytesIO()
    flag().save(kept, "GIF", save_all=True, append_images=[Image.new("RGB", (120, 80), GREEN)])
    return kept.getvalue()


def tiff(tag: int, value: int) -> bytes:
    """A good picture with one more tag."""
    kept = io.BytesIO()
    flag().save(kept, "TIFF", tiffinfo={tag: value})
    return kept.getvalue()


BAD = {
    "empty.jpg": (b"", "is empty"),
    "cut.jpg": (large_photo()[:40_000], "is damaged or cut off"),
    "header.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "header.png"),
    "page.jpg": (b"<!DOCTYPE html><p>404</p>", "is a web page, not a picture"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
    "paper.jpg": (b"%PDF-1.7\n", "is a PDF document"),
    "script.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is a PostScript document"),
    "list.jpg": (b"#EXTM3U\nfile:///etc/passwd\n", "is a playlist"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "is an HEIC picture; save it as JPEG"),
    "film.jpg": (b"\0\0\0\x18ftypisom\0\0\0\0", "is a film"),
    "zeros.jpg": (large_photo()[:40_000] + bytes(60_000), "it ends in nothing but zeros"),
    "ended.jpg": (large_photo()[:40_000] + b"\xff\xd9", r"it has no data for its lower \d\d%"),
    "logo.psd": (b"8BPS\0\1" + bytes(40), "is a Photoshop document"),
    "favicon.ico": (b"\0\0\1\0\1\0" + bytes(40), "is an icon"),
    "drawing.mvg": (b"push graphic-context\nimage over 0,0 0,0 '/etc/passwd'\n", "is an MVG drawing"),
    "list.png": (b"ffconcat version 1.0\nfile /etc/passwd\n", "is a playlist"),
    "vector.svg": (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "is an XML or SVG document"),
    "raw.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(60), "raw.cr2"),
    "raw.rw2": (b"IIU\0\x18\0\0\0" + bytes(60), "is a camera's raw file"),
    "raw.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\0", "is a camera's raw file; save it as JPEG"),
    "raw.nef": (tiff(254, 1), "is a camera's raw file, of which only a preview could be read"),
    "raw.dng": (tiff(50706, 0x0401), "is a camera's raw file, of which only a preview could be read"),
    "thread.png": (png(64, 6401, 8, 0, b""), "more than 100 times as long as wide"),
    "noise.jpg": (bytes(range(256)) * 20, "is no picture, or one in a format that is not read"),
    "dance.gif": (animation(), r"is animated \(2 frames\)"),
    "dot.png": (png(1, 1, 8, 0, b"\0\0"), "has only 1x1 pixels"),
    "bomb.png": (png(60_000, 60_000, 8, 2, b"\0"), r"60000x60000 = 3600 million pixels; at most 100"),
    "short.png": (png(400, 400, 8, 2, b"\0" * 2000), "is damaged or cut off"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("how", [report, imported])
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, name: str, how: Callable[[Path], object]
) -> None:
    content, why = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadPicture, match=why) as caught:
        how(path)
    assert name in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_name_that_people_know_is_used_in_messages(tmp_path: Path) -> None:
    (tmp_path / "3f2a").write_bytes(b"?")
    with pytest.raises(BadPicture, match=r"^kitchen\.jpg is no picture"):
        look(LookAtPicture(path=tmp_path / "3f2a", name="kitchen.jpg"), quiet)
    with pytest.raises(BadPicture, match="there is no such file"):
        report(tmp_path / "gone.jpg")
    with pytest.raises(BadPicture, match="is a folder, not a picture"):
        report(tmp_path)


def test_a_file_padded_behind_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "padded.jpg"
    path.write_bytes(large_photo() + bytes(5000))
    assert imported(path).size == (400, 300)


def test_a_picture_that_is_grey_below_is_no_cut_one_unless_its_file_may_lack_data(tmp_path: Path) -> None:
    image = flag()
    image.paste((128, 128, 128), (0, 60, 120, 80))
    image.save(tmp_path / "wall.png")
    assert imported(tmp_path / "wall.png").size == (120, 80)


def test_a_picture_that_may_not_be_read_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "shut"
    folder.mkdir()
    path = folder / "private.jpg"
    flag().save(path)
    path.chmod(0)
    with as_somebody(tmp_path), pytest.raises(BadPicture, match=r"private\.jpg cannot be read \(Permission"):
        report(path)
    folder.chmod(0)
    with as_somebody(tmp_path), pytest.raises(BadPicture, match="is in a folder that may not be opened"):
        report(path)
    folder.chmod(0o700)


@contextmanager
def as_somebody(*folders: Path) -> Iterator[None]:
    """As a user whom permissions concern: whoever runs the tests, or nobody if that is root."""
    was = os.geteuid()
    if was == 0:
        for folder in folders:
            for each in (folder, *folder.parents):
                if each != Path("/") and not each.stat().st_mode & 0o001:
                    each.chmod(each.stat().st_mode | 0o055)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


def test_the_limit_on_pixels_can_be_set(tmp_path: Path) -> None:
    flag().save(tmp_path / "small.png")
    with pytest.raises(BadPicture, match="at most 0 million"):
        report(tmp_path / "small.png", pixels=9_000)
