"""What is drawn with a clip before the film is put together."""

from __future__ import annotations

from itertools import pairwise

from genlock.media.film.link import Link
from genlock.media.film.plan import FilmPlan, Picture, plan_shots
from genlock.media.film.segment import segments
from genlock.pipelines.drawing import ahead_of, sources_of, with_approaches
from genlock.pipelines.footage import Purchase, Terms
from genlock.pipelines.models import Asset, Brief
from genlock.store.artifact import Artifact

BOUGHT = Purchase(prompt="a", shape=(160, 90), terms=[Terms(model="m", seconds=3)])


def planned(transition: str = "dissolve") -> tuple[FilmPlan, list[Brief]]:
    pictures = [Picture(sha256=f"{number:064x}", width=640, height=400) for number in range(6)]
    pairs = [(one, other) for one, other in zip(pictures[::2], pictures[1::2], strict=True)]
    plan = plan_shots(
        pairs,
        size=(160, 90),
        seconds_per_clip=3,
        links=[Link()] * 5,
        transition=transition,  # type: ignore[arg-type]
    )
    briefs = [Brief(shot=shot, first=asset(shot.first), last=asset(shot.last)) for shot in plan.shots]
    return plan, briefs


def asset(picture: Picture) -> Asset:
    artifact = Artifact(sha256=picture.sha256, size=1, media_type="image/jpeg")
    return Asset(name="a.jpg", picture=picture, artifact=artifact)


def test_the_transitions_that_a_film_needs_are_drawn_with_the_clips_behind_them() -> None:
    plan, briefs = planned()
    led = with_approaches(briefs, plan.transitions)
    assert led[0].approach is None
    ahead = [each.name for brief in led for each in ahead_of(brief)]
    assert ahead == [piece.name for piece in segments(plan) if piece.kind == "transition"]
    assert len(ahead) == 2


def test_all_that_a_transition_shows_is_among_the_sources_of_its_clip() -> None:
    plan, briefs = planned()
    for brief in with_approaches(briefs, plan.transitions):
        assert {sha256 for each in ahead_of(brief) for sha256 in each.sources} <= {*sources_of(brief, None)}


def test_a_cut_is_not_drawn() -> None:
    plan, briefs = planned("cut")
    assert [ahead_of(brief) for brief in with_approaches(briefs, plan.transitions)] == [[], [], []]


def test_nothing_is_drawn_ahead_beside_a_clip_that_is_bought() -> None:
    plan, briefs = planned()
    for place in range(3):
        mixed = [
            brief.model_copy(update={"purchase": BOUGHT if number == place else None})
            for number, brief in enumerate(briefs)
        ]
        led = with_approaches(mixed, plan.transitions)
        drawn = [bool(after.approach) for after in led[1:]]
        assert drawn == [not (before.purchase or after.purchase) for before, after in pairwise(mixed)]
