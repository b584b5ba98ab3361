"""The film on paper, in whole frames: which picture is where in view at which frame, before anything runs.

A clip begins on its pair's first picture and ends on its second: a camera move on each, with a dissolve
around the middle. Neighbouring clips share the frames of the transition between them, so the film is
as long as all clips together less all transitions. Where a tempo is wished, cuts fall on its beats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from random import Random
from typing import Literal, Self

from pydantic import Field, model_validator

from genlock.errors import BadInput
from genlock.media.film.motion import (
    MOVES,
    Move,
    Picture,
    Size,
    View,
    arrive,
    choose_move,
    fits,
    leave,
    resting_view,
)
from genlock.media.operation import Value

__all__ = ["FilmPlan", "Move", "Picture", "Shot", "Size", "Transition", "View", "plan_shots", "retake"]

BEATS_IN_BAR = 4
_BEND = 0.08
_LEAST_SHARE = 0.75
_SHORTEST_BODY = 4
_TRANSITION = (0.3, 0.6)
_BLEND = (0.5, 1.0)

Joint = Literal["dissolve", "cut", "continue"]


class Shot(Value):
    """One clip, complete in itself. Frames count from the clip's own start.

    `lead` and `tail` frames at the ends belong to the transitions; the rest is the clip's body. The
    first picture's move lasts until the dissolve to the second has ended, the second's move starts where
    the dissolve does. A clip with one picture has `blend_frames` 0 and one move. `take` counts how often
    the clip was asked for again; `meets` says whether it begins or ends on its neighbour's picture.
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
    take: int = Field(default=0, ge=0)
    seed: int
    pace: float = 1.0
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
            raise ValueError(f"clip {self.index} has two pictures but no dissolve between them")
        end = self.blend_start + self.blend_frames
        if self.blend_frames and not self.lead <= self.blend_start <= end <= self.frames - self.tail:
            raise ValueError(
                f"clip {self.index}: the dissolve between its pictures reaches into a transition"
            )
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


def plan_shots(
    pairs: Sequence[tuple[Picture, Picture]],
    *,
    size: Size = (1920, 1080),
    fps: int = 30,
    seconds_per_clip: float = 6.0,
    seed: int = 1,
    tempo: float | None = None,
    mood: str = "calm",
    transition: Literal["dissolve", "cut"] = "dissolve",
    pace: float = 1.0,
) -> FilmPlan:
    """Plan a film of one clip for each pair, the same for the same arguments.

    No clip is longer than `seconds_per_clip`. A wished tempo may bend by up to 8 % so that cuts fall on
    bars, half bars or beats; clips hardly longer than a beat are not cut short to meet one. `pace`
    makes camera moves larger or smaller. Raises `BadInput`.
    """
    if not pairs:
        raise BadInput("a film needs at least one pair of pictures")
    joints = _joints(pairs, transition, _even(seconds_per_clip * 0.08, _TRANSITION, fps))
    cuts, fitted = _cuts(len(pairs), round(seconds_per_clip * fps), joints, tempo, fps)
    shots = [
        _shot(pair, slot, size=size, fps=fps, seed=seed, pace=pace)
        for pair, slot in zip(pairs, _slots(cuts, joints), strict=True)
    ]
    size_and_rate = {"width": size[0], "height": size[1], "fps": fps}
    return FilmPlan(**size_and_rate, shots=shots, transitions=joints, tempo=fitted, mood=mood, seed=seed)


def retake(shot: Shot, take: int) -> Shot:
    """The same clip with other camera moves; its frames and its neighbours stay as they are."""
    first, last = _moves(shot, take)
    return Shot.model_validate({**shot.model_dump(), "take": take, "first_move": first, "last_move": last})


def _joints(pairs: Sequence[tuple[Picture, Picture]], transition: str, frames: int) -> list[Transition]:
    """A clip that ends on the picture the next one begins with goes on without a transition."""
    joints = []
    for after, (left, right) in enumerate(pairwise(pairs)):
        if left[1] == right[0] and left[0] != left[1] and right[0] != right[1]:
            joints.append(Transition(after=after, frames=0, kind="continue"))
        elif transition == "cut":
            joints.append(Transition(after=after, frames=0, kind="cut"))
        else:
            joints.append(Transition(after=after, frames=frames, kind="dissolve"))
    return joints


