"""How the light of two views of a scene differs, and changing from one to the other; in children only.

A camera's exposure is set anew for each picture. Mixing two pictures of different brightness shows where the
edge of one of them lies, and makes what stands still flicker; brought to the same light, they do neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Frame, Plane

_FEWEST = 200  # places that have to be seen on both
_GAIN, _GAIN_OF_COLOUR = (0.7, 1.45), (0.75, 1.35)
_MOST = 40.0  # levels by which light may differ at all
_FLAT = 2.0  # levels of spread below which there is nothing to measure
_SAME = 0.3  # of a level

Curve = tuple[float, float]  # gain and offset, in levels of a plane of limited range


@dataclass(frozen=True, slots=True)
class Light:
    """For luma, blue and red: what makes of the first picture's levels those of the last one."""

    curves: tuple[Curve, Curve, Curve] = ((1.0, 0.0), (1.0, 0.0), (1.0, 0.0))

    @classmethod
    def between(cls, first: Plane, last: Plane, shown: NDArray[np.bool_]) -> Light:
        """Measured on two BGR pictures that lie over each other, where both show the same."""
        if int(shown.sum()) < _FEWEST:
            return cls()
        here, there = (_levels(picture)[shown] for picture in (first, last))
        curves = [_curve(here[:, number], there[:, number], number) for number in range(3)]
        return cls((curves[0], curves[1], curves[2]))

    def change(self, frame: Frame, side: int, progress: float) -> None:
        """Bring a drawing of the first (0) or the last picture (1) to a light between both."""
        for plane, (gain, offset) in zip(frame.planes, self.curves, strict=True):
            if side:
                slope, level = 1 + (1 / gain - 1) * (1 - progress), -offset / gain * (1 - progress)
            else:
                slope, level = 1 + (gain - 1) * progress, offset * progress
            if abs(slope - 1) * 128 + abs(level) > _SAME:
                cv2.convertScaleAbs(plane, dst=plane, alpha=slope, beta=level)


def _levels(picture: Plane) -> NDArray[np.float32]:
    """Luma, blue and red of limited range."""
    red, luma, blue = (cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)[..., number] for number in (1, 0, 2))
    planes = [luma * (219 / 255) + 16, (blue - 128.0) * (224 / 255) + 128, (red - 128.0) * (224 / 255) + 128]
    return np.dstack(planes).astype(np.float32)


def _curve(here: NDArray[np.float32], there: NDArray[np.float32], number: int) -> Curve:
    spread, its_spread = float(here.std()), float(there.std())
    bounds = _GAIN_OF_COLOUR if number else _GAIN
    gain = min(max(its_spread / spread, bounds[0]), bounds[1]) if min(spread, its_spread) > _FLAT else 1.0
    offset = float(there.mean()) - gain * float(here.mean())
    middle = 128.0
    level = min(max(gain * middle + offset - middle, -_MOST), _MOST)
    return gain, level + middle - gain * middle
