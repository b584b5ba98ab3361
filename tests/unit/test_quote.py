"""What an order will cost, from the price table: checked against the table's own figures."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from genlock import pipeline, provided, stage
from genlock.clock import SystemClock
from genlock.engine.spec import fit_inputs
from genlock.errors import Unsupported
from genlock.pipelines.campaign import campaign
from genlock.pipelines.campaign_set import campaign_set
from genlock.pipelines.quote import Quotes
from genlock.providers.catalog import Catalog
from genlock.providers.faces import SpeechModel

VEO, GEN3 = "replicate:google/veo-3.1", "runway:gen3a_turbo"
PHOTOS = [f"/photos/{n}.jpg" for n in range(8)]


class NoReader:
    """A quote of what is not started looks at no ledger."""


@pytest.fixture
def quotes() -> Quotes:
    catalog = Catalog.load()

    def models(said: str | None) -> list[Any]:
        return [] if said in (None, "local") else [catalog.get(name) for name in said.split(",")]

    return Quotes(models, NoReader(), SystemClock())  # type: ignore[arg-type]


def ahead(quotes: Quotes, what: Any = campaign, **order: Any) -> Any:
    return quotes.ahead(what, fit_inputs(what, {"photos": PHOTOS, **order}))


def test_what_is_rendered_here_costs_nothing_and_says_why(quotes: Quotes) -> None:
    quote = ahead(quotes, num_pairs=3)
    assert (quote.estimated_cost, quote.micros, quote.currency) == (0.0, 0, "USD")
    clips, music = quote.breakdown
    assert (clips.stage, clips.model, clips.count) == ("video_generation", "local", 3)
    assert "nothing is bought" in clips.note
    assert music.stage == "audio_generation"
    assert quote.valid_until > datetime.now(UTC)


def test_clips_are_priced_by_the_length_that_the_model_makes(quotes: Quotes) -> None:
    for asked, made in ((3.6, 4), (4, 4), (5, 6), (8, 8)):
        quote = ahead(quotes, video=VEO, num_pairs=3, clip_duration=asked, with_audio=False)
        [line] = quote.breakdown
        assert Decimal(line.micros) / 10**6 == 3 * made * Decimal("0.20")
        assert (line.count, line.model, quote.micros) == (3, VEO, line.micros)
        assert line.note.startswith(f"{made} s each")


def test_there_are_no_more_clips_than_pairs_of_photos(quotes: Quotes) -> None:
    def clips(photos: int) -> int:
        return int(ahead(quotes, photos=PHOTOS[:photos], num_pairs=10).breakdown[0].count)

    assert [clips(photos) for photos in (2, 3, 4, 8)] == [1, 3, 6, 10]


def test_the_next_model_is_named_and_the_first_that_is_able_is_counted(quotes: Quotes) -> None:
    quote = ahead(quotes, video=f"{VEO},{GEN3}", num_pairs=1, clip_duration=4, with_audio=False)
    assert quote.breakdown[0].model == VEO
    assert f"if it does not take a request: {GEN3} at $" in quote.breakdown[0].note
    long = ahead(quotes, video=f"{VEO},{GEN3}", num_pairs=1, clip_duration=10, with_audio=False)
    assert long.breakdown[0].model == GEN3
    with pytest.raises(Unsupported, match="longer than"):
        ahead(quotes, video=VEO, num_pairs=1, clip_duration=20)


def test_shapes_that_show_the_same_footage_are_paid_once(quotes: Quotes) -> None:
    quote = ahead(
        quotes,
        campaign_set,
        video=VEO,
        num_pairs=2,
        clip_duration=4,
        aspects=["1:1", "16:9", "9:16"],
        with_audio=False,
    )
    assert [line.count for line in quote.breakdown] == [2, 2]
    assert quote.micros == 2 * 2 * 4 * 200_000


def test_a_pipeline_of_ones_own_has_a_price_only_if_it_buys_nothing(quotes: Quotes) -> None:
    @stage
    async def add(one: int) -> int:
        return one + 1

    @stage
    async def speak(one: int, *, voice: SpeechModel = provided()) -> int:
        return one

    @pipeline
    def free(one: int) -> int:
        return add(one)

    @pipeline
    def bought(one: int) -> int:
        return speak(add(one))

    assert quotes.ahead(free, {"one": 1}).estimated_cost == 0.0
    unknown = quotes.ahead(bought, {"one": 1})
    assert (unknown.estimated_cost, unknown.micros, unknown.breakdown[0].amount) == (None, None, None)
