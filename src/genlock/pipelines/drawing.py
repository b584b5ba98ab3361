"""What is drawn with a clip: its body, and ahead of its turn the transition that leads to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from genlock.media.film.plan import Transition
from genlock.media.film.segment import Segment, transition
from genlock.pipelines.footage import Bought
from genlock.pipelines.models import Approach, Brief
from genlock.store.artifact import Artifact


def with_approaches(briefs: Sequence[Brief], transitions: Iterable[Transition]) -> list[Brief]:
    """The briefs, each with the transition that leads to it, where nothing is bought on either side of it.

    All that such a transition shows is decided with the plan. Who draws a clip has one of its pictures at
    hand, and cores have something to do while the last clip is not finished yet.
    """
    led = [
        _led(before, after, joint)
        for (before, after), joint in zip(pairwise(briefs), transitions, strict=True)
    ]
    return [*briefs[:1], *led]


def _led(before: Brief, after: Brief, joint: Transition) -> Brief:
    if not joint.frames or before.purchase or after.purchase:
        return after
    leads = Approach(transition=joint, before=before.shot, first=before.first, last=before.last)
    return after.model_copy(update={"approach": leads})


def ahead_of(brief: Brief) -> list[Segment]:
    """The transition to a clip as it was planned, if it can be drawn before the clips are there."""
    way = brief.approach
    return [transition(way.before, brief.shot, way.transition)] if way else []


def sources_of(brief: Brief, bought: Bought | None) -> dict[str, Artifact]:
    """What is seen in a clip, and in the transition that is drawn with it, by its hash."""
    seen = [brief.first.artifact, brief.last.artifact]
    if brief.approach:
        seen += [brief.approach.first.artifact, brief.approach.last.artifact]
    more = [brief.logo, bought.footage if bought else None]
    return {each.sha256: each for each in (*seen, *more) if each}
