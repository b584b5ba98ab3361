"""Putting words into a plan: a title, captions of photos and an end card, in whole frames. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from genlock.errors import BadInput
from genlock.media.film.caption import Caption, Design
from genlock.media.film.grade import Grade
from genlock.media.film.motion import Move, Picture, aim, view_at
from genlock.media.film.shot import FilmPlan, Shot, Transition
from genlock.media.operation import Value

LEAST = 1.0  # seconds in which a caption can be read
_FADES: Mapping[str, float] = {"calm": 0.5, "bold": 0.2, "cinematic": 0.8}  # seconds
_WAITS = 0.25  # seconds before words come over a picture that has just come
_TITLE_ENOUGH = 2.4  # seconds: what a title wants before it shares its clip with a turn
_CARD = 4.0  # seconds the card stays, at least
# Seconds in which the last picture goes out of focus, and mostly dark: slowly, or it looks like a fault.
_RACK: Mapping[str, float] = {"calm": 1.4, "bold": 0.8, "cinematic": 1.6}
_LEAST_DIM, _CARD_BLUR = 0.45, 0.012
_BRIGHTEST = 100.0  # of 0..255: on it, white letters have more than 4.5 times its light
_BRIGHTEST_CARD = 66.0  # darker than need be: a card is a place to rest on
_LEAST_SCRIM, MOST_SCRIM = 0.42, 0.62  # the most is enough for white letters on white


class Words(Value):
    """What a film says. `captions` are by the hashes of their pictures; a logo is a picture in the store."""

    title: str | None = None
    subtitle: str | None = None
    ending: str | None = None
    call: str | None = None
    contact: str | None = None
    logo: Picture | None = None
    captions: dict[str, str] = Field(default={})

    @property
    def has_card(self) -> bool:
        """Whether the film ends on a card."""
        return bool(self.ending or self.call or self.contact)


def titled(plan: FilmPlan, words: Words, design: Design) -> FilmPlan:
    """The same film with these words in it, longer by an end card if they have one.

    Words come and go on beats where there is room. `BadInput` where a caption has no time to be read.
    """
    shots, begin = [], 0
    for number, shot in enumerate(plan.shots):
        goes_on = number > 0 and plan.transitions[number - 1].kind == "continue"
        grid = _Grid(plan, begin)
        said = [*_captions(shot, words, design, grid, goes_on=goes_on)]
        if number == 0 and words.title:
            said.insert(0, _title(shot, words, design, grid))
        shots.append(Shot.model_validate({**shot.model_dump(), "captions": said}))
        begin += shot.frames - shot.tail
    with_words = plan.model_copy(update={"shots": shots})
    return _carded(with_words, words, design) if words.has_card else with_words


class _Grid:
    """The beats of a film, as frames of a clip that begins at frame `begin` of the film."""

    def __init__(self, plan: FilmPlan, begin: int) -> None:
        self.fps, self._begin = plan.fps, begin
        self._beat = 60 / plan.tempo * plan.fps if plan.tempo else 0.0

    def frames(self, seconds: float) -> int:
        return round(seconds * self.fps)

    def within(self, start: int, end: int, least: int) -> tuple[int, int]:
        """The beats next inside of these frames, if so many frames remain between them; else as given."""
        if not self._beat:
            return start, end
        first = -(-(start + self._begin) // self._beat) * self._beat - self._begin
        last = (end + self._begin) // self._beat * self._beat - self._begin
        one, two = round(first), round(last)
        return (one, two) if start <= one and two <= end and two - one >= least else (start, end)


def _title(shot: Shot, words: Words, design: Design, grid: _Grid) -> Caption:
    """Over the first picture; over the whole clip where that is seen for too short a time."""
    assert words.title
    start = shot.lead + grid.frames(_WAITS)
    end = min(shot.blend_start, shot.frames - shot.tail)
    if end - start < grid.frames(_TITLE_ENOUGH):
        end = shot.frames - shot.tail
    lines = (words.title, words.subtitle) if words.subtitle else (words.title,)
    return _caption("title", lines, (start, end), [shot.first, shot.last], design, grid, shot.grade)


def _captions(shot: Shot, words: Words, design: Design, grid: _Grid, *, goes_on: bool) -> Sequence[Caption]:
    """Below each of the clip's pictures that has words, while it alone is seen."""
    found = []
    first, last = (words.captions.get(picture.sha256) for picture in (shot.first, shot.last))
    if first and not goes_on:
        end = min(shot.blend_start, shot.frames - shot.tail)
        wait = min(grid.frames(_WAITS), max(0, end - shot.lead - grid.frames(LEAST)))
        span = (shot.lead + wait, end)
        found.append(_caption("lower", (first,), span, [shot.first], design, grid, shot.grade))
    if last and shot.blend_frames and shot.last != shot.first:
        span = (shot.blend_start + shot.blend_frames, shot.frames - shot.tail)
        found.append(_caption("lower", (last,), span, [shot.last], design, grid, shot.grade))
    return found


