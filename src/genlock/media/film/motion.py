"""A camera before a still picture: where it looks, and how it gets from there to there.

A view is what the frame shows of a picture. At zoom 1 it is the largest part of the picture that has
the frame's shape, so nothing is ever stretched and no edge is ever seen.
"""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from genlock.media.operation import Value

Size = tuple[int, int]
Share = Annotated[float, Field(ge=0, le=1)]
Region = tuple[Share, Share, Share, Share]  # left, top, right, bottom, as shares of a picture's sides

_EASE = 0.25
_SLACK = 1e-6


class Tone(Value):
    """The least that a frame has to show of a picture, in levels of 0..255.

    `across` and `down`: how far neighbouring fortieths of the frame differ, where they do most. All but
    one in fifty pixels are darker than `light`.
    """

    across: float = Field(ge=0)
    down: float = Field(ge=0)
    light: float = Field(ge=0)


class Picture(Value):
    """A picture in the store: upright size in pixels, and what should stay in view.

    `focus` is the point to look at, `region` the box around what stands out, `detail` the share of the
    picture that lies on edges. `tone` None: not known, taken as rich in detail.
    """

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    focus: tuple[Share, Share] = (0.5, 0.5)
    region: Region = (0.0, 0.0, 1.0, 1.0)
    detail: Share = 0.0
    tone: Tone | None = None

    @model_validator(mode="after")
    def _region_is_a_box(self) -> Self:
        left, top, right, bottom = self.region
        if right <= left or bottom <= top:
            raise ValueError(f"the region of {self.sha256[:12]} holds nothing: {self.region}")
        return self


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


def hold(picture: Picture, size: Size, *, x: float, y: float, zoom: float) -> View:
    """As `aim`, with what stands out in view: all of it, or nothing else, on each of the two sides."""
    wide, high = (share / zoom / 2 for share in cover(picture, size))
    left, top, right, bottom = picture.region
    x = min(max(x, min(right - wide, left + wide)), max(right - wide, left + wide))
    y = min(max(y, min(bottom - high, top + high)), max(bottom - high, top + high))
    return aim(picture, size, x=x, y=y, zoom=zoom)


def cut_off(view: View, picture: Picture, size: Size) -> float:
    """How many frames what stands out reaches beyond the frame; or the frame beyond it, if it is larger."""
    worst = 0.0
    for axis, (place, whole) in enumerate(zip((view.x, view.y), cover(picture, size), strict=True)):
        shown = whole / view.zoom
        before = place - shown / 2 - picture.region[axis]
        behind = picture.region[axis + 2] - place - shown / 2
        if before + behind > 0:
            before, behind = -before, -behind
        worst = max(worst, before / shown, behind / shown)
    return worst


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


def surge(share: float) -> float:
    """How much of a dash is done, 0..1: ever faster from rest."""
    return share * share


def surged(view: View, picture: Picture, size: Size, growth: float) -> View:
    """The view nearer by this factor around the focus, or farther as far as the picture reaches."""
    x, y = picture.focus
    zoom = max(1.0, view.zoom * growth)
    growth = zoom / view.zoom
    return aim(picture, size, x=x + (view.x - x) / growth, y=y + (view.y - y) / growth, zoom=zoom)


def _between(value: float, low: float, high: float) -> float:
    """Clamp; when there is no room at all, the middle."""
    return (low + high) / 2 if low > high else min(max(value, low), high)
