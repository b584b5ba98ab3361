"""The next picture pushes the one before out of the frame, as if the camera swept from one to the other."""

from __future__ import annotations

import math

import cv2

from genlock.media.film.canvas import Draw
from genlock.media.film.encode import Frame, Plane

_COURSE = {"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)}  # where the content goes
_SHUTTER = 0.5  # of the time between frames that a camera's shutter is open
_LEAST_BLUR = 3


def draw_push(
    canvas: Frame, spare: Frame, below: Draw, above: Draw, *, share: float, step: float, side: str
) -> None:
    """Both pictures side by side, on their way, when this share of the time has passed.

    What comes in comes from `side`. `step` is the share of the time from frame to frame.
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
        _join(target, other, side, round(gone / half))
        _blur(target, int(speed * _SHUTTER / half) | 1, upright=bool(y))


def travelled(share: float) -> float:
    """How much of the way is done: from rest to rest, fastest in the middle."""
    return (1 - math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


def _join(target: Plane, other: Plane, side: str, edge: int) -> None:
    """Put what comes in beside what goes out. The seam lies on a whole pixel; both contents do not."""
    height, width = target.shape
    match side:
        case "left":
            target[:, :edge] = other[:, :edge]
        case "right":
            target[:, width - edge :] = other[:, width - edge :]
        case "up":
            target[:edge] = other[:edge]
        case _:
            target[height - edge :] = other[height - edge :]


def _blur(plane: Plane, length: int, *, upright: bool) -> None:
    """What a shutter sees that is open for so many pixels of way."""
    if length >= _LEAST_BLUR:
        kernel = (1, length) if upright else (length, 1)
        plane[:] = cv2.blur(plane, kernel, borderType=cv2.BORDER_REPLICATE)
