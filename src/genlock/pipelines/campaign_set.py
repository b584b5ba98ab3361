"""One order, several shapes: the same film wide, upright and square, from photos taken in once."""

from __future__ import annotations

from pathlib import Path

from genlock.engine.declare import pipeline, stage
from genlock.pipelines.campaign import (
    check_film,
    collect_assets,
    combine_clips,
    compose_music,
    make_clip,
    merge_audio,
    plan_film,
    select_pairs,
    store_film,
)
from genlock.pipelines.models import CampaignOrder, Film, FilmSet, Intake, Music, Pair, SetOrder, Shapes


@stage(name="aspect_selection")
async def choose_shapes(order: SetOrder) -> Shapes:
    """An order for each shape; a film's file is named for its shape, as in film-9x16.mp4."""
    common = order.model_dump(exclude={"aspects", "output"})
    orders = [
        CampaignOrder(**common, aspect=aspect, output=_named(order.output, aspect))
        for aspect in order.aspects
    ]
    return Shapes(orders=orders, first=orders[0])


def _named(output: str | None, aspect: str) -> str | None:
    if output is None:
        return None
    path = Path(output)
    return str(path.with_name(f"{path.stem}-{aspect.replace(':', 'x')}{path.suffix}"))


@stage(name="film_collection")
async def gather_films(films: list[Film]) -> FilmSet:
    """The films in the order of their shapes."""
    return FilmSet(films=films)


@pipeline
def rendition(order: CampaignOrder, pairs: list[Pair], intake: Intake, music: Music | None) -> Film:
    """One shape of a film, with crops and camera moves of its own, to music that is composed already."""
    board = plan_film(pairs, order, intake)
    clips = make_clip.map(board.briefs)
    cut = combine_clips(board, clips)
    film = merge_audio(cut, music)
    checked = check_film(film, cut, board.plan, clips, order.with_audio)
    return store_film(checked, board, intake.left_out, order.output)


@pipeline
def campaign_set(order: SetOrder) -> FilmSet:
    """Campaign films in several shapes from one order."""
    shapes = choose_shapes(order)
    intake = collect_assets(order.photos, order.skip_bad)
    pairs = select_pairs(intake.assets, order.num_pairs, order.seed)
    board = plan_film(pairs, shapes.first, intake)
    music = compose_music.when(order.with_audio)(board.plan, order.seed)
    return gather_films(rendition.map(shapes.orders, pairs, intake, music))
