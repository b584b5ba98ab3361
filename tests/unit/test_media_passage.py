"""How pictures give way to each other: by what they look like, and never the same way all the time."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.media.film.link import Link
from genlock.media.film.motion import Picture
from genlock.media.film.passage import Meeting, Passage, choose_passages
from genlock.media.film.plan import FilmPlan, meetings, plan_shots, retake
from genlock.media.film.route import IDENTITY
from genlock.media.film.segment import segments
from genlock.media.film.style import CALM, STYLES, Style

SIZE, UPRIGHT = (1920, 1080), (1080, 1920)
ALIKE = Link(light=1.0, colours=0.95, layout=0.95)
UNLIKE = Link(light=-60.0, colours=0.05, layout=0.3)
SAME_SCENE = Link(agreement=0.9, mapping=(1.3, 0, -0.15, 0, 1.3, -0.15, 0, 0, 1))


def picture(number: int, focus: tuple[float, float] = (0.5, 0.5)) -> Picture:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return Picture(sha256=sha256, width=3000, height=2000, focus=focus)


def chosen(
    links: list[Link | None], *, style: Style = CALM, seed: int = 1, size: tuple[int, int] = SIZE
) -> list[Passage]:
    pairs = [Meeting(picture(number), picture(number + 1), link) for number, link in enumerate(links)]
    return choose_passages(pairs, size=size, style=style, seed=seed)


def kind(passage: Passage) -> str:
    return passage if passage in ("dissolve", "zoom") else "push"


@pytest.mark.parametrize("style", STYLES.values(), ids=list(STYLES))
def test_no_style_uses_one_way_all_the_time(style: Style) -> None:
    kinds = Counter(map(kind, chosen([Link(light=number % 40) for number in range(24)], style=style)))
    assert len(kinds) >= 2
    assert max(kinds.values()) <= 18


def test_styles_differ_in_what_they_prefer() -> None:
    links: list[Link | None] = [Link(light=number % 40) for number in range(24)]
    soft = {
        name: sum(passage == "dissolve" for passage in chosen(links, style=style))
        for name, style in STYLES.items()
    }
    assert soft["bold"] < soft["calm"]


def test_pictures_alike_dissolve_sooner_than_strangers() -> None:
    seeds = range(20)
    alike = sum(chosen([ALIKE], seed=seed) == ["dissolve"] for seed in seeds)
    unlike = sum(chosen([UNLIKE], seed=seed) == ["dissolve"] for seed in seeds)
    assert alike > unlike


def test_where_nothing_is_known_pictures_dissolve() -> None:
    assert chosen([None] * 5) == ["dissolve"] * 5


def test_the_choice_depends_on_pictures_and_seed_alone() -> None:
    links: list[Link | None] = [Link(light=number) for number in range(12)]
    assert chosen(links, seed=4) == chosen(links, seed=4)
    assert any(chosen(links, seed=4) != chosen(links, seed=seed) for seed in range(5, 12))


@pytest.mark.parametrize(
    ("here", "there", "size", "side"),
    [
        ((0.2, 0.5), (0.8, 0.5), SIZE, "left"),
        ((0.8, 0.5), (0.2, 0.5), SIZE, "right"),
        ((0.5, 0.5), (0.5, 0.5), SIZE, "right"),
        ((0.5, 0.1), (0.5, 0.9), UPRIGHT, "up"),
        ((0.5, 0.9), (0.5, 0.1), UPRIGHT, "down"),
    ],
)
def test_a_push_takes_the_eye_to_where_it_has_to_look_next(
    here: tuple[float, float], there: tuple[float, float], size: tuple[int, int], side: Passage
) -> None:
    pushing = Style(name="pushing", dissolve=0.0, push=1.0)
    meeting = Meeting(picture(1, here), picture(2, there), UNLIKE)
    assert choose_passages([meeting], size=size, style=pushing, seed=1) == [side]


@pytest.mark.parametrize("size", [SIZE, UPRIGHT])
def test_pushes_go_to_and_fro_where_the_eye_is_led_nowhere(size: tuple[int, int]) -> None:
    pushing = Style(name="pushing", dissolve=0.0, push=1.0)
    sides = chosen([UNLIKE] * 6, style=pushing, size=size)
    assert all(before != after for before, after in pairwise(sides))
    assert set(sides) == ({"left", "right"} if size == SIZE else {"up", "down"})


def test_pushes_never_go_the_same_way_three_times() -> None:
    pushing = Style(name="pushing", dissolve=0.0, push=1.0)
    eyes = [picture(number, (0.1 if number % 2 else 0.9, 0.5)) for number in range(40)]
    meeting = [Meeting(left, right, UNLIKE) for left, right in zip(eyes[::2], eyes[1::2], strict=True)]
    sides = choose_passages(meeting, size=SIZE, style=pushing, seed=1)
    assert all(len(set(sides[at : at + 3])) == 2 for at in range(len(sides) - 2))
    assert sides[:2] == ["right", "right"]


@pytest.mark.parametrize("style", STYLES.values(), ids=list(STYLES))
def test_two_pictures_full_of_detail_dissolve_more_seldom(style: Style) -> None:
    dissolved = [
        sum(
            choose_passages(
                [Meeting(*(picture(n).model_copy(update={"detail": detail}) for n in (seed, -seed)), ALIKE)],
                size=SIZE,
                style=style,
                seed=seed,
            )
            == ["dissolve"]
            for seed in range(40)
        )
        for detail in (0.02, 0.4)
    ]
    assert dissolved[1] < dissolved[0] / 2


def plan(links: list[Link], **options: object) -> FilmPlan:
    return plan_shots(pairs(), links=links, **options)  # type: ignore[arg-type]


def pairs() -> list[tuple[Picture, Picture]]:
    return [(picture(2 * number), picture(2 * number + 1)) for number in range(4)]


def test_pictures_that_meet_are_named_in_the_order_of_the_film() -> None:
    wanted = [(picture(number), picture(number + 1)) for number in range(7)]
    assert meetings(pairs()) == wanted


def test_one_scene_becomes_one_camera_move_and_two_scenes_do_not() -> None:
    shots = plan([SAME_SCENE, UNLIKE, UNLIKE, ALIKE, ALIKE, UNLIKE, SAME_SCENE]).shots
    assert [shot.morph is not None for shot in shots] == [True, False, False, True]
    for shot in shots:
        if shot.morph:
            assert shot.first_move.start == shot.morph.start
            assert shot.last_move.end == shot.morph.end


def test_flow_that_hardly_agrees_carries_nothing() -> None:
    weak = SAME_SCENE.model_copy(update={"agreement": 0.4})
    assert not weak.one_scene
    assert not any(shot.morph for shot in plan([weak, UNLIKE] * 3 + [weak]).shots)


def test_the_same_view_twice_in_a_morph_is_planned_whatever_its_mapping() -> None:
    same = Link(agreement=1.0, mapping=IDENTITY)
    assert sum(piece.frames for piece in segments(plan([same, UNLIKE] * 3 + [same]))) == 4 * 180 - 3 * 14


def test_ordered_dissolves_and_cuts_are_what_was_ordered() -> None:
    links = [UNLIKE] * 7
    soft, hard = plan(links, transition="dissolve"), plan(links, transition="cut")
    assert {joint.kind for joint in soft.transitions} == {"dissolve"}
    assert {shot.turn for shot in soft.shots} == {"dissolve"}
    assert {joint.kind for joint in hard.transitions} == {"cut"}


def test_pictures_change_on_the_beat_within_clips_too() -> None:
    film = plan([UNLIKE] * 7, tempo=84)
    beat = 60 / (film.tempo or 0) * film.fps
    at = 0
    for shot in film.shots:
        turn = at + shot.blend_start + shot.blend_frames // 2
        assert abs(turn / beat - round(turn / beat)) * beat <= 1.01
        at += shot.frames - shot.tail


def test_a_zoom_arrives_at_a_picture_that_reaches_further_than_the_frame() -> None:
    zooming = Style(name="zooming", dissolve=0.0, zoom=1.0)
    film = plan([UNLIKE] * 7, style=zooming)
    assert {joint.kind for joint in film.transitions} == {"zoom"}
    for shot in film.shots[1:]:
        assert shot.first_move.start.zoom > 1.1
    for piece in segments(film):
        assert [layer.surge is not None for layer in piece.layers] == [True, True]


def test_another_take_of_a_morph_is_another_way_between_the_same_neighbours() -> None:
    shot = plan([SAME_SCENE, UNLIKE] * 3 + [SAME_SCENE]).shots[1]
    again = retake(shot, 1)
    assert again.morph
    assert again.morph != shot.morph
    assert (again.frames, again.lead, again.tail) == (shot.frames, shot.lead, shot.tail)
    assert retake(again, 0) == shot


def test_the_same_order_is_the_same_film_piece_by_piece() -> None:
    names = [[piece.name for piece in segments(plan([SAME_SCENE, ALIKE] * 3 + [UNLIKE]))] for _ in range(2)]
    assert names[0] == names[1]
    assert all(left != right for left, right in pairwise(names[0]))


@pytest.mark.parametrize(("aside", "side"), [(0.4, "right"), (-0.4, "left")])
def test_another_view_of_one_scene_that_no_camera_reaches_comes_from_where_it_lies(
    aside: float, side: Passage
) -> None:
    beside = Link(agreement=0.9, mapping=(1, 0, -aside, 0, 1, 0, 0, 0, 1), colours=0.9, layout=0.8)
    pushing = Style(name="pushing", dissolve=1.0, push=0.7)
    meeting = Meeting(picture(1), picture(2), beside)
    assert choose_passages([meeting], size=SIZE, style=pushing, seed=1) == [side]


@given(
    scale=st.floats(0.4, 2.5),
    aside=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    seconds=st.floats(1.0, 12.0),
    fps=st.sampled_from([24, 25, 30, 60]),
    size=st.sampled_from([SIZE, UPRIGHT, (1080, 1080), (320, 180)]),
    tempo=st.none() | st.floats(60, 160),
    style=st.sampled_from(list(STYLES.values())),
    seed=st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None)
def test_any_two_views_make_a_plan_that_adds_up(
    scale: float,
    aside: tuple[float, float],
    seconds: float,
    fps: int,
    size: tuple[int, int],
    tempo: float | None,
    style: Style,
    seed: int,
) -> None:
    x, y = (0.5 - scale / 2 - shift for shift in aside)
    scene = Link(agreement=0.9, mapping=(scale, 0, x, 0, scale, y, 0, 0, 1))
    film = plan(
        [scene, UNLIKE] * 3 + [scene],
        seconds_per_clip=seconds,
        fps=fps,
        size=size,
        tempo=tempo,
        style=style,
        seed=seed,
    )
    assert sum(piece.frames for piece in segments(film)) == film.total_frames
    assert FilmPlan.model_validate_json(film.model_dump_json()) == film
