"""One picture fades into the next."""

from __future__ import annotations

from genlock.media.film.canvas import UNMOVED, Draw, mix
from genlock.media.film.encode import Frame


def draw_dissolve(canvas: Frame, spare: Frame, below: Draw, above: Draw, share: float) -> None:
    """Both pictures mixed, when this share of the time has passed; `spare` is drawn over."""
    below(canvas, UNMOVED)
    above(spare, UNMOVED)
    mix(canvas, spare, opacity(share))


def opacity(share: float) -> float:
    """How much is seen of what appears: eased, and even between the two ends."""
    return share * share * (3 - 2 * share)
