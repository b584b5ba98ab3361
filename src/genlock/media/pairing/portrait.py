"""What a picture looks like, in numbers small enough to compare it with hundreds of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from genlock.errors import BadPicture

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Bytes = NDArray[np.uint8]

_LONG_SIDE = 400
FEATURES = 450  # distinctive places that are looked for in a picture
_GRID = 6
_MOST_PIXELS = 200_000_000


@dataclass(frozen=True, slots=True)
class Portrait:
    """One picture. Colours are CIE Lab with L in 0..100.

    It was looked at in `size` (width, height); `thumb` (64, 64) is all of it in grey, its shape ignored.
    `points` (n, 2) and `descriptors` (n, 128) are its distinctive places; `palette` is a histogram over a and
    b, `light` one over L (each sums to 1); `layout` (6, 6) says where detail is, `tones` (6, 6) where it is
    bright; `texture` is a histogram of edge directions and of how fine the detail is.
    """

    sha256: str
    size: tuple[int, int]
    thumb: Floats
    points: Floats
    descriptors: Halves
    palette: Floats
    light: Floats
    layout: Floats
    tones: Floats
    texture: Floats
    colour: Floats
    contrast: float
    saturation: float
    sharpness: float

    @property
    def brightness(self) -> float:
        """Mean lightness, 0..100."""
        return float(self.colour[0])

    @property
    def digest(self) -> Floats:
        """One vector for finding likely relatives quickly; its dot products grow with likeness."""
        parts = (
            np.sqrt(self.palette),
            0.5 * np.sqrt(self.light),
            0.7 * _unit(self.descriptors.sum(axis=0, dtype=np.float32)),
        )
        return np.concatenate(parts)


@lru_cache(maxsize=64)
def portray(path: Path, sha256: str, features: int = FEATURES) -> Portrait:
    """Look at a picture, at so many distinctive places of it; `BadPicture` if it cannot be read.

    What was looked at last is remembered: who was chosen is looked at again as part of a film.
    """
    colours = _load(path)
    lab = _floats(cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2Lab))
    grey = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    points, descriptors = _features(grey, features)
    edges, directions = _edges(grey)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    return Portrait(
        sha256=sha256,
        size=(grey.shape[1], grey.shape[0]),
        thumb=_thumb(grey),
        points=points,
        descriptors=descriptors,
        palette=_palette(lab),
        light=_histogram(lab[..., 0], 10, 100),
        layout=_share(_grid(edges)),
        tones=_grid(lab[..., 0]),
        texture=_texture(grey, edges, directions),
        colour=np.asarray(lab.mean(axis=(0, 1)), dtype=np.float32),
        contrast=float(lab[..., 0].std()),
        saturation=float(chroma.mean()),
        sharpness=float(np.log1p(cv2.Laplacian(grey, cv2.CV_32F).std())),
    )


def _load(path: Path) -> Bytes:
    """The picture upright in RGB, its longer side 400 pixels."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise BadPicture(
                    f"{path.name} has {image.width}×{image.height} pixels: make a smaller copy first"
                )
            image.draft("RGB", (_LONG_SIDE, _LONG_SIDE))
            upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadPicture(f"{path.name} cannot be read as a picture: {error}") from error
    scale = _LONG_SIDE / max(upright.shape[:2])
    size = (max(8, round(upright.shape[1] * scale)), max(8, round(upright.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(upright, size, interpolation=way), dtype=np.uint8)


def _thumb(grey: Bytes) -> Floats:
    small = cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def _features(grey: Bytes, most: int) -> tuple[Floats, Halves]:
    """Distinctive points with descriptors whose dot product measures likeness (square roots of SIFT's)."""
    keypoints, found = cv2.SIFT.create(nfeatures=most, contrastThreshold=0.02).detectAndCompute(grey, None)
    if found is None or not len(keypoints):
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float16)
    descriptors = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
    return np.array([point.pt for point in keypoints], np.float32), descriptors.astype(np.float16)


def _edges(grey: Bytes) -> tuple[Floats, Floats]:
    """Strength and direction (0..π) of edges."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.2)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.hypot(across, down), np.mod(np.arctan2(down, across), np.pi)


def _palette(lab: Floats) -> Floats:
    histogram = cv2.calcHist([lab], [1, 2], None, [14, 14], [-84, 84, -84, 84])
    return _share(_floats(cv2.GaussianBlur(histogram, (3, 3), 0.8)).ravel())


def _histogram(values: Floats, bins: int, top: float) -> Floats:
    return _share(np.histogram(values, bins, (0, top))[0].astype(np.float32))


def _texture(grey: Bytes, edges: Floats, directions: Floats) -> Floats:
    """Edge directions, weighted by strength, and how detail is spread over finer and coarser scales."""
    turned = np.histogram(directions, 8, (0, np.pi), weights=edges)[0]
    scales, picture = [], grey.astype(np.float32)
    for _ in range(4):
        smaller = _floats(cv2.GaussianBlur(picture, (0, 0), 1.5))
        scales.append(float(np.abs(picture - smaller).mean()))
        half = (max(1, smaller.shape[1] // 2), max(1, smaller.shape[0] // 2))
        picture = _floats(cv2.resize(smaller, half, interpolation=cv2.INTER_AREA))
    return np.concatenate([0.5 * _share(turned), 0.5 * _share(np.array(scales))]).astype(np.float32)


def _grid(values: Floats) -> Floats:
    return _floats(cv2.resize(values, (_GRID, _GRID), interpolation=cv2.INTER_AREA))


def _floats(values: NDArray[Any]) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _share(values: NDArray[np.floating]) -> Floats:
    """The values divided by their sum; all alike when there is nothing."""
    total = float(values.sum())
    return np.asarray(
        values / total if total > 0 else np.full_like(values, 1 / values.size), dtype=np.float32
    )


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)
