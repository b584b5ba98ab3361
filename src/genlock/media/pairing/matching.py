"""Which pictures go together: pairs of high score that use most pictures. Numbers only, no pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

Edge = tuple[int, int]  # two pictures by number, the lower one first

_TIE = 0.01  # what a seed may turn: only between pairs that are as good as each other
_SWEEPS = 20


def choose(scores: Mapping[Edge, float], pictures: int, wanted: int) -> list[Edge]:
    """Up to `wanted` different pairs.

    Rounds of disjoint pairs, each of the greatest sum that swapping partners finds: so a picture is used
    again only after nearly all others were used, and then with a partner it has not had.
    """
    left = dict(scores)
    chosen: list[Edge] = []
    used: Counter[int] = Counter()
    while left and len(chosen) < wanted:
        room = wanted - len(chosen)
        weighed = {edge: score - 0.6 * (used[edge[0]] + used[edge[1]]) for edge, score in left.items()}
        matched = _improved(_greedy(weighed, min(room, pictures // 2)), weighed)
        chosen += matched
        for edge in matched:
            used.update(edge)
            del left[edge]
    return chosen


def seeded(scores: Mapping[Edge, float], hashes: Sequence[str], seed: int) -> dict[Edge, float]:
    """Scores with ties broken by the seed and the pictures' hashes, so never by their order."""

    def turned(edge: Edge) -> float:
        text = f"{seed} {hashes[edge[0]]} {hashes[edge[1]]}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32

    return {edge: score + _TIE * turned(edge) for edge, score in scores.items()}


def _greedy(scores: Mapping[Edge, float], most: int) -> list[Edge]:
    """Disjoint pairs, the best first."""
    taken: set[int] = set()
    chosen: list[Edge] = []
    for edge in sorted(scores, key=lambda edge: (-scores[edge], edge)):
        if len(chosen) == most:
            break
        if not taken & set(edge):
            chosen.append(edge)
            taken |= set(edge)
    return chosen


def _improved(chosen: list[Edge], scores: Mapping[Edge, float]) -> list[Edge]:
    """The same pictures in better pairs: two pairs swap partners while that gains."""
    chosen = list(chosen)
    for _ in range(_SWEEPS):
        swaps = (_swap(chosen, here, there, scores) for here, there in combinations(range(len(chosen)), 2))
        if not any(list(swaps)):
            break
    return chosen


def _swap(chosen: list[Edge], here: int, there: int, scores: Mapping[Edge, float]) -> bool:
    (a, b), (c, d) = chosen[here], chosen[there]
    now = scores[chosen[here]] + scores[chosen[there]]
    for one, other in ((_edge(a, c), _edge(b, d)), (_edge(a, d), _edge(b, c))):
        if one in scores and other in scores and scores[one] + scores[other] > now + 1e-9:
            chosen[here], chosen[there] = one, other
            return True
    return False


def _edge(one: int, other: int) -> Edge:
    return (one, other) if one < other else (other, one)
