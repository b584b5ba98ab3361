"""Frames that repeat the one before in the middle of a movement: the jolt of a frame dropped or doubled.

Measured on films that move: an encoder that is given a frame twice changes 0 to 0.22 of what the frames
around change; no frame of a film that is right changed less than 0.48 of it. Slow movements are not judged,
nor the frame behind a key frame: there encoders leave out changes by themselves, and nobody sees a jolt.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

_EVERY = 4  # lines: enough to tell, at a quarter of the cost
_MOVING = 1.0  # levels by which the pictures around must change from frame to frame
_EVEN = 2.0  # and how far these changes may differ: a cut is no movement, and a camera may stop between two
_STILL = 0.25
_AROUND = 2


@dataclass(frozen=True, slots=True)
class _Step:
    """From one frame to the next: by how many levels a pixel changes on average."""

    change: float
    judged: bool


class Repeats:
    """Notes repeated frames of a film that passes by."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self._before: Luma | None = None
        self._index, self._behind_key = 0, False
        self._steps: deque[_Step] = deque(maxlen=1 + 2 * _AROUND)

    def see(self, luma: Luma, *, key: bool) -> None:
        """The next frame, and whether it is a key frame."""
        lines = luma[::_EVERY]
        if self._before is not None and self._before.shape == lines.shape:
            change = float(cv2.mean(cv2.absdiff(lines, self._before))[0])
            self._steps.append(_Step(change, judged=not self._behind_key))
            self._judge()
        self._before, self._behind_key = lines.copy(), key
        self._index += 1

    def _judge(self) -> None:
        """Whether an even movement stands still between its first two steps and its last two."""
        if len(self._steps) < 1 + 2 * _AROUND:
            return
        *before, within = list(self._steps)[: 1 + _AROUND]
        around = [step.change for step in (*before, *list(self._steps)[1 + _AROUND :])]
        slowest = min(around)
        moves = slowest >= _MOVING and max(around) <= _EVEN * slowest
        if moves and within.judged and within.change <= _STILL * slowest:
            self.found.append(self._index - _AROUND)
