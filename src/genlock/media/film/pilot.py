"""Finding a way for the camera from one view of a scene to another, along which nothing is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

from genlock.media.film.motion import Picture, Size, View, cover, enlargement
from genlock.media.film.route import Mapping, Point, Route, bounds, enlarges, inverse, mapped, roll, upright

_ZOOMS = (1.015, 1.05, 1.09, 1.13, 1.18, 1.24, 1.3)
_SOFTEST = 1.9  # frame pixels for each pixel of a picture, at the end of the way
_ROOM = 0.45  # of the way from the middle to an edge that a view may go
_WANDER = 0.02  # how far another take looks aside
_MOST_ROLL = 12.0  # degrees
_SPEED = (0.012, 0.17)  # of the frame a second: less seems frozen, more is a rush
_BLEND = 0.8  # seconds
_TORN, _LATE, _HALFWAY = 1.2, 0.9, 0.12  # what is paid, beside the crop, for what is not as one would wish
_MOST_TORN = 0.6


@dataclass(frozen=True, slots=True)
class Leg:
    """What a route has to fit into: frames of the clip and, of them, those in which it may change pictures.

    `fixed` views are where a neighbouring clip begins or ends.
    """

    frames: int
    begin: int
    end: int
    fps: int
    pace: float
    fixed: tuple[View | None, View | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Flight:
    """A route, and the frames of the clip in which one picture becomes the other."""

    route: Route
    blend_start: int
    blend_frames: int


def find_flight(
    first: Picture, last: Picture, mapping: Mapping, *, size: Size, leg: Leg, random: Random
) -> Flight | None:
    """The best way; None if there is none on which, together, both pictures fill the frame all the time.

    Better is what crops less, what mixes both pictures while either of them fills the frame, and what does
    so half-way, where each of them is bent least.
    """
    aside = random.uniform(-_WANDER, _WANDER), random.uniform(-_WANDER, _WANDER)
    best: Flight | None = None
    for route in _routes(first, last, mapping, size=size, fixed=leg.fixed, aside=aside):
        if best and _crop(route) >= _price(best, leg):
            break
        flight = _timed(route, first, last, size=size, leg=leg)
        if flight and (best is None or _price(flight, leg) < _price(best, leg)):
            best = flight
    return best


def _crop(route: Route) -> float:
    return math.log(route.start.zoom * route.end.zoom)


def _price(flight: Flight, leg: Leg) -> float:
    route = flight.route
    torn = max(0.0, route.fills - route.holds)
    middle = (flight.blend_start + flight.blend_frames / 2) / leg.frames
    return _crop(route) + _TORN * torn + _LATE * max(0.0, abs(middle - 0.5) - _HALFWAY)


def _routes(
    first: Picture,
    last: Picture,
    mapping: Mapping,
    *,
    size: Size,
    fixed: tuple[View | None, View | None],
    aside: Point,
) -> Iterator[Route]:
    """Routes that crop more and more. The nearer view looks at its focus, the other one at the same place."""
    for zooms in sorted(product(_ZOOMS, repeat=2), key=lambda pair: (pair[0] * pair[1], pair)):
        if (
            max(enlargement(one, size, zoom) for one, zoom in zip((first, last), zooms, strict=True))
            > _SOFTEST
        ):
            continue
        if enlarges(mapping, first, last):
            end = fixed[1] or _looking(last, size, last.focus, zooms[1], aside)
            start = fixed[0] or _looking(first, size, mapped(inverse(mapping), (end.x, end.y)), zooms[0])
        else:
            start = fixed[0] or _looking(first, size, first.focus, zooms[0], aside)
            end = fixed[1] or _looking(last, size, mapped(mapping, (start.x, start.y)), zooms[1])
        yield Route(mapping=mapping, start=start, end=end)


def _looking(picture: Picture, size: Size, at: Point, zoom: float, aside: Point = (0.0, 0.0)) -> View:
    """The view nearest to this point that keeps away from the picture's edges."""
    x, y = (
        0.5 + max(-room, min(room, place + wander - 0.5))
        for place, wander, room in zip(
            at, aside, ((1 - share / zoom) / 2 * _ROOM for share in cover(picture, size)), strict=True
        )
    )
    return View(x=x, y=y, zoom=zoom)


def _timed(route: Route, first: Picture, last: Picture, *, size: Size, leg: Leg) -> Flight | None:
    """When the pictures change on this route; None if they cannot, or it is too slow, too fast or tilted."""
    found = bounds(route, first, last, size)
    if found is None or not _bearable(route, first, last, size=size, leg=leg):
        return None
    holds, fills = found
    early, late = sorted((holds * leg.frames, fills * leg.frames))
    early, late = max(early, leg.begin), min(late, leg.end)
    if fills - holds > _MOST_TORN:
        return None
    if holds < fills:
        if (holds * leg.frames, fills * leg.frames) != (early, late):
            return None
        wanted = max(_BLEND * leg.fps, late - early)
    else:
        wanted = _BLEND * leg.fps
        if late - early < wanted / 2:
            return None
    half = min(math.ceil(wanted / 2), (leg.end - leg.begin) // 2)
    middle = min(max(leg.frames / 2, early + half), late - half) if fills <= holds else (early + late) / 2
    start = min(max(round(middle) - half, leg.begin), leg.end - 2 * half)
    return Flight(route.model_copy(update={"holds": holds, "fills": fills}), start, 2 * half)


def _bearable(route: Route, first: Picture, last: Picture, *, size: Size, leg: Leg) -> bool:
    start, end = upright(route, first, last, size, 0.0)[0], upright(route, first, last, size, 1.0)[1]
    if roll(end, first) > _MOST_ROLL:
        return False
    widths = [math.dist(quad[0], quad[1]) for quad in (start, end)]
    middles = [tuple(sum(point[axis] for point in quad) / 4 for axis in (0, 1)) for quad in (start, end)]
    way = abs(math.log(widths[1] / widths[0])) + math.dist(*middles) / min(widths)
    slow, fast = (speed * leg.frames / leg.fps * leg.pace for speed in _SPEED)
    return slow <= way <= max(fast, 0.1)
