"""How a film feels: what the plan of its pictures takes from the style that was ordered. Light."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from genlock.media.film.camera import MOVES
from genlock.media.film.grade import Grade
from genlock.media.operation import Value


class Style(Value):
    """What a film's planner prefers.

    `seconds` is how long a clip is unless the order says so. `pace` makes camera moves larger or smaller,
    `moves` says which kinds there are, in turn. `dissolve`, `push` and `zoom` say how gladly pictures meet in
    these ways; which of them it is depends on the pictures as well. `linger` makes what leads from one to
    the other longer or shorter, `dash` is how far a zoom carries the camera, as a logarithm. Every
    `cut_every`th clip begins with a straight cut (0: none does).
    """

    name: str
    seconds: float = Field(default=6.0, ge=1, le=60)
    pace: float = Field(default=1.0, gt=0)
    moves: tuple[str, ...] = MOVES
    dissolve: float = Field(default=1.0, ge=0)
    push: float = Field(default=0.0, ge=0)
    zoom: float = Field(default=0.0, ge=0)
    linger: float = Field(default=1.0, gt=0)
    dash: float = Field(default=0.4, gt=0, le=2)
    cut_every: int = Field(default=0, ge=0)
    grade: Grade = Grade()


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        style.name: style
        for style in (
            Style(
                name="calm",
                dissolve=1.0,
                zoom=0.5,
                grade=Grade(saturation=0.97, shadows=(-0.5, 0.5), lights=(-2.5, 1.5)),
            ),
            Style(
                name="bold",
                seconds=4.0,
                pace=1.7,
                moves=("push", "push_across", "pan", "pull_across", "push", "pan_back", "pull"),
                dissolve=0.78,
                push=1.0,
                zoom=0.75,
                linger=0.7,
                dash=0.85,
                cut_every=2,
                grade=Grade(contrast=0.27, saturation=1.17),
            ),
            Style(
                name="cinematic",
                seconds=7.0,
                pace=0.8,
                moves=("push", "lift", "pull", "pan", "push_across", "pull_across"),
                dissolve=1.0,
                push=0.42,
                zoom=0.5,
                linger=1.7,
                dash=0.45,
                grade=Grade(contrast=-0.07, lift=7, saturation=0.89, shadows=(3.5, -4.5), lights=(-5.0, 3.5)),
            ),
        )
    }
)
CALM = STYLES["calm"]
