"""Pictures made ready for drawing: planes of the part that a segment shows; in rendering children only.

A picture is converted once for each segment to BT.709 planes of 1.5 to 2 samples a frame pixel: at
that density plain bilinear sampling is as sharp as a filter of four times the cost, neither shimmers
nor softens as the camera moves, and integer crops, which tremble, are never needed. Where a picture has to be
blown up for it, fewer samples do, if they are made crisper by what sampling takes away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.errors import RenderRefused
from genlock.media.film.encode import Frame, Plane
from genlock.media.film.grade import NEUTRAL, Grade
from genlock.media.film.motion import Picture
from genlock.media.film.sampler import NEAR_COLOUR, Sampler, Steps

# BT.709, limited range, from B, G, R of 0..255: luma, blue and red; the last column is the offset.
_BT709 = np.array(
    [
        [0.0722 * 219 / 255, 0.7152 * 219 / 255, 0.2126 * 219 / 255, 16.0],
        [112 / 255, -0.7152 / 1.8556 * 224 / 255, -0.2126 / 1.8556 * 224 / 255, 128.0],
        [-0.0722 / 1.5748 * 224 / 255, -0.7152 / 1.5748 * 224 / 255, 112 / 255, 128.0],
    ]
)

_DENSE = 1.7  # samples a frame pixel
_DENSE_ENOUGH = (1.5, 2.2)
_DENSE_COLOUR = 0.64  # of blue and red, where they are blown up: of what is seldom sharp
_SMALL = 1.2  # pixels a frame pixel: a picture with fewer is blown up
_DENSE_BLOWN_UP = 1.35  # samples a frame pixel of such a one
_CRISP = np.array([-0.08, 1.16, -0.08], np.float32)  # what bilinear sampling softens of those, on average
_MARGIN = 4
_SOFT_SIDE = 512  # pixels of a softened picture's longer side

Levels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
Region = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """The part of a picture that a segment shows: planes, and the region they cover, in picture pixels."""

    samplers: tuple[Sampler, Sampler, Sampler]
    region: Region

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Luma, blue and red."""
        luma, blue, red = (sampler.plane for sampler in self.samplers)
        return luma, blue, red

    def draw(self, frame: Frame, box: Box) -> None:
        """Fill a frame with what lies in this box of the picture, as it stands."""
        x0, y0, x1, y1 = self.region
        left, top, right, bottom = box
        height, width = frame.planes[0].shape
        across, down = (right - left) / width, (bottom - top) / height
        for number, (sampler, target) in enumerate(zip(self.samplers, frame.surfaces, strict=True)):
            # Chroma samples of H.264 lie on the left luma sample of their pair, half-way between two lines.
            pixels, lower = (2, 1.0) if number else (1, 0.5)
            high, wide = sampler.plane.shape
            x, y = wide / (x1 - x0), high / (y1 - y0)
            sampler.draw_upright(
                target,
                Steps((left + across / 2 - x0) * x - 0.5, across * pixels * x),
                Steps((top + down * lower - y0) * y - 0.5, down * pixels * y),
            )


