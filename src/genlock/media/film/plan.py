"""Planning a film in whole frames: which picture is where in view at which frame, before anything runs.

A clip begins on its pair's first picture and ends on its second: one camera move from view to view if both
show one scene, else a move on each of them with a turn around the middle. Neighbouring clips share the
frames of the transition between them, so the film is as long as all clips together less all transitions.
Where a tempo is wished, cuts fall on its beats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal

from genlock.errors import BadInput
from genlock.media.film.camera import (
    arrive,
    choose_move,
    leave,
    nearer,
    onward,
    resting_view,
)
from genlock.media.film.link import Link
from genlock.media.film.motion import Move, Picture, Size, View, aim
from genlock.media.film.passage import HEADINGS, Meeting, choose_passages
from genlock.media.film.pilot import Leg, find_flight
from genlock.media.film.route import Mapping, Quad, across, upright
from genlock.media.film.shot import FilmPlan, Joint, Shot, Transition
from genlock.media.film.style import CALM, Style

__all__ = [
    "FilmPlan",
    "Move",
    "Picture",
    "Shot",
    "Size",
    "Transition",
    "View",
    "meetings",
    "plan_shots",
    "retake",
]

Pair = tuple[Picture, Picture]

BEATS_IN_BAR = 4
_BEND = 0.08
_LEAST_SHARE = 0.75
_SHORTEST_BODY = 4
_PASSAGE = (0.3, 0.6)
_ARRIVING = 0.3  # of the way that a zoom carries the camera, the part behind the change


def plan_shots(
    pairs: Sequence[Pair],
    *,
    links: Sequence[Link] = (),
    size: Size = (1920, 1080),
    fps: int = 30,
    seconds_per_clip: float = 6.0,
    seed: int = 1,
    tempo: float | None = None,
    mood: str = "calm",
    transition: Literal["auto", "dissolve", "cut"] = "auto",
    style: Style = CALM,
) -> FilmPlan:
    """Plan a film of one clip for each pair, the same for the same arguments.

    `links` are what is known of the pictures that `meetings` names, in its order; without them everything
    dissolves. No clip is longer than `seconds_per_clip`. A wished tempo may bend by up to 8 % so that cuts
    fall on bars, half bars or beats; clips hardly longer than a beat are not cut short to meet one. Raises
    `BadInput`.
    """
    if not pairs:
        raise BadInput("a film needs at least one pair of pictures")
    if transition != "auto":
        style = style.model_copy(update={"dissolve": 1.0, "push": 0.0, "zoom": 0.0, "cut_every": 0})
    passage = _even(seconds_per_clip * 0.08 * style.linger, _lasting(style), fps)
    joints = _joints(pairs, transition, passage, style.cut_every)
    cuts, fitted = _cuts(len(pairs), round(seconds_per_clip * fps), joints, tempo, fps)
    known = [*links] if links else [None] * (2 * len(pairs) - 1)
    shots = [
        _shot(pair, slot, link, size=size, fps=fps, seed=seed, style=style)
        for pair, slot, link in zip(pairs, _slots(cuts, joints, fitted, fps), known[::2], strict=True)
    ]
    shots, joints = _met(shots, joints, known, style)
    size_and_rate = {"width": size[0], "height": size[1], "fps": fps}
    return FilmPlan(**size_and_rate, shots=shots, transitions=joints, tempo=fitted, mood=mood, seed=seed)


def meetings(pairs: Sequence[Pair]) -> list[Pair]:
    """Each picture of a film with the next one: within the first clip, then from it to the second, …"""
    return list(pairwise(picture for pair in pairs for picture in pair))


def retake(shot: Shot, take: int) -> Shot:
    """The same clip with other camera moves; its frames and its neighbours stay as they are."""
    random = Random(_random_seed(shot, take))
    changed = _morphed(shot, shot.morph.mapping, random) if shot.morph else None
    if changed is None:
        first, last = _moves(shot, take)
        changed = {"first_move": first, "last_move": last}
    return Shot.model_validate({**shot.model_dump(), **changed, "take": take})


def _joints(pairs: Sequence[Pair], transition: str, frames: int, cut_every: int) -> list[Transition]:
    """A clip that ends on the picture the next one begins with goes on without a transition."""
    joints = []
    for after, (left, right) in enumerate(pairwise(pairs)):
        if left[1] == right[0] and left[0] != left[1] and right[0] != right[1]:
            joints.append(Transition(after=after, frames=0, kind="continue"))
        elif transition == "cut" or (cut_every and (after + 1) % cut_every == 0):
            joints.append(Transition(after=after, frames=0, kind="cut"))
        else:
            joints.append(Transition(after=after, frames=frames, kind="dissolve"))
    return joints


def _met(
    shots: Sequence[Shot], joints: Sequence[Transition], links: Sequence[Link | None], style: Style
) -> tuple[list[Shot], list[Transition]]:
    """The same clips and joints with the way chosen in which each picture gives way to the next."""
    passages = choose_passages(
        list(_meetings(shots, joints, links)), size=shots[0].size, style=style, seed=shots[0].seed
    )
    turns, between = passages[::2], passages[1::2]
    meeting = [
        joint.model_copy(update={"kind": kind}) if joint.frames else joint
        for joint, kind in zip(joints, between, strict=True)
    ]
    kinds = ["cut", *(joint.kind for joint in meeting), "cut"]
    turned = [
        told if told.morph else retake(told, 0)
        for shot, turn, (comes, goes) in zip(shots, turns, pairwise(kinds), strict=True)
        for told in [shot.model_copy(update={"turn": turn, "comes": comes, "goes": goes})]
    ]
    return turned, meeting


def _meetings(
    shots: Sequence[Shot], joints: Sequence[Transition], links: Sequence[Link | None]
) -> Iterator[Meeting]:
    """A place for each link: within the first clip, between it and the next, …"""
    for number, link in enumerate(links):
        shot = shots[number // 2]
        if number % 2:
            yield Meeting(shot.last, shots[number // 2 + 1].first, link, free=joints[number // 2].frames > 0)
        else:
            yield Meeting(shot.first, shot.last, link, free=shot.blend_frames > 0 and shot.morph is None)


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
    """A clip's place in the film: how long it is, what it shares with its neighbours, and where it turns."""

    index: int
    frames: int
    lead: int
    tail: int
    meets: tuple[bool, bool]
    turn: int


