"""Seeing a plane through a camera that neither turns nor tilts: bilinear, to a fiftieth of a pixel.

OpenCV resizes rows and columns one after the other, in half the time in which it warps, but lets a picture
begin only on a whole pixel. Sampled at even steps, though, a picture that begins on a whole pixel far enough
to the left comes past every place: what lies before it is drawn as well, and thrown away.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Plane

_TRIES = 48  # columns or rows drawn in vain at most
NEAR = 0.02  # of a sample: nobody sees that a camera is off by this
_BEFORE, _BEHIND = 120, 16  # samples around the plane; steps of up to 2.5 find room for all tries
_STRAIGHT = 0.01  # of a sample: what a matrix may turn over the whole target


class Sampler:
    """Draws parts of a plane. Beyond its edges the plane goes on in the colours of the edge.

    `near` is how far a drawing may be off, in samples of the target.
    """

    def __init__(self, plane: Plane, near: float = NEAR) -> None:
        self._near = near
        around = _BEFORE, _BEHIND, _BEFORE, _BEHIND
        self._wide = np.asarray(cv2.copyMakeBorder(plane, *around, cv2.BORDER_REPLICATE), np.uint8)
        self._spare = np.empty((0, 0), np.uint8)

    @property
    def plane(self) -> Plane:
        """The plane itself, not a copy."""
        return self._wide[_BEFORE:-_BEHIND, _BEFORE:-_BEHIND]

    def draw(self, target: Plane, matrix: NDArray[np.floating[Any]]) -> None:
        """Fill `target`; the 2 x 3 matrix takes its pixels to those of the plane, middle to middle."""
        (across, slant, left), (lean, down, top) = matrix.tolist()
        height, width = target.shape
        straight = abs(slant) * height < _STRAIGHT and abs(lean) * width < _STRAIGHT
        straight = (
            straight and min(across, down) >= 1
        )  # a plane that is blown up would come out in other sizes
        wide, high = self._wide.shape[::-1]
        near_x, near_y = self._near * across, self._near * down
        columns = _begin(left + _BEFORE, across, width, wide, near_x) if straight else None
        rows = _begin(top + _BEFORE, down, height, high, near_y) if columns else None
        if columns and rows:
            self._resize(target, columns, rows, (across, down))
        else:
            self._warp(target, matrix)

    def _resize(
        self, target: Plane, columns: tuple[int, int], rows: tuple[int, int], step: tuple[float, float]
    ) -> None:
        (extra_x, x), (extra_y, y) = columns, rows
        height, width = target.shape
        wide, high = width + extra_x + 1, height + extra_y + 1
        part = self._wide[y : y + round(high * step[1]), x : x + round(wide * step[0])]
        drawn = self._room(high, wide)
        cv2.resize(part, None, drawn, 1 / step[0], 1 / step[1], cv2.INTER_LINEAR_EXACT)
        np.copyto(target, drawn[extra_y : extra_y + height, extra_x : extra_x + width])

    def _warp(self, target: Plane, matrix: NDArray[np.floating[Any]]) -> None:
        height, width = target.shape
        cv2.warpAffine(
            self._wide,
            matrix + np.array([[0.0, 0.0, _BEFORE], [0.0, 0.0, _BEFORE]]),
            (width, height),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _room(self, height: int, width: int) -> Plane:
        """Where to draw more than is wanted."""
        if self._spare.shape[0] < height or self._spare.shape[1] < width:
            self._spare = np.empty((height + _TRIES, width + _TRIES), np.uint8)
        return self._spare[:height, :width]


def _begin(first: float, step: float, count: int, length: int, near: float) -> tuple[int, int] | None:
    """How many samples to draw in vain before the first wanted one, and the whole pixel at which to begin.

    Resized from pixel b, sample n lies at b + (n + 1/2) * step - 1/2. None: no beginning comes near enough.
    """
    at = first + 0.5 - step / 2
    for extra in range(_TRIES):
        begin = round(at)
        if begin < 0:
            return None
        if abs(at - begin) < near:
            return (extra, begin) if begin + math.ceil((count + extra + 1) * step) <= length else None
        at -= step
    return None
