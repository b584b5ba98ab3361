"""How a picture gives way to the next one: chosen by what the two look like, and by what was seen before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from genlock.media.film.link import Link
from genlock.media.film.motion import Picture, Size, resting_view
from genlock.media.film.route import corners, inverse, mapped
from genlock.media.film.style import Style

Passage = Literal["dissolve", "zoom", "left", "right", "up", "down"]
_Kind = Literal["dissolve", "push", "zoom"]

_AGAIN, _BEFORE_LAST = 0.66, 0.85  # how much less a kind is liked that was seen just now, or a little before
_DOUBLE = 0.1  # what the likeness of two views of one scene counts: in a dissolve their edges would double
_LIGHT = 25.0  # of lightness, by which likeness falls to a third
_CHANCE = (0.8, 1.2)
_SAME_PLACE = 0.06  # of the frame


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two pictures of which the second follows the first. `free` is False where a camera goes on instead."""

    left: Picture
    right: Picture
    link: Link | None
    free: bool = True


def choose_passages(meetings: Sequence[Meeting], *, size: Size, style: Style, seed: int) -> list[Passage]:
    """How each two pictures meet, the same for the same arguments; dissolves where nothing is known.

    Pictures alike in light and colour melt into each other; strangers are pushed aside; where the eye
    rests in the middle of both, the camera goes through. What was seen just before is liked less.
    """
    chosen: list[Passage] = []
    seen: list[_Kind] = []
    for meeting in meetings:
        kind: _Kind = "dissolve"
        if meeting.free and meeting.link:
            liking = _liking(meeting, meeting.link, size=size, style=style, seed=seed)
            kind = max(liking, key=lambda kind: liking[kind] * _freshness(kind, seen))
        if meeting.free:
            seen.append(kind)
        chosen.append(_side(meeting, size) if kind == "push" else kind)
    return chosen


def _liking(meeting: Meeting, link: Link, *, size: Size, style: Style, seed: int) -> dict[_Kind, float]:
    """How well each kind suits these two pictures."""
    alike = 0.4 * link.colours + 0.2 * link.layout + 0.4 * math.exp(-abs(link.light) / _LIGHT)
    centred = 1 - max(math.dist(_eye(picture, size), (0.5, 0.5)) for picture in (meeting.left, meeting.right))
    if link.one_scene:
        alike = _DOUBLE
    random = Random(f"{seed}/{meeting.left.sha256}/{meeting.right.sha256}")
    return {
        "dissolve": style.dissolve * (0.5 + alike) * random.uniform(*_CHANCE),
        "push": style.push * (1.6 - alike) * random.uniform(*_CHANCE),
        "zoom": style.zoom * (0.6 + centred) * random.uniform(*_CHANCE),
    }


def _freshness(kind: _Kind, seen: Sequence[_Kind]) -> float:
    return (_AGAIN if [kind] == seen[-1:] else 1.0) * (_BEFORE_LAST if [kind] == seen[-2:-1] else 1.0)


def _side(meeting: Meeting, size: Size) -> Passage:
    """From where the next picture comes in: so that the eye is led to where it has to look next.

    Another view of the same scene comes from where it lies.
    """
    (x, y), (u, v) = _eye(meeting.left, size), _eye(meeting.right, size)
    if meeting.link and meeting.link.one_scene and meeting.link.mapping:
        (u, v), (x, y) = (0.5, 0.5), mapped(inverse(meeting.link.mapping), (0.5, 0.5))
    if size[0] >= size[1]:
        return "left" if u - x > _SAME_PLACE else "right"
    return "up" if v - y > _SAME_PLACE else "down"


def _eye(picture: Picture, size: Size) -> tuple[float, float]:
    """Where in the frame the eye rests, as shares of its width and height."""
    (left, top), _, (right, bottom), _ = corners(resting_view(picture, size), picture, size)
    x, y = picture.focus
    return (x - left) / (right - left), (y - top) / (bottom - top)
