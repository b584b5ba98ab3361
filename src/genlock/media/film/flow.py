"""Dense optical flow between two views of a scene, and where it can be trusted; in children only.

Flow is found by dense inverse search (Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense
Inverse Search, ECCV 2016) after a homography has laid one view over the other, so what is left to find is
small: parallax, and things that moved. It is found both ways; where going there and coming back does
not end at the start, one of the two pictures does not show the place (Sundaram, Brox, Keutzer: Dense
Point Trajectories by GPU-Accelerated Large Displacement Optical Flow, ECCV 2010), and the flow is
filled in from around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Plane
from genlock.media.film.route import Mapping

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDE = 480  # pixels of the longer side at which flow is found
_SLACK, _SLACK_BY_LENGTH = 0.5, 0.05  # pixels by which a round trip may miss its start
_LIKENESS = 0.5  # correlation of what flow brings together
_WINDOW = (13, 13)
_TELLING = 2e-4  # of the smaller eigenvalue of what changes around a place: no edge, but texture or a corner
_PLAIN = 4.0  # variance of a neighbourhood that has nothing to compare
_FILLING = ((40.0, 16), (14.0, 6), (5.0, 2), (1.8, 1))  # pixels of reach, from the widest, and of a step
_LEAST_TRUST = 0.08
_NEAR = 1.0  # pixels by which points of a plane may miss its mapping


@dataclass(frozen=True, slots=True)
class Flow:
    """What moved between two views that lie over each other, in pixels of both (height, width, 2).

    A point of the first view is found `there` away in the second, one of the second `back` away in the
    first; `trusted` and `trusted_back` say where. `shared` is what both show, and `telling` where there is
    enough to see for a flow to be more than a guess.
    """

    there: Floats
    back: Floats
    trusted: Mask
    trusted_back: Mask
    shared: Mask
    telling: Mask

    @property
    def agreement(self) -> float:
        """The share of what both show that is found again; 0 if they share nothing."""
        return float((self.trusted & self.shared).sum() / max(1, int(self.shared.sum())))


def small(image: Plane) -> Plane:
    """A picture as flow sees it: its longer side `SIDE` pixels."""
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    size = max(16, round(width * scale)), max(16, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def grey(image: Plane) -> Plane:
    """The brightness of a BGR picture."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def overlaid(second: Plane, first: Plane, mapping: Mapping) -> Plane:
    """The second view moved back by `mapping`, so that it lies over the first."""
    height, width = first.shape[:2]
    matrix = in_pixels(mapping, (width, height), (second.shape[1], second.shape[0]))
    return _moved(second, matrix, (width, height))


def find_flow(first: Plane, second: Plane, mapping: Mapping) -> Flow:
    """The flow that is left when the second view, moved back by `mapping`, lies over the first."""
    height, width = first.shape
    matrix = in_pixels(mapping, (width, height), (second.shape[1], second.shape[0]))
    shared = _moved(np.full(second.shape, 255, np.uint8), matrix, (width, height)) > 250
    laid = _in_light_of(overlaid(second, first, mapping), first, shared)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    none = np.zeros((height, width, 2), np.float32)
    there, back = (
        np.asarray(search.calc(one, other, none.copy()), np.float32)
        for one, other in ((first, laid), (laid, first))
    )
    alike = _alike(first, _carried(laid, there))
    return Flow(
        there=there,
        back=back,
        trusted=_returns(there, back) & alike,
        trusted_back=_returns(back, there) & _alike(laid, _carried(first, back)),
        shared=shared,
        telling=np.asarray(cv2.cornerMinEigenVal(first, 9) > _TELLING),
    )


def filled(flow: Floats, trusted: Mask) -> Floats:
    """The flow where it is trusted, continued smoothly everywhere else; nothing near means nothing moves."""
    weight = trusted.astype(np.float32)
    known = np.dstack([flow * weight[..., None], weight])
    result = np.zeros_like(flow)
    for reach, coarse in _FILLING:
        around = _blurred(known, reach, coarse)
        trust = around[..., 2:]
        result = (around[..., :2] + _LEAST_TRUST * result) / (trust + _LEAST_TRUST)
    return np.asarray(result, np.float32)


def _blurred(values: Floats, reach: float, coarse: int) -> Floats:
    """Averages over so many pixels, worked out on every so-many-th of them."""
    height, width = values.shape[:2]
    size = max(2, width // coarse), max(2, height // coarse)
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA) if coarse > 1 else values
    small = cv2.GaussianBlur(small, (0, 0), reach / coarse)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) if coarse > 1 else small
    return np.asarray(large, np.float32)


