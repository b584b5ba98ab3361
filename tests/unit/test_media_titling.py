"""Words in a plan: when they come and go, and what an end card adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genlock.errors import BadInput
from genlock.media.check.planned import planned
from genlock.media.film.caption import Caption, Design
from genlock.media.film.motion import Picture, Tone, fits
from genlock.media.film.part import parts
from genlock.media.film.plan import FilmPlan, plan_shots, retake
from genlock.media.film.segment import segments
from genlock.media.film.style import STYLES
from genlock.media.film.titling import LEAST, Words, titled
from genlock.media.music.mood import MOODS

DESIGNS: tuple[Design, ...] = ("calm", "bold", "cinematic")


def picture(number: int, light: float = 200.0) -> Picture:
    tone = Tone(across=40, down=40, light=light)
    return Picture(sha256=f"{number:064x}", width=1600, height=1067, tone=tone)


PAIRS = [(picture(2 * n), picture(2 * n + 1)) for n in range(3)]
WORDS = Words(
    title="Hillside Farm",
    subtitle="Near the lake",
    ending="Hillside Farm",
    call="Come and stay",
    contact="hillside-farm.example",
    captions={picture(n).sha256: f"Photo {n}" for n in (1, 2, 5)},
)


def plan(design: Design = "calm", **more: Any) -> FilmPlan:
    style = STYLES[design]
    given = {"seconds_per_clip": style.seconds, "tempo": MOODS[design].tempo, "style": style, **more}
    return plan_shots(PAIRS, size=(320, 180), **given)


@pytest.mark.parametrize("design", DESIGNS)
def test_words_lie_over_their_own_pictures_alone(design: Design) -> None:
    film = titled(plan(design), WORDS, design)
    said = [(shot.index, each.role, each.lines[0]) for shot in film.shots for each in shot.captions]
    assert said == [
        (0, "title", "Hillside Farm"),
        (0, "lower", "Photo 1"),
        (1, "lower", "Photo 2"),
        (2, "lower", "Photo 5"),
        (3, "card", "Hillside Farm"),
    ]
    for shot in film.shots[:-1]:
        turned = shot.blend_start + shot.blend_frames
        for each in shot.captions:
            second = each.lines[0] in ("Photo 1", "Photo 5")
            assert (
                (each.start >= turned) if second else (each.role == "title" or each.end <= shot.blend_start)
            )
            assert each.frames >= LEAST * film.fps


@pytest.mark.parametrize("design", DESIGNS)
def test_words_come_and_go_on_beats_where_there_is_room(design: Design) -> None:
    film = titled(plan(design), WORDS, design)
    assert film.tempo
    title = film.shots[0].captions[0]
    beats = [frame * film.tempo / 60 / film.fps for frame in (title.start, title.end)]
    assert max(abs(beat - round(beat)) for beat in beats) < 0.05


def test_an_end_card_adds_whole_bars_and_nothing_else_moves() -> None:
    bare, film = plan(), titled(plan(), WORDS, "calm")
    assert bare.tempo
    bars = (film.total_frames - bare.total_frames) / film.fps * bare.tempo / 240
    assert bars == pytest.approx(round(bars), abs=0.02)
    assert round(bars) >= 1
    assert film.cuts[:2] == bare.cuts
    assert (film.clips, len(film.shots)) == (3, 4)
    before, after = segments(bare), segments(film)
    assert after[1].name == before[1].name  # a transition, in which nothing is said
    assert sum(each.frames for each in after) == film.total_frames
    card = film.shots[-1]
    assert all(fits(view, card.first, card.size) for view in (card.first_move.start, card.first_move.end))


def test_without_words_a_plan_is_the_same() -> None:
    assert titled(plan(), Words(), "calm") == plan()


def test_a_card_is_planned_to_stand_still() -> None:
    film = titled(plan(), WORDS, "calm")
    holds = planned(Path("film.mp4"), film).holds
    assert holds[-1].end == film.total_frames
    assert holds[-1].end - holds[-1].start == film.shots[-1].frames


def test_words_that_nobody_could_read_in_time_are_refused_before_anything_is_made() -> None:
    with pytest.raises(BadInput, match=r"'Photo 1' would be seen for 0\.\d s, and it takes 1 s"):
        titled(plan(seconds_per_clip=1.5, tempo=None), WORDS, "calm")


def test_brighter_pictures_have_a_darker_ground_below_words() -> None:
    def scrim(light: float) -> float:
        pairs = [(picture(0, light), picture(1, light))]
        film = titled(plan_shots(pairs, size=(320, 180)), Words(title="A"), "calm")
        return film.shots[0].captions[0].scrim

    assert scrim(100) < scrim(200) < scrim(255)


def test_another_take_says_the_same() -> None:
    shot = titled(plan(), WORDS, "calm").shots[0]
    assert retake(shot, 2).captions == shot.captions


def test_parts_of_a_clip_say_what_is_said_in_them() -> None:
    body = segments(titled(plan("cinematic"), WORDS, "cinematic"))[0]
    pieces = parts(body)
    assert len(pieces) > 2
    at = 0
    for piece in pieces:
        for number in range(piece.frames):
            shares = {each.lines[0]: each.share(at + number) for each in body.captions}
            here = {each.lines[0]: each.share(number) for each in piece.captions}
            assert {k: v for k, v in shares.items() if v} == {k: v for k, v in here.items() if v}
        at += piece.frames


def test_a_caption_comes_and_goes_evenly_and_a_card_stays() -> None:
    caption = Caption(role="lower", lines=("A",), start=10, frames=20, fade=5)
    seen = [caption.share(number) for number in range(40)]
    assert seen[:10] == [0.0] * 10
    assert seen[30:] == [0.0] * 10
    assert seen[15] == 1.0
    assert seen[10:20] == seen[20:30][::-1]
    assert caption.model_copy(update={"role": "card"}).share(29) == 1.0
    with pytest.raises(ValueError, match="gone before it has come"):
        Caption(role="lower", lines=("A",), start=0, frames=9, fade=5)
