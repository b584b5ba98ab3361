"""How two pictures are related: one scene or two, what moved between them, how alike in colour and light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.pairing.choice import Criteria
from genlock.media.pairing.portrait import Floats, Halves, Portrait

_RATIO = 0.86  # between distances of best and second best match, on square-rooted descriptors
_FEWEST = 10  # points that agree by chance in unrelated pictures stay below this
_REACH = 3.5  # pixels of a portrait that a matching point may be off
_WEIGHTS = {
    "visual_continuity": 0.40,
    "thematic_coherence": 0.20,
    "brand_consistency": 0.15,
    "transition_potential": 0.25,
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the first picture maps onto the second: `points` agree on it.

    `scale` above 1: the second is closer. `turn` in degrees. `overlap` is the share of the smaller view that
    both show, `shift` how far the middle moves, as a share of the longer side. `matrix` takes points of the
    first to the second, both as shares of width and height, row by row.
    """

    points: int
    scale: float
    turn: float
    overlap: float
    shift: float
    matrix: tuple[float, ...]

    @property
    def certainty(self) -> float:
        """0..1 that this is one scene: one half at 15 points, nearly 1 from 40."""
        return 1 / (1 + math.exp(-(self.points - 15) / 5))


@dataclass(frozen=True, slots=True)
class Kinship:
    """All that is known of a pair; likenesses are 0..1. `geometry` is None for two different scenes."""

    geometry: Geometry | None
    copies: bool
    colours: float
    light: float
    layout: float
    texture: float
    treatment: float

    @property
    def same_scene(self) -> float:
        """0..1 that both show one scene."""
        return self.geometry.certainty if self.geometry else 0.0

    @property
    def criteria(self) -> Criteria:
        """The four criteria by which pairs are judged."""
        scene = self.same_scene
        alike = 0.5 * self.layout + 0.25 * self.light + 0.25 * self.colours
        theme = 0.65 * self.colours + 0.35 * self.texture
        dissolve = 0.45 * self.light + 0.35 * self.layout + 0.20 * self.colours
        potential = 0.6 * dissolve * (1 - scene) + scene * self._move()
        return Criteria(
            visual_continuity=_unit(scene * (0.75 + 0.25 * alike) + (1 - scene) * 0.6 * alike),
            thematic_coherence=_unit(theme + (1 - theme) * 0.7 * scene),
            brand_consistency=_unit(self.treatment),
            transition_potential=_unit(0.05 * potential if self.copies else potential),
        )

    @property
    def score(self) -> float:
        """The criteria weighed together, 0..1; a picture and its copy make no pair worth seeing."""
        total = sum(weight * getattr(self.criteria, name) for name, weight in _WEIGHTS.items())
        return _unit(0.3 * total if self.copies else total)

    def _move(self) -> float:
        """How good a camera move leads from one view of the scene to the other: seen, not wild."""
        if self.geometry is None:
            return 0.0
        zoom = abs(math.log2(self.geometry.scale))
        moved = min(1.0, (zoom + 2 * self.geometry.shift + self.geometry.turn / 45) / 0.15)
        wild = max(0.0, zoom - 1.3) + max(0.0, self.geometry.turn - 25) / 90
        return max(0.2, (0.4 + 0.6 * moved) * (0.6 + 0.4 * self.geometry.overlap) - 0.5 * wild)


def compare(one: Portrait, other: Portrait) -> Kinship:
    """Relate two pictures; the same whichever comes first, but for the direction of the geometry."""
    geometry = _geometry(one, other)
    copies = one.sha256 == other.sha256 or (geometry is not None and _is_copy(one, other, geometry))
    return Kinship(
        geometry=geometry,
        copies=copies,
        colours=_overlap(one.palette, other.palette),
        light=math.exp(-abs(one.brightness - other.brightness) / 22) ** 0.5
        * _overlap(one.light, other.light) ** 0.5,
        layout=0.5 * _correlation(one.layout, other.layout) + 0.5 * _correlation(one.tones, other.tones),
        texture=_overlap(one.texture, other.texture),
        treatment=_treatment(one, other),
    )


