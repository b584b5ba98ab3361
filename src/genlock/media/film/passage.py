"""How a picture gives way to the next one: chosen by what the two look like, and by what was seen before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Literal

from genlock.media.film.camera import Heading, resting_view
from genlock.media.film.link import Link
from genlock.media.film.motion import Picture, Size
from genlock.media.film.route import corners, inverse, mapped
from genlock.media.film.style import Style

Passage = Literal["dissolve", "zoom", "left", "right", "up", "down"]
_Kind = Literal["dissolve", "push", "zoom"]

# Where a camera seems to travel when the next picture comes in from a side.
HEADINGS: Mapping[str, Heading] = MappingProxyType(
    {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}
)
_OPPOSITE: Mapping[Passage, Passage] = MappingProxyType(
    {"left": "right", "right": "left", "up": "down", "down": "up"}
)
_AGAIN, _BEFORE_LAST = 0.66, 0.85  # how much less a kind is liked that was seen just now, or a little before
_DOUBLE = 0.1  # what the likeness of two views of one scene counts: in a dissolve their edges would double
_LIGHT = 25.0  # of lightness, by which likeness falls to a third
_CHANCE = (0.8, 1.2)
_CLEARLY = 0.15  # of the frame, by which the eye has to move for a push to lead it
_BUSY = (0.06, 0.2)  # of two pictures on edges: from where on, and to where, mixing them is mud
_MUD = 0.6  # how much less a dissolve is liked there


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two pictures of which the second follows the first. `free` is False where a camera goes on instead."""

    left: Picture
    right: Picture
    link: Link | None
    free: bool = True


def choose_passages(meetings: Sequence[Meeting], *, size: Size, style: Style, seed: int) -> list[Passage]:
    """How each two pictures meet, the same for the same arguments; dissolves where nothing is known.

    Pictures alike in light and colour melt into each other, unless both are full of detail; strangers are
    pushed aside; where the eye rests in the middle of both, the camera goes through. What was seen just
    before is liked less, and pushes go to and fro.
    """
    chosen: list[Passage] = []
    seen: list[_Kind] = []
    sides: list[Passage] = []
    for meeting in meetings:
        kind: _Kind = "dissolve"
        if meeting.free and meeting.link:
            liking = _liking(meeting, meeting.link, size=size, style=style, seed=seed)
            kind = max(liking, key=lambda kind: liking[kind] * _freshness(kind, seen))
        if meeting.free:
            seen.append(kind)
        if kind == "push":
            sides.append(_side(meeting, size, sides))
        chosen.append(sides[-1] if kind == "push" else kind)
    return chosen


def busy(left: Picture, right: Picture) -> float:
    """How much of a muddle these two are while they are mixed, 0..1: none if either of them is plain."""
    low, high = _BUSY
    return min(max((math.sqrt(left.detail * right.detail) - low) / (high - low), 0.0), 1.0)


def _liking(meeting: Meeting, link: Link, *, size: Size, style: Style, seed: int) -> dict[_Kind, float]:
    """How well each kind suits these two pictures."""
    alike = 0.4 * link.colours + 0.2 * link.layout + 0.4 * math.exp(-abs(link.light) / _LIGHT)
    centred = 1 - max(math.dist(_eye(picture, size), (0.5, 0.5)) for picture in (meeting.left, meeting.right))
    if link.one_scene:
        alike = _DOUBLE
    clear = 1 - _MUD * busy(meeting.left, meeting.right)
    random = Random(f"{seed}/{meeting.left.sha256}/{meeting.right.sha256}")
    return {
        "dissolve": style.dissolve * (0.5 + alike) * clear * random.uniform(*_CHANCE),
        "push": style.push * (1.6 - alike) * random.uniform(*_CHANCE),
        "zoom": style.zoom * (0.6 + centred) * random.uniform(*_CHANCE),
    }


def _freshness(kind: _Kind, seen: Sequence[_Kind]) -> float:
    return (_AGAIN if [kind] == seen[-1:] else 1.0) * (_BEFORE_LAST if [kind] == seen[-2:-1] else 1.0)


def _side(meeting: Meeting, size: Size, before: Sequence[Passage]) -> Passage:
    """From where the next picture comes in: another view of the same scene from where it lies.

    Else so that the eye is led to where it has to look next, and if that is nowhere in particular, or
    pushes went there twice, from the other side than last.
    """
    (x, y), (u, v) = _eye(meeting.left, size), _eye(meeting.right, size)
    one_scene = meeting.link and meeting.link.one_scene and meeting.link.mapping
    if one_scene:
        (u, v), (x, y) = (0.5, 0.5), mapped(inverse(one_scene), (0.5, 0.5))
    lies = size[0] >= size[1]
    way = u - x if lies else v - y
    wanted: Passage = ("left" if way > 0 else "right") if lies else ("up" if way > 0 else "down")
    if one_scene or not before:
        return wanted
    led = abs(way) > _CLEARLY and list(before[-2:]) != [wanted] * 2
    return wanted if led else _OPPOSITE[before[-1]]


def _eye(picture: Picture, size: Size) -> tuple[float, float]:
    """Where in the frame the eye rests, as shares of its width and height."""
    (left, top), _, (right, bottom), _ = corners(resting_view(picture, size), picture, size)
    x, y = picture.focus
    return (x - left) / (right - left), (y - top) / (bottom - top)