def _caption(
    role: str,
    lines: tuple[str, ...],
    span: tuple[int, int],
    below: Sequence[Picture],
    design: Design,
    grid: _Grid,
    grade: Grade,
) -> Caption:
    least = grid.frames(LEAST)
    if span[1] - span[0] < least:
        raise BadInput(
            f"{lines[0]!r} would be seen for {max(0, span[1] - span[0]) / grid.fps:.1f} s, and it takes "
            f"{LEAST:g} s to read it: make the clips longer (clip_duration) or leave it out"
        )
    start, end = grid.within(*span, least)
    fade = min(grid.frames(_FADES[design]), (end - start) // 4)
    return Caption.model_validate(
        {
            "role": role,
            "design": design,
            "lines": lines,
            "start": start,
            "frames": end - start,
            "fade": fade,
            "scrim": _scrim(below, grade),
        }
    )


def _scrim(below: Sequence[Picture], grade: Grade) -> float:
    """How much light has to go for white letters to be read on the brightest parts of these pictures."""
    light = max(picture.tone.light if picture.tone else 255.0 for picture in below)
    shown = (grade.luma()[round(16 + light * 219 / 255)] - 16) * 255 / 219
    return round(min(max(1 - _BRIGHTEST / max(light, shown, 1.0), _LEAST_SCRIM), MOST_SCRIM), 2)


def _dim(picture: Picture) -> float:
    """How much darker the picture behind a card is."""
    light = picture.tone.light if picture.tone else 255.0
    return round(max(1 - _BRIGHTEST_CARD / max(light, 1.0), _LEAST_DIM), 2)


def _carded(plan: FilmPlan, words: Words, design: Design) -> FilmPlan:
    """The last picture goes out of focus and dark, and stays so behind the words."""
    last = plan.shots[-1]
    grid = _Grid(plan, 0)
    rack = grid.frames(_RACK[design] / 2) * 2
    stays = _stay(plan)
    lasts = stays - rack
    longer = Shot.model_validate({**last.model_dump(), "frames": last.frames + rack, "tail": rack})
    picture = last.last if last.blend_frames else last.first
    card = Shot(
        index=last.index + 1,
        width=plan.width,
        height=plan.height,
        fps=plan.fps,
        frames=stays,
        lead=rack,
        tail=0,
        first=picture,
        last=picture,
        first_move=(drift := _drift(longer, picture, rack)),
        last_move=drift,
        blend_start=stays,
        blend_frames=0,
        comes="dissolve",
        seed=last.seed,
        pace=last.pace,
        moves=("push",),
        grade=last.grade.model_copy(update={"dim": _dim(picture), "blur": _CARD_BLUR, "lift": 0.0}),
        captions=(_card(words, design, (rack, lasts), grid),),
        is_card=True,
    )
    joint = Transition(after=last.index, frames=rack, kind="dissolve")
    shots, joints = [*plan.shots[:-1], longer, card], [*plan.transitions, joint]
    return plan.model_copy(update={"shots": shots, "transitions": joints})


def _stay(plan: FilmPlan) -> int:
    """Frames that the card adds to the film: whole bars of four beats, enough to read it."""
    if plan.tempo is None:
        return round(_CARD * plan.fps)
    bar = 4 * 60 / plan.tempo
    return round(math.ceil(_CARD / bar) * bar * plan.fps)


def _card(words: Words, design: Design, span: tuple[int, int], grid: _Grid) -> Caption:
    start, frames = span
    lines = tuple(line for line in (words.ending, words.call, words.contact) if line)
    fade = min(grid.frames(_FADES[design]), frames // 2)
    return Caption(
        role="card",
        design=design,
        lines=lines,
        start=start,
        frames=frames,
        fade=fade,
        scrim=0.0,
        logo=words.logo,
    )


def _drift(last: Shot, picture: Picture, rack: int) -> Move:
    """From where the camera is when the focus begins to go, a little nearer."""
    if last.morph:
        start = last.morph.end
    else:
        move = last.last_move if last.blend_frames else last.first_move
        frames = last.frames - last.blend_start if last.blend_frames else last.frames
        start = view_at(move, 1 - rack / frames)
    end = aim(picture, last.size, x=start.x, y=start.y, zoom=start.zoom * 1.05)
    return Move(start=start, end=end)
