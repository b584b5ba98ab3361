"""One order, several shapes: the same film wide, upright and square, from photos taken in once."""

from __future__ import annotations

from pathlib import Path

from genlock.engine.declare import pipeline, provided, stage
from genlock.media.film.motion import Size
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
from genlock.pipelines.models import CampaignOrder, Film, Intake, Music, Pair, SetOrder
from genlock.pipelines.purchase import footage_shapes
from genlock.pipelines.review import await_review
from genlock.pipelines.shape import FilmSet, Shapes
from genlock.providers.faces import VideoModel


@stage(name="aspect_selection")
async def choose_shapes(order: SetOrder, *, video: VideoModel = provided()) -> Shapes:
    """An order for each shape; a film's file is named for its shape, as in film-9x16.mp4.

    Shapes for which the same footage is bought are made one after the other: the later ones find it.
    """
    common = order.model_dump(exclude={"aspects", "output"})
    orders = [
        CampaignOrder(**common, aspect=aspect, output=_named(order.output, aspect))
        for aspect in order.aspects
    ]
    bought = footage_shapes(order.aspects, video.by(order.video))
    later = [each for number, each in enumerate(orders) if bought[number] in bought[:number]]
    return Shapes(
        orders=[each for each in orders if each not in later],
        first=orders[0],
        later=later,
        sizes=[each.size for each in orders],
    )


def _named(output: str | None, aspect: str) -> str | None:
    if output is None:
        return None
    path = Path(output)
    return str(path.with_name(f"{path.stem}-{aspect.replace(':', 'x')}{path.suffix}"))


@stage(name="later_aspects")
async def choose_later(shapes: Shapes, films: list[Film]) -> list[CampaignOrder]:  # noqa: ARG001 - waited for
    """The shapes that show the footage of those that are made by now."""
    return shapes.later


@stage(name="film_collection")
async def gather_films(
    films: list[Film], later: list[Film] | None = None, sizes: list[Size] | None = None
) -> FilmSet:
    """The films in the order of these sizes, in which their shapes were asked for."""
    found = [*films, *(later or [])]
    return FilmSet(
        films=sorted(found, key=lambda film: sizes.index((film.width, film.height)) if sizes else 0)
    )


@pipeline
def rendition(order: CampaignOrder, pairs: list[Pair], intake: Intake, music: Music | None) -> Film:
    """One shape of a film, with crops and camera moves of its own, to music that is composed already."""
    board = plan_film(pairs, order, intake)
    clips = make_clip.map(board.briefs)
    cut = combine_clips(board, clips)
    film = merge_audio(cut, music)
    checked = check_film(film, cut, board.plan, clips, order.with_audio)
    stored = store_film(checked, board, intake.left_out, order.output, clips)
    await_review.when(order.review)(stored)
    return stored


@pipeline
def campaign_set(order: SetOrder) -> FilmSet:
    """Campaign films in several shapes from one order."""
    shapes = choose_shapes(order)
    intake = collect_assets(order.photos, order.skip_bad)
    pairs = select_pairs(intake.assets, order.num_pairs, order.seed)
    board = plan_film(pairs, shapes.first, intake)
    music = compose_music.when(order.with_audio)(board.plan, order.seed)
    films = rendition.map(shapes.orders, pairs, intake, music)
    later = rendition.map(choose_later(shapes, films), pairs, intake, music)
    return gather_films(films, later, shapes.sizes)
