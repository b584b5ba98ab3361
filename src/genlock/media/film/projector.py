"""Drawing footage: the frame that is nearest in time, cut to the film's shape; in rendering children only."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from genlock.media.film.canvas import UNMOVED, Shift, draw_flat, looking_at
from genlock.media.film.colour import Planes
from genlock.media.film.encode import Frame, Plane
from genlock.media.film.layer import Projection
from genlock.media.film.motion import View, cover, enlargement
from genlock.media.film.reel import Gate
from genlock.media.film.route import corners
from genlock.media.film.sampler import NEAR_COLOUR, Sampler
from genlock.media.film.segment import Segment
from genlock.media.film.source import Source, developed

_DENSE = 1.7  # samples a frame pixel, where footage has to be made smaller to be sampled
_DENSE_ENOUGH = (0.9, 2.1)


class Projector:
    """Draws a layer of footage. Its frames may only go forward."""

    def __init__(self, layer: Projection, segment: Segment, path: Path) -> None:
        self._layer, self._segment = layer, segment
        self._gate = Gate(path, self._moment(0))
        self._still = layer.move.start == layer.move.end and layer.surge is None
        self._ready: tuple[int, Planes] | None = None
        self._source: tuple[int, Source] | None = None

    def draw(self, canvas: Frame, number: int, shift: Shift) -> None:
        """What is seen of the footage at this frame of the segment."""
        index, planes = self._gate.at(self._moment(number))
        if self._still and shift == UNMOVED:
            self._show(canvas, index, planes)
        else:
            self._pass_over(canvas, number, shift, index, planes)

    def _moment(self, number: int) -> float:
        into = (number - self._layer.move_start) / self._segment.fps
        return self._layer.begin + into * self._layer.speed

    def _show(self, canvas: Frame, index: int, planes: Planes) -> None:
        """A camera that stands still sees whole pixels."""
        if self._ready is None or self._ready[0] != index:
            self._ready = index, self._cut(planes)
        for plane, target in zip(self._ready[1], canvas.planes, strict=True):
            np.copyto(target, plane)

    def _cut(self, planes: Planes) -> Planes:
        height, width = planes[0].shape
        view, picture = self._layer.move.start, self._layer.picture
        wide, high = cover(picture, self._segment.size)
        x0, x1 = _even(view.x - wide / view.zoom / 2, width), _even(view.x + wide / view.zoom / 2, width)
        y0, y1 = _even(view.y - high / view.zoom / 2, height), _even(view.y + high / view.zoom / 2, height)
        luma, blue, red = planes
        parts = luma[y0:y1, x0:x1], *(one[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] for one in (blue, red))
        across, down = self._segment.size
        sizes = (across, down), (across // 2, down // 2), (across // 2, down // 2)
        luma, blue, red = (_scaled(part, *size) for part, size in zip(parts, sizes, strict=True))
        return developed((luma, blue, red), self._layer.grade)

    def _pass_over(self, canvas: Frame, number: int, shift: Shift, index: int, planes: Planes) -> None:
        picture, size = self._layer.picture, self._segment.size
        if self._source is None or self._source[0] != index:
            self._source = index, self._loaded(planes)
        quad = corners(self._view(number), picture, size)
        draw_flat(canvas, self._source[1], looking_at(quad, picture.width, picture.height, size, shift))

    def _view(self, number: int) -> View:
        return self._layer.view(number, self._segment.size)

    def _loaded(self, planes: Planes) -> Source:
        layer, (luma, blue, red) = self._layer, planes
        native = 1 / enlargement(layer.picture, self._segment.size, layer.move.start.zoom)
        height, width = luma.shape
        if not _DENSE_ENOUGH[0] <= native <= _DENSE_ENOUGH[1]:
            width, height = (max(2, round(side * _DENSE / native / 2) * 2) for side in (width, height))
        luma = _scaled(luma, width, height)
        blue, red = (_scaled(plane, width // 2, height // 2) for plane in (blue, red))
        luma, blue, red = developed((luma, blue, red), layer.grade)
        samplers = Sampler(luma), Sampler(blue, NEAR_COLOUR), Sampler(red, NEAR_COLOUR)
        return Source(samplers, (0, 0, layer.picture.width, layer.picture.height))


def _even(share: float, side: int) -> int:
    return min(max(round(share * side / 2) * 2, 0), side)


def _scaled(plane: Plane, width: int, height: int) -> Plane:
    """A plane in another size: averaged down, or blown up without steps."""
    if plane.shape == (height, width):
        return np.ascontiguousarray(plane)
    smaller = width <= plane.shape[1] and height <= plane.shape[0]
    filtering = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    even = np.ascontiguousarray(plane)
    return np.asarray(cv2.resize(even, (width, height), interpolation=filtering), np.uint8)
