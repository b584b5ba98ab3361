"""One view of a scene becomes another under one moving camera; in rendering children only.

A homography lays both pictures over each other, and the camera travels over them (see `route`). What the
homography leaves bends both pictures: the first from its own shape to the other's, the last the same
way, so that at every moment they cover each other and can be mixed without anything being seen twice.
This is a view morph (Seitz, Dyer: View Morphing, SIGGRAPH 1996) with optical flow in place of
correspondences set by hand. The flow is found once for each segment; a frame costs a coarse grid of
places, spread over all pixels, and one sampling of each picture that is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.bend import Bend, believed
from genlock.media.film.canvas import (
    Shift,
    draw_flat,
    looking_at,
    mix,
    mix_by_place,
    onto_plane,
    spread,
)
from genlock.media.film.dissolve import opacity
from genlock.media.film.encode import Frame
from genlock.media.film.layer import Morph
from genlock.media.film.motion import Picture, surge
from genlock.media.film.route import Mapping as Homography
from genlock.media.film.route import Quad, across, quad_at
from genlock.media.film.segment import Segment
from genlock.media.film.source import Source, decoded, load_part

Floats = NDArray[np.float32]

STEP = 8  # frame pixels from place to place of the grid
_FLAT = 2.0  # frame pixels of bending in all that nobody sees, half of it on each side of the blend
_SOFT_EDGE = 0.05  # of a picture's side over which its edge fades into the other picture


class Morpher:
    """Draws a morph layer within one segment."""

    def __init__(self, layer: Morph, segment: Segment, sources: Mapping[str, Path]) -> None:
        self._layer, self._size = layer, segment.size
        self._paths = [sources[picture.sha256] for picture in layer.pictures]
        self._numbers = _numbers(layer, segment)
        self._spare = Frame(*segment.size)
        self._known: dict[int, tuple[tuple[int, Shift], Floats]] = {}

    def draw(self, canvas: Frame, number: int, shift: Shift) -> None:
        """What the camera sees at this frame."""
        share = blended(self._layer, number)
        if share < 1:
            self._draw(0, canvas, number, shift)
        if share > 0:
            self._draw(1, self._spare if share < 1 else canvas, number, shift)
        if 0 < share < 1:
            self._mix(canvas, number, shift, share)

    def _draw(self, side: int, canvas: Frame, number: int, shift: Shift) -> None:
        source, picture = self._sources[side], self._layer.pictures[side]
        progress = bent(self._layer, number)
        if abs(progress - side) * self._reach < _FLAT:
            quad = self._quad(side, number)
            draw_flat(canvas, source, looking_at(quad, picture.width, picture.height, self._size, shift))
        else:
            places = self._places(side, number, shift)
            _draw_bent(canvas, source, places * np.array([picture.width, picture.height], np.float32))
        if 0 < progress < 1:
            self._bend.light.change(canvas, side, progress)

    def _mix(self, canvas: Frame, number: int, shift: Shift, share: float) -> None:
        """Mix by time alone if both pictures show all of the frame, else also by place."""
        route = self._layer.route
        if self._reach < _FLAT and route.fills < route.holds:
            return mix(canvas, self._spare, share)
        weights = []
        for side, part in enumerate((1 - share, share)):
            places = self._places(side, number, shift)
            weights.append(part * believed(places) * _covered(places))
        shares = weights[1] / np.maximum(weights[0] + weights[1], 1e-6)
        return mix_by_place(canvas, self._spare, np.asarray(shares, np.float32), 1, STEP)

    def _places(self, side: int, number: int, shift: Shift) -> Floats:
        """Found once for a frame, though it takes them to draw and to mix."""
        asked = number, shift
        known = self._known.get(side)
        if known is None or known[0] != asked:
            known = self._known[side] = asked, self._look(side, number, shift)
        return known[1]

    def _look(self, side: int, number: int, shift: Shift) -> Floats:
        camera = looking_at(self._quad(0, number), 1, 1, self._size, shift)
        return self._bend.places(side, self._grid, camera, bent(self._layer, number))

    def _quad(self, side: int, number: int) -> Quad:
        """What the frame shows of one of the pictures."""
        layer = self._layer
        share = (number - layer.move_start) / layer.move_frames
        turned = bent(layer, number)
        quad = quad_at(layer.route, layer.first, layer.last, self._size, share=share, turned=turned)
        if layer.surge and not layer.surge.arrives:
            quad = _nearer(quad, layer, number)
        if side:
            quad = across(layer.route.mapping, quad)
        return quad

    @cached_property
    def _sources(self) -> dict[int, Source]:
        """The parts of the pictures that are seen in this segment."""
        found = {}
        for side, picture in enumerate(self._layer.pictures):
            numbers = [
                number
                for number in self._numbers
                if (blended(self._layer, number) < 1, blended(self._layer, number) > 0)[side]
            ]
            if numbers:
                found[side] = self._load(side, picture, numbers)
        return found

    def _load(self, side: int, picture: Picture, numbers: list[int]) -> Source:
        points = np.array([self._quad(side, number) for number in numbers]) * [picture.width, picture.height]
        areas = [cv2.contourArea(quad.astype(np.float32)) for quad in points]
        native = (min(areas) / (self._size[0] * self._size[1])) ** 0.5
        more = self._reach * native
        (left, top), (right, bottom) = points.min((0, 1)) - more, points.max((0, 1)) + more
        return load_part(self._paths[side], picture, (left, top, right, bottom), native, self._layer.grade)

    @property
    def _bend(self) -> Bend:
        one, other = self._paths
        return _found(one, other, self._layer.first, self._layer.last, self._layer.route.mapping)

    @cached_property
    def _reach(self) -> float:
        """Frame pixels that anything is bent by at most; 0 where nothing is on its way."""
        if not any(0 < bent(self._layer, number) < 1 for number in self._numbers):
            return 0.0
        across, down = self._bend.reach
        return max(across * self._size[0], down * self._size[1])

    @cached_property
    def _grid(self) -> Floats:
        """Frame coordinates of a grid of places that reaches one step beyond the frame on each side."""
        columns, rows = (-(-side // STEP) + 2 for side in self._size)
        xs, ys = ((np.arange(count, dtype=np.float32) - 0.5) * STEP for count in (columns, rows))
        return np.dstack(np.meshgrid(xs, ys)).astype(np.float32)


@lru_cache(maxsize=2)
def _found(one: Path, other: Path, first: Picture, last: Picture, mapping: Homography) -> Bend:
    """The flow between two pictures; neighbouring parts of a clip need the same one."""
    return Bend((first, last), (decoded(one, first), decoded(other, last)), mapping)


def blended(layer: Morph, number: int) -> float:
    """How much of the last picture is seen at this frame, 0..1."""
    share = (number - layer.blend_start + 1) / (layer.blend_frames + 1)
    return opacity(min(max(share, 0.0), 1.0))


def bent(layer: Morph, number: int) -> float:
    """How far things are on their way from the first picture's shape to the last one's, 0..1."""
    share = (number - layer.bend_start + 1) / (layer.bend_frames + 1)
    return opacity(min(max(share, 0.0), 1.0))


def _numbers(layer: Morph, segment: Segment) -> list[int]:
    """The frames of the segment at which the layer can be seen."""
    begin = layer.entry.start if layer.entry else 0
    return list(range(max(0, begin), min(segment.frames, layer.end)))


def _nearer(quad: Quad, layer: Morph, number: int) -> Quad:
    """The quadrangle as the camera dashes on, around its middle."""
    assert layer.surge
    share = min(max((number - layer.surge.start + 1) / (layer.surge.frames + 1), 0.0), 1.0)
    points = np.array(quad)
    middle = points.mean(axis=0)
    one, two, three, four = middle + (points - middle) * np.exp(-layer.surge.grow * surge(share))
    return tuple(one), tuple(two), tuple(three), tuple(four)


def _covered(places: Floats) -> Floats:
    """0 outside of a picture, 1 well inside: its edge must not be seen where both are mixed."""
    inside = np.minimum(places, 1 - places).min(axis=2) / _SOFT_EDGE
    return np.asarray(np.clip(inside, 0, 1), np.float32)


def _draw_bent(canvas: Frame, source: Source, places: Floats) -> None:
    """Sample a picture at a grid of places, in its pixels, that is spread over all pixels of the frame."""
    luma, *chroma = zip(source.planes, canvas.planes, strict=True)
    for number, pairs in enumerate(([luma], chroma)):
        matrix = onto_plane(source, number)
        grid = places * matrix.diagonal()[:2].astype(np.float32) + matrix[:2, 2].astype(np.float32)
        if number:  # it lies half a luma pixel to the left of where a plane of half the size would have it
            middle, columns = grid.shape[0] // 2, grid.shape[1]
            grid = grid - (grid[middle, -1] - grid[middle, 0]) / np.float32(2 * STEP * (columns - 1))
        xs, ys = (
            spread(np.ascontiguousarray(part), pairs[0][1], 1, STEP // 2 if number else STEP)
            for part in (grid[..., 0], grid[..., 1])
        )
        for plane, target in pairs:
            cv2.remap(plane, xs, ys, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)
