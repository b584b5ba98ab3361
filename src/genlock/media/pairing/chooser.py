"""Choosing pairs by looking: pictures are measured, likely relatives compared, the pairs put in order.

What is chosen depends on the pictures' contents and the seed alone, not on their names or their order.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.errors import BadInput
from genlock.media.operation import Progress, operation
from genlock.media.pairing import matching, sequence
from genlock.media.pairing.choice import Candidate, Choice, ChoosePairs, ChosenPair
from genlock.media.pairing.kinship import Kinship, compare
from genlock.media.pairing.matching import Edge
from genlock.media.pairing.portrait import FEATURES, Portrait, portray
from genlock.media.pairing.reason import explain

Step = tuple[int, int]  # a pair in the direction in which it is shown

_ALL_COMPARED = 48  # pictures up to which every pair is looked at closely
_RELATIVES = 14  # beyond that, as many likely relatives of each picture
_REMEMBERED = 1_350_000  # distinctive places of all pictures together: a third of a gigabyte
_ROUNDS = 4
_EYES = 4  # pictures looked at at a time; beyond that they wait for memory
_SAME_AGAIN, _SEEN_BEFORE, _AWAY = 100.0, 1.5, 0.35  # costs of an order; 1 is a step of 40 in colour


@operation("choose_pairs")
def choose_pairs(request: ChoosePairs, progress: Progress) -> Choice:
    """Pairs in the order of the film; see `ChoosePairs`."""
    if len(request.pictures) < 2:
        raise BadInput(
            f"a pair needs two pictures, and {len(request.pictures) or 'none'} was given: add pictures"
        )
    candidates = sorted(request.pictures, key=lambda candidate: (candidate.sha256, candidate.id))
    portraits = list(_portraits(candidates, progress))
    album = Album(portraits, progress)
    chosen = album.choose(request.num_pairs, request.seed)
    used = {number for step in chosen for number in step}
    return Choice(
        pairs=[_told(candidates, album, step) for step in chosen],
        unused=[candidate.id for number, candidate in enumerate(candidates) if number not in used],
    )


class Album:
    """Portraits and how they are related; pictures are numbers in the order of their hashes."""

    def __init__(self, portraits: Sequence[Portrait], progress: Progress) -> None:
        self._portraits = portraits
        self._progress = progress
        self._kin: dict[Edge, Kinship] = {}
        self._expected = 1
        edges = self._relatives(range(len(portraits)))
        self._expected = len(edges)
        with ThreadPoolExecutor(_hands()) as crew:
            found = crew.map(lambda edge: compare(portraits[edge[0]], portraits[edge[1]]), edges)
            for edge, kinship in zip(edges, found, strict=True):
                self._tell()
                self._kin[edge] = kinship

    def kinship(self, one: int, other: int) -> Kinship:
        """How two pictures are related, whichever is named first; the geometry maps the lower number."""
        edge = (one, other) if one < other else (other, one)
        if edge not in self._kin:
            self._tell()
            self._kin[edge] = compare(self._portraits[edge[0]], self._portraits[edge[1]])
        return self._kin[edge]

    def _tell(self) -> None:
        self._progress(0.6 + 0.4 * min(1.0, len(self._kin) / self._expected), "comparing pictures")

    def choose(self, wanted: int, seed: int) -> list[Step]:
        """The pairs of the film, in its order and direction: fewer than `wanted` if no more can be made."""
        wanted = min(wanted, math.comb(len(self._portraits), 2))
        self._befriend_lonely(wanted)
        chosen = self._matched(wanted, seed)
        if len(chosen) < wanted:
            for edge in combinations(range(len(self._portraits)), 2):
                self.kinship(*edge)
            chosen = self._matched(wanted, seed)
        return self._ordered(chosen)

    def explain(self, step: Step) -> str:
        """Why this pair, in words."""
        first, last = step
        portraits = self._portraits[first], self._portraits[last]
        return explain(self.kinship(first, last), *portraits, forward=first < last)

    def _matched(self, wanted: int, seed: int) -> list[Edge]:
        hashes = [portrait.sha256 for portrait in self._portraits]
        scores = {edge: kinship.score for edge, kinship in sorted(self._kin.items())}
        return matching.choose(matching.seeded(scores, hashes, seed), len(hashes), wanted)

    def _befriend_lonely(self, wanted: int) -> None:
        """Compare with each other the pictures whose likely relatives all go better with somebody else."""
        count = len(self._portraits)
        disjoint = min(wanted, count // 2)
        for _ in range(_ROUNDS):
            matched = {number for edge in self._matched(disjoint, 0) for number in edge}
            if len(matched) == 2 * disjoint:
                return
            for edge in self._relatives([number for number in range(count) if number not in matched]):
                self.kinship(*edge)

    def _relatives(self, among: Sequence[int]) -> list[Edge]:
        """Which pairs to look at closely: all of a few pictures, the most promising of many."""
        if len(among) <= _ALL_COMPARED:
            return list(combinations(among, 2))
        numbers = np.array(among)
        digests = np.stack([self._portraits[number].digest for number in among])
        edges: set[Edge] = set()
        for place, number in enumerate(among):
            self._progress(0.6, "looking for relatives")
            likeness = digests @ digests[place]
            likeness[place] = -np.inf
            nearest = numbers[np.argpartition(-likeness, _RELATIVES)[:_RELATIVES]]
            edges.update((min(number, int(other)), max(number, int(other))) for other in nearest)
        return sorted(edges)

    def _ordered(self, pairs: Sequence[Edge]) -> list[Step]:
        """The pairs in the order and direction of the film."""
        steps = [step for pair in sorted(pairs) for step in (pair, pair[::-1])]
        turned = np.array([self._turned(step) for step in steps])
        order = sequence.arrange(self._leaps(np.array(steps)), turned)
        return self._begun([steps[number] for number in order])

    def _begun(self, steps: list[Step]) -> list[Step]:
        """From its lighter end if the film is as good backwards: else a changed photo may turn it round."""
        back = [(last, first) for first, last in reversed(steps)]
        costs = [sum(map(self._turned, way)) for way in (steps, back)]
        light = [self._portraits[way[0][0]].brightness for way in (steps, back)]
        return back if costs[0] == costs[1] and light[1] > light[0] else steps

    def _leaps(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """What going on from each step to each other costs the eye: colour, light, seeing the same again."""
        shown = sorted({*steps.ravel().tolist()})
        first, last = np.searchsorted(shown, steps).T
        colours = np.array([self._portraits[number].colour for number in shown], dtype=np.float64)
        alike = np.array([[self._alike(int(one), int(other)) for other in shown] for one in shown])
        apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) / 40 + _SAME_AGAIN * np.eye(
            len(shown)
        )
        again = sum(alike[np.ix_(one, other)] for one in (first, last) for other in (first, last))
        return np.asarray(apart[np.ix_(last, first)] + _SEEN_BEFORE * again, dtype=np.float64)

    def _alike(self, one: int, other: int) -> float:
        known = self._kin.get((min(one, other), max(one, other)))
        return 1.0 if one == other else known.same_scene if known else 0.0

    def _turned(self, step: Step) -> float:
        """Within one scene, going closer tells more than going away."""
        geometry = self.kinship(*step).geometry
        if geometry is None:
            return 0.0
        scale = geometry.scale if step[0] < step[1] else 1 / geometry.scale
        return 0.0 if scale >= 1 else _AWAY


def _portraits(candidates: Sequence[Candidate], progress: Progress) -> Iterator[Portrait]:
    """Every picture looked at, several at a time: the rest of a job can do nothing before they are known."""
    features = min(FEATURES, _REMEMBERED // max(1, len(candidates)))
    with ThreadPoolExecutor(_hands()) as crew:
        looked = crew.map(lambda one: portray(one.path, one.sha256, features), candidates)
        for done, portrait in enumerate(looked, start=1):
            progress(0.6 * done / len(candidates), f"looked at {done} of {len(candidates)} pictures")
            yield portrait


def _hands() -> int:
    return min(_EYES, os.cpu_count() or 1)


def _told(candidates: Sequence[Candidate], album: Album, step: Step) -> ChosenPair:
    first, last = step
    kinship = album.kinship(first, last)
    return ChosenPair(
        first=candidates[first].id,
        last=candidates[last].id,
        score=round(kinship.score, 4),
        criteria=kinship.criteria,
        reason=album.explain(step),
    )
