"""What models are asked for a clip: lengths, shapes and sizes, decided before anything is bought."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from genlock.errors import Unsupported
from genlock.media.film.motion import Picture
from genlock.media.film.plan import plan_shots
from genlock.media.film.shot import Shot
from genlock.pipelines.models import CampaignOrder
from genlock.pipelines.purchase import terms_of, vendor_aspect
from genlock.providers.catalog import Catalog, Kind, Model

Make = Callable[..., Model]


def model(**more: Any) -> Model:
    known: dict[str, Any] = {"name": "maker:one", "kind": Kind.VIDEO, "as_of": date(2026, 11, 1)}
    return Model(**known, **{"last_frame": True, "seconds": [4, 6, 8], **more})


def shot(seconds: float, size: tuple[int, int] = (1920, 1080)) -> Shot:
    one, other = (Picture(sha256=f"{number:064x}", width=1920, height=1080) for number in (1, 2))
    (made,) = plan_shots([(one, other)], size=size, seconds_per_clip=seconds).shots
    return made


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [(2, 4), (4, 4), (4.4, 4), (4.5, 6), (6, 6), (6.6, 6), (6.7, 8), (7, 8), (8.8, 8)],
)
def test_the_shortest_length_is_asked_for_that_fills_the_clip(seconds: float, asked: float) -> None:
    """At most 12 % slower than filmed, and a little less, for vendors' seconds are not quite whole."""
    assert terms_of(model(), shot(seconds), "16:9").seconds == asked


def test_lengths_that_may_be_chosen_are_asked_for_in_whole_seconds() -> None:
    assert terms_of(model(seconds=[], shortest=3, longest=15), shot(6.3), "16:9").seconds == 6
    assert terms_of(model(seconds=[], shortest=3, longest=15), shot(1), "16:9").seconds == 3


def test_a_clip_that_no_footage_is_long_enough_for_is_refused_with_the_longest_that_can_be() -> None:
    with pytest.raises(Unsupported, match=r"4, 6, 8 s, and clip 0 lasts 10\.0 s: .*no longer than 8\.8 s"):
        terms_of(model(), shot(10), "16:9")
    assert terms_of(model(), shot(8.8), "16:9").seconds == 8


def test_a_model_that_cannot_end_on_a_picture_is_refused() -> None:
    with pytest.raises(Unsupported, match="cannot end on a picture"):
        terms_of(model(last_frame=False), shot(4), "16:9")


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (["16:9", "9:16"], "16:9", "16:9"),
        (["16:9", "9:16"], "9:16", "9:16"),
        (["16:9", "9:16"], "1:1", "16:9"),
        (["16:9", "9:16", "1:1", "4:3", "3:4", "21:9"], "1:1", "1:1"),
        (["4:3", "32:9"], "16:9", "4:3"),
    ],
)
def test_the_shape_is_the_one_that_loses_least(offered: list[str], wanted: str, chosen: str) -> None:
    assert vendor_aspect(offered, wanted) == chosen


@pytest.mark.parametrize(
    ("offered", "size", "chosen"),
    [
        (["720p", "1080p"], (1920, 1080), "1080p"),
        (["720p", "1080p"], (720, 1280), "720p"),
        (["720p", "1080p"], (160, 90), "720p"),
        (["540p", "720p"], (1080, 1080), "720p"),
        (["768p", "1080p"], (1280, 720), "768p"),
        ([], (1280, 720), None),
    ],
)
def test_the_size_is_the_smallest_that_is_not_blown_up(
    offered: list[str], size: tuple[int, int], chosen: str | None
) -> None:
    assert terms_of(model(resolutions=offered), shot(4, size), "16:9").resolution == chosen


def test_every_model_that_can_end_on_a_picture_makes_clips_of_each_style() -> None:
    catalog = Catalog.load()
    for name in catalog.names(Kind.VIDEO):
        known = catalog.get(name, Kind.VIDEO)
        if known.last_frame:
            for seconds in (4, 6, 7):
                terms = terms_of(known, shot(seconds), "16:9")
                assert terms.seconds >= seconds * 0.88
                assert terms.has_seed == known.seed


def test_the_smallest_order_is_twelve_frames_of_ninety_lines() -> None:
    """For proofs, which make hundreds of films."""
    order = CampaignOrder(
        photos=["/a.jpg", "/b.jpg"], resolution="90p", clip_duration=0.4, transitions="cut", with_audio=False
    )
    assert order.size == (160, 90)
    one, other = (Picture(sha256=f"{number:064x}", width=320, height=180) for number in (1, 2))
    plan = plan_shots(
        [(one, other), (other, one)], size=order.size, seconds_per_clip=0.4, transition=order.transitions
    )
    assert [each.frames for each in plan.shots] == [12, 12]
    assert plan.total_frames == 24
