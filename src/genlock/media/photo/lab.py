"""Colours as people tell them apart; in rendering children only.

OpenCV has this as well, but a process that asks for it the first time fills tables for as long as it takes to
look at two photos.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
# Of sRGB to XYZ, as shares of its white.
_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_SHARES = _XYZ / _XYZ.sum(axis=1, keepdims=True)
_LAB = np.array([[0.0, 116.0, 0.0, -16.0], [500.0, -500.0, 0.0, 0.0], [0.0, 200.0, -200.0, 0.0]])
_DARK = 0.008856  # where a straight line takes the place of the cube root


def as_lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """An RGB picture, height x width x 3, in CIE Lab with L in 0..100."""
    shares = cv2.transform(_LINEAR[image], _SHARES)
    roots = np.where(shares > _DARK, cv2.pow(shares, 1 / 3), 7.787 * shares + 16 / 116)
    return np.asarray(cv2.transform(roots.astype(np.float32), _LAB), np.float32)
