"""What a film is checked against: its plan, with the stretches in which it may look still or black. Light.

A camera may glide over a picture in which nothing tells that it does: a clear sky, a wall, one plain
colour. No measure tells such frames from frozen ones, and neither does a viewer, so the plan says where.
Footage made for fewer frames a second than the film has shows some of its frames twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from genlock.media.check.report import CheckFilm, Span
from genlock.media.film.motion import Move, Picture, Tone, cover, view_at
from genlock.media.film.plan import FilmPlan, Shot

BLOCKS = 40  # along the longer side of a frame: coding noise averages out, what moves stays

# A film frozen by mistake still changes, by coding noise: at 320x180 by 0.5 to 1.0 levels where there is
# little contrast, by 2 to 3 where there is much; at 1080p by half of that. A planned move over a photograph
# changes it by 10 levels and more within a second.
_NOISE, _NOISE_WITH_CONTRAST = 1.0, 0.35
_SURE = 1.5  # moves are trusted to be seen if they should change this many times what noise does
_DARK = 40  # of 0..255


def unmoved(contrast: float) -> float:
    """How much a block may change, in levels of luma, without anything having moved.

    `contrast` is how far neighbouring blocks differ, where they do most.
    """
    return _NOISE + _NOISE_WITH_CONTRAST * math.sqrt(contrast)


@dataclass(frozen=True, slots=True)
class _Showing:
    """A picture in a clip: how the camera moves over it, and for how many frames it can be seen."""

    picture: Picture
    move: Move
    frames: int
    shot: Shot


def planned(path: Path, plan: FilmPlan, *, has_audio: bool = True, witness: Path | None = None) -> CheckFilm:
    """The check that holds the film at `path` against its plan; for `witness` see `CheckFilm`."""
    return CheckFilm(
        path=path,
        width=plan.width,
        height=plan.height,
        frames=plan.total_frames,
        fps=plan.fps,
        has_audio=has_audio,
        holds=_where(plan, _seems_still),
        blacks=_where(plan, _seems_black),
        repeats=[Span(start=at, end=at + shot.frames) for at, shot in _placed(plan) if shot.footage],
        witness=witness,
    )


def _where(plan: FilmPlan, true: Callable[[_Showing], bool]) -> list[Span]:
    return [
        Span(start=at + start, end=at + end)
        for at, shot in _placed(plan)
        for picture, move, start, end in _shown(shot)
        if true(_Showing(picture, move, end - start, shot))
    ]


def _placed(plan: FilmPlan) -> Iterator[tuple[int, Shot]]:
    """Each clip with the film's frame at which it begins."""
    at = 0
    for shot in plan.shots:
        yield at, shot
        at += shot.frames - shot.tail


def _shown(shot: Shot) -> Iterator[tuple[Picture, Move, int, int]]:
    """Each picture of a clip, its move, and from which frame of the clip to which it can be seen.

    Of footage nothing was planned, and nothing in it is excused.
    """
    if shot.footage:
        return
    yield shot.first, shot.first_move, 0, shot.blend_start + shot.blend_frames
    if shot.blend_frames:
        yield shot.last, shot.last_move, shot.blend_start, shot.frames


def _seems_still(showing: _Showing) -> bool:
    """Whether the move may go unseen. It is slowest at its two ends."""
    if showing.shot.is_card:
        return True  # the picture behind the words is out of focus
    tone = showing.picture.tone
    if tone is None:
        return False
    second = min(1.0, showing.shot.fps / showing.frames)
    change = min(_change(showing, tone, at, at + second) for at in (0.0, 1.0 - second))
    return change < _SURE * unmoved(max(tone.across, tone.down))


def _seems_black(showing: _Showing) -> bool:
    tone = showing.picture.tone
    return tone is not None and tone.light * (1 - showing.shot.grade.dim) < _DARK


def _change(showing: _Showing, tone: Tone, begin: float, end: float) -> float:
    """Levels by which a strong block half-way to a corner changes while the camera moves on."""
    size = showing.shot.size
    before, after = view_at(showing.move, begin), view_at(showing.move, end)
    wide, high = cover(showing.picture, size)
    aside = [(after.x - before.x) / wide * before.zoom, (after.y - before.y) / high * before.zoom]
    nearer = (after.zoom / before.zoom - 1) / 4
    across, down = (
        min(1.0, (abs(drift) + abs(nearer)) * side / max(size) * BLOCKS)
        for drift, side in zip(aside, size, strict=True)
    )
    return across * tone.across + down * tone.down
