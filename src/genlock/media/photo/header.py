"""What a picture's file says before a pixel is decoded, and what that refuses; in rendering children only.

What a file is, is read from its content, never from its name. Formats whose decoders open other files
or run programs are not among those read.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from genlock.errors import BadPicture
from genlock.media.photo.source import called, flaw

# The file endings each format is commonly kept under; formats not listed here are not read.
_ENDINGS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png", ".apng"},
    "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"},
    "GIF": {".gif"},
    "BMP": {".bmp", ".dib"},
    "AVIF": {".avif"},
    "JPEG2000": {".jp2", ".j2k", ".jpx", ".jpf"},
}
_READ = [name for name in _ENDINGS if name != "MPO"]  # which is found out while reading a JPEG
_ANIMATED = {"GIF", "PNG", "WEBP", "AVIF"}
_TURNED_BY_DECODER = {"TIFF"}  # whose size is upright as soon as the header is read
_STARTS = (
    (b"%pdf", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML or SVG document"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"%!ps", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"push graphic-context", "an MVG drawing"),
    (b"pk\x03\x04", "a zip archive"),
    (b"#extm3u", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"\x1ae\xdf\xa3", "a film"),
    (b"riff", "a film or sound"),
    (b"8bps", "a Photoshop document"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"iiro", "a camera's raw file"),
    (b"iiu\x00", "a camera's raw file"),
    (b"fujifilmccd-raw", "a camera's raw file"),
)
_BRANDS = {
    b"crx ": "a camera's raw file",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis"), "an HEIC picture"),
}
_SAVE = "save it as JPEG, PNG or WebP"
AGAIN = "copy it again from where it came"
_BOM = b"\xef\xbb\xbf"
_ORIENTATION, _SUBFILE, _DNG_VERSION = 0x0112, 0x00FE, 0xC612
_REDUCED = 1  # the bit of a TIFF's subfile type that says: a smaller copy of the real picture
_SMALLEST = 64  # an icon or a tracking pixel, never meant for a film
_LONGEST = 100  # times the shorter side: of anything longer no frame can show more than a smear

# What Pillow's decoders raise on files that are not as they should be.
DECODING = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)

# Our own limit on pixels is checked before anything is decoded, and can be set.
Image.MAX_IMAGE_PIXELS = None


@dataclass(slots=True)
class Opened:
    """A picture whose header has been read: how people call it, and what is odd about it.

    `size` is as the decoder will give it, `turn` the EXIF orientation that is then left to apply.
    """

    image: Image.Image
    name: str
    size: tuple[int, int]
    turn: int = 1
    turned: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def upright(self) -> tuple[int, int]:
        return self.size[::-1] if self.turn >= 5 else self.size

    @property
    def profile(self) -> bytes | None:
        return self.image.info.get("icc_profile")


def open_picture(path: Path, name: str | None, pixels: int) -> Opened:
    """Read the header. `BadPicture` for what cannot be used, before any pixel is decoded."""
    name = called(name or path.name)
    if words := flaw(path):
        raise BadPicture(f"{name} {words}")
    with warnings.catch_warnings(record=True) as oddities:
        warnings.simplefilter("always")
        opened = _opened(path, name, pixels)
    opened.notes += [f"its metadata is damaged ({each.message})" for each in oddities[:1]]
    return opened


def _opened(path: Path, name: str, pixels: int) -> Opened:
    try:
        image = Image.open(path, formats=_READ)
    except UnidentifiedImageError:
        raise BadPicture(f"{name} {_guess(path)}") from None
    except DECODING as error:
        raise BadPicture(f"{name} has a broken header ({error}); save or copy it again") from error
    opened = Opened(image, name, image.size)
    try:
        _refuse(opened, path, pixels)
        _note_oddities(opened, path)
    except BadPicture:
        image.close()
        raise
    return opened


def _refuse(opened: Opened, path: Path, pixels: int) -> None:
    image, name = opened.image, opened.name
    width, height = image.size
    if image.format == "TIFF" and _is_raw(image, path):
        raise BadPicture(
            f"{name} is a camera's raw file, of which only a preview could be read; save it as JPEG or TIFF"
        )
    if width * height > pixels:
        raise BadPicture(
            f"{name} has {width}x{height} = {width * height / 1e6:.0f} million pixels; "
            f"at most {pixels / 1e6:.0f} million are decoded. Scale it down first"
        )
    if min(width, height) < _SMALLEST:
        raise BadPicture(
            f"{name} has only {width}x{height} pixels; a picture for a film needs {_SMALLEST} at least on "
            "its shorter side"
        )
    if max(width, height) > _LONGEST * min(width, height):
        raise BadPicture(
            f"{name} has {width}x{height} pixels, more than {_LONGEST} times as long as wide; cut out the "
            "part you want"
        )
    frames = _frames(opened)
    if frames > 1 and image.format in _ANIMATED:
        raise BadPicture(
            f"{name} is animated ({frames} frames); save the frame you want as a picture of its own"
        )
    if image.mode == "F":
        raise BadPicture(f"{name} has floating-point pixels; save it with 8 or 16 bits")


def _is_raw(image: Any, path: Path) -> bool:
    """Whether a TIFF is only the wrapping of a raw file: its first picture is then a small preview."""
    with path.open("rb") as file:
        signature = file.read(10)[8:]
    tags = image.tag_v2
    return signature == b"CR" or _DNG_VERSION in tags or bool(int(tags.get(_SUBFILE, 0)) & _REDUCED)


def _frames(opened: Opened) -> int:
    try:
        return int(getattr(opened.image, "n_frames", 1))
    except DECODING as error:
        raise BadPicture(f"{opened.name} has a broken header ({error}); save or copy it again") from error


def _note_oddities(opened: Opened, path: Path) -> None:
    """What people should hear about, though it does no harm. Broken EXIF data costs only the orientation."""
    image = opened.image
    usual = _ENDINGS[image.format or ""]
    ending = Path(opened.name).suffix.lower() or path.suffix.lower()
    if ending not in usual:
        opened.notes.append(f"it is called {ending or 'nothing'} but is {image.format}")
    if getattr(image, "n_frames", 1) > 1:
        opened.notes.append("it holds several pictures; the first is used")
    turn = _orientation(opened)
    opened.turned = turn in range(2, 9)
    if opened.turned and image.format not in _TURNED_BY_DECODER:
        opened.turn = turn


def decode(opened: Opened) -> None:
    """Decode all pixels. `BadPicture` if there are not as many, or they make no sense."""
    try:
        opened.image.load()
    except DECODING as error:
        what = "its end is missing" if "truncated" in str(error) else str(error)
        raise BadPicture(f"{opened.name} is damaged or cut off: {what}; {AGAIN}") from error


def _orientation(opened: Opened) -> int:
    """As the EXIF data says, as far as it can be read. A PNG may have it behind its pixels, which are
    therefore decoded now: what is wrong with them would be taken for a fault of the EXIF data, and not
    be told again.
    """
    if opened.image.format == "PNG":
        decode(opened)
    try:
        return int(opened.image.getexif().get(_ORIENTATION, 1))
    except DECODING as error:
        opened.notes.append(f"its EXIF data cannot be read ({error}); it is taken as upright")
        return 1


def _guess(path: Path) -> str:
    """What a file that is no picture seems to be, in words."""
    with path.open("rb") as file:
        start = file.read(64).removeprefix(_BOM).lstrip().lower()
    if start[4:8] == b"ftyp":
        return f"is {_BRANDS.get(start[8:12], 'a film')}; {_SAVE}"
    for magic, what in _STARTS:
        if start.startswith(magic):
            return f"is {what}, not a picture that can be read; {_SAVE}"
    return f"is no picture, or one in a format that is not read; {_SAVE}"