@lru_cache(maxsize=3)
def decoded(path: Path, picture: Picture) -> Plane:
    """The working copy as BGR; neighbouring segments of a warm child often show the same one."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise RenderRefused(f"{path.name} cannot be decoded: it is no working copy of a picture")
    height, width = image.shape[:2]
    if (width, height) != (picture.width, picture.height):
        raise RenderRefused(
            f"{path.name} has {width}x{height} pixels, but the plan was made for "
            f"{picture.width}x{picture.height}"
        )
    return np.asarray(image, np.uint8)


@lru_cache(maxsize=4)
def load_part(
    path: Path, picture: Picture, box: Box, native: float, grade: Grade = NEUTRAL, farther: float = 1.0
) -> Source:
    """Planes of the picture's pixels in `box` (left, top, right, bottom), with a margin for sampling.

    `native` is how many pixels of the picture a frame pixel covers where the camera is nearest, `farther`
    how many times as many where it is farthest. A softened picture is loaded whole, so that its edges do not
    depend on the part that is seen. What was loaded last is kept: parts of a clip show the same pictures.
    """
    if grade.blur:
        return _softened(path, picture, grade)
    region = x0, y0, x1, y1 = _region(box, picture)
    part = decoded(path, picture)[y0:y1, x0:x1]
    scale = _scale(native, farther)
    width, height = max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale))
    luma, *chroma = planes_of(part)
    # Averaging areas pays only where more than every second sample would be left out.
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR_EXACT
    share = _DENSE_COLOUR / native / scale if native <= 2 * _DENSE_COLOUR else 0.5
    blue, red = (_resized(plane, int(width * share), int(height * share), smooth) for plane in chroma)
    luma, blue, red = developed((luma, blue, red), grade)
    if scale != 1.0:
        luma = _resized(luma, width, height, cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if native < _SMALL:
        luma = _crisp(luma)
    return _source((luma, blue, red), region)


def _crisp(luma: Plane) -> Plane:
    filtered = cv2.sepFilter2D(luma, cv2.CV_8U, _CRISP, _CRISP, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(filtered, np.uint8)


def _scale(native: float, farther: float) -> float:
    """By how much to resize a picture to be dense enough for bilinear sampling, and nowhere too dense."""
    if native < _SMALL:
        return _DENSE_BLOWN_UP / native
    least, most = _DENSE_ENOUGH
    if least <= native <= most / farther:
        return 1.0
    return max(least, min(_DENSE, most / farther)) / native


def _softened(path: Path, picture: Picture, grade: Grade) -> Source:
    """All of the picture, out of focus: small, for there is nothing fine left to be seen."""
    scale = min(1.0, _SOFT_SIDE / max(picture.width, picture.height))
    width, height = (max(2, round(side * scale)) for side in (picture.width, picture.height))
    small = _resized(decoded(path, picture), width, height, cv2.INTER_AREA)
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), max(1.5, grade.blur * max(width, height))), np.uint8)
    luma, blue, red = planes_of(soft)
    halves = [_resized(plane, width // 2, height // 2, cv2.INTER_AREA) for plane in (blue, red)]
    graded = developed((luma, halves[0], halves[1]), grade)
    return _source(graded, (0, 0, picture.width, picture.height))


def _source(planes: tuple[Plane, Plane, Plane], region: Region) -> Source:
    luma, blue, red = planes
    return Source((Sampler(luma), Sampler(blue, NEAR_COLOUR), Sampler(red, NEAR_COLOUR)), region)


def developed(planes: tuple[Plane, Plane, Plane], grade: Grade) -> tuple[Plane, Plane, Plane]:
    """The planes in the film's colours, by tables: once for a segment instead of for each frame."""
    if not grade.changes_light:
        return planes
    luma, blue, red = planes
    light = _resized(luma, blue.shape[1], blue.shape[0], cv2.INTER_LINEAR)
    bent, kept, *tints = _tables(grade)
    return (
        _through(bent, luma),
        _tinted(_through(kept, blue), tints[0], light),
        _tinted(_through(kept, red), tints[1], light),
    )


@lru_cache(maxsize=8)
def _tables(grade: Grade) -> tuple[Levels, ...]:
    """For luma and for chroma, and the tints of blue and red: a film has one grade, and many pictures."""
    tables = grade.luma(), grade.chroma(), grade.tint(0), grade.tint(1)
    return tuple(np.array(table, np.uint8) for table in tables)


def _tinted(plane: Plane, tint: Levels, light: Plane) -> Plane:
    if np.all(tint == tint[0]):
        return plane
    return np.asarray(cv2.addWeighted(plane, 1, _through(tint, light), 1, -128), np.uint8)


def _through(table: Levels, plane: Plane) -> Plane:
    return np.asarray(cv2.LUT(plane, table), np.uint8)


def _region(box: Box, picture: Picture) -> Region:
    left, top, right, bottom = box
    return (
        max(0, int(left) - _MARGIN),
        max(0, int(top) - _MARGIN),
        min(picture.width, int(right) + 1 + _MARGIN),
        min(picture.height, int(bottom) + 1 + _MARGIN),
    )


def planes_of(image: Plane) -> tuple[Plane, Plane, Plane]:
    """Luma, blue and red, each as large as the picture."""
    luma, blue, red = cv2.split(cv2.transform(image, _BT709))
    return np.asarray(luma, np.uint8), np.asarray(blue, np.uint8), np.asarray(red, np.uint8)


def _resized(plane: Plane, width: int, height: int, filtering: int) -> Plane:
    return np.asarray(cv2.resize(plane, (width, height), interpolation=filtering), np.uint8)
