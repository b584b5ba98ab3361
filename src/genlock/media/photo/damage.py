"""Damage that JPEG decoders pass over in silence: a copy that broke off. In rendering children only.

What is missing comes out grey, and nothing is raised. Two traces tell: a file that ends in zeros where its
end mark should be, and a lower part of exactly the grey that stands for no data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_TAIL = 1 << 16  # bytes looked at: writers that pad a file behind its end mark pad less
_ZEROS = 64
_GREY, _SHARE = 128, 0.03


def damage(image: Image.Image, path: Path) -> str | None:
    """What is missing of a decoded picture, in words; None if nothing shows that anything is."""
    if image.format not in {"JPEG", "MPO"}:
        return None
    if _ends_in_zeros(path):
        return "ends in nothing but zeros, as a copy does that broke off"
    share = _grey(image)
    return f"has no data for its lower {share:.0%}" if share > _SHARE else None


def _ends_in_zeros(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    told = tail.rstrip(b"\0")
    return len(tail) - len(told) >= _ZEROS and not told.endswith(_END)


def _grey(image: Image.Image) -> float:
    """The share of the picture's rows, from below, that are one flat middle grey."""
    if image.mode not in {"L", "RGB"}:
        return 0.0
    corner = image.getpixel((image.width - 1, image.height - 1))
    if corner not in (_GREY, (_GREY,) * 3):
        return 0.0
    flat = (np.asarray(image).reshape(image.height, -1) == _GREY).all(axis=1)
    told = np.flatnonzero(~flat)
    return 1 - (int(told[-1]) + 1 if told.size else 0) / image.height
