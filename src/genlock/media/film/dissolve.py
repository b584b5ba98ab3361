"""One picture fades into the next."""

from __future__ import annotations

import cv2

from genlock.media.film.canvas import UNMOVED, Draw, mix
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
    reach = soften * max(canvas.planes[0].shape) * (4 * share * (1 - share)) ** 2
    for frame in (canvas, spare):
        _defocus(frame, reach)
    mix(canvas, spare, opacity(share))


def opacity(share: float) -> float:
    """How much is seen of what appears: eased, and even between the two ends."""
    return share * share * (3 - 2 * share)


def _defocus(frame: Frame, reach: float) -> None:
    """Spread each point over this many luma pixels to every side."""
    for number, plane in enumerate(frame.planes):
        side = 2 * round(reach / (2 if number else 1)) + 1
        if side > 1:
            cv2.blur(plane, (side, side), dst=plane)