def _slots(cuts: Sequence[int], joints: Sequence[Transition], tempo: float | None, fps: int) -> list[_Slot]:
    shared = [0, *(joint.frames for joint in joints), 0]
    meeting = [False, *(joint.kind == "continue" for joint in joints), False]
    slots = []
    for index, (begin, end) in enumerate(pairwise(cuts)):
        lead, tail = shared[index], shared[index + 1]
        turn = _middle_beat(begin, end, tempo, fps) - begin + lead // 2
        frames = end + tail // 2 - begin + lead // 2
        slots.append(_Slot(index, frames, lead, tail, (meeting[index], meeting[index + 1]), turn))
    return slots


def _middle_beat(begin: int, end: int, tempo: float | None, fps: int) -> int:
    """The beat nearest to the middle between two cuts; the middle where a clip is too short to choose."""
    middle = (begin + end) / 2
    beat = 60 / tempo * fps if tempo else 0.0
    return round(round(middle / beat) * beat) if 0 < 3 * beat <= end - begin else round(middle)


def _shot(
    pair: Pair, slot: _Slot, link: Link | None, *, size: Size, fps: int, seed: int, style: Style
) -> Shot:
    """A clip with its turn near the middle between its cuts, or a morph all along."""
    first, last = pair
    frames, lead, tail = slot.frames, slot.lead, slot.tail
    blend = 0
    if first != last:
        turn = _even(frames / fps * 0.1 * style.linger, _lasting(style), fps)
        blend = min(turn, (frames - lead - tail) // 2 * 2)
    start = min(max(slot.turn - blend // 2, lead), frames - tail - blend)
    shot = Shot(
        index=slot.index,
        frames=frames,
        lead=lead,
        tail=tail,
        meets=slot.meets,
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
        pace=style.pace,
        dash=style.dash,
        moves=style.moves,
        grade=style.grade,
    )
    mapping = link.mapping if blend and link and link.one_scene else None
    changed = _morphed(shot, mapping, Random(f"{seed}/{slot.index}/0")) if mapping else None
    return Shot.model_validate({**shot.model_dump(), **changed}) if changed else shot


def _rest(picture: Picture, size: Size) -> Move:
    return Move(start=resting_view(picture, size), end=resting_view(picture, size))


def _morphed(shot: Shot, mapping: Mapping, random: Random) -> dict[str, object] | None:
    """What makes a clip one camera move between two views of a scene; None if there is no such move."""
    before, after = shot.meets
    leg = Leg(
        frames=shot.frames,
        begin=shot.lead,
        end=shot.frames - shot.tail,
        fps=shot.fps,
        pace=shot.pace,
        fixed=(
            resting_view(shot.first, shot.size) if before else None,
            resting_view(shot.last, shot.size) if after else None,
        ),
    )
    flight = find_flight(shot.first, shot.last, mapping, size=shot.size, leg=leg, random=random)
    if flight is None:
        return None
    route = flight.route
    share = (flight.blend_start + flight.blend_frames / 2) / shot.frames
    here, there = upright(route, shot.first, shot.last, shot.size, share)
    there = across(mapping, there)
    return {
        "morph": route,
        "blend_start": flight.blend_start,
        "blend_frames": flight.blend_frames,
        "first_move": Move(start=route.start, end=_around(here, shot.first, shot.size)),
        "last_move": Move(start=_around(there, shot.last, shot.size), end=route.end),
    }


def _around(quad: Quad, picture: Picture, size: Size) -> View:
    """The view most like what a frame shows that is turned or slanted on the picture."""
    x, y = (sum(point[axis] for point in quad) / 4 for axis in (0, 1))
    wide = math.dist(*((u * picture.width, v * picture.height) for u, v in quad[:2]))
    whole = size[0] / max(size[0] / picture.width, size[1] / picture.height)
    return aim(picture, size, x=x, y=y, zoom=max(1.0, whole / wide))


def _moves(shot: Shot, take: int) -> tuple[Move, Move]:
    """Both pictures move in the same way, so that one motion runs through the turn."""
    kinds = shot.moves
    kind = kinds[(Random(shot.seed).randrange(len(kinds)) + shot.index + take * 2) % len(kinds)]
    turn: Joint = shot.turn if shot.blend_frames else "cut"
    first = _moved(shot, shot.first, kind, take, (shot.comes, turn))
    last = _moved(shot, shot.last, kind, take, (turn, shot.goes)) if shot.blend_frames else first
    before, after = shot.meets
    random_seed = _random_seed(shot, take)
    return (
        leave(shot.first, shot.size, Random(random_seed)) if before else first,
        arrive(shot.last, shot.size, Random(random_seed)) if after else last,
    )


def _moved(shot: Shot, picture: Picture, kind: str, take: int, ways: tuple[Joint, Joint]) -> Move:
    """A move on one of the clip's pictures that goes on where the passages before and after it lead.

    Coming out of a zoom, or before one, the camera does not draw back; beside a push it goes the same way.
    """
    first = picture == shot.first
    frames = shot.blend_start + shot.blend_frames if first else shot.frames - shot.blend_start
    headings = [HEADINGS[way] for way in (reversed(ways) if first else ways) if way in HEADINGS]
    move = choose_move(
        picture,
        shot.size,
        kind=onward(kind) if "zoom" in ways else kind,
        seconds=max(frames / shot.fps, 0.1),
        pace=shot.pace,
        random=Random(_random_seed(shot, take)),
        heading=headings[0] if headings else None,
        again=take % 2 == 1,
    )
    return nearer(move, picture, shot.size, shot.dash * _ARRIVING) if ways[0] == "zoom" else move


def _random_seed(shot: Shot, take: int) -> str:
    return f"{shot.seed}/{shot.index}/{take}"


def _lasting(style: Style) -> tuple[float, float]:
    """Seconds that a passage takes at least and at most."""
    return _PASSAGE[0], min(max(_PASSAGE[0], _PASSAGE[1] * style.linger), _PASSAGE[1])


def _even(seconds: float, bounds: tuple[float, float], fps: int) -> int:
    """An even number of frames of about this length, so that both halves are whole."""
    low, high = bounds
    least, most = math.ceil(low * fps / 2) * 2, math.floor(high * fps / 2) * 2
    return min(max(round(seconds * fps / 2) * 2, least), max(most, least))
