"""How each style sets its words: sizes, spacing, places and colours, as shares of the frame. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from genlock.media.film.caption import Design, Role

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
SOFT: Colour = (238, 238, 236)
AMBER: Colour = (255, 200, 40)
SAFE = 0.07  # of each side: what no screen cuts off
SAFE_UPRIGHT = 0.16  # of an upright frame's height: players on telephones put their buttons below


@dataclass(frozen=True, slots=True)
class Look:
    """One role in one design. Sizes are shares of the frame's shorter side, `spacing` of the letter's size.

    The first line is the heading, the others are lesser. `rule` is the width of a line between them, `bar`
    that of an upright or lying bar beside or above all; 0 means none.
    """

    heading: float
    lesser: float
    spacing: float = 0.0
    lesser_spacing: float = 0.02
    capitals: bool = False
    lesser_capitals: bool = False
    aside: bool = False  # at the left instead of in the middle
    at: Literal["middle", "bottom"] = "middle"
    leading: float = 1.16
    gap: float = 0.55  # between heading and lesser lines, of the lesser size
    rule: float = 0.0
    bar: float = 0.0
    accent: Colour = WHITE


_CALM = Look(heading=0.088, lesser=0.04, spacing=0.004, gap=0.7)
_BOLD = Look(
    heading=0.118,
    lesser=0.043,
    spacing=-0.012,
    lesser_spacing=0.01,
    capitals=True,
    aside=True,
    at="bottom",
    leading=1.0,
    gap=0.6,
    bar=0.11,
    accent=AMBER,
)
_CINEMATIC = Look(
    heading=0.082,
    lesser=0.036,
    spacing=0.16,
    lesser_spacing=0.24,
    capitals=True,
    lesser_capitals=True,
    leading=1.3,
    gap=1.3,
    rule=0.12,
    accent=SOFT,
)

LOOKS: Mapping[tuple[Design, Role], Look] = MappingProxyType(
    {
        ("calm", "title"): _CALM,
        ("bold", "title"): _BOLD,
        ("cinematic", "title"): _CINEMATIC,
        ("calm", "lower"): Look(heading=0.05, lesser=0.034, aside=True, at="bottom"),
        ("bold", "lower"): Look(
            heading=0.048, lesser=0.034, capitals=True, aside=True, at="bottom", bar=0.05, accent=AMBER
        ),
        ("cinematic", "lower"): Look(heading=0.054, lesser=0.036, spacing=0.05, at="bottom"),
        ("calm", "card"): replace(_CALM, heading=0.08, lesser=0.042, gap=0.9),
        ("bold", "card"): replace(_BOLD, heading=0.1, lesser=0.046, at="middle"),
        ("cinematic", "card"): replace(_CINEMATIC, heading=0.076, lesser=0.036),
    }
)
