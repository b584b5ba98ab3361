"""Camera moves keep in view what stands out, and go on where the passages around them lead."""

from __future__ import annotations

from random import Random

import pytest

from genlock.media.film.camera import AIR, MOVES, choose_move, nearer, resting_view, strip
from genlock.media.film.link import Link
from genlock.media.film.motion import Picture, Size, View, cover, cut_off, surge, view_at
from genlock.media.film.passage import HEADINGS
from genlock.media.film.plan import FilmPlan, plan_shots, retake
from genlock.media.film.segment import body
from genlock.media.film.style import STYLES, Style

WIDE, UPRIGHT, SQUARE = (1920, 1080), (1080, 1920), (1080, 1080)
SLIP = 0.015  # of the frame, which a zoom by equal factors may add between the two ends


def some_picture(number: int) -> Picture:
    """A picture of any usual shape with something in it that stands out."""
    random = Random(number)
    width, height = random.choice([(3000, 2000), (2000, 3000), (1920, 1080), (4000, 3000), (3000, 4000)])
    across, down = random.uniform(0.1, 0.9), random.uniform(0.1, 0.9)
    left, top = random.uniform(0, 1 - across), random.uniform(0, 1 - down)
    return Picture(
        sha256=f"{number:064x}",
        width=width,
        height=height,
        focus=(left + across * random.random(), top + down * random.random()),
        region=(left, top, left + across, top + down),
    )


def test_how_much_is_cut_off_is_told_in_frames() -> None:
    picture = Picture(sha256="0" * 64, width=1600, height=900, region=(0.1, 0.25, 0.4, 0.75))
    assert cut_off(View(x=0.5, y=0.5, zoom=1.0), picture, WIDE) == 0
    assert cut_off(View(x=0.5, y=0.5, zoom=2.0), picture, WIDE) == pytest.approx(0.3)
    assert cut_off(View(x=0.3, y=0.5, zoom=4.0), picture, WIDE) == pytest.approx(0.1)
    assert cut_off(View(x=0.25, y=0.5, zoom=4.0), picture, WIDE) == 0


@pytest.mark.parametrize("size", [WIDE, UPRIGHT, SQUARE])
def test_what_stands_out_stays_in_the_frame_all_the_way(size: Size) -> None:
    for number in range(200):
        picture = some_picture(number)
        for kind in MOVES:
            move = choose_move(picture, size, kind=kind, seconds=3.3, pace=1.0, random=Random(number))
            air = 0.0 if strip(picture, size) is None else AIR
            assert cut_off(move.start, picture, size) < air + 1e-6
            assert cut_off(move.end, picture, size) < air + 1e-6
            assert max(cut_off(view_at(move, step / 10), picture, size) for step in range(11)) < air + SLIP
        assert cut_off(resting_view(picture, size), picture, size) < 1e-6


def test_what_fits_into_the_frame_is_not_cut_off_for_a_camera_to_come_nearer() -> None:
    cut = 0
    for number in range(200):
        picture = some_picture(number)
        move = choose_move(picture, WIDE, kind="push", seconds=3.3, pace=1.0, random=Random(number))
        for axis, whole in enumerate(cover(picture, WIDE)):
            held = picture.region[axis + 2] - picture.region[axis]
            cut += held * 1.1 < whole and held > whole / move.end.zoom
    assert cut == 0


@pytest.mark.parametrize("kind", MOVES)
def test_a_tall_picture_is_passed_over_from_top_to_bottom_of_what_stands_out(kind: str) -> None:
    tall = Picture(sha256="0" * 64, width=2000, height=3000, focus=(0.5, 0.45), region=(0.2, 0.2, 0.7, 0.75))
    move = choose_move(tall, WIDE, kind=kind, seconds=3.3, pace=1.0, random=Random(1))
    high = cover(tall, WIDE)[1]
    assert move.start.y - high / move.start.zoom / 2 == pytest.approx(0.2, abs=0.01)
    assert move.end.y + high / move.end.zoom / 2 == pytest.approx(0.75, abs=0.01)
    back = choose_move(tall, WIDE, kind=kind, seconds=3.3, pace=1.0, random=Random(1), again=True)
    assert back.start.y > back.end.y


