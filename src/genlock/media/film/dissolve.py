"""One picture fades into the next."""

from __future__ import annotations

from genlock.media.film.canvas import UNMOVED, Draw, soft_mix
from genlock.media.film.encode import Frame


def draw_dissolve(
    canvas: Frame, spare: Frame, below: Draw, above: Draw, share: float, *, soften: float = 0.0
) -> None:
    """Both pictures mixed, when this share of the time has passed; `spare` is drawn over.

    Half-way both are out of focus by `soften`, a share of the frame's longer side: of two pictures full of
    detail one sees neither while their edges cross.
    """
    below(canvas, UNMOVED)
    above(spare, UNMOVED)
    soft_mix(canvas, spare, opacity(share), soften)


def opacity(share: float) -> float:
    """How much is seen of what appears: eased, and even between the two ends."""
    return share * share * (3 - 2 * share)
