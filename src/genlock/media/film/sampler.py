"""Seeing a plane through a camera that neither turns nor tilts: bilinear, to a fiftieth of a pixel.

OpenCV resizes rows and columns one after the other, in a third of the time in which it warps, but fits whole
samples into whole pixels. Sampled at even steps, though, a picture that begins on a whole pixel far enough to
the left comes past every place, and ends on one far enough to the right: what lies before and behind is drawn
as well, beside the part that is seen.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Plane, Surface

NEAR, NEAR_COLOUR = 0.02, 0.09  # of a sample: nobody sees that a camera is off by this
_BEFORE, _BEHIND = 208, 128  # samples around the plane; steps of up to 2 find room for a hundred tries
_STRAIGHT = 0.01  # of a sample: what a matrix may turn over the whole target

# Intel's library, where OpenCV has it, rounds as arithmetic does and takes half of the time. OpenCV's own
# plain bilinear loses an eighth of a level everywhere.
_BY_INTEL = cv2.ipp.useIPP()
_BILINEAR = cv2.INTER_LINEAR if _BY_INTEL else cv2.INTER_LINEAR_EXACT


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
        height, width = target.plane.shape
        high, wide = self._wide.shape
        columns = _fit(x, width, wide, self._near, target)
        rows = _fit(y, height, high, self._near, target) if columns else None
        if columns is None or rows is None:
            self._warp(target.plane, np.array([[x.step, 0.0, x.first], [0.0, y.step, y.first]]))
            return
        drawn = target.around(rows.extra, columns.extra, rows.samples, columns.samples)
        _resize(self._wide[rows.part, columns.part], drawn)

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


def _resize(part: Plane, drawn: Plane) -> None:
    cv2.ipp.setUseIPP_NotExact(_BY_INTEL)  # of this thread; nothing else is to be drawn in another way
    cv2.resize(part, drawn.shape[::-1], drawn, interpolation=_BILINEAR)
    cv2.ipp.setUseIPP_NotExact(False)


class _Fit(NamedTuple):
    """Whole pixels, how many samples come of them, and how many of these come before the first wanted one."""

    part: slice
    samples: int
    extra: int


def _fit(wanted: Steps, count: int, length: int, near: float, target: Surface) -> _Fit | None:
    """The pixels that have these samples in them; None if none has them near enough.

    Resized from pixel b, sample n lies at b + (n + 1/2) * step - 1/2. Samples whose neighbours lie outside
    of the pixels are not among the wanted ones.
    """
    first, step = wanted
    off, least = near * step, max(0, math.ceil((1 / step - 1) / 2))
    for extra in range(least, target.before + 1):
        exact = first + _BEFORE - (extra + 0.5) * step + 0.5
        begin = round(exact)
        if begin < 0:
            return None
        if abs(late := begin - exact) < off and (end := _end(late, off, step, extra + count, least, target)):
            whole, pixels = end
            fits = begin + pixels <= length
            return _Fit(slice(begin, begin + pixels), whole, extra) if fits else None
    return None


def _end(
    late: float, off: float, step: float, wanted: int, least: int, target: Surface
) -> tuple[int, int] | None:
    """How many samples to draw so that they fill whole pixels, and how many pixels that are."""
    for count in range(wanted + least, wanted + target.behind + 1):
        pixels = round(count * step)
        if abs(late + pixels - count * step) < off:
            return count, pixels
    return None
