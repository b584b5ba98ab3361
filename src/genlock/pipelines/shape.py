"""One order in several shapes: what is made first, what waits for footage, and what comes of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from genlock.media.film.motion import Size
from genlock.pipelines.models import CampaignOrder, Film


class Shapes(BaseModel):
    """An order for each shape of a film, the first of them, and all sizes in the order asked for.

    `later` show the footage that is bought for one of `orders`, and wait for it.
    """

    model_config = ConfigDict(frozen=True)

    orders: list[CampaignOrder]
    first: CampaignOrder
    later: list[CampaignOrder] = []
    sizes: list[Size] = []


class FilmSet(BaseModel):
    """One film in several shapes."""

    model_config = ConfigDict(frozen=True)

    films: list[Film]
