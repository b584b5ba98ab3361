"""Opening pictures from anywhere, safely; in rendering children only.

What a file is, is read from its content, never from its name. Formats whose decoders open other files
or run programs are not among those read. A picture is usable in a film once it has a working copy:
upright, sRGB, opaque, 8 bits, no larger than a frame can show. Decoding that copy is fast and can no
longer go wrong, and nothing that was hidden in the original's metadata gets any further.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from genlock.errors import BadPicture
from genlock.media.film.draft import draft
from genlock.media.film.motion import Picture
from genlock.media.operation import Progress, operation
from genlock.media.photo.focus import find_focus
from genlock.media.photo.srgb import as_srgb, describe, has_transparency, plain
from genlock.media.photo.tone import find_tone
from genlock.media.request import ImportedPicture, ImportPicture, LookAtPicture, PictureReport

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
_STARTS = (
    (b"%pdf", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML or SVG document"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"%!ps", "a PostScript document"),
    (b"pk\x03\x04", "a zip archive"),
    (b"#extm3u", "a playlist"),
    (b"\x1ae\xdf\xa3", "a film"),
)
_BRANDS = {b"heic": "an HEIC picture", b"heix": "an HEIC picture", b"mif1": "a HEIF picture"}
_DECODING = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    zlib.error,
)
_ORIENTATION = 0x0112
_SMALLEST = 64  # an icon or a tracking pixel, never meant for a film
_SOFT = 480
_PLAIN = 1.5
_QUALITY = 95

# Our own limit on pixels is checked before anything is decoded, and can be set.
Image.MAX_IMAGE_PIXELS = None


def _turn(method: Image.Transpose) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.transpose(method)


# What turns a picture upright, by its EXIF orientation.
_TURNS: Mapping[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda image: image,
    2: _turn(Image.Transpose.FLIP_LEFT_RIGHT),
    3: _turn(Image.Transpose.ROTATE_180),
    4: _turn(Image.Transpose.FLIP_TOP_BOTTOM),
    5: _turn(Image.Transpose.TRANSPOSE),
    6: _turn(Image.Transpose.ROTATE_270),
    7: _turn(Image.Transpose.TRANSVERSE),
    8: _turn(Image.Transpose.ROTATE_90),
}


@dataclass(slots=True)
class _Opened:
    """A picture whose header has been read. `size` is as it lies in the file, `turn` its EXIF orientation."""

    image: Image.Image
    name: str
    size: tuple[int, int]
    turn: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def upright(self) -> tuple[int, int]:
        return self.size[::-1] if self.turn >= 5 else self.size

    @property
    def profile(self) -> bytes | None:
        return self.image.info.get("icc_profile")


@operation("look_at_picture")
def look(request: LookAtPicture, progress: Progress) -> PictureReport:
    """Decode the whole picture once and report on it."""
    opened = _open(request.path, request.name, request.pixels)
    with opened.image, _enough_memory(opened.name):
        report = _report(opened, request.path)
        _load(opened)
    progress(1.0, f"looked at {opened.name}")
    return report


@operation("import_picture")
def import_picture(request: ImportPicture, progress: Progress) -> ImportedPicture:
    """Write the working copy of a picture and say where its focus is."""
    opened = _open(request.path, request.name, request.pixels)
    with opened.image, _enough_memory(opened.name):
        report = _report(opened, request.path)
        size = working_size(opened.size, request.short, request.long)
        opened.image.draft("", size)  # a JPEG decoder shrinks by whole factors for nothing
        _load(opened)
        progress(0.5, f"decoded {opened.name}")
        image = _working_copy(opened, size)
    with draft(request.to) as path:
        image.save(path, "JPEG", quality=_QUALITY, subsampling=0)
        sha256 = _sha256(path)
    picture = _seen(np.asarray(image), sha256)
    opened.notes += _reservations(picture)
    return ImportedPicture(
        report=report.model_copy(update={"notes": tuple(opened.notes)}), path=request.to, picture=picture
    )


def _seen(image: NDArray[np.uint8], sha256: str) -> Picture:
    """The picture with what plans need to know of it."""
    height, width = image.shape[:2]
    picture = Picture(sha256=sha256, width=width, height=height, focus=find_focus(image))
    return picture.model_copy(update={"tone": find_tone(image, picture)})


def _reservations(picture: Picture) -> Iterator[str]:
    """What a film made of this picture will suffer from."""
    if min(picture.width, picture.height) < _SOFT:
        yield f"it has only {picture.width}x{picture.height} pixels and will look soft"
    tone = picture.tone
    if tone is not None and max(tone.across, tone.down) < _PLAIN:
        yield "there is hardly anything to see in it: its clip will look still"


def working_size(size: tuple[int, int], short: int, long: int) -> tuple[int, int]:
    """The largest size of this shape within both limits; never larger than it is."""
    scale = min(1.0, short / min(size), long / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _open(path: Path, name: str | None, pixels: int) -> _Opened:
    """Read the header, and refuse what cannot be used before any pixel is decoded."""
    name = name or path.name
    if not path.is_file():
        raise BadPicture(f"{name}: there is no such file")
    if not path.stat().st_size:
        raise BadPicture(f"{name} is empty")
    try:
        image = Image.open(path, formats=_READ)
    except UnidentifiedImageError:
        raise BadPicture(f"{name} {_guess(path)}") from None
    except _DECODING as error:
        raise BadPicture(f"{name} has a broken header: {error}") from error
    opened = _Opened(image, name, image.size)
    try:
        _refuse(opened, pixels)
    except BadPicture:
        image.close()
        raise
    _note_oddities(opened, path)
    return opened


def _refuse(opened: _Opened, pixels: int) -> None:
    image, name = opened.image, opened.name
    width, height = image.size
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
    try:
        frames = getattr(image, "n_frames", 1)
    except _DECODING as error:
        raise BadPicture(f"{name} has a broken header: {error}") from error
    if frames > 1 and image.format in _ANIMATED:
        raise BadPicture(
            f"{name} is animated ({frames} frames); save the frame you want as a picture of its own"
        )
    if image.mode == "F":
        raise BadPicture(f"{name} has floating-point pixels; save it with 8 or 16 bits")


def _note_oddities(opened: _Opened, path: Path) -> None:
    """What people should hear about, though it does no harm. Broken EXIF data costs only the orientation."""
    image = opened.image
    usual = _ENDINGS[image.format or ""]
    ending = Path(opened.name).suffix.lower() or path.suffix.lower()
    if ending not in usual:
        opened.notes.append(f"it is called {ending or 'nothing'} but is {image.format}")
    if getattr(image, "n_frames", 1) > 1:
        opened.notes.append("it holds several pictures; the first is used")
    try:
        opened.turn = int(image.getexif().get(_ORIENTATION, 1))
    except _DECODING as error:
        opened.notes.append(f"its EXIF data cannot be read ({error}); it is taken as upright")
    if opened.turn not in range(1, 9):
        opened.turn = 1


@contextmanager
def _enough_memory(name: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise BadPicture(
            f"{name} takes more memory to decode than a rendering process may use; scale it down first"
        ) from error


def _load(opened: _Opened) -> None:
    """Decode all pixels."""
    try:
        opened.image.load()
    except _DECODING as error:
        raise BadPicture(f"{opened.name} is damaged or cut off: {error}") from error


def _working_copy(opened: _Opened, size: tuple[int, int]) -> Image.Image:
    """The decoded picture at this size (as it lies in the file), then turned upright."""
    image = plain(opened.image)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _TURNS[opened.turn](as_srgb(image, opened.profile, opened.notes))


def _report(opened: _Opened, path: Path) -> PictureReport:
    image = opened.image
    return PictureReport(
        path=path,
        sha256=_sha256(path),
        bytes=path.stat().st_size,
        width=opened.upright[0],
        height=opened.upright[1],
        format=image.format or "",
        mode=image.mode,
        turned=opened.turn != 1,
        transparent=has_transparency(image),
        profile=describe(opened.profile),
        notes=tuple(opened.notes),
    )


def _guess(path: Path) -> str:
    """What a file that is no picture seems to be, in words."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    brand = start[8:12] if start[4:8] == b"ftyp" else None
    if brand is not None:
        return f"is {_BRANDS.get(brand, 'a film')}; save it as JPEG, PNG or WebP"
    for magic, what in _STARTS:
        if start.startswith(magic):
            return f"is {what}, not a picture"
    return "is no picture, or one in a format that is not read; save it as JPEG, PNG or WebP"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
