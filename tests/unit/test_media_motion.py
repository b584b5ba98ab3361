"""Camera moves stay inside their picture and never stand still."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.media.film.camera import MOVES, choose_move, resting_view
from genlock.media.film.motion import Move, Picture, View, aim, cover, enlargement, fits, view_at

SHA = "a" * 64
pictures = st.builds(
    Picture,
    sha256=st.just(SHA),
    width=st.integers(16, 8000),
    height=st.integers(16, 8000),
    focus=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
sizes = st.sampled_from([(1920, 1080), (1080, 1920), (1080, 1080), (320, 180)])


@given(pictures, sizes, st.sampled_from(MOVES), st.floats(0.5, 60), st.floats(0.5, 2), st.integers())
def test_every_view_of_every_move_lies_inside_its_picture(
    picture: Picture, size: tuple[int, int], kind: str, seconds: float, pace: float, seed: int
) -> None:
    move = choose_move(picture, size, kind=kind, seconds=seconds, pace=pace, random=Random(seed))
    assert all(fits(view_at(move, step / 20), picture, size) for step in range(21))


@given(pictures, sizes, st.sampled_from(MOVES), st.integers())
def test_a_camera_never_stands_still(picture: Picture, size: tuple[int, int], kind: str, seed: int) -> None:
    move = choose_move(picture, size, kind=kind, seconds=3.4, pace=1.0, random=Random(seed))
    views = [view_at(move, step / 50) for step in range(51)]
    assert all(before != after for before, after in pairwise(views))


@pytest.mark.parametrize("kind", MOVES)
def test_moves_are_gentle(kind: str) -> None:
    picture = Picture(sha256=SHA, width=3840, height=2560)
    for seed in range(30):
        move = choose_move(picture, (1920, 1080), kind=kind, seconds=3.4, pace=1.0, random=Random(seed))
        wide, high = cover(picture, (1920, 1080))
        zoom = move.end.zoom / move.start.zoom
        assert 0.91 < zoom < 1.1
        assert abs(move.end.x - move.start.x) / wide < 0.12
        assert abs(move.end.y - move.start.y) / high < 0.12


def test_a_move_begins_and_ends_where_it_says_and_is_slower_there() -> None:
    move = Move(start=View(x=0.4, y=0.5, zoom=1.0), end=View(x=0.6, y=0.5, zoom=1.1))
    assert view_at(move, 0.0) == move.start
    assert view_at(move, 1.0).x == pytest.approx(0.6)
    assert view_at(move, 0.5).zoom == pytest.approx(1.1**0.5)
    first = view_at(move, 0.02).x - 0.4
    middle = view_at(move, 0.51).x - view_at(move, 0.49).x
    assert 0.5 * middle < first < 0.9 * middle


def test_small_pictures_are_hardly_blown_up_further() -> None:
    small = Picture(sha256=SHA, width=1300, height=800)
    moves = [
        choose_move(small, (1920, 1080), kind=kind, seconds=6, pace=1.5, random=Random(1)) for kind in MOVES
    ]
    zooms = [view.zoom for move in moves for view in (move.start, move.end)]
    assert max(enlargement(small, (1920, 1080), zoom) for zoom in zooms) <= 1.6


@given(pictures, sizes)
def test_the_focus_is_in_view_where_two_shots_meet(picture: Picture, size: tuple[int, int]) -> None:
    view = resting_view(picture, size)
    wide, high = (share / view.zoom / 2 for share in cover(picture, size))
    assert abs(view.x - picture.focus[0]) <= wide + 1e-9
    assert abs(view.y - picture.focus[1]) <= high + 1e-9


def test_aiming_beyond_an_edge_stops_at_it() -> None:
    picture = Picture(sha256=SHA, width=4000, height=1000)
    view = aim(picture, (1000, 1000), x=2.0, y=-1.0, zoom=1.0)
    assert (view.x, view.y) == (0.875, 0.5)


def test_an_unknown_move_is_refused_with_the_list_of_moves() -> None:
    picture = Picture(sha256=SHA, width=100, height=100)
    with pytest.raises(ValueError, match=r"no camera move is called 'spin'.*push"):
        choose_move(picture, (16, 16), kind="spin", seconds=1, pace=1, random=Random(1))


def test_a_tall_picture_in_a_wide_frame_is_passed_over_farther_and_never_below_its_focus() -> None:
    tall = Picture(sha256="0" * 64, width=1000, height=1500, focus=(0.5, 0.5))
    wide = Picture(sha256="0" * 64, width=1600, height=1067, focus=(0.5, 0.5))
    for seed in range(20):
        travelled = []
        for picture in (tall, wide):
            move = choose_move(picture, (1920, 1080), kind="pan", seconds=3, pace=1, random=Random(seed))
            high = cover(picture, (1920, 1080))[1] / move.start.zoom
            travelled.append(abs(move.end.y - move.start.y) / high)
            if picture is tall:
                assert max(move.start.y, move.end.y) < 0.5 + high / 10
                assert (move.start.y + move.end.y) / 2 < 0.5
        assert travelled[0] > 0.1