def test_what_a_camera_passes_over_has_air_around_it_where_there_is_time() -> None:
    """A head whose top is just within what stands out is not seen cut by the frame's edge."""
    tall = Picture(sha256="0" * 64, width=2000, height=3000, focus=(0.5, 0.45), region=(0.2, 0.2, 0.7, 0.75))
    high = cover(tall, WIDE)[1]
    for again in (False, True):
        move = choose_move(tall, WIDE, kind="push", seconds=6.0, pace=1.0, random=Random(1), again=again)
        upper, lower = sorted((move.start, move.end), key=lambda view: view.y)
        assert upper.y - high / upper.zoom / 2 == pytest.approx(0.2 - AIR * high, abs=0.01)
        assert lower.y + high / lower.zoom / 2 == pytest.approx(0.75 + AIR * high, abs=0.01)


def test_a_wide_picture_in_an_upright_frame_is_passed_over_from_side_to_side() -> None:
    wide = Picture(sha256="0" * 64, width=3000, height=2000, focus=(0.5, 0.5), region=(0.1, 0.3, 0.7, 0.7))
    for seed in range(20):
        move = choose_move(wide, UPRIGHT, kind="push", seconds=3.3, pace=1.0, random=Random(seed))
        assert abs(move.end.x - move.start.x) > 0.4 * cover(wide, UPRIGHT)[0]


def test_a_small_thing_in_a_tall_picture_stays_in_a_wide_frame() -> None:
    tall = Picture(sha256="0" * 64, width=2000, height=3000, focus=(0.5, 0.3), region=(0.4, 0.25, 0.6, 0.35))
    move = choose_move(tall, WIDE, kind="pan", seconds=3.3, pace=1.0, random=Random(1))
    assert move.start != move.end
    assert max(cut_off(view_at(move, step / 10), tall, WIDE) for step in range(11)) < SLIP


@pytest.mark.parametrize("kind", ["pan", "pan_back", "push_across", "pull_across"])
@pytest.mark.parametrize("way", [-1, 1])
def test_a_camera_goes_the_way_that_it_is_told(kind: str, way: int) -> None:
    picture = Picture(sha256="0" * 64, width=4000, height=2000, region=(0.3, 0.3, 0.7, 0.7))
    for seed in range(10):
        heading = 0, way
        move = choose_move(
            picture,
            WIDE,
            kind=kind,
            seconds=3,
            pace=1.0,
            random=Random(seed),
            heading=heading,  # type: ignore[arg-type]
        )
        assert (move.end.x - move.start.x) * way > 0


def test_coming_nearer_for_an_arrival_does_not_cut_off_what_stands_out() -> None:
    for number in range(100):
        picture = some_picture(number)
        move = choose_move(picture, WIDE, kind="push", seconds=3.3, pace=1.0, random=Random(number))
        close = nearer(move, picture, WIDE, 0.2)
        assert close.start.zoom >= move.start.zoom
        assert cut_off(close.start, picture, WIDE) < 1e-6


STRANGERS = [Link(light=-60.0, colours=0.05, layout=0.3)] * 11


def film(style: Style, seed: int = 1) -> FilmPlan:
    pictures = [some_picture(number) for number in range(12)]
    pairs = list(zip(pictures[::2], pictures[1::2], strict=True))
    return plan_shots(pairs, links=STRANGERS, style=style, seed=seed, tempo=100.0)


@pytest.mark.parametrize("name", list(STYLES))
def test_a_camera_never_draws_back_beside_a_zoom(name: str) -> None:
    style = STYLES[name].model_copy(update={"dissolve": 0.0, "push": 0.0, "zoom": 1.0, "cut_every": 0})
    for shot in (each for seed in range(4) for each in film(style, seed).shots):
        for move in (shot.first_move, shot.last_move, *_moves_again(shot)):
            assert move.end.zoom >= move.start.zoom * 0.9999


def _moves_again(shot: object) -> list:  # type: ignore[type-arg]
    again = retake(shot, 1)  # type: ignore[arg-type]
    return [again.first_move, again.last_move]


def test_a_camera_goes_the_way_of_the_push_in_its_clip() -> None:
    style = Style(
        name="pushing", dissolve=0.0, push=1.0, moves=("pan", "push_across", "pull_across", "pan_back")
    )
    agreed = 0
    for shot in (each for seed in range(6) for each in film(style, seed).shots):
        axis, way = HEADINGS[shot.turn]
        for move in (shot.first_move, shot.last_move):
            travelled = (move.end.x - move.start.x, move.end.y - move.start.y)
            moved = travelled[axis] * way
            assert moved > -1e-3 or abs(travelled[1 - axis]) > 1e-6
            agreed += moved > 1e-3
    assert agreed > 20


