"""What is seen in a segment, one above the other: pictures and footage under moving cameras. Light."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from genlock.media.film.grade import NEUTRAL, Grade
from genlock.media.film.motion import Move, Picture, Size, View, surge, surged, view_at
from genlock.media.film.route import Route
from genlock.media.operation import Value


class Surge(Value):
    """The camera dashes forward: it leaves a picture ever faster, or arrives at one ever slower.

    `grow` is the logarithm of how much larger things get meanwhile.
    """

    start: int
    frames: int = Field(ge=1)
    grow: float = Field(gt=0, le=2)
    arrives: bool


class Entry(Value):
    """How a layer appears over what is below it. A layer without one is there from the beginning.

    A dissolve, and a zoom, which is one between two surges, mix both; a push comes in from the side that
    it is named for and moves what is below out of the frame. `grow` is the logarithm of how much larger a
    zoom makes what it leaves, `soften` the share of the frame by which both are out of focus half-way.
    """

    kind: Literal["dissolve", "zoom", "left", "right", "up", "down"]
    start: int
    frames: int = Field(ge=1)
    grow: float = Field(default=0.0, ge=0, le=2)
    soften: float = Field(default=0.0, ge=0, le=0.1)

    def share(self, number: int) -> float:
        """How much of the time has passed at this frame, 0..1; neither end shows on a frame."""
        return min(max((number - self.start + 1) / (self.frames + 1), 0.0), 1.0)


class Shown(Value):
    """Something under a moving camera. All frames count from the segment's first, which is 0.

    The move begins at `move_start`, before the segment if negative, and lasts `move_frames`.
    """

    picture: Picture
    move: Move
    move_start: int
    move_frames: int = Field(ge=1)
    entry: Entry | None = None
    surge: Surge | None = None
    grade: Grade = NEUTRAL

    @property
    def pictures(self) -> tuple[Picture, ...]:
        return (self.picture,)

    @property
    def end(self) -> int:
        """The frame at which the move is over."""
        return self.move_start + self.move_frames

    def view(self, number: int, size: Size) -> View:
        """What a frame of this size shows of it, a dash of the camera included."""
        view, dash = view_at(self.move, (number - self.move_start) / self.move_frames), self.surge
        if dash is None:
            return view
        share = min(max((number - dash.start + 1) / (dash.frames + 1), 0.0), 1.0)
        growth = -dash.grow * surge(1 - share) if dash.arrives else dash.grow * surge(share)
        return surged(view, self.picture, size, math.exp(growth))


class Layer(Shown):
    """A still picture under a moving camera."""


class Projection(Shown):
    """Footage under a camera that seldom moves; `picture` stands for a frame of it, by the file's hash.

    The move's first frame shows the moment `begin`, in seconds of the file's own clock, and one second of
    the film shows `speed` seconds of it.
    """

    begin: float
    speed: float = Field(gt=0)


class Morph(Value):
    """Two views of one scene under one moving camera that goes from the first to the last.

    One becomes the other during the blend. What the mapping between them does not tell, such as that near
    things move more than far ones, happens during the bend, which contains the blend.
    """

    first: Picture
    last: Picture
    route: Route
    move_start: int
    move_frames: int = Field(ge=1)
    bend_start: int
    bend_frames: int = Field(ge=1)
    blend_start: int
    blend_frames: int = Field(ge=1)
    entry: Entry | None = None
    surge: Surge | None = None
    grade: Grade = NEUTRAL

    @property
    def pictures(self) -> tuple[Picture, ...]:
        return self.first, self.last

    @property
    def end(self) -> int:
        """The frame at which the move is over."""
        return self.move_start + self.move_frames

    @model_validator(mode="after")
    def _bends_while_it_blends(self) -> Self:
        if not (
            self.move_start <= self.bend_start <= self.blend_start
            and self.blend_start + self.blend_frames <= self.bend_start + self.bend_frames <= self.end
        ):
            raise ValueError("a morph bends within its move and blends while it bends")
        return self


AnyLayer = Layer | Projection | Morph
