"""How much there is to see in a picture; in rendering children only."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.check.planned import BLOCKS
from genlock.media.film.camera import strip
from genlock.media.film.motion import Picture, Size, Tone, View, cover, hold

SHAPES: tuple[Size, ...] = ((16, 9), (9, 16), (1, 1))
STRONG = 99.0  # percent: the strongest one in a hundred counts, be it a small thing on a plain ground

_PIECES = 4  # of a block: averaging in two steps keeps the fractions at a quarter of the cost
_LARGE = 8  # pixels of a piece
_NEAR = 1.35
_DARKER = 98.0
_EVERY = 4  # lines: so many pixels have the same levels


def find_tone(image: NDArray[Any], picture: Picture) -> Tone:
    """The least that a frame of any usual shape has to show of this picture, RGB, height x width x 3."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    views = [
        _cut(grey, hold(picture, shape, x=x, y=y, zoom=zoom), cover(picture, shape))
        for shape in SHAPES
        for zoom in (1.0, _NEAR)
        for x, y in _looked_at(picture, shape)
    ]
    contrasts = [contrasts_of(blocks(view)) for view in views]
    return Tone(
        across=round(min(across for across, _ in contrasts), 2),
        down=round(min(down for _, down in contrasts), 2),
        light=round(min(_level_above(view[::_EVERY], _DARKER) for view in views), 1),
    )


def blocks(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A frame averaged down to 40 blocks along its longer side, with fractions of levels.

    Of large frames every other line is looked at: 24 of a block's 48 in full HD.
    """
    step, down = max(1, round(max(luma.shape) / BLOCKS / _PIECES)), _PIECES
    if step >= _LARGE and step % 2 == 0:
        luma, down = luma[::2], down // 2
    while step % 2 == 0:  # a quarter of the pixels is left after a step that OpenCV takes five times as fast
        luma = _halved(luma)
        step //= 2
    high, wide = max(1, luma.shape[0] // (step * down)), max(1, luma.shape[1] // (step * _PIECES))
    size = wide * _PIECES, high * down
    # Whole blocks only: OpenCV averages them seven times as fast as broken ones.
    whole = luma[: size[1] * step, : size[0] * step]
    pieces = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.resize(pieces, (wide, high), interpolation=cv2.INTER_AREA), dtype=np.float32)


def contrasts_of(small: NDArray[np.float32]) -> tuple[float, float]:
    """How far neighbouring blocks differ, side by side and one above the other, where they do most."""
    across, down = (np.abs(np.diff(small, axis=axis)) for axis in (1, 0))
    return strong(across), strong(down)


def strong(values: NDArray[np.float32]) -> float:
    """The strongest one in a hundred."""
    return percentile(values, STRONG) if values.size else 0.0


def percentile(values: NDArray[Any], percent: float) -> float:
    """The value that so many of a hundred are below; as `np.percentile` has it, in a tenth of its time."""
    place = (values.size - 1) * percent / 100
    low, high = math.floor(place), math.ceil(place)
    sorted_there = np.partition(values.ravel(), (low, high))
    lower, upper = float(sorted_there[low]), float(sorted_there[high])
    return lower + (upper - lower) * (place - low)


def _level_above(view: NDArray[np.uint8], percent: float) -> float:
    """The level that so many pixels are darker than; as `np.percentile` has it, in an eighth of its time."""
    counts = np.cumsum(cv2.calcHist([view], [0], None, [256], [0, 256]).ravel().astype(np.int64))
    place = (int(counts[-1]) - 1) * percent / 100
    low, high = math.floor(place), math.ceil(place)
    lower, upper = (float(np.searchsorted(counts, rank, side="right")) for rank in (low, high))
    return lower + (upper - lower) * (place - low)


def _halved(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = luma.shape[0] // 2, luma.shape[1] // 2
    whole = luma[: height * 2, : width * 2]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _looked_at(picture: Picture, shape: Size) -> list[tuple[float, float]]:
    """The focus; and where the camera passes over what stands out, both ends of that."""
    (x, y), (left, top, right, bottom) = picture.focus, picture.region
    match strip(picture, shape):
        case 0:
            return [(left, y), (x, y), (right, y)]
        case 1:
            return [(x, top), (x, y), (x, bottom)]
        case _:
            return [(x, y)]


def _cut(grey: NDArray[Any], view: View, whole: tuple[float, float]) -> NDArray[np.uint8]:
    """What a view shows of the picture; `whole` are the shares that one of zoom 1 shows."""
    height, width = grey.shape
    wide, high = (share / view.zoom for share in whole)
    left, top = int((view.x - wide / 2) * width), int((view.y - high / 2) * height)
    return np.asarray(
        grey[
            max(0, top) : top + max(1, round(high * height)),
            max(0, left) : left + max(1, round(wide * width)),
        ]
    )
