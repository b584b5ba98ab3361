"""The colours that a picture is known by; in rendering children only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MOST = 5
_SIDE = 96  # pixels: enough to count colours by
_CLUSTERS = 10
_ALIKE = 14.0  # in CIE Lab: nearer ones are one colour to people
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 0.2)


def palette(image: NDArray[np.uint8]) -> tuple[str, ...]:
    """Up to five colours of an RGB picture as `#rrggbb`, the commonest first; always the same ones."""
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    pixels = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    counts, centres = _clusters(np.asarray(pixels, np.float32).reshape(-1, 3))
    return tuple(_hex(centre) for _, centre in _merged(counts, centres)[:MOST])


def _clusters(pixels: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    count = min(_CLUSTERS, len(np.unique(pixels.round(2), axis=0)))
    cv2.setRNGSeed(1)
    _, labels, centres = cv2.kmeans(pixels, count, None, _STOP, 2, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return np.bincount(labels.ravel(), minlength=count), centres


def _merged(counts: NDArray[np.int64], centres: NDArray[np.float32]) -> list[tuple[int, NDArray[np.float32]]]:
    """Colours that people would not tell apart count as the commonest of them."""
    kept: list[tuple[int, NDArray[np.float32]]] = []
    for place in np.argsort(-counts, kind="stable"):
        near = [n for n, (_, known) in enumerate(kept) if np.linalg.norm(known - centres[place]) < _ALIKE]
        if near:
            kept[near[0]] = (kept[near[0]][0] + int(counts[place]), kept[near[0]][1])
        elif counts[place]:
            kept.append((int(counts[place]), centres[place]))
    return sorted(kept, key=lambda each: -each[0])


def _hex(lab: NDArray[np.float32]) -> str:
    rgb = cv2.cvtColor(lab.reshape(1, 1, 3).astype(np.float32), cv2.COLOR_LAB2RGB).reshape(3)
    red, green, blue = (int(value) for value in (rgb * 255).round().clip(0, 255))
    return f"#{red:02x}{green:02x}{blue:02x}"
