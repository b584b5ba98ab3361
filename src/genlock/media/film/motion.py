"""Camera moves on a still picture: where the camera looks, and how it gets from there to there.

A view is what the frame shows of a picture. At zoom 1 it is the largest part of the picture that has
the frame's shape, so nothing is ever stretched and no edge is ever seen.
"""

from __future__ import annotations

import math
from random import Random
from typing import Annotated

from pydantic import Field

from genlock.media.operation import Value

Size = tuple[int, int]
Share = Annotated[float, Field(ge=0, le=1)]

MOVES = ("push", "pan", "pull", "lift", "push_across", "pan_back", "pull_across")

_EASE = 0.25
_SLACK = 1e-6
_SOFTEST = 1.6
_LEAST_SHARE = 1 / 3
_PUSH = (0.019, 0.026)
_PAN = (0.022, 0.032)
_PUSH_RANGE = (0.02, 0.35)
_ROOM = (0.12, 0.35)
_ROOM_TO_ARRIVE = 0.2
_STRIP = 0.55  # of a tall picture's height: where the frame shows less, the camera passes over more of it
_LONGER, _FARTHEST = 2.6, 0.36  # times as far, and at most so many frames


class Tone(Value):
    """The least that a frame has to show of a picture, in levels of 0..255.

    `across` and `down`: how far neighbouring fortieths of the frame differ, where they do most. All but
    one in fifty pixels are darker than `light`.
    """

    across: float = Field(ge=0)
    down: float = Field(ge=0)
    light: float = Field(ge=0)


class Picture(Value):
    """A picture in the store: upright size in pixels, and the point that should stay in view.

    `tone` None: not known, taken as rich in detail.
    """

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    focus: tuple[Share, Share] = (0.5, 0.5)
    tone: Tone | None = None


class View(Value):
    """What the frame shows: its centre as shares of the picture's width and height, and the zoom."""

    x: float
    y: float
    zoom: float = Field(ge=1)


class Move(Value):
    """From one view to another."""

    start: View
    end: View


def cover(picture: Picture, size: Size) -> tuple[float, float]:
    """The shares of the picture's width and height that the frame shows at zoom 1; one of them is 1."""
    width, height = size
    scale = max(width / picture.width, height / picture.height)
    return width / scale / picture.width, height / scale / picture.height


def enlargement(picture: Picture, size: Size, zoom: float) -> float:
    """Frame pixels for each pixel of the picture; above 1 the picture is blown up."""
    return max(size[0] / picture.width, size[1] / picture.height) * zoom


def fits(view: View, picture: Picture, size: Size) -> bool:
    """Whether the view lies inside the picture."""
    wide, high = (share / view.zoom / 2 for share in cover(picture, size))
    return wide - _SLACK <= view.x <= 1 - wide + _SLACK and high - _SLACK <= view.y <= 1 - high + _SLACK


def aim(picture: Picture, size: Size, *, x: float, y: float, zoom: float) -> View:
    """The view nearest to this point that lies inside the picture."""
    wide, high = (share / zoom / 2 for share in cover(picture, size))
    return View(x=_between(x, wide, 1 - wide), y=_between(y, high, 1 - high), zoom=zoom)


def view_at(move: Move, share: float) -> View:
    """The view when this share (0..1) of the move's time has passed.

    The camera is slower at both ends but never stands still. Zoom grows by equal factors, which the
    eye reads as an even speed; that also keeps every view between two that fit inside the picture.
    """
    at = ease(share)
    start, end = move.start, move.end
    return View(
        x=start.x + (end.x - start.x) * at,
        y=start.y + (end.y - start.y) * at,
        zoom=max(1.0, start.zoom * (end.zoom / start.zoom) ** at),
    )


def ease(share: float) -> float:
    """How much of a move is done when this share of its time has passed, both 0..1."""
    return share - _EASE * math.sin(2 * math.pi * share) / (2 * math.pi)


def nearer(move: Move, picture: Picture, size: Size) -> Move:
    """The same move seen from near enough that a camera can arrive at its beginning from farther away."""
    closer = (1 + _headroom(picture, size, _ROOM_TO_ARRIVE)) / move.start.zoom
    if closer <= 1:
        return move
    start, end = (
        aim(picture, size, x=view.x, y=view.y, zoom=view.zoom * closer) for view in (move.start, move.end)
    )
    return Move(start=start, end=end)


def surge(share: float) -> float:
    """How much of a dash is done, 0..1: ever faster from rest."""
    return share * share


def surged(view: View, picture: Picture, size: Size, growth: float) -> View:
    """The view nearer by this factor around the focus, or farther as far as the picture reaches."""
    x, y = picture.focus
    zoom = max(1.0, view.zoom * growth)
    growth = zoom / view.zoom
    return aim(picture, size, x=x + (view.x - x) / growth, y=y + (view.y - y) / growth, zoom=zoom)


