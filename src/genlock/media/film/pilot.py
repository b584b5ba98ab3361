"""Finding a way for the camera from one view of a scene to another, along which nothing is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

from genlock.media.film.camera import Axis, strip
from genlock.media.film.motion import Picture, Size, View, cover, cut_off, enlargement, hold
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
_ROOMS = (0.45, 0.8)  # of the way from the middle to an edge that a view may go
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
    cut = cut_off(route.start, first, size) + cut_off(route.end, last, size)
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
    """Routes that crop more and more.

    Over pictures of which the frame shows but a strip, there are also ways from one end of what stands out
    to the other.
    """
    pictures = first, last
    axis = _strip(first, last, size) if fixed == (None, None) else None
    for zooms in sorted(product(_ZOOMS, _ZOOMS), key=lambda pair: (pair[0] * pair[1], pair)):
        soft = max(enlargement(one, size, zoom) for one, zoom in zip(pictures, zooms, strict=True))
        if soft > _SOFTEST:
            continue
        views = [_looks(pictures, mapping, size, zooms, aside, room) for room in _ROOMS]
        if axis is not None:
            views += [_ends(pictures, size, axis, zooms, far) for far in _FAR]
            views += [_ends(pictures, size, axis, zooms, -far) for far in _FAR]
        for start, end in views:
            yield Route(mapping=mapping, start=fixed[0] or start, end=fixed[1] or end)


def _looks(
    pictures: tuple[Picture, Picture],
    mapping: Mapping,
    size: Size,
    zooms: tuple[float, float],
    aside: Point,
    room: float,
) -> tuple[View, View]:
    """The nearer view looks at its focus, the other one at the same place."""
    (first, last), (one, other) = pictures, zooms
    if enlarges(mapping, first, last):
        end = _looking(last, size, last.focus, other, aside, room)
        return _looking(first, size, mapped(inverse(mapping), (end.x, end.y)), one, (0.0, 0.0), room), end
    start = _looking(first, size, first.focus, one, aside, room)
    return start, _looking(last, size, mapped(mapping, (start.x, start.y)), other, (0.0, 0.0), room)


def _ends(
    pictures: tuple[Picture, Picture], size: Size, axis: Axis, zooms: tuple[float, float], far: float
) -> tuple[View, View]:
    """So far on the ways to both ends of what stands out, from the upper or left one; back if negative."""
    first, last = (
        _towards(picture, size, (axis, which if far > 0 else 1 - which), abs(far), zoom)
        for which, (picture, zoom) in enumerate(zip(pictures, zooms, strict=True))
    )
    return first, last


def _towards(picture: Picture, size: Size, end: tuple[Axis, int], far: float, zoom: float) -> View:
    """The view so far on the way to the upper or left (0) or the other end (1) of what stands out."""
    axis, which = end
    there = list(picture.focus)
    there[axis] = picture.region[axis + 2 * which]
    whole = hold(picture, size, x=there[0], y=there[1], zoom=zoom)
    x, y = (at + (to - at) * far for at, to in zip(picture.focus, (whole.x, whole.y), strict=True))
    return hold(picture, size, x=x, y=y, zoom=zoom)


def _looking(picture: Picture, size: Size, at: Point, zoom: float, aside: Point, room: float) -> View:
    """The view nearest to this point that keeps away from the picture's edges, and in it what stands out.

    `room` is how much of the way from the middle to an edge it may go.
    """
    held = hold(picture, size, x=at[0] + aside[0], y=at[1] + aside[1], zoom=zoom)
    x, y = (
        0.5 + max(-most, min(most, place - 0.5))
        for place, most in zip(
            (held.x, held.y), ((1 - share / zoom) / 2 * room for share in cover(picture, size)), strict=True
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