def _geometry(one: Portrait, other: Portrait) -> Geometry | None:
    pairs = _matches(one.descriptors, other.descriptors)
    if len(pairs) < _FEWEST:
        return None
    here, there = one.points[pairs[:, 0]], other.points[pairs[:, 1]]
    matrix, kept = cv2.findHomography(here, there, cv2.USAC_MAGSAC, _REACH, maxIters=2000, confidence=0.999)
    if matrix is None or kept is None:
        return None
    return _measured(np.asarray(matrix, dtype=np.float64), _spread(here[kept.ravel() > 0]), one, other)


def _matches(one: Halves, other: Halves) -> NDArray[np.int64]:
    """Points of one picture and of the other that are each other's clearly nearest: (n, 2) indices."""
    none = np.zeros((0, 2), np.int64)
    if len(one) < _FEWEST or len(other) < _FEWEST:
        return none
    likeness = one.astype(np.float32) @ other.astype(np.float32).T
    best = likeness.argmax(axis=1)
    back = likeness.argmax(axis=0)
    top = np.partition(likeness, -2, axis=1)[:, -2:]
    clear = (1 - top[:, 1]) < _RATIO**2 * (1 - top[:, 0])
    mutual = back[best] == np.arange(len(one))
    chosen = np.flatnonzero(clear & mutual)
    return np.stack([chosen, best[chosen]], axis=1)


def _spread(points: Floats) -> int:
    """How many points there are, counting those in one spot of 6 pixels once."""
    return len({*map(tuple, np.floor(points / 6).tolist())})


def _measured(matrix: NDArray[np.float64], points: int, one: Portrait, other: Portrait) -> Geometry | None:
    """Scale, turn, shift and overlap of a mapping; None if it is no possible view of one scene."""
    outline = _moved(matrix, _corners(one.size))
    middle, across, down = _moved(matrix, np.array(one.size) / 2 + [[0, 0], [1, 0], [0, 1]])
    across, down = across - middle, down - middle
    area = float(across[0] * down[1] - across[1] * down[0])
    if points < _FEWEST or not 0.02 < area < 50 or not cv2.isContourConvex(outline):
        return None
    shared = cv2.intersectConvexConvex(outline, _corners(other.size))[0]
    smaller = min(cv2.contourArea(outline), math.prod(other.size))
    return Geometry(
        points=points,
        scale=math.sqrt(area),
        turn=abs(math.degrees(math.atan2(across[1] - down[0], across[0] + down[1]))),
        overlap=_unit(shared / max(smaller, 1.0)),
        shift=float(np.linalg.norm(middle - np.array(other.size) / 2)) / max(other.size),
        matrix=_in_shares(matrix, one.size, other.size),
    )


def _in_shares(
    matrix: NDArray[np.float64], one: tuple[int, int], other: tuple[int, int]
) -> tuple[float, ...]:
    shares = np.diag([1 / other[0], 1 / other[1], 1.0]) @ matrix @ np.diag([*one, 1.0])
    return tuple(float(value) for value in (shares / shares[2, 2]).ravel())


def _corners(size: tuple[int, int]) -> Floats:
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _moved(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> Floats:
    return np.asarray(cv2.perspectiveTransform(points[None].astype(np.float32), matrix)[0], dtype=np.float32)


def _is_copy(one: Portrait, other: Portrait, geometry: Geometry) -> bool:
    """Whether nothing moved: the same picture saved again, scaled, or retouched in tone."""
    still = abs(math.log2(geometry.scale)) < 0.03 and geometry.turn < 1 and geometry.shift < 0.015
    return still and _correlation(one.thumb, other.thumb) > 0.98


def _treatment(one: Portrait, other: Portrait) -> float:
    """Whether both look as if taken and graded by one hand."""
    distance = (
        abs(one.saturation - other.saturation) / 18
        + abs(one.contrast - other.contrast) / 12
        + abs(float(one.colour[2] - other.colour[2])) / 22
        + abs(one.sharpness - other.sharpness) / 0.9
    )
    return math.exp(-distance / 4)


def _overlap(one: Floats, other: Floats) -> float:
    """What two histograms have in common (Bhattacharyya), spread so that strangers score low."""
    common = float(np.sqrt(one * other).sum())
    return _unit(common**2)


def _correlation(one: Floats, other: Floats) -> float:
    here, there = one.ravel() - one.mean(), other.ravel() - other.mean()
    size = float(np.linalg.norm(here) * np.linalg.norm(there))
    return _unit(0.5 + 0.5 * float(here @ there) / size) if size > 1e-6 else 0.5


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
