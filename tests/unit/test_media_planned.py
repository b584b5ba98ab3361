"""Where a plan says that its film may look still or black."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from genlock.media.check.planned import planned, unmoved
from genlock.media.check.report import Span
from genlock.media.film.motion import Picture, Tone
from genlock.media.film.plan import FilmPlan, plan_shots

RICH = Tone(across=70.0, down=60.0, light=230.0)
PLAIN = Tone(across=0.0, down=0.4, light=180.0)
NIGHT = Tone(across=70.0, down=60.0, light=12.0)


def picture(number: int, tone: Tone | None) -> Picture:
    return Picture(sha256=f"{number:064x}", width=3000, height=2000, tone=tone)


def film(*tones: tuple[Tone | None, Tone | None], seconds: float = 6.0) -> FilmPlan:
    pairs = [(picture(2 * at, a), picture(2 * at + 1, b)) for at, (a, b) in enumerate(tones)]
    return plan_shots(pairs, seconds_per_clip=seconds)


def holds(plan: FilmPlan) -> list[Span]:
    return planned(Path("film.mp4"), plan).holds


@pytest.mark.parametrize("seconds", [2.0, 6.0, 20.0, 60.0])
@pytest.mark.parametrize("tone", [RICH, None])
def test_pictures_with_detail_are_no_holds_however_long_the_clip(tone: Tone | None, seconds: float) -> None:
    assert holds(film((tone, tone), (tone, tone), seconds=seconds)) == []


def test_a_plain_picture_is_a_hold_for_as_long_as_it_can_be_seen() -> None:
    plan = film((RICH, RICH), (PLAIN, RICH), (RICH, PLAIN))
    one, two, three = plan.shots
    begin = one.frames - one.tail
    end = begin + two.blend_start + two.blend_frames
    last = plan.total_frames - three.frames + three.blend_start
    assert holds(plan) == [Span(start=begin, end=end), Span(start=last, end=plan.total_frames)]


def test_holds_cover_a_film_of_plain_pictures_without_a_gap() -> None:
    plan = film((PLAIN, PLAIN), (PLAIN, PLAIN))
    spans = holds(plan)
    assert spans[0].start == 0
    assert spans[-1].end == plan.total_frames
    assert all(after.start <= before.end for before, after in pairwise(spans))


def test_dark_pictures_may_be_black_and_bright_ones_may_not() -> None:
    plan = film((NIGHT, RICH))
    shot = plan.shots[0]
    request = planned(Path("film.mp4"), plan)
    assert request.blacks == [Span(start=0, end=shot.blend_start + shot.blend_frames)]
    assert request.holds == []


def test_the_request_repeats_the_plan() -> None:
    plan = film((RICH, RICH))
    request = planned(Path("film.mp4"), plan, has_audio=False)
    assert (request.width, request.height, request.fps) == (1920, 1080, 30)
    assert (request.frames, request.has_audio) == (plan.total_frames, False)


def test_rich_pictures_may_change_more_without_having_moved() -> None:
    assert unmoved(0.0) < unmoved(10.0) < unmoved(100.0) < 10