def refined(mapping: Mapping, flow: Flow, first: Plane, second: Plane) -> Mapping:
    """The mapping corrected by the flow that most of the trusted places agree on."""
    height, width = first.shape
    ys, xs = np.nonzero((flow.trusted & flow.shared)[::4, ::4])
    if len(xs) < 40:
        return mapping
    points = np.stack([xs, ys], axis=1) * 4
    moved = points + flow.there[points[:, 1], points[:, 0]]
    start = points.astype(np.float64)
    found, kept = cv2.findHomography(start, moved.astype(np.float64), cv2.USAC_MAGSAC, _NEAR, maxIters=500)
    if found is None or kept is None or kept.mean() < 0.3:
        return mapping
    matrix = in_pixels(mapping, (width, height), (second.shape[1], second.shape[0])) @ found
    return in_shares(matrix, (width, height), (second.shape[1], second.shape[0]))


def in_pixels(mapping: Mapping, first: tuple[int, int], second: tuple[int, int]) -> Matrix:
    """A mapping between shares as one between pixel centres; sizes are (width, height)."""
    matrix = np.reshape(mapping, (3, 3)).astype(np.float64)
    return np.asarray(_scaling(second) @ matrix @ np.linalg.inv(_scaling(first)))


def in_shares(matrix: Matrix, first: tuple[int, int], second: tuple[int, int]) -> Mapping:
    """The way back from `in_pixels`."""
    shares = np.linalg.inv(_scaling(second)) @ matrix @ _scaling(first)
    values = (shares / shares[2, 2]).ravel()
    return tuple(round(float(value), 9) for value in values)  # type: ignore[return-value]


def _scaling(size: tuple[int, int]) -> Matrix:
    """Shares to pixels, the first of which has its centre at 0."""
    width, height = size
    return np.array([[width, 0.0, -0.5], [0.0, height, -0.5], [0.0, 0.0, 1.0]])


def _moved(view: Plane, matrix: Matrix, size: tuple[int, int]) -> Plane:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(view, matrix, size, flags=flags), np.uint8)


def _in_light_of(view: Plane, other: Plane, shared: Mask) -> Plane:
    """The view as bright and as rich in contrast as the other one is where both show the same."""
    if int(shared.sum()) < 100:
        return view
    here, there = view[shared].astype(np.float32), other[shared].astype(np.float32)
    gain = float(np.clip(there.std() / max(float(here.std()), 1.0), 0.5, 2.0))
    offset = float(there.mean()) - gain * float(here.mean())
    return np.asarray((view * gain + offset).clip(0, 255), np.uint8)


def _carried(values: NDArray[Any], flow: Floats) -> NDArray[Any]:
    """At each place what lies where the flow leads from there."""
    height, width = flow.shape[:2]
    xs = np.arange(width, dtype=np.float32)[None] + flow[..., 0]
    ys = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    return np.asarray(cv2.remap(values, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _returns(there: Floats, back: Floats) -> Mask:
    missed = there + _carried(back, there)
    length = cv2.magnitude(there[..., 0], there[..., 1])
    return np.asarray(cv2.magnitude(missed[..., 0], missed[..., 1]) < _SLACK + _SLACK_BY_LENGTH * length)


def _alike(one: Plane, other: Plane) -> Mask:
    """Where two views that lie over each other show the same, whatever their light; or both nothing."""
    (mean, spread), (its_mean, its_spread) = map(_moments, (one, other))
    product = cv2.multiply(one, other, dtype=cv2.CV_32F)
    both = cv2.boxFilter(product, -1, _WINDOW) - mean * its_mean
    likeness = both / np.sqrt(spread * its_spread + 1)
    plain = (spread < _PLAIN) & (its_spread < _PLAIN)
    return np.asarray((likeness > _LIKENESS) | plain)


def _moments(view: Plane) -> tuple[Floats, Floats]:
    """Mean and variance around each place."""
    mean = cv2.boxFilter(view, cv2.CV_32F, _WINDOW)
    variance = cv2.sqrBoxFilter(view, cv2.CV_32F, _WINDOW) - mean * mean
    return np.asarray(mean, np.float32), np.asarray(np.maximum(variance, 0), np.float32)
