"""How two views of a scene bend into each other beyond what one mapping tells; in rendering children only.

Both lie on one plane, that of the view which is nearer and so shows more detail. Where the flow found
on it cannot be trusted, at what only one view shows, it is continued from around.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Plane
from genlock.media.film.flow import filled, find_flow, grey, overlaid, small
from genlock.media.film.light import Light
from genlock.media.film.motion import Picture
from genlock.media.film.route import IDENTITY, Mapping, enlarges, inverse

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

_ROUNDS = 3  # of looking where a bent picture has to be sampled: each is a fifth as far off as the one before
_MOST = 98  # percent of places that move no further than what is called the reach
_FOLDED = 0.15  # the least that a stretched place counts


class Bend:
    """What is left to move when one mapping has been applied, and `light`, by which the two pictures differ.

    Sides are 0, the first picture, and 1, the last.
    """

    def __init__(
        self, pictures: tuple[Picture, Picture], images: tuple[Plane, Plane], mapping: Mapping
    ) -> None:
        self._mapping = mapping
        self._near = 1 if enlarges(mapping, *pictures) else 0
        near, far = (small(images[side]) for side in (self._near, 1 - self._near))
        flow = find_flow(grey(near), grey(far), self.from_plane(1 - self._near))
        sure = flow.shared & flow.telling
        bends = [filled(flow.there, flow.trusted & sure), filled(flow.back, flow.trusted_back & sure)]
        self._bends = bends if self._near == 0 else bends[::-1]
        self._size = near.shape[1], near.shape[0]
        laid = overlaid(far, near, self.from_plane(1 - self._near))
        shown = flow.trusted & flow.shared
        self.light = Light.between(near, laid, shown) if self._near == 0 else Light.between(laid, near, shown)

    def from_plane(self, side: int) -> Mapping:
        """From the plane to a picture, both in shares."""
        if side == self._near:
            return IDENTITY
        return self._mapping if side else inverse(self._mapping)

    @cached_property
    def reach(self) -> tuple[float, float]:
        """How far nearly everything moves at most, as shares of the plane's width and height."""
        lengths = [np.percentile(np.abs(bend), _MOST, axis=(0, 1)) for bend in self._bends]
        across, down = np.max(lengths, axis=0) / self._size
        return float(across), float(down)

    def places(self, side: int, frame: Floats, camera: Matrix, progress: float) -> Floats:
        """Where to sample a picture for these points of the frame, in shares of it.

        `camera` leads from the frame to shares of the first picture, `progress` (0..1) from the shape of
        the first picture to that of the last.
        """
        plane = self._pixels @ np.reshape(self._mapping if self._near else IDENTITY, (3, 3)) @ camera
        wanted = np.asarray(cv2.perspectiveTransform(frame, plane), np.float32)
        found = wanted
        away = progress if side == 0 else 1 - progress
        if away > 0:
            for _ in range(_ROUNDS):
                xs, ys = np.ascontiguousarray(found[..., 0]), np.ascontiguousarray(found[..., 1])
                moved = cv2.remap(
                    self._bends[side], xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                )
                found = np.asarray(wanted - moved * np.float32(away), np.float32)
        back = np.reshape(self.from_plane(side), (3, 3)) @ np.linalg.inv(self._pixels)
        return np.asarray(cv2.perspectiveTransform(found, back), np.float32)

    @cached_property
    def _pixels(self) -> Matrix:
        """From shares of the plane to its pixels, the first of which has its centre at 0."""
        width, height = self._size
        return np.array([[width, 0.0, -0.5], [0.0, height, -0.5], [0.0, 0.0, 1.0]])


def believed(places: Floats) -> Floats:
    """How much a picture is to be believed at each of `places`, up to 1: less where it is drawn apart.

    There it covers, with what happens to be around, what only the other picture shows.
    """
    across, down = np.gradient(places, axis=1), np.gradient(places, axis=0)
    areas = np.abs(across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0])
    usual = float(np.median(areas))
    return np.asarray(np.clip(areas / max(usual, 1e-12), _FOLDED, 1.0), np.float32)
