"""The way of a camera from a view of one picture to a view of another that shows the same scene.

Between two such pictures a mapping tells where a point of the first lies in the second (a homography:
exact for a flat or distant scene, and for a camera that only turns or zooms). The camera's frame is a
quadrangle on the first picture; its corners travel on straight lines from the one view to the other,
which is how a real push, pull or slide looks. Points are shares of a picture's width and height.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from genlock.media.film.motion import Picture, Share, Size, View, cover, ease
from genlock.media.operation import Value

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
Mapping = tuple[float, float, float, float, float, float, float, float, float]

IDENTITY: Mapping = (1, 0, 0, 0, 1, 0, 0, 0, 1)

_STEPS = 20
_SLACK = 1e-6
_EVEN = 1e-4


class Route(Value):
    """From `start`, a view of the first picture, to `end`, a view of the last.

    `mapping` takes points of the first to points of the last, row by row. The first picture fills the
    frame until this share of the way `holds`, the last from `fills` on; between them, if the latter is
    greater, each fills a part.
    """

    mapping: Mapping
    start: View
    end: View
    holds: Share = 1.0
    fills: Share = 0.0


def corners(view: View, picture: Picture, size: Size) -> Quad:
    """What the frame shows: upper left, upper right, lower right, lower left."""
    wide, high = (share / view.zoom / 2 for share in cover(picture, size))
    left, right, top, bottom = view.x - wide, view.x + wide, view.y - high, view.y + high
    return (left, top), (right, top), (right, bottom), (left, bottom)


def mapped(mapping: Mapping, point: Point) -> Point:
    """Where a point lies in the other picture."""
    a, b, c, d, e, f, g, h, i = mapping
    x, y = point
    depth = g * x + h * y + i
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth


def inverse(mapping: Mapping) -> Mapping:
    """The mapping back. `ValueError` if there is none."""
    a, b, c, d, e, f, g, h, i = mapping
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) < 1e-12:
        raise ValueError("this mapping squeezes a picture into a line: it has no way back")
    adjugate = (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    )  # fmt: skip
    return tuple(value / determinant for value in adjugate)  # type: ignore[return-value]


def quad_at(route: Route, first: Picture, last: Picture, size: Size, *, share: float, turned: float) -> Quad:
    """The frame on the first picture when this share (0..1) of the time has passed.

    Slower at both ends, like every camera move here; what is seen grows or shrinks by equal factors.
    `turned` (0..1) says how far the camera has gone over from standing upright before the first
    picture to standing upright before the last.
    """
    before, after = upright(route, first, last, size, share)
    return _quad(
        (x + (u - x) * turned, y + (v - y) * turned) for (x, y), (u, v) in zip(before, after, strict=True)
    )


def upright(route: Route, first: Picture, last: Picture, size: Size, share: float) -> tuple[Quad, Quad]:
    """The frame on the first picture, if the camera stands upright before the first, and before the last."""
    here = corners(route.start, first, size)
    back = inverse(route.mapping)
    there = across(back, corners(route.end, last, size))
    growth = math.sqrt(_area(there) / _area(here))
    at = ease(share)
    if abs(growth - 1) > _EVEN:
        at = (growth**at - 1) / (growth - 1)
    quad = _quad((x + (u - x) * at, y + (v - y) * at) for (x, y), (u, v) in zip(here, there, strict=True))
    one = _straight(quad, cover(first, size))
    other = _straight(across(route.mapping, quad), cover(last, size))
    return one, across(back, other)


def bounds(route: Route, first: Picture, last: Picture, size: Size) -> tuple[float, float] | None:
    """Until which share of the time the first picture fills the frame, and from which on the last does.

    None if at any time there is a place in the frame that neither of them shows.
    """
    both = [upright(route, first, last, size, step / _STEPS) for step in range(_STEPS + 1)]
    in_first = [all(_within(point) for quad in quads for point in quad) for quads in both]
    in_last = [
        all(_within(mapped(route.mapping, point)) for quad in quads for point in quad) for quads in both
    ]
    holds = next((step for step, true in enumerate(in_first) if not true), _STEPS + 1) - 1
    fills = _STEPS + 1 - next((step for step, true in enumerate(reversed(in_last)) if not true), _STEPS + 1)
    if holds < 0 or fills > _STEPS:
        return None
    seen = all(
        _within(point) or _within(mapped(route.mapping, point))
        for quads in both[holds : fills + 1]
        for quad in quads
        for point in _outline(quad)
    )
    return (holds / _STEPS, fills / _STEPS) if seen else None


def enlarges(mapping: Mapping, first: Picture, last: Picture) -> bool:
    """Whether the last picture shows the middle of the scene with more pixels than the first."""
    x, y = mapped(inverse(mapping), (0.5, 0.5))
    x, y = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    little = 0.01
    (a, b), (c, d), (e, f) = (mapped(mapping, point) for point in ((x, y), (x + little, y), (x, y + little)))
    area = abs((c - a) * (f - b) - (d - b) * (e - a)) / little**2
    return area * last.width * last.height > first.width * first.height


def roll(quad: Quad, picture: Picture) -> float:
    """By how many degrees the frame is turned on the picture, and at worst at any of its sides."""
    shape = [(x * picture.width, y * picture.height) for x, y in quad]
    angles = [
        math.degrees(math.atan2(right[1] - left[1], right[0] - left[0])) - turn
        for turn, (left, right) in zip((0, 90, 180, 270), pairwise([*shape, shape[0]]), strict=True)
    ]
    return max(abs((angle + 180) % 360 - 180) for angle in angles)


def across(mapping: Mapping, quad: Quad) -> Quad:
    """Where a quadrangle lies in the other picture."""
    return _quad(mapped(mapping, point) for point in quad)


def _quad(points: Iterator[Point]) -> Quad:
    one, two, three, four = points
    return one, two, three, four


def _straight(quad: Quad, whole: Point) -> Quad:
    """The upright frame around the same middle that shows as much; `whole` is what it shows at zoom 1."""
    x, y = (sum(point[axis] for point in quad) / 4 for axis in (0, 1))
    scale = math.sqrt(_area(quad) / (whole[0] * whole[1])) / 2
    wide, high = whole[0] * scale, whole[1] * scale
    return (x - wide, y - high), (x + wide, y - high), (x + wide, y + high), (x - wide, y + high)


def _area(quad: Quad) -> float:
    pairs = pairwise([*quad, quad[0]])
    return abs(sum(x * v - u * y for (x, y), (u, v) in pairs)) / 2


def _within(point: Point) -> bool:
    return all(-_SLACK <= value <= 1 + _SLACK for value in point)


def _outline(quad: Quad) -> Iterator[Point]:
    """Points all along the sides."""
    for (x, y), (u, v) in pairwise([*quad, quad[0]]):
        for step in range(8):
            yield x + (u - x) * step / 8, y + (v - y) * step / 8
