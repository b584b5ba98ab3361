"""Pieces of a film that are encoded once: the body of each clip, and each transition between two.

A segment says everything that its frames depend on and nothing else, so the hash of its description
names its file: what has that name already need not be rendered again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from genlock.errors import CheckFailed
from genlock.media.film.caption import Caption
from genlock.media.film.footage import Footage
from genlock.media.film.layer import AnyLayer, Entry, Layer, Morph, Projection, Surge
from genlock.media.film.motion import Size, view_at
from genlock.media.film.passage import busy
from genlock.media.film.plan import FilmPlan, Shot, Transition
from genlock.media.operation import Value

RENDERER = 12  # raised when the same description comes out as other frames, or other things are noted of them


BENDING = 2.4  # seconds in which near things pass far ones: longer looks no better and costs more
_SOFTENED = 0.009  # of the frame: by how much pictures full of detail go out of focus in a dissolve


@cache
def made_by() -> str:
    """What a segment's frames depend on beside its description: our renderer and its libraries."""
    from importlib.metadata import version  # which imports e-mail; children are told and never ask

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


class Segment(Value):
    """A run of frames and how to encode them; layers from the bottom up, captions over all of them."""

    kind: Literal["body", "transition"]
    width: int
    height: int
    fps: int
    frames: int = Field(ge=1)
    layers: list[AnyLayer] = Field(min_length=1)
    captions: tuple[Caption, ...] = ()
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
        pictures = [one for layer in self.layers for one in layer.pictures]
        logos = [caption.logo for caption in self.captions if caption.logo]
        return list(dict.fromkeys(one.sha256 for one in (*pictures, *logos)))

    @model_validator(mode="after")
    def _bottom_is_opaque(self) -> Self:
        if self.layers[0].entry:
            raise ValueError("the lowest layer of a segment has nothing below it to appear over")
        return self


def body(shot: Shot, encoding: Encoding | None = None) -> Segment:
    """The frames of a clip that it shares with no neighbour."""
    layers: list[AnyLayer]
    if shot.footage:
        layers = [_projection(shot, shot.footage, shot.lead)]
    elif shot.morph:
        layers = [_morph(shot, shot.lead)]
    elif shot.blend_frames:
        entry = Entry(kind=shot.turn, start=shot.blend_start - shot.lead, frames=shot.blend_frames)
        layers = _met(_first_layer(shot, shot.lead), _last_layer(shot, shot.lead), entry, shot.dash)
    else:
        layers = [_first_layer(shot, shot.lead)]
    captions = tuple(each.model_copy(update={"start": each.start - shot.lead}) for each in shot.captions)
    bare = _segment("body", shot, shot.body_frames, layers, encoding)
    return bare.model_copy(update={"captions": captions})


def transition(before: Shot, after: Shot, joint: Transition, encoding: Encoding | None = None) -> Segment:
    """The frames that two neighbours share, both still moving; `ValueError` where they share none."""
    if joint.frames < 1 or (before.tail, after.lead) != (joint.frames, joint.frames):
        raise ValueError(f"clips {before.index} and {after.index} share no {joint.frames} frames")
    if joint.kind in ("cut", "continue"):
        raise ValueError(f"clips {before.index} and {after.index} meet in a {joint.kind}: nothing to draw")
    lower, upper = _at_end(before, before.frames - before.tail), _at_begin(after)
    entry = Entry(kind=joint.kind, start=0, frames=joint.frames)
    return _segment("transition", before, joint.frames, _met(lower, upper, entry, before.dash), encoding)


def _at_begin(shot: Shot) -> AnyLayer:
    """What a clip shows from its first frame on."""
    if shot.footage:
        return _projection(shot, shot.footage, 0)
    return _morph(shot, 0) if shot.morph else _first_layer(shot, 0)


def _at_end(shot: Shot, offset: int) -> AnyLayer:
    """What a clip shows at its end, from `offset` frames into it."""
    if shot.footage:
        return _projection(shot, shot.footage, offset)
    if shot.morph:
        return _morph(shot, offset)
    return _last_layer(shot, offset) if shot.blend_frames else _first_layer(shot, offset)


def _met(lower: AnyLayer, upper: AnyLayer, entry: Entry, dash: float) -> list[AnyLayer]:
    """One layer appearing over another; a zoom carries the camera out of the one and into the other."""
    leaves, arrives = None, None
    if entry.kind in ("dissolve", "zoom"):
        muddle = busy(lower.pictures[-1], upper.pictures[0])
        entry = entry.model_copy(update={"soften": round(_SOFTENED * muddle, 5)})
    if entry.kind == "zoom":
        entry = entry.model_copy(update={"grow": dash})
        leaves = Surge(start=entry.start, frames=entry.frames, grow=dash, arrives=False)
        arrives = _arrival(upper, entry)
    return [
        lower.model_copy(update={"surge": leaves}),
        upper.model_copy(update={"surge": arrives, "entry": entry}),
    ]


def _arrival(upper: AnyLayer, entry: Entry) -> Surge | None:
    """From as far away as the picture reaches; a morph sets out at once on its own way."""
    if isinstance(upper, Morph):
        return None
    room = math.log(view_at(upper.move, 0.0).zoom)
    return Surge(start=entry.start, frames=entry.frames, grow=room, arrives=True) if room > 0 else None


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
    layers: list[AnyLayer],
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
    return Layer(
        picture=shot.first, move=shot.first_move, move_start=-offset, move_frames=frames, grade=shot.grade
    )


def _last_layer(shot: Shot, offset: int) -> Layer:
    """The clip's second picture, which appears with its turn."""
    start = shot.blend_start - offset
    frames = shot.frames - shot.blend_start
    return Layer(
        picture=shot.last, move=shot.last_move, move_start=start, move_frames=frames, grade=shot.grade
    )


def _projection(shot: Shot, footage: Footage, offset: int) -> Projection:
    """The clip's footage, all along."""
    return Projection(
        picture=footage.picture,
        move=footage.move,
        move_start=-offset,
        move_frames=shot.frames,
        grade=shot.grade,
        begin=footage.begin,
        speed=footage.speed,
    )


def _morph(shot: Shot, offset: int) -> Morph:
    """Both of the clip's pictures as views of one scene."""
    if shot.morph is None:
        raise ValueError(f"clip {shot.index} shows two scenes")
    middle = shot.blend_start + shot.blend_frames // 2
    half = min(middle - shot.lead, shot.frames - shot.tail - middle, round(BENDING / 2 * shot.fps))
    half = max(half, shot.blend_frames // 2)
    return Morph(
        first=shot.first,
        last=shot.last,
        route=shot.morph,
        move_start=-offset,
        move_frames=shot.frames,
        bend_start=middle - half - offset,
        bend_frames=2 * half,
        blend_start=shot.blend_start - offset,
        blend_frames=shot.blend_frames,
        grade=shot.grade,
    )
