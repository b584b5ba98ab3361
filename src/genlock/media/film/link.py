"""What is known of two pictures that follow each other in a film, and how it is asked. Light."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genlock.media.film.motion import Share
from genlock.media.film.route import Mapping
from genlock.media.operation import Request, Value

AGREED = 0.5  # of what both show; views of one scene reach 0.56 and more, strangers 0.02 at most


class Link(Value):
    """A picture and the next one, measured on both.

    `agreement` is the share of what both show whose optical flow leads there and back again; `mapping`
    takes points of the first to the next, if they show one scene. `light` is how much brighter the next
    one is, in CIE lightness (-100..100); `colours` and `layout` are how alike the two are in them.
    """

    agreement: Share = 0.0
    mapping: Mapping | None = None
    light: float = 0.0
    colours: Share = 0.5
    layout: Share = 0.5

    @property
    def one_scene(self) -> bool:
        """Whether flow may carry the one picture into the other."""
        return self.mapping is not None and self.agreement >= AGREED


class Links(Value):
    """One link for each step that was asked about, in order."""

    links: list[Link]


class LinkPictures(Request[Links]):
    """`link_pictures`: measure how pictures are related; each step names two of `pictures` by number.

    `pictures` are working copies by their hashes. Raises `BadPicture` for one that cannot be read.
    """

    pictures: dict[str, Path]
    steps: list[tuple[str, str]] = Field(description="hash of the first picture and of the next")
