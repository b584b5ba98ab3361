"""Choosing camera moves for still pictures: gentle ones that keep in view what stands out. Light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Literal

from genlock.media.film.motion import Move, Picture, Size, View, aim, cover, enlargement, hold

Axis = Literal[0, 1]
Way = Literal[-1, 1]
Heading = tuple[Axis, Way]  # along which side of the frame, and to which of its ends, a camera travels

MOVES = ("push", "pan", "pull", "lift", "push_across", "pan_back", "pull_across")

_SOFTEST = 1.6
_LEAST_SHARE = 1 / 3
_PUSH, _LEAST_PUSH = (0.019, 0.026), 0.016  # of zoom a second
_PAN, _LEAST_PAN = (0.022, 0.032), 0.016  # frames a second
_SWEEP = 0.15  # frames a second, over a picture of which the frame shows but a strip
_PUSH_RANGE = (0.02, 0.35)
_ROOM = (0.12, 0.35)
_PANNING = 0.7  # of the room, that a camera is near so as to have somewhere to go
_STRIP = 0.55  # of a picture's side: where the frame shows less, the camera passes over more of it
AIR = 0.15  # of the frame: what is left free before and behind a subject that a camera passes over
_NEARING = 1.015  # what a camera that pans comes nearer
_ARRIVING = 1.05  # how near it is at least, for another one to arrive there from farther away
_ALL = 0.98  # of a side of a picture: what reaches over as much cannot be kept from being cut a little
_LEADING = 0.4
_BACK = {"pull": "push", "pull_across": "push_across", "pan_back": "pan"}


def choose_move(
    picture: Picture,
    size: Size,
    *,
    kind: str,
    seconds: float,
    pace: float,
    random: Random,
    heading: Heading | None = None,
    again: bool = False,
) -> Move:
    """A gentle move of this kind: about 2 % of zoom or 3 % of the frame a second, times `pace`.

    The zoom stays within 12 %, or 1 % a second for clips that are longer, which would else seem frozen. What
    stands out stays in view; where the frame shows but a strip of the picture, the camera passes over it
    instead, from top to bottom or, `again`, back. What goes aside goes along `heading` if it can.
    """
    if kind not in MOVES:
        raise ValueError(f"no camera move is called {kind!r}; there are {', '.join(MOVES)}")
    camera = _Camera(picture, size, seconds, pace)
    growth, reach, way = random.uniform(*_PUSH), random.uniform(*_PAN), random.choice((-1, 1))
    axis = strip(picture, size)
    if axis is not None:
        swept = camera.sweep(axis, heading, -1 if again else 1)
        return swept or camera.push(growth)
    towards = _BACK.get(kind, kind)
    if heading:
        way = heading[1] if towards == kind else -heading[1]
    move = None
    if towards in ("pan", "lift"):
        move = camera.pan(camera.longer(upright=towards == "lift"), reach, way)
    move = move or camera.push(growth, way * reach if towards == "push_across" else 0.0)
    return move if towards == kind else Move(start=move.end, end=move.start)


def onward(kind: str) -> str:
    """The kind of move most like this one that never takes the camera back."""
    return _BACK.get(kind, kind)


def nearer(move: Move, picture: Picture, size: Size, room: float) -> Move:
    """The same move seen from nearer, so that a camera can arrive at its beginning from farther away.

    `room` is how much larger things get meanwhile at most; what stands out is not cut off for it.
    """
    most = max(fitting(picture, size) / max(1.0, move.end.zoom / move.start.zoom), _ARRIVING)
    closer = min(1 + _headroom(picture, size, room), most) / move.start.zoom
    if closer <= 1:
        return move
    start, end = (
        hold(picture, size, x=view.x, y=view.y, zoom=view.zoom * closer) for view in (move.start, move.end)
    )
    return Move(start=start, end=end)


def resting_view(picture: Picture, size: Size) -> View:
    """The view in which two shots meet on the same picture, so that one may go on where the other ends."""
    zoom = 1 + _headroom(picture, size) / 2
    return hold(picture, size, x=picture.focus[0], y=picture.focus[1], zoom=zoom)


def arrive(picture: Picture, size: Size, random: Random) -> Move:
    """Into the view from which the next shot goes on."""
    x, y = (focus + random.uniform(-0.04, 0.04) for focus in picture.focus)
    return Move(start=hold(picture, size, x=x, y=y, zoom=1.0), end=resting_view(picture, size))


def leave(picture: Picture, size: Size, random: Random) -> Move:
    """On from the view in which the shot before ended, the same way."""
    x, y = (focus + random.uniform(-0.04, 0.04) for focus in picture.focus)
    zoom = 1 + _headroom(picture, size)
    return Move(start=resting_view(picture, size), end=hold(picture, size, x=x, y=y, zoom=zoom))


def strip(picture: Picture, size: Size) -> Axis | None:
    """The side of the picture of which the frame shows but a strip, if there is one."""
    wide, high = cover(picture, size)
    if min(wide, high) >= _STRIP:
        return None
    return 1 if high < wide else 0


def fitting(picture: Picture, size: Size) -> float:
    """The zoom up to which the frame holds what stands out, on each side on which it does so at all."""
    left, top, right, bottom = picture.region
    sides = zip(cover(picture, size), (right - left, bottom - top), strict=True)
    return min((shown / held for shown, held in sides if held <= min(shown, _ALL)), default=math.inf)


@dataclass(frozen=True, slots=True)
class _Camera:
    """Before one picture for so many seconds. Speeds are in zoom or frames a second, to be times `pace`."""

    picture: Picture
    size: Size
    seconds: float
    pace: float

    def longer(self, *, upright: bool) -> Axis:
        """The side on which the picture has more to show than the frame; `upright` if both have as much."""
        wide, high = cover(self.picture, self.size)
        return 1 if (upright if abs(wide - high) < 0.1 else high < wide) else 0

    def push(self, speed: float, drift: float = 0.0) -> Move:
        """Closer, travelling aside at the speed `drift` meanwhile."""
        growth = _between(speed * self._time, *_PUSH_RANGE)
        least = _between(_LEAST_PUSH * self._time, *_PUSH_RANGE)
        growth = min(self._room, max(least, min(growth, fitting(self.picture, self.size) - 1)))
        wide, high = cover(self.picture, self.size)
        x, y = self.picture.focus
        dx, dy = drift * self._time * wide / 2, drift * self._time * high / 4
        return Move(
            start=hold(self.picture, self.size, x=x - dx, y=y - dy, zoom=1.0),
            end=hold(self.picture, self.size, x=x + dx, y=y + dy, zoom=1.0 + growth),
        )

    def pan(self, axis: Axis, speed: float, way: int) -> Move | None:
        """Along one side, not beyond what stands out; None if that leaves no way to go."""
        most = fitting(self.picture, self.size) / _NEARING
        zoom = max(1.0, min(1 + self._room * _PANNING, most))
        return self._along(axis, zoom, speed * self._time, way)

    def sweep(self, axis: Axis, heading: Heading | None, way: int) -> Move | None:
        """Over what stands out from one end to the other, as far as there is time."""
        if heading and heading[0] == axis:
            way = heading[1]
        elif axis == 0 and self.picture.focus[0] < sum(self.picture.region[::2]) / 2:
            way = -way  # aside, a camera goes towards what matters
        return self._along(axis, 1.0, _SWEEP * self._time, way)

    def _along(self, axis: Axis, zoom: float, reach: float, way: int) -> Move | None:
        frame = cover(self.picture, self.size)[axis]
        low, high = self._range(axis, frame / zoom / _NEARING, reach * frame)
        length = min(reach * frame, high - low)
        if length < _LEAST_PAN * self._time * frame:
            return None
        middle = _between(
            self.picture.focus[axis] - self._before(axis, way) * length, low + length / 2, high - length / 2
        )
        start, end = (
            self._at(axis, middle + side * way * length / 2, near)
            for side, near in ((-1, zoom), (1, zoom * _NEARING))
        )
        return Move(start=start, end=end)

    def _before(self, axis: Axis, way: int) -> float:
        """By which share of its way the middle of a camera's way lies before what matters.

        Of a strip's length the upper part is passed over, for a head cut off is worse than feet, or aside the
        part that leads to what matters.
        """
        if strip(self.picture, self.size) is None:
            return 0.0
        return _LEADING if axis == 1 else way * _LEADING

    def _range(self, axis: Axis, shown: float, reach: float) -> tuple[float, float]:
        """Between which places the middle of a view may lie that shows so much of a side.

        What stands out is all in view. If a strip shows less than that, views go from its one end to the
        other, with some air around it at both, as far as a way of `reach` leaves any for that.
        """
        first, last = self.picture.region[axis] + shown / 2, self.picture.region[axis + 2] - shown / 2
        air = min(self._air(axis, shown), max(0.0, reach - (last - first)) / 2)
        low, high = min(first, last) - air, max(first, last) + air
        return max(low, shown / 2), min(high, 1 - shown / 2)

    def _air(self, axis: Axis, shown: float) -> float:
        """How much of a side may be seen beyond what stands out, where that is not all in view."""
        held = self.picture.region[axis + 2] - self.picture.region[axis]
        return AIR * shown if held > shown and strip(self.picture, self.size) == axis else 0.0

    def _at(self, axis: Axis, place: float, zoom: float) -> View:
        x, y = self.picture.focus
        x, y = (place, y) if axis == 0 else (x, place)
        held = hold(self.picture, self.size, x=x, y=y, zoom=zoom)
        air = self._air(axis, cover(self.picture, self.size)[axis] / zoom)
        off = _between(place - (held.x, held.y)[axis], -air, air)
        x, y = (held.x + off, held.y) if axis == 0 else (held.x, held.y + off)
        return aim(self.picture, self.size, x=x, y=y, zoom=zoom)

    @property
    def _time(self) -> float:
        return self.seconds * self.pace

    @property
    def _room(self) -> float:
        return _headroom(self.picture, self.size, _between(0.01 * self.seconds, *_ROOM))


def _headroom(picture: Picture, size: Size, most: float = _ROOM[0]) -> float:
    """How much zoom above 1 the picture bears before it gets soft; small pictures still get a little."""
    least = 1 + most * _LEAST_SHARE
    return _between(_SOFTEST / enlargement(picture, size, 1.0), least, 1 + most) - 1


def _between(value: float, low: float, high: float) -> float:
    """Clamp; when there is no room at all, the middle."""
    return (low + high) / 2 if low > high else min(max(value, low), high)
