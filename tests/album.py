"""Photographs whose scenes are known: views of one scene, copies, and pictures that stand alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from genlock.media.pairing.choice import Candidate

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
SCENES = (
    "autumn-meadow",
    "dandelion",
    "fig-in-bowl",
    "forest-stream",
    "mountain-path",
    "paint-brushes",
    "summit-sunset",
    "two-dogs",
)
COPIED = SCENES[::2]
ALONE = ("dragonfly", "wall-clock")


@dataclass(frozen=True)
class Labelled:
    """A picture with what it shows: `copy` marks the same view saved again."""

    candidate: Candidate
    scene: str
    view: str


def candidate(path: Path) -> Candidate:
    return Candidate(id=path.stem, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def photo(name: str) -> np.ndarray:
    picture = cv2.imread(str(PHOTOS / f"{name}.jpg"))
    assert picture is not None, f"examples/photos/{name}.jpg is part of the repository"
    return np.asarray(picture)


def closer(picture: np.ndarray, number: int) -> np.ndarray:
    """Half to two thirds of the view, off the middle, in other light."""
    height, width = picture.shape[:2]
    share = 0.52 + 0.05 * (number % 4)
    top, left = int(height * (1 - share) * 0.6), int(width * (1 - share) * 0.35)
    crop = picture[top : top + int(height * share), left : left + int(width * share)]
    return cv2.convertScaleAbs(cv2.resize(crop, (width, height)), alpha=1.18, beta=-8)


def turned(picture: np.ndarray, number: int) -> np.ndarray:
    """The camera tilted by 8 to 30 degrees, some portrait, darker and blue."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), (8, -14, 20, -30)[number % 4], 1.45)
    view = cv2.warpAffine(picture, matrix, (width, height))
    view = np.clip(view * np.array([1.04, 0.9, 0.86]), 0, 255).astype(np.uint8)
    return np.asarray(np.rot90(view).copy() if number == 5 else view)


def labelled(folder: Path) -> list[Labelled]:
    """Thirty pictures: eight scenes in three views each, four of them saved again, two alone."""
    pictures: list[Labelled] = []

    def add(scene: str, view: str, picture: np.ndarray, quality: int = 90) -> None:
        path = folder / f"{scene}-{view}.jpg"
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pictures.append(Labelled(candidate(path), scene, "wide" if view == "copy" else view))

    for number, scene in enumerate(SCENES):
        wide = photo(scene)
        add(scene, "wide", wide)
        add(scene, "closer", closer(wide, number))
        add(scene, "turned", turned(wide, number))
        if scene in COPIED:
            add(scene, "copy", cv2.resize(wide, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), 70)
    for scene in ALONE:
        add(scene, "alone", photo(scene))
    assert len(pictures) == 30
    return pictures
