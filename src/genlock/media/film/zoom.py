"""The camera dashes into one picture and comes out in the next; the surges are in the layers themselves."""

from __future__ import annotations

import cv2

from genlock.media.film.canvas import UNMOVED, Draw, mix, soft_mix
from genlock.media.film.dissolve import opacity
from genlock.media.film.encode import Frame
from genlock.media.film.motion import surge

_MIXED = (0.36, 0.66)  # from which to which share of the time both pictures are seen
_SHUTTER = 0.8
_DOUBLINGS = 3
_LEAST_BLUR = 0.002


def draw_zoom(
    canvas: Frame,
    spare: Frame,
    below: Draw,
    above: Draw,
    *,
    share: float,
    step: float,
    grow: float,
    soften: float = 0.0,
) -> None:
    """Both pictures while the camera is fast, each of them alone before and after.

    `step` is the share of the time from frame to frame, `grow` how much larger things get until the camera
    is out of the picture that it leaves, as a logarithm, and `soften` by how much both are out of focus
    half-way, as a share of the frame.
    """
    begin, end = _MIXED
    seen = opacity(min(max((share - begin) / (end - begin), 0.0), 1.0))
    if seen < 1:
        below(canvas, UNMOVED)
    if seen > 0:
        above(spare if seen < 1 else canvas, UNMOVED)
    if 0 < seen < 1:
        soft_mix(canvas, spare, seen, soften)
    near_end = min(share, 1 - share)
    _blur(canvas, spare, grow * (surge(near_end + step) - surge(near_end)) * _SHUTTER)


def _blur(canvas: Frame, spare: Frame, growth: float) -> None:
    """What a shutter sees while things grow by this logarithm: nearer and nearer copies, mixed.

    Each round doubles how many there are, so eight cost three drawings.
    """
    if growth < _LEAST_BLUR:
        return
    for doubling in range(_DOUBLINGS):
        scale = 1 + growth / 2 ** (doubling + 1)
        for target, other in zip(canvas.planes, spare.planes, strict=True):
            height, width = target.shape
            matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, scale)
            cv2.warpAffine(target, matrix, (width, height), dst=other, borderMode=cv2.BORDER_REPLICATE)
        mix(canvas, spare, 0.5)
