"""Pairing and ordering as arithmetic: no pictures, compared with the best there is."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.media.pairing import matching, sequence
from genlock.media.pairing.matching import Edge


def random_scores(pictures: int, seed: int) -> dict[Edge, float]:
    random = np.random.default_rng(seed)
    return {edge: float(random.random()) for edge in combinations(range(pictures), 2)}


def best_sum(scores: dict[Edge, float], pictures: frozenset[int]) -> float:
    """The greatest sum of disjoint pairs over all of an even number of pictures, by trying everything."""
    if not pictures:
        return 0.0
    one = min(pictures)
    rest = pictures - {one}
    return max(scores[(one, other)] + best_sum(scores, rest - {other}) for other in rest)


@pytest.mark.parametrize("seed", range(5))
def test_a_full_round_uses_every_picture_once_and_comes_near_the_best_sum(seed: int) -> None:
    scores = random_scores(10, seed)
    chosen = matching.choose(scores, 10, 5)
    assert sorted(number for edge in chosen for number in edge) == list(range(10))
    assert sum(scores[edge] for edge in chosen) >= 0.93 * best_sum(scores, frozenset(range(10)))


@given(pictures=st.integers(2, 9), wanted=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_pairs_differ_and_pictures_are_used_evenly(pictures: int, wanted: int, seed: int) -> None:
    chosen = matching.choose(random_scores(pictures, seed), pictures, wanted)
    assert len(chosen) == min(wanted, pictures * (pictures - 1) // 2) == len(set(chosen))
    if len(chosen) <= pictures // 2:
        assert len({number for edge in chosen for number in edge}) == 2 * len(chosen)


def test_only_the_seed_turns_ties_and_only_ties() -> None:
    hashes = ["a", "b", "c", "d"]
    flat = dict.fromkeys(combinations(range(4), 2), 0.5)
    outcomes = {tuple(matching.choose(matching.seeded(flat, hashes, seed), 4, 1)) for seed in range(30)}
    assert len(outcomes) > 3
    clear = {**flat, (1, 3): 0.6}
    for seed in range(30):
        assert matching.choose(matching.seeded(clear, hashes, seed), 4, 1) == [(1, 3)]


def symmetric(pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Costs between the ends of pairs, as distances in a plane."""
    random = np.random.default_rng(seed)
    ends = random.random((pairs, 2, 2))
    first = np.stack([ends[:, 0], ends[:, 1]], axis=1).reshape(-1, 2)
    last = np.stack([ends[:, 1], ends[:, 0]], axis=1).reshape(-1, 2)
    leaps = np.linalg.norm(last[:, None] - first[None], axis=2)
    turned = np.zeros(2 * pairs)
    turned[1::2] = 0.2
    return leaps, turned


def cost(order: list[int], leaps: np.ndarray, turned: np.ndarray) -> float:
    return float(sum(leaps[a, b] for a, b in pairwise(order)) + turned[order].sum())


@pytest.mark.parametrize("seed", range(6))
def test_the_order_is_close_to_the_smoothest_there_is(seed: int) -> None:
    leaps, turned = symmetric(5, seed)
    order = sequence.arrange(leaps, turned)
    assert sorted(step // 2 for step in order) == list(range(5))
    every = (
        [2 * pair + way for pair, way in zip(pairs, ways, strict=True)]
        for pairs in permutations(range(5))
        for ways in product((0, 1), repeat=5)
    )
    best = min(cost(candidate, leaps, turned) for candidate in every)
    assert cost(order, leaps, turned) <= 1.1 * best + 1e-9


@pytest.mark.parametrize("pairs", [1, 2, 300])
def test_any_number_of_pairs_is_ordered(pairs: int) -> None:
    order = sequence.arrange(*symmetric(pairs, 1))
    assert sorted(step // 2 for step in order) == list(range(pairs))
