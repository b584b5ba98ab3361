"""Words over a film on paper: what is said, from which frame to which, and how it is set. Light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genlock.media.film.motion import Picture
from genlock.media.operation import Value

Role = Literal["title", "lower", "card"]
Design = Literal["calm", "bold", "cinematic"]

LONGEST = 120  # characters of a line before it is set; whether they fit is known when they are


class Caption(Value):
    """A heading with lesser lines below it. Frames count as those of what it lies over.

    A `title` stands in the middle or lower left, a `lower` third at the bottom, a `card` fills its frame.
    `fade` frames at each end are its coming and going. `scrim` is how much light is taken from below it.
    A `card` has its `logo`, if any, above the heading, and does not go.
    """

    role: Role
    design: Design = "calm"
    lines: tuple[str, ...] = Field(min_length=1, max_length=4)
    start: int
    frames: int = Field(ge=1)
    fade: int = Field(default=0, ge=0)
    scrim: float = Field(default=0.6, ge=0, le=0.9)
    logo: Picture | None = None

    @property
    def end(self) -> int:
        """The first frame at which it is gone."""
        return self.start + self.frames

    def share(self, number: int) -> float:
        """How much of it is seen at this frame, 0..1."""
        come = (number - self.start + 1) / (self.fade + 1)
        gone = 1.0 if self.role == "card" else (self.end - number) / (self.fade + 1)
        if not self.start <= number < self.end:
            return 0.0
        seen = min(come, gone, 1.0)
        return seen * seen * (3 - 2 * seen)

    @model_validator(mode="after")
    def _has_time_to_come_and_go(self) -> Self:
        if 2 * self.fade > self.frames:
            raise ValueError(f"{self.lines[0]!r} is gone before it has come: {self.frames} frames")
        return self
