"""Seeing a plane through a camera that neither turns nor tilts: bilinear, to a fiftieth of a pixel.

OpenCV resizes rows and columns one after the other, in half the time in which it warps, but lets a picture
begin only on a whole pixel. Sampled at even steps, though, a picture that begins on a whole pixel far enough
to the left comes past every place: what lies before it is drawn as well, beside the part that is seen.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Plane, Surface

NEAR = 0.02  # of a sample: nobody sees that a camera is off by this
_BEFORE, _BEHIND = 208, 16  # samples around the plane; steps of up to 2 find room for a hundred tries
_STRAIGHT = 0.01  # of a sample: what a matrix may turn over the whole target


class Steps(NamedTuple):
    """Where the samples of a row or a column lie in a plane: the first, and how far it is to the next."""

    first: float
    step: float


class Sampler:
    """Draws parts of a plane. Beyond its edges the plane goes on in the colours of the edge.

    `near` is how far a drawing may be off, in samples of the target.
    """

    def __init__(self, plane: Plane, near: float = NEAR) -> None:
        self._near = near
        around = _BEFORE, _BEHIND, _BEFORE, _BEHIND
        self._wide = np.asarray(cv2.copyMakeBorder(plane, *around, cv2.BORDER_REPLICATE), np.uint8)

    @property
    def plane(self) -> Plane:
        """The plane itself, not a copy."""
        return self._wide[_BEFORE:-_BEHIND, _BEFORE:-_BEHIND]

    def draw(self, target: Surface, matrix: NDArray[np.floating[Any]]) -> None:
        """Fill the target; the 2 x 3 matrix takes its pixels to those of the plane, middle to middle."""
        (across, slant, left), (lean, down, top) = matrix.tolist()
        height, width = target.plane.shape
        if abs(slant) * height < _STRAIGHT and abs(lean) * width < _STRAIGHT:
            self.draw_upright(target, Steps(left, across), Steps(top, down))
        else:
            self._warp(target.plane, matrix)

    def draw_upright(self, target: Surface, x: Steps, y: Steps) -> None:
        """Fill the target with samples at these places."""
        height, width = target.wide.shape
        width, height = width - target.before, height - target.before  # one more each than are seen
        high, wide = self._wide.shape
        columns = _begin(x, width, wide, self._near, target.before)
        rows = _begin(y, height, high, self._near, target.before) if columns else None
        if columns is None or rows is None:
            self._warp(target.plane, np.array([[x.step, 0.0, x.first], [0.0, y.step, y.first]]))
            return
        drawn = target.wide[target.before - rows.extra :, target.before - columns.extra :]
        part = self._wide[
            rows.first : rows.first + round((height + rows.extra) * y.step),
            columns.first : columns.first + round((width + columns.extra) * x.step),
        ]
        cv2.resize(part, None, drawn, 1 / x.step, 1 / y.step, cv2.INTER_LINEAR_EXACT)

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


class _Beginning(NamedTuple):
    """How many samples to draw in vain before the first wanted one, and the whole pixel at which to begin."""

    extra: int
    first: int


def _begin(wanted: Steps, count: int, length: int, near: float, tries: int) -> _Beginning | None:
    """Where to begin so that these samples are drawn; None if no beginning comes near enough.

    Resized from pixel b, sample n lies at b + (n + 1/2) * step - 1/2. A plane that is blown up would
    come out in other sizes.
    """
    first, step = wanted
    if step < 1:
        return None
    off = near * step
    at = first + _BEFORE + 0.5 - step / 2
    for extra in range(tries):
        begin = round(at)
        if begin < 0:
            return None
        if abs(at - begin) < off:
            return _Beginning(extra, begin) if begin + math.ceil((count + extra) * step) <= length else None
        at -= step
    return None
