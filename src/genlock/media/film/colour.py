"""Planes of another matrix or range as planes of BT.709 in limited range; in rendering children only.

Done here and not by swscale, which loses most of a level on the way: a film would be darker than its footage.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from genlock.media.film.encode import Plane

Planes = tuple[Plane, Plane, Plane]

# How much red and blue count for luma.
_WEIGHTS: Mapping[int, tuple[float, float]] = {
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.FCC: (0.30, 0.11),
    Colorspace.ITU601: (0.299, 0.114),
    6: (0.299, 0.114),  # SMPTE 170M, which has no name of its own in PyAV
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.BT2020: (0.2627, 0.0593),
}


def is_known(matrix: int) -> bool:
    """Whether this number of ITU-T H.273 is a matrix that can be converted."""
    return matrix in _WEIGHTS


def as_bt709(planes: Planes, matrix: int, *, full: bool) -> Planes:
    """The same picture in BT.709; blue and red may have fewer samples than luma."""
    luma, blue, red = planes
    by_luma, by_chroma = _matrices(matrix, full)
    height, width = luma.shape
    wide = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in (blue, red)]
    light = cv2.transform(cv2.merge([luma, *wide]), by_luma)
    chroma = cv2.split(cv2.transform(cv2.merge([blue, red]), by_chroma))
    blue, red = (np.asarray(plane, np.uint8) for plane in chroma)
    return np.asarray(light, np.uint8), blue, red


@lru_cache(maxsize=16)
def _matrices(matrix: int, full: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From levels of all three to luma, and from levels of blue and red to blue and red."""
    (kr, kb), (to_r, to_b) = _WEIGHTS[matrix], _WEIGHTS[Colorspace.ITU709]
    kg, to_g = 1 - kr - kb, 1 - to_r - to_b
    # What a unit of blue or red adds to each of R, G and B, and so to luma; grey is the same in every matrix.
    of_blue = np.array([0.0, -2 * kb * (1 - kb) / kg, 2 * (1 - kb)])
    of_red = np.array([2 * (1 - kr), -2 * kr * (1 - kr) / kg, 0.0])
    weights = np.array([to_r, to_g, to_b])
    light = np.array([weights @ of_blue, weights @ of_red])
    blue = (np.array([of_blue[2], of_red[2]]) - light) / (2 * (1 - to_b))
    red = (np.array([of_blue[0], of_red[0]]) - light) / (2 * (1 - to_r))
    black, white, span = (0, 255, 255) if full else (16, 235, 224)
    gain = 219 / (white - black)
    luma = np.array([[gain, *(219 / span * light)]])
    chroma = 224 / span * np.array([blue, red])
    return (
        np.hstack([luma, [[16 - gain * black - 128 * luma[0, 1:].sum()]]]),
        np.hstack([chroma, [[128 - 128 * row.sum()] for row in chroma]]),
    )
