"""Opening pictures from anywhere, safely; in rendering children only.

A picture is usable in a film once it has a working copy: upright, sRGB, opaque, 8 bits, no larger than a
frame can show. Decoding that copy is fast and can no longer go wrong, and nothing that was hidden in the
original's metadata gets any further.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genlock.errors import BadPicture
from genlock.media.film.draft import draft
from genlock.media.film.motion import Picture
from genlock.media.operation import Progress, operation
from genlock.media.photo.damage import damage
from genlock.media.photo.focus import find_focus
from genlock.media.photo.header import AGAIN, Opened, decode, open_picture
from genlock.media.photo.palette import palette
from genlock.media.photo.srgb import as_srgb, describe, has_transparency, plain
from genlock.media.photo.tone import find_tone
from genlock.media.request import (
    ImportedPicture,
    ImportPicture,
    LookAtPicture,
    PictureReport,
    Portrayal,
    PortrayPicture,
)

_SOFT = 480
_PLAIN = 1.5
_QUALITY, _SMALL_QUALITY = 95, 85


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


@operation("look_at_picture")
def look(request: LookAtPicture, progress: Progress) -> PictureReport:
    """Decode the whole picture once and report on it."""
    opened = open_picture(request.path, request.name, request.pixels)
    with opened.image, _enough_memory(opened.name):
        report = _report(opened, request.path)
        _load(opened, request.path)
    progress(1.0, f"looked at {opened.name}")
    return report


@operation("portray_picture")
def portray(request: PortrayPicture, progress: Progress) -> Portrayal:
    """Decode the whole picture, and keep of it what people see of it in a list."""
    opened = open_picture(request.path, request.name, request.pixels)
    with opened.image, _enough_memory(opened.name):
        report = _report(opened, request.path)
        size = working_size(opened.size, request.short, request.long)
        opened.image.draft("", size)
        _load(opened, request.path)
        progress(0.5, f"looked at {opened.name}")
        image = _working_copy(opened, size)
    with draft(request.to) as path:
        image.save(path, "JPEG", quality=_SMALL_QUALITY, optimize=True)
    return Portrayal(
        report=report.model_copy(update={"notes": tuple(opened.notes)}),
        path=request.to,
        width=image.width,
        height=image.height,
        colours=palette(np.asarray(image)),
    )


@operation("import_picture")
def import_picture(request: ImportPicture, progress: Progress) -> ImportedPicture:
    """Write the working copy of a picture and say where its focus is."""
    opened = open_picture(request.path, request.name, request.pixels)
    with opened.image, _enough_memory(opened.name):
        report = _report(opened, request.path)
        size = working_size(opened.size, request.short, request.long)
        opened.image.draft("", size)  # a JPEG decoder shrinks by whole factors for nothing
        _load(opened, request.path)
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
    seen = find_focus(image)
    picture = Picture(
        sha256=sha256,
        width=width,
        height=height,
        focus=seen.point,
        region=seen.region,
        detail=seen.detail,
    )
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


@contextmanager
def _enough_memory(name: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise BadPicture(
            f"{name} takes more memory to decode than a rendering process may use; scale it down first"
        ) from error


def _load(opened: Opened, path: Path) -> None:
    """Decode all pixels."""
    decode(opened)
    if missing := damage(opened.image, path):
        raise BadPicture(f"{opened.name} is damaged or cut off: it {missing}; {AGAIN}")


def _working_copy(opened: Opened, size: tuple[int, int]) -> Image.Image:
    """The decoded picture at this size (as it lies in the file), then turned upright."""
    image = plain(opened.image)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    image = _TURNS[opened.turn](as_srgb(image, opened.profile, opened.notes))
    image.info.clear()  # a comment in it would be written into the copy
    return image


def _report(opened: Opened, path: Path) -> PictureReport:
    image = opened.image
    return PictureReport(
        path=path,
        sha256=_sha256(path),
        bytes=path.stat().st_size,
        width=opened.upright[0],
        height=opened.upright[1],
        format=image.format or "",
        mode=image.mode,
        turned=opened.turned,
        transparent=has_transparency(image),
        profile=describe(opened.profile),
        notes=tuple(opened.notes),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