@pytest.mark.parametrize("name", list(STYLES))
def test_no_passage_takes_longer_than_six_tenths_of_a_second(name: str) -> None:
    style = STYLES[name]
    for seconds in (1.5, 3.0, style.seconds, 12.0, 30.0):
        pairs = [(some_picture(number), some_picture(number + 1)) for number in range(0, 8, 2)]
        plan = plan_shots(pairs, links=STRANGERS[:7], style=style, seconds_per_clip=seconds, tempo=90.0)
        assert max(joint.frames for joint in plan.transitions) <= 0.6 * plan.fps
        assert max(shot.blend_frames for shot in plan.shots) <= 0.6 * plan.fps
        if seconds >= 3:
            assert min(joint.frames for joint in plan.transitions if joint.kind != "cut") >= 0.3 * plan.fps


def test_a_tall_scene_seen_twice_is_passed_over_from_top_to_bottom() -> None:
    far = Picture(
        sha256="1" * 64, width=1278, height=1920, focus=(0.47, 0.42), region=(0.23, 0.17, 0.69, 0.72)
    )
    near = Picture(
        sha256="2" * 64, width=1278, height=1920, focus=(0.46, 0.41), region=(0.23, 0.25, 0.73, 0.82)
    )
    scale = 1 / 0.72
    mapping = (scale, 0, -0.12 * scale, 0, scale, -0.06 * scale, 0, 0, 1)
    link = Link(agreement=0.9, mapping=mapping, colours=0.9, layout=0.8)
    shot = plan_shots([(far, near)], links=[link], seconds_per_clip=6.0).shots[0]
    assert shot.morph
    start, end = shot.morph.start, shot.morph.end
    high = cover(far, WIDE)[1]
    assert start.y - high / start.zoom / 2 < 0.2
    assert end.y + high / end.zoom / 2 > 0.78


def test_a_camera_between_two_views_does_not_look_past_what_stands_out() -> None:
    first = Picture(sha256="1" * 64, width=3000, height=2000, focus=(0.2, 0.5), region=(0.02, 0.3, 0.4, 0.7))
    last = Picture(sha256="2" * 64, width=3000, height=2000, focus=(0.15, 0.5), region=(0.01, 0.2, 0.5, 0.8))
    link = Link(agreement=0.9, mapping=(1.2, 0, -0.05, 0, 1.2, -0.1, 0, 0, 1), colours=0.9, layout=0.8)
    shot = plan_shots([(first, last)], links=[link], seconds_per_clip=6.0).shots[0]
    assert shot.morph
    assert cut_off(shot.morph.start, first, WIDE) < 0.02
    assert cut_off(shot.morph.end, last, WIDE) < 0.02


@pytest.mark.parametrize("size", [WIDE, UPRIGHT, SQUARE])
def test_what_stands_out_at_the_edge_of_a_picture_does_not_keep_two_views_from_meeting(size: Size) -> None:
    far = Picture(sha256="1" * 64, width=1920, height=1080, focus=(0.33, 0.5), region=(0.15, 0.1, 0.52, 0.6))
    near = Picture(sha256="2" * 64, width=1920, height=1080, focus=(0.4, 0.5), region=(0.15, 0.0, 0.57, 0.64))
    mapping = (1.315, -0.0005, -0.0524, -0.0002, 1.3148, -0.1049, -7e-5, -7e-4, 1.0)
    link = Link(agreement=0.9, mapping=mapping, colours=0.9, layout=0.8)
    assert plan_shots([(far, near)], links=[link], size=size, seconds_per_clip=6.0).shots[0].morph


def fastest(name: str) -> float:
    """By how much things grow from frame to frame at most, while the picture is seen that a zoom leaves."""
    style = STYLES[name].model_copy(update={"dissolve": 0.0, "push": 0.0, "zoom": 1.0, "cut_every": 0})
    pieces = [body(shot) for shot in film(style).shots]
    surges = [layer.surge for piece in pieces for layer in piece.layers if layer.surge]
    leaving = [each for each in surges if not each.arrives]
    assert leaving
    steps = [(each.grow, 1 / (each.frames + 1)) for each in leaving]
    return max(grow * (surge(0.66) - surge(0.66 - step)) for grow, step in steps)


def test_zooms_are_as_strong_as_their_style() -> None:
    assert fastest("calm") < 0.035
    assert fastest("cinematic") < 0.035
    assert 0.07 < fastest("bold") < 0.11
