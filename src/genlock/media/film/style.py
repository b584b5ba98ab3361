"""How a film feels: what the plan of its pictures takes from the style that was ordered. Light."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from genlock.media.operation import Value


class Style(Value):
    """What a film's planner prefers.

    `pace` makes camera moves larger or smaller. `dissolve`, `push` and `zoom` say how gladly pictures
    meet in these ways; which of them it is depends on the pictures as well.
    """

    name: str
    pace: float = Field(default=1.0, gt=0)
    dissolve: float = Field(default=1.0, ge=0)
    push: float = Field(default=0.0, ge=0)
    zoom: float = Field(default=0.0, ge=0)


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        style.name: style
        for style in (
            Style(name="calm", pace=1.0, dissolve=1.0, push=0.66, zoom=0.5),
            Style(name="bold", pace=1.5, dissolve=0.78, push=1.0, zoom=0.75),
            Style(name="cinematic", pace=0.8, dissolve=1.0, push=0.42, zoom=0.5),
        )
    }
)
CALM = STYLES["calm"]
