"""A film on paper: its clips, how they meet, and how many frames all of that takes. Light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genlock.media.film.camera import MOVES
from genlock.media.film.caption import Caption
from genlock.media.film.footage import Footage
from genlock.media.film.grade import NEUTRAL, Grade
from genlock.media.film.motion import Move, Picture, Size, fits
from genlock.media.film.passage import Passage
from genlock.media.film.route import Route
from genlock.media.operation import Value

Joint = Passage | Literal["cut", "continue"]


class Shot(Value):
    """One clip, complete in itself. Frames count from the clip's own start.

    `lead` and `tail` frames at the ends belong to the transitions; the rest is the clip's body. During
    the blend the first picture gives way to the second: by a `turn`, the first one's move lasting until
    it has ended, the second one's starting with it; or, if both show one scene, by a `morph`, one move
    from one to the other, of which `first_move` and `last_move` are the parts before and after the blend.
    A clip with one picture has `blend_frames` 0 and one move. `take` counts how often the clip was asked
    for again; `comes` and `goes` are the joints before and after it, and `dash` is how far a zoom carries the
    camera, as a logarithm; `meets` says whether it begins or ends on its neighbour's
    picture. The end card is a clip that stays on one picture behind words. With `footage` that is shown, from
    the clip's first frame to its last, and moves and blend are what would be without it.
    """

    index: int = Field(ge=0)
    width: int = Field(ge=16, multiple_of=2)
    height: int = Field(ge=16, multiple_of=2)
    fps: int = Field(ge=1, le=120)
    frames: int = Field(ge=1)
    lead: int = Field(ge=0)
    tail: int = Field(ge=0)
    first: Picture
    last: Picture
    first_move: Move
    last_move: Move
    blend_start: int = Field(ge=0)
    blend_frames: int = Field(ge=0)
    turn: Passage = "dissolve"
    morph: Route | None = None
    comes: Joint = "cut"
    goes: Joint = "cut"
    dash: float = Field(default=0.5, gt=0, le=2)
    take: int = Field(default=0, ge=0)
    seed: int
    pace: float = 1.0
    moves: tuple[str, ...] = Field(default=MOVES, min_length=1)
    grade: Grade = NEUTRAL
    captions: tuple[Caption, ...] = ()
    is_card: bool = False
    footage: Footage | None = None
    meets: tuple[bool, bool] = (False, False)

    @property
    def size(self) -> Size:
        return self.width, self.height

    @property
    def body_frames(self) -> int:
        return self.frames - self.lead - self.tail

    @model_validator(mode="after")
    def _blend_lies_in_body(self) -> Self:
        if self.body_frames < 1:
            raise ValueError(f"clip {self.index}: its transitions leave no frame between them")
        if self.first != self.last and not self.blend_frames:
            raise ValueError(f"clip {self.index} has two pictures but nothing leads from one to the other")
        end = self.blend_start + self.blend_frames
        if self.blend_frames and not self.lead <= self.blend_start <= end <= self.frames - self.tail:
            raise ValueError(f"clip {self.index}: its pictures change while it is in a transition")
        return self

    @model_validator(mode="after")
    def _words_lie_in_body(self) -> Self:
        for caption in self.captions:
            if caption.start < self.lead or caption.end > self.frames - self.tail:
                raise ValueError(f"clip {self.index}: {caption.lines[0]!r} would be seen in a transition")
        return self

    @model_validator(mode="after")
    def _views_lie_in_pictures(self) -> Self:
        for picture, move in ((self.first, self.first_move), (self.last, self.last_move)):
            if not all(fits(view, picture, self.size) for view in (move.start, move.end)):
                raise ValueError(
                    f"clip {self.index}: the camera would see beyond the edge of {picture.sha256[:12]}"
                )
        return self


class Transition(Value):
    """How clip `after` and the next one meet, and how many frames they share."""

    after: int = Field(ge=0)
    frames: int = Field(ge=0)
    kind: Joint


class FilmPlan(Value):
    """The whole film. `tempo` is what the cuts were fitted to, in beats a minute, counted from frame 0."""

    fps: int
    width: int
    height: int
    shots: list[Shot] = Field(min_length=1)
    transitions: list[Transition]
    tempo: float | None = None
    mood: str = "calm"
    seed: int = 1

    @property
    def total_frames(self) -> int:
        """Clips together less the frames that two of them share."""
        return sum(shot.frames for shot in self.shots) - sum(joint.frames for joint in self.transitions)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.total_frames / self.fps

    @property
    def clips(self) -> int:
        """How many clips there are; the end card is none."""
        return sum(not shot.is_card for shot in self.shots)

    @property
    def cuts(self) -> list[int]:
        """The frame in the middle of each transition: where the eye, and so the music, turns."""
        at, cuts = 0, []
        for shot, joint in zip(self.shots, self.transitions, strict=False):
            at += shot.frames - joint.frames
            cuts.append(at + joint.frames // 2)
        return cuts

    @model_validator(mode="after")
    def _ends_meet(self) -> Self:
        if [joint.after for joint in self.transitions] != list(range(len(self.shots) - 1)):
            raise ValueError("a film of n clips has n - 1 transitions, in order")
        shared = [0, *(joint.frames for joint in self.transitions), 0]
        for shot, lead, tail in zip(self.shots, shared[:-1], shared[1:], strict=True):
            if (shot.lead, shot.tail) != (lead, tail):
                raise ValueError(
                    f"clip {shot.index} and its transitions disagree about the frames they share"
                )
        return self
