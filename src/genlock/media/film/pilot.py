"""Finding a way for the camera from one view of a scene to another, along which nothing is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

from genlock.media.film.camera import Axis, fitting, strip
from genlock.media.film.motion import Picture, Size, View, cover, enlargement, hold
from genlock.media.film.route import (
    Mapping,
    Point,
    Route,
    across,
    bounds,
    corners,
    enlarges,
    inverse,
    mapped,
    roll,
    upright,
)

_ZOOMS = (1.015, 1.05, 1.09, 1.13, 1.18, 1.24, 1.3)
_SOFTEST = 1.9  # frame pixels for each pixel of a picture, at the end of the way
_ROOM = 0.45  # of the way from the middle to an edge that a view may go
_WANDER = 0.02  # how far another take looks aside
_MOST_ROLL = 12.0  # degrees
_SPEED = (0.012, 0.17)  # of the frame a second: less seems frozen, more is a rush
_BLEND = 0.8  # seconds
_FAR = (1.0, 0.6, 0.3)  # of the way to the ends of what stands out, where there is no time for all of it
_TORN, _LATE, _HALFWAY = 1.2, 0.9, 0.12  # what is paid, beside the crop, for what is not as one would wish
_CUT, _UNSEEN = 0.8, 0.6  # and for what stands out, where it is cut off or never seen,
_AWAY = 0.4  # and for looking away from it in the end, by the share of the picture's width
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

    Better is what crops less, what shows all that stands out, what mixes both pictures while either of
    them fills the frame, and what does so half-way, where each of them is bent least.
    """
    aside = random.uniform(-_WANDER, _WANDER), random.uniform(-_WANDER, _WANDER)
    best: Flight | None = None
    least = math.inf
    for route in _routes(first, last, mapping, size=size, fixed=leg.fixed, aside=aside):
        if _crop(route) >= least:
            break
        hidden = _hidden(route, first, last, size)
        flight = _timed(route, first, last, size=size, leg=leg) if _crop(route) + hidden < least else None
        if flight and hidden + _price(flight, leg) < least:
            best, least = flight, hidden + _price(flight, leg)
    return best


def _hidden(route: Route, first: Picture, last: Picture, size: Size) -> float:
    """What is paid for what stands out in the pictures and is cut off at an end, or not passed over."""
    ends = (first, route.start), (last, route.end)
    cut = sum(max(0.0, view.zoom / fitting(picture, size) - 1) for picture, view in ends)
    axis = _strip(first, last, size)
    if axis is None:
        return _CUT * cut
    start = across(route.mapping, corners(route.start, first, size))
    places = [point[axis] for point in (*start, *corners(route.end, last, size))]
    begin, end = last.region[axis], last.region[axis + 2]
    seen = max(0.0, min(end, max(places)) - max(begin, min(places)))
    # Down is how one looks at a tall thing; aside one looks towards what matters, and stays there.
    off = start[0][1] > corners(route.end, last, size)[0][1] if axis else abs(route.end.x - last.focus[0])
    return _CUT * cut + _UNSEEN * (1 - seen / (end - begin)) + _AWAY * off


def _strip(first: Picture, last: Picture, size: Size) -> Axis | None:
    """The side of both pictures of which the frame shows but a strip, if there is one."""
    one, other = strip(first, size), strip(last, size)
    return one if one == other else None


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
    """Routes that crop more and more. The nearer view looks at its focus, the other one at the same place.

    Over pictures of which the frame shows but a strip, there are also ways from one end of what stands out
    to the other.
    """
    axis = _strip(first, last, size)
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
        if axis is not None and fixed == (None, None):
            for ends, far in product(((0, 1), (1, 0)), _FAR):
                start, end = (
                    _towards(picture, size, (axis, which), far, zoom)
                    for picture, which, zoom in zip((first, last), ends, zooms, strict=True)
                )
                yield Route(mapping=mapping, start=start, end=end)


def _towards(picture: Picture, size: Size, end: tuple[Axis, int], far: float, zoom: float) -> View:
    """The view so far on the way to the upper or left (0) or the other end (1) of what stands out."""
    axis, which = end
    there = list(picture.focus)
    there[axis] = picture.region[axis + 2 * which]
    whole = hold(picture, size, x=there[0], y=there[1], zoom=zoom)
    x, y = (at + (to - at) * far for at, to in zip(picture.focus, (whole.x, whole.y), strict=True))
    return hold(picture, size, x=x, y=y, zoom=zoom)


def _looking(picture: Picture, size: Size, at: Point, zoom: float, aside: Point = (0.0, 0.0)) -> View:
    """The view nearest to this point that keeps what stands out, and away from the picture's edges."""
    x, y = (
        0.5 + max(-room, min(room, place + wander - 0.5))
        for place, wander, room in zip(
            at, aside, ((1 - share / zoom) / 2 * _ROOM for share in cover(picture, size)), strict=True
        )
    )
    return hold(picture, size, x=x, y=y, zoom=zoom)


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
