"""Pieces of a film that are encoded once: the body of each clip, and each transition between two.

A segment says everything that its frames depend on and nothing else, so the hash of its description
names its file: what has that name already need not be rendered again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from genlock.errors import CheckFailed
from genlock.media.film.motion import Move, Picture, Size
from genlock.media.film.plan import FilmPlan, Shot, Transition
from genlock.media.operation import Value

RENDERER = 1  # raised when the same description comes out as other frames


def made_by() -> str:
    """What a segment's frames depend on beside its description: our renderer and its libraries."""
    return f"genlock/{RENDERER} av/{version('av')} opencv/{version('opencv-python-headless')}"


class Encoding(Value):
    """How a segment is encoded; the same for all segments of a film, or they cannot be joined by copy.

    The default preset with ten frames of lookahead has the quality of `veryfast` on slow camera moves
    (equal PSNR, 7 % more bits) in 0.6 of its time.
    """

    codec: Literal["libx264"] = "libx264"
    profile: Literal["high"] = "high"
    preset: str = "superfast"
    tuning: str = "rc-lookahead=10:mbtree=1"
    crf: int = Field(default=19, ge=0, le=51)
    gop_seconds: float = Field(default=2.0, gt=0, le=10)
    made_by: str = Field(default_factory=made_by)


class Layer(Value):
    """A picture under a moving camera. All frames count from the segment's first, which is 0.

    The move begins at `move_start`, before the segment if negative, and lasts `move_frames`. A layer
    without a fade hides what is below it; with one it appears over `fade_frames` from `fade_start` on.
    """

    picture: Picture
    move: Move
    move_start: int
    move_frames: int = Field(ge=1)
    fade_start: int = 0
    fade_frames: int = Field(default=0, ge=0)


class Segment(Value):
    """A run of frames and how to encode them; layers from the bottom up."""

    kind: Literal["body", "transition"]
    width: int
    height: int
    fps: int
    frames: int = Field(ge=1)
    layers: list[Layer] = Field(min_length=1)
    encoding: Encoding = Field(default_factory=Encoding)

    @property
    def name(self) -> str:
        """SHA-256 of the canonical JSON."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def size(self) -> Size:
        return self.width, self.height

    @property
    def sources(self) -> list[str]:
        """The hashes of the pictures that are needed."""
        return list(dict.fromkeys(layer.picture.sha256 for layer in self.layers))

    @model_validator(mode="after")
    def _bottom_is_opaque(self) -> Self:
        if self.layers[0].fade_frames:
            raise ValueError("the lowest layer of a segment has nothing below it to fade from")
        return self


def body(shot: Shot, encoding: Encoding | None = None) -> Segment:
    """The frames of a clip that it shares with no neighbour."""
    layers = [_first_layer(shot, shot.lead)]
    if shot.blend_frames:
        layers.append(_last_layer(shot, shot.lead))
    return _segment("body", shot, shot.body_frames, layers, encoding)


def transition(before: Shot, after: Shot, joint: Transition, encoding: Encoding | None = None) -> Segment:
    """The frames that two neighbours share, both still moving; `ValueError` where they share none."""
    if joint.frames < 1 or (before.tail, after.lead) != (joint.frames, joint.frames):
        raise ValueError(f"clips {before.index} and {after.index} share no {joint.frames} frames")
    offset = before.frames - before.tail
    leaving = _last_layer(before, offset) if before.blend_frames else _first_layer(before, offset)
    lower = leaving.model_copy(update={"fade_start": 0, "fade_frames": 0})
    upper = _first_layer(after, 0).model_copy(update={"fade_start": 0, "fade_frames": joint.frames})
    return _segment("transition", before, joint.frames, [lower, upper], encoding)


def segments(plan: FilmPlan, encoding: Encoding | None = None) -> list[Segment]:
    """All segments in the order of the film: body, transition, body, …; their frames add up."""
    pieces = [body(plan.shots[0], encoding)]
    for (before, after), joint in zip(pairwise(plan.shots), plan.transitions, strict=True):
        if joint.frames:
            pieces.append(transition(before, after, joint, encoding))
        pieces.append(body(after, encoding))
    check_frames(plan, [piece.frames for piece in pieces])
    return pieces


def check_frames(plan: FilmPlan, frames: Sequence[int]) -> None:
    """Raise `CheckFailed` with the numbers unless these segments are together as long as the plan."""
    if sum(frames) != plan.total_frames:
        raise CheckFailed(
            f"the film is planned with {plan.total_frames} frames, but its {len(frames)} segments "
            f"have {sum(frames)}: {' + '.join(map(str, frames))}"
        )


def _segment(
    kind: Literal["body", "transition"],
    shot: Shot,
    frames: int,
    layers: list[Layer],
    encoding: Encoding | None,
) -> Segment:
    return Segment(
        kind=kind,
        width=shot.width,
        height=shot.height,
        fps=shot.fps,
        frames=frames,
        layers=layers,
        encoding=encoding or Encoding(),
    )


def _first_layer(shot: Shot, offset: int) -> Layer:
    """The clip's first picture, seen from `offset` frames into the clip."""
    frames = shot.blend_start + shot.blend_frames
    return Layer(picture=shot.first, move=shot.first_move, move_start=-offset, move_frames=frames)


def _last_layer(shot: Shot, offset: int) -> Layer:
    """The clip's second picture, which appears with the dissolve."""
    start = shot.blend_start - offset
    return Layer(
        picture=shot.last,
        move=shot.last_move,
        move_start=start,
        move_frames=shot.frames - shot.blend_start,
        fade_start=start,
        fade_frames=shot.blend_frames,
    )