def resting_view(picture: Picture, size: Size) -> View:
    """The view in which two shots meet on the same picture, so that one may go on where the other ends."""
    zoom = 1 + _headroom(picture, size) / 2
    return aim(picture, size, x=picture.focus[0], y=picture.focus[1], zoom=zoom)


def arrive(picture: Picture, size: Size, random: Random) -> Move:
    """Into the view from which the next shot goes on."""
    x, y = (focus + random.uniform(-0.04, 0.04) for focus in picture.focus)
    return Move(start=aim(picture, size, x=x, y=y, zoom=1.0), end=resting_view(picture, size))


def leave(picture: Picture, size: Size, random: Random) -> Move:
    """On from the view in which the shot before ended, the same way."""
    x, y = (focus + random.uniform(-0.04, 0.04) for focus in picture.focus)
    zoom = 1 + _headroom(picture, size)
    return Move(start=resting_view(picture, size), end=aim(picture, size, x=x, y=y, zoom=zoom))


def choose_move(
    picture: Picture, size: Size, *, kind: str, seconds: float, pace: float, random: Random
) -> Move:
    """A gentle move of this kind: about 2 % of zoom or 3 % of the frame a second, times `pace`.

    The zoom stays within 12 %, or 1 % a second for clips that are longer, which would else seem frozen.
    """
    room = _headroom(picture, size, _between(0.01 * seconds, *_ROOM))
    growth = min(room, _between(random.uniform(*_PUSH) * seconds * pace, *_PUSH_RANGE))
    reach = random.uniform(*_PAN) * seconds * pace
    tall = cover(picture, size)[1] < _STRIP
    if tall:
        kind, reach = "pan", min(reach * _LONGER, _FARTHEST)
    side = random.choice((-1, 1))
    match kind:
        case "push" | "pull":
            move = _push(picture, size, growth, (0.0, 0.0))
        case "push_across" | "pull_across":
            move = _push(picture, size, growth, (side * reach, side * reach / 2))
        case "pan" | "pan_back" | "lift":
            above = reach / 2 if tall else 0.0  # a head cut off is worse than feet
            move = _pan(picture, size, room, side * reach, upright=kind == "lift", above=above)
        case _:
            raise ValueError(f"no camera move is called {kind!r}; there are {', '.join(MOVES)}")
    return Move(start=move.end, end=move.start) if kind in ("pull", "pull_across", "pan_back") else move


def _push(picture: Picture, size: Size, growth: float, drift: tuple[float, float]) -> Move:
    """Closer, with the focus in view; `drift` is how far the camera travels meanwhile, in frames."""
    wide, high = cover(picture, size)
    x, y = picture.focus
    dx, dy = drift[0] * wide / 2, drift[1] * high / 2
    return Move(
        start=aim(picture, size, x=x - dx, y=y - dy, zoom=1.0),
        end=aim(picture, size, x=x + dx, y=y + dy, zoom=1.0 + growth),
    )


def _pan(
    picture: Picture, size: Size, room: float, reach: float, *, upright: bool, above: float = 0.0
) -> Move:
    """Along the side on which the picture has more to show than the frame; `reach` is in frames.

    So is `above`, which is how far over the focus the middle of the way lies.
    """
    wide, high = cover(picture, size)
    along_y = upright if abs(wide - high) < 0.1 else high < wide
    zoom = 1 + room * 0.7
    x, y = picture.focus
    dx, dy = (0.0, reach * high / 2) if along_y else (reach * wide / 2, 0.0)
    centre = aim(picture, size, x=x, y=y - above * high, zoom=zoom)
    limits = cover(picture, size)
    cx = _leave_room(centre.x, abs(dx), limits[0] / zoom / 2)
    cy = _leave_room(centre.y, abs(dy), limits[1] / zoom / 2)
    return Move(
        start=aim(picture, size, x=cx - dx, y=cy - dy, zoom=zoom),
        end=aim(picture, size, x=cx + dx, y=cy + dy, zoom=min(zoom * 1.015, 1 + room)),
    )


def _leave_room(centre: float, reach: float, half: float) -> float:
    """Move the middle of a pan inwards, so that the pan is not cut short at an edge."""
    return _between(centre, half + reach, 1 - half - reach)


def _headroom(picture: Picture, size: Size, most: float = _ROOM[0]) -> float:
    """How much zoom above 1 the picture bears before it gets soft; small pictures still get a little."""
    least = 1 + most * _LEAST_SHARE
    return _between(_SOFTEST / enlargement(picture, size, 1.0), least, 1 + most) - 1


def _between(value: float, low: float, high: float) -> float:
    """Clamp; when there is no room at all, the middle."""
    return (low + high) / 2 if low > high else min(max(value, low), high)