def _cuts(
    clips: int, longest: int, joints: Sequence[Transition], tempo: float | None, fps: int
) -> tuple[list[int], float | None]:
    """The frames at which clips take over from each other, from 0 to the film's end, and the tempo."""
    if longest - 2 * max((joint.frames for joint in joints), default=0) < _SHORTEST_BODY:
        raise BadInput(
            f"clips of {longest / fps:g} s are too short to have transitions; at least 1 s is needed"
        )
    if tempo is None:
        halves = [0, *(joint.frames // 2 for joint in joints), 0]
        cuts = [0]
        for left, right in pairwise(halves):
            cuts.append(cuts[-1] + longest - left - right)
        return cuts, None
    spacing, fitted = _on_beat(longest - max((joint.frames for joint in joints), default=0), tempo, fps)
    return [round(index * spacing) for index in range(clips + 1)], fitted


def _on_beat(frames: int, tempo: float, fps: int) -> tuple[float, float]:
    """Frames between cuts, at most as many as given, that are whole beats of a tempo near the wished one."""
    seconds = frames / fps
    for group in (BEATS_IN_BAR, BEATS_IN_BAR // 2, 1):
        beats = max(1, round(seconds * tempo / 60 / group)) * group
        bent = beats * 60 / seconds
        if abs(bent / tempo - 1) <= _BEND:
            return float(frames), bent
    spacing = int(seconds * tempo / 60) * 60 / tempo * fps
    return (spacing if spacing >= _LEAST_SHARE * frames else float(frames)), tempo


@dataclass(frozen=True, slots=True)
class _Slot:
    """A clip's place in the film: how long it is, and what it shares with its neighbours."""

    index: int
    frames: int
    lead: int
    tail: int
    meets: tuple[bool, bool]


def _slots(cuts: Sequence[int], joints: Sequence[Transition]) -> list[_Slot]:
    shared = [0, *(joint.frames for joint in joints), 0]
    meeting = [False, *(joint.kind == "continue" for joint in joints), False]
    slots = []
    for index, (begin, end) in enumerate(pairwise(cuts)):
        lead, tail = shared[index], shared[index + 1]
        frames = end + tail // 2 - begin + lead // 2
        slots.append(_Slot(index, frames, lead, tail, (meeting[index], meeting[index + 1])))
    return slots


def _shot(
    pair: tuple[Picture, Picture], slot: _Slot, *, size: Size, fps: int, seed: int, pace: float
) -> Shot:
    """A clip with its dissolve in the middle between its cuts and its moves chosen by the seed."""
    first, last = pair
    frames, lead, tail = slot.frames, slot.lead, slot.tail
    blend = 0
    if first != last:
        blend = min(_even(frames / fps * 0.14, _BLEND, fps), (frames - lead - tail) // 2 * 2)
    middle = (lead // 2 + frames - tail // 2) // 2
    start = min(max(middle - blend // 2, lead), frames - tail - blend)
    draft = Shot(
        **asdict(slot),
        width=size[0],
        height=size[1],
        fps=fps,
        first=first,
        last=last,
        first_move=_rest(first, size),
        last_move=_rest(last, size),
        blend_start=start if blend else frames,
        blend_frames=blend,
        seed=seed,
        pace=pace,
    )
    return retake(draft, 0)


def _rest(picture: Picture, size: Size) -> Move:
    return Move(start=resting_view(picture, size), end=resting_view(picture, size))


def _moves(shot: Shot, take: int) -> tuple[Move, Move]:
    """Both pictures move in the same way, so that one motion runs through the dissolve."""
    random_seed = f"{shot.seed}/{shot.index}/{take}"
    kind = MOVES[(Random(shot.seed).randrange(len(MOVES)) + shot.index + take * 2) % len(MOVES)]
    seconds = [(shot.blend_start + shot.blend_frames) / shot.fps, (shot.frames - shot.blend_start) / shot.fps]
    first, last = (
        choose_move(
            picture,
            shot.size,
            kind=kind,
            seconds=max(length, 0.1),
            pace=shot.pace,
            random=Random(random_seed),
        )
        for picture, length in zip((shot.first, shot.last), seconds, strict=True)
    )
    before, after = shot.meets
    return (
        leave(shot.first, shot.size, Random(random_seed)) if before else first,
        arrive(shot.last, shot.size, Random(random_seed)) if after else last,
    )


def _even(seconds: float, bounds: tuple[float, float], fps: int) -> int:
    """An even number of frames of about this length, so that both halves are whole."""
    low, high = bounds
    least, most = math.ceil(low * fps / 2) * 2, math.floor(high * fps / 2) * 2
    return min(max(round(seconds * fps / 2) * 2, least), max(most, least))
