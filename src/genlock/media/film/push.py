"""The next picture pushes the one before out of the frame, as if the camera swept from one to the other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.canvas import Draw
from genlock.media.film.encode import Frame, Plane

_COURSE = {"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)}  # where the content goes
_SHUTTER = 0.5  # of the time between frames that a camera's shutter is open
_LEAST_BLUR = 3
_SEAM = 0.16  # of the frame, over which the one picture passes into the other


def draw_push(
    canvas: Frame, spare: Frame, below: Draw, above: Draw, *, share: float, step: float, side: str
) -> None:
    """Both pictures side by side, on their way, when this share of the time has passed.

    What comes in comes from `side`. `step` is the share of the time from frame to frame. There is no line
    between the two: beyond its edge each goes on in the colours of the edge, which a camera that moves so
    fast draws out anyway, and one passes into the other. So nothing of the next one shows at first.
    """
    x, y = _COURSE[side]
    height, width = canvas.planes[0].shape
    length = width if x else height
    gone = travelled(share) * length
    below(canvas, (x * gone, y * gone))
    above(spare, (x * (gone - length), y * (gone - length)))
    speed = (travelled(share + step / 2) - travelled(share - step / 2)) * length
    for number, (target, other) in enumerate(zip(canvas.planes, spare.planes, strict=True)):
        half = 2 if number else 1
        _join(target, other, side, travelled(share))
        _blur(target, int(speed * _SHUTTER / half) | 1, upright=bool(y))


def travelled(share: float) -> float:
    """How much of the way is done: from rest to rest, fastest in the middle, without a jerk at the ends."""
    share = min(max(share, 0.0), 1.0)
    return share**3 * (10 - 15 * share + 6 * share * share)


def _join(target: Plane, other: Plane, side: str, gone: float) -> None:
    """Put what comes in beside what goes out, which is out when `gone` is 1."""
    if side in ("up", "down"):
        target, other = target.T, other.T
    if side in ("right", "down"):
        target, other = target[:, ::-1], other[:, ::-1]
    length = target.shape[1]
    seam = _SEAM * length
    end = gone * (length + seam)  # what comes in reaches to here, and fades over the seam before it
    whole, last = (min(max(round(place), 0), length) for place in (end - seam, end))
    target[:, :whole] = other[:, :whole]
    if last > whole:
        places = (np.arange(whole, last) + 0.5 - (end - seam)) / seam
        under, over = target[:, whole:last], other[:, whole:last]
        target[:, whole:last] = np.rint(under + (over.astype(np.float32) - under) * _seam(places))


def _seam(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """How much is seen of what comes in, from all of it at 0 to nothing at 1."""
    shares = 1 - np.clip(places, 0, 1)
    return np.asarray(shares * shares * (3 - 2 * shares), np.float32)


def _blur(plane: Plane, length: int, *, upright: bool) -> None:
    """What a shutter sees that is open for so many pixels of way."""
    if length >= _LEAST_BLUR:
        kernel = (1, length) if upright else (length, 1)
        plane[:] = cv2.blur(plane, kernel, borderType=cv2.BORDER_REPLICATE)
