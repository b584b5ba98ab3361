"""A camera's way from one view of a scene to another: where it leads, and what is in view along it."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.media.film.motion import Picture, View
from genlock.media.film.pilot import Flight, Leg, find_flight
from genlock.media.film.route import (
    IDENTITY,
    Mapping,
    Quad,
    Route,
    across,
    bounds,
    corners,
    inverse,
    mapped,
    quad_at,
    roll,
    upright,
)

SIZE = (1920, 1080)
WIDE = Picture(sha256="a" * 64, width=1920, height=1280)
NEAR = Picture(sha256="b" * 64, width=1920, height=1280, focus=(0.6, 0.5))
LEG = Leg(frames=180, begin=14, end=166, fps=30, pace=1.0)
shares = st.floats(0, 1)


def zoomed(scale: float, turn: float = 0.0) -> Mapping:
    """The last picture shows the middle of the first, so many times larger and turned by degrees."""
    cos, sin = scale * math.cos(math.radians(turn)), scale * math.sin(math.radians(turn))
    across_, down = sin * 1280 / 1920, sin * 1920 / 1280
    return (cos, -across_, 0.5 - cos / 2 + across_ / 2, down, cos, 0.5 - cos / 2 - down / 2, 0, 0, 1)


def flight(mapping: Mapping, seed: int = 1) -> Flight | None:
    return find_flight(WIDE, NEAR, mapping, size=SIZE, leg=LEG, random=Random(seed))


def close(one: Quad, other: Quad) -> bool:
    return all(math.dist(left, right) < 1e-6 for left, right in zip(one, other, strict=True))


@given(st.floats(0.6, 1.7), st.floats(-20, 20), shares, shares)
def test_a_mapping_and_its_inverse_lead_back(scale: float, turn: float, x: float, y: float) -> None:
    there = mapped(zoomed(scale, turn), (x, y))
    assert mapped(inverse(zoomed(scale, turn)), there) == pytest.approx((x, y), abs=1e-9)


def test_a_mapping_that_squeezes_everything_into_a_line_has_no_inverse() -> None:
    with pytest.raises(ValueError, match="no way back"):
        inverse((1, 1, 0, 1, 1, 0, 0, 0, 1))


@given(st.floats(0.75, 1.5), st.floats(-8, 8))
def test_the_way_begins_and_ends_on_the_views_themselves(scale: float, turn: float) -> None:
    start, end = View(x=0.5, y=0.5, zoom=1.1), View(x=0.48, y=0.52, zoom=1.2)
    route = Route(mapping=zoomed(scale, turn), start=start, end=end)
    first = quad_at(route, WIDE, NEAR, SIZE, share=0.0, turned=0.0)
    last = quad_at(route, WIDE, NEAR, SIZE, share=1.0, turned=1.0)
    assert close(first, corners(start, WIDE, SIZE))
    assert close(across(route.mapping, last), corners(end, NEAR, SIZE))


def test_what_is_seen_grows_by_equal_factors_in_equal_times_and_slower_at_the_ends() -> None:
    view = View(x=0.5, y=0.5, zoom=1.1)
    route = Route(mapping=zoomed(1.5), start=view, end=view)
    widths = []
    for step in range(41):
        quad = quad_at(route, WIDE, NEAR, SIZE, share=step / 40, turned=0.5)
        widths.append(quad[1][0] - quad[0][0])
    growth = [math.log(before / after) for before, after in pairwise(widths)]
    assert sum(growth) == pytest.approx(math.log(1.5))
    assert min(growth) > 0
    assert growth[20] > 1.3 * growth[0]
    assert max(abs(later - earlier) for earlier, later in pairwise(growth)) < 0.1 * max(growth)


@pytest.mark.parametrize("mapping", [zoomed(1.4), zoomed(0.72), zoomed(1.3, 7), zoomed(0.8, -6)])
def test_a_flight_never_looks_past_what_is_shown(mapping: Mapping) -> None:
    found = flight(mapping)
    assert found is not None
    route, begin, end = found.route, found.blend_start, found.blend_start + found.blend_frames
    assert LEG.begin <= begin < end <= LEG.end
    assert found.blend_frames % 2 == 0
    for number in range(LEG.frames):
        for quad in upright(route, WIDE, NEAR, SIZE, number / LEG.frames):
            if number < begin:
                assert all(inside(point) for point in quad)
            elif number >= end:
                assert all(inside(point) for point in across(mapping, quad))
            else:
                assert all(inside(point) or inside(mapped(mapping, point)) for point in quad)


def inside(point: tuple[float, float]) -> bool:
    return all(-0.01 <= value <= 1.01 for value in point)


def test_pictures_change_where_both_fill_the_frame_if_they_ever_do() -> None:
    found = flight(zoomed(1.3))
    assert found is not None
    assert found.route.fills <= found.route.holds
    middle = (found.blend_start + found.blend_frames / 2) / LEG.frames
    assert found.route.fills <= middle <= found.route.holds
    assert 0.2 < middle < 0.9


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        (zoomed(1.4, 25), "it would tilt"),
        (zoomed(4.0), "it would rush"),
        ((1, 0, 1.5, 0, 1, 0, 0, 0, 1), "the two have nothing in common"),
    ],
)
def test_there_is_no_flight_where_a_camera_would_not_go(mapping: Mapping, why: str) -> None:
    assert flight(mapping) is None, why


def test_nearly_the_same_view_twice_still_makes_a_move() -> None:
    found = flight(IDENTITY)
    assert found is not None
    assert found.route.end.zoom / found.route.start.zoom > 1.05 or found.route.start.zoom > 1.05


def test_another_take_flies_another_way() -> None:
    one, other = flight(zoomed(1.4), 1), flight(zoomed(1.4), 2)
    assert one is not None
    assert one == flight(zoomed(1.4), 1)
    assert one != other


def test_a_fixed_view_is_kept() -> None:
    fixed = View(x=0.5, y=0.5, zoom=1.06)
    leg = Leg(frames=180, begin=14, end=166, fps=30, pace=1.0, fixed=(None, fixed))
    found = find_flight(WIDE, NEAR, zoomed(1.3), size=SIZE, leg=leg, random=Random(1))
    assert found is not None
    assert found.route.end == fixed


def test_bounds_say_how_long_the_first_picture_fills_the_frame_and_from_when_the_last_does() -> None:
    view = View(x=0.5, y=0.5, zoom=1.2)
    whole = bounds(Route(mapping=IDENTITY, start=view, end=view), WIDE, NEAR, SIZE)
    assert whole == (1.0, 0.0)
    nearer = bounds(Route(mapping=zoomed(1.4), start=view, end=view), WIDE, NEAR, SIZE)
    assert nearer is not None
    assert nearer[0] == 1.0
    assert 0.2 < nearer[1] < 0.8


def test_roll_is_measured_in_degrees_of_the_picture() -> None:
    view = View(x=0.5, y=0.5, zoom=1.4)
    quad = across(inverse(zoomed(1.0, 9)), corners(view, NEAR, SIZE))
    assert roll(quad, WIDE) == pytest.approx(9, abs=0.01)
    assert roll(corners(view, WIDE, SIZE), WIDE) == pytest.approx(0, abs=1e-9)
