"""The order of pairs in a film: each clip should begin near to where the last one ended. Numbers only.

A step is a pair in one of its two directions: pair k shown forwards is step 2k, backwards step 2k + 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]
Steps = NDArray[np.int64]

_STARTS = 12
_SWEEPS = 20


def arrange(leaps: Costs, turned: Costs) -> list[int]:
    """Every pair once, as steps, in an order of little cost.

    `leaps[a, b]` is the cost of step `a` followed by step `b`, the same when both are shown backwards, `b`
    first; `turned[a]` that of showing a pair in this direction. Shapes (2n, 2n) and (2n,).
    """
    count = len(turned) // 2
    openings = range(0, count, max(1, count // _STARTS))
    starts = [2 * pair + way for pair in openings for way in (0, 1)]
    orders = [_untangled(_nearest(start, leaps, turned), leaps, turned) for start in starts]
    best = min(orders, key=lambda order: (round(_cost(order, leaps, turned), 9), order.tolist()))
    return [int(step) for step in best]


def _cost(order: Steps, leaps: Costs, turned: Costs) -> float:
    return float(leaps[order[:-1], order[1:]].sum() + turned[order].sum())


def _nearest(start: int, leaps: Costs, turned: Costs) -> Steps:
    """From a first step always on to the one that follows best."""
    order = [start]
    spent = np.zeros(len(turned))
    for _ in range(len(turned) // 2 - 1):
        spent[[order[-1], order[-1] ^ 1]] = np.inf
        order.append(int(np.argmin(leaps[order[-1]] + turned + spent)))
    return np.array(order, dtype=np.int64)


def _untangled(order: Steps, leaps: Costs, turned: Costs) -> Steps:
    """Show stretches backwards, pairs and all, while that makes the film smoother."""
    for _ in range(_SWEEPS):
        changed = False
        for low in range(len(order)):
            gains = _gains(order, low, leaps, turned)
            high = low + int(np.argmax(gains))
            if gains[high - low] > 1e-9:
                order[low : high + 1] = order[low : high + 1][::-1] ^ 1
                changed = True
        if not changed:
            break
    return order


def _gains(order: Steps, low: int, leaps: Costs, turned: Costs) -> Costs:
    """How much smoother the film gets when the stretch from `low` to each later step is shown backwards."""
    stretch = order[low:]
    gains = np.cumsum(turned[stretch] - turned[stretch ^ 1])
    if low:
        before = order[low - 1]
        gains += leaps[before, order[low]] - leaps[before, stretch ^ 1]
    gains[:-1] += leaps[stretch[:-1], stretch[1:]] - leaps[order[low] ^ 1, stretch[1:]]
    return gains
