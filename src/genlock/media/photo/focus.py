"""What stands out in a picture: where it is, how far it reaches, and how much detail there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.motion import Region
from genlock.media.photo.lab import as_lab
from genlock.media.photo.tone import percentile

Weight = NDArray[np.float32]

_SIDE = 160
_FINER = 4
_LARGE = 1280  # pixels of the shorter side: half of them is as good to average from
_SPECTRUM = 64
_GRID = 40  # places along the longer side between which a region may begin and end
_NARROWEST, _LOWEST = (
    9 / 16,
    9 / 16,
)  # of a frame: width by height where it stands, height by width where it lies
_NEARLY = 0.95
_MUCH = 1.5  # crops, from which on a region is large
_MIDDLE = 0.5  # how far what is off the middle counts less: a crop in the middle is never badly wrong
_COMMON = 0.25  # spreads above the mean from which on a place belongs to what stands out
_PLAIN = 3.0  # levels between the darkest and the brightest place, below which there is nothing to look at
_SMOOTH = 3.0  # levels by which the sharpest edges stand out where nothing has a beginning or an end
_AN_EDGE = 24.0  # levels between neighbours, of a picture 640 pixels wide

_WHOLE: Region = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Focus:
    """`point` is the middle of the crop that keeps most of what stands out, `region` the box around that.

    Both are shares of width and height; a picture in which nothing stands out has its focus in the middle
    and its region everywhere. `detail` is the share of the picture that lies on edges.
    """

    point: tuple[float, float] = (0.5, 0.5)
    region: Region = _WHOLE
    detail: float = 0.0


def find_focus(image: NDArray[Any]) -> Focus:
    """Look at a picture, RGB, height x width x 3. It takes some 15 ms, and hardly depends on the size."""
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    while min(image.shape[:2]) >= _LARGE:  # OpenCV averages whole pairs ten times as fast as broken ones
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    fine = cv2.resize(image, (size[0] * _FINER, size[1] * _FINER), interpolation=cv2.INTER_AREA)
    small = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(fine, cv2.COLOR_RGB2GRAY)
    detail = _detail(grey)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    if float(np.ptp(grey)) < _PLAIN:
        return Focus(detail=detail)
    weight = _standing_out(small, edges)
    region = _region(weight) if percentile(edges, 99.5) > _SMOOTH else _WHOLE
    return Focus(_point(weight, height / width, region), region, detail)


def _standing_out(small: NDArray[Any], edges: Weight) -> Weight:
    """How much each place stands out: sharp and unlike the picture's edges, rare, not too far aside."""
    size = small.shape[1], small.shape[0]
    lab = cv2.GaussianBlur(as_lab(small), (0, 0), 2)
    ground, sharp = _unlike_edges(lab), _sharpness(edges, size)
    unusual = _scaled(np.linalg.norm(lab - lab.reshape(-1, 3).mean(0), axis=2))
    weight = 0.5 * np.sqrt(ground * sharp) + 0.25 * np.sqrt(unusual * sharp) + 0.1 * ground
    weight += 0.15 * _surprise(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    return np.asarray(weight * _towards_middle(size), np.float32)


def _unlike_edges(lab: NDArray[Any]) -> Weight:
    """How far each place is from the colour of that side of the picture which it is most like.

    What a photographer frames is seldom cut by the frame, and what is behind it nearly always is.
    """
    strip = max(2, min(lab.shape[:2]) // 12)
    sides = lab[:strip], lab[-strip:], lab[:, :strip], lab[:, -strip:]
    means = (side.reshape(-1, 3).mean(0) for side in sides)
    return _scaled(np.minimum.reduce([np.linalg.norm(lab - mean, axis=2) for mean in means]))


def _sharpness(edges: Weight, size: tuple[int, int]) -> Weight:
    """How much fine detail there is: what the photographer focused on."""
    return _scaled(cv2.GaussianBlur(cv2.resize(edges, size, interpolation=cv2.INTER_AREA), (0, 0), 4))


def _surprise(grey: NDArray[Any]) -> Weight:
    """What breaks the picture's own regularity: its spectrum without what is usual around each frequency.

    After Hou and Zhang: Saliency Detection, A Spectral Residual Approach (CVPR 2007).
    """
    square = cv2.resize(grey, (_SPECTRUM, _SPECTRUM), interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = cv2.dft(square, flags=cv2.DFT_COMPLEX_OUTPUT)
    strength, phase = cv2.cartToPolar(waves[..., 0], waves[..., 1])
    level = np.log(strength + 1e-6)
    real, imaginary = cv2.polarToCart(np.exp(level - cv2.blur(level, (3, 3))), phase)
    back = cv2.idft(np.dstack([real, imaginary]))
    power = cv2.GaussianBlur(back[..., 0] ** 2 + back[..., 1] ** 2, (0, 0), 2.5)
    return _scaled(cv2.resize(power, (grey.shape[1], grey.shape[0])))


def _detail(grey: NDArray[Any]) -> float:
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *axis, scale=0.25) for axis in ((1, 0), (0, 1)))
    return round(float(np.mean(np.hypot(across, down) > _AN_EDGE)), 4)


def _region(weight: Weight) -> Region:
    """The box that holds most above what is common: the rectangle of the greatest sum, over all there are."""
    height, width = weight.shape
    scale = _GRID / max(height, width)
    grid = cv2.resize(
        weight, (max(4, round(width * scale)), max(4, round(height * scale))), interpolation=cv2.INTER_AREA
    ).astype(np.float64)
    grid -= grid.mean() + _COMMON * grid.std()
    high, wide = grid.shape
    above = np.vstack([np.zeros(wide), np.cumsum(grid, axis=0)])
    tops, bottoms = np.triu_indices(high + 1, 1)
    sums = np.cumsum(above[bottoms] - above[tops], axis=1)
    sums = np.hstack([np.zeros((len(sums), 1)), sums])
    gains = sums - np.minimum.accumulate(sums, axis=1)
    strip, right = divmod(int(np.argmax(gains)), wide + 1)
    left = int(np.argmin(sums[strip, : right + 1]))
    if right <= left:
        return _WHOLE
    return (
        round(left / wide, 4),
        round(float(tops[strip]) / high, 4),
        round(right / wide, 4),
        round(float(bottoms[strip]) / high, 4),
    )


def _point(weight: Weight, shape: float, region: Region) -> tuple[float, float]:
    """Between the middles of the best crop and of the region; beside a large region the crop alone counts.

    `shape` is the picture's height by its width.
    """
    high, wide = weight.shape
    weight = weight * _towards_middle((wide, high))
    weight = np.clip(weight - percentile(weight, 70.0), 0.0, None)
    shares = shape * _NARROWEST, _LOWEST / shape
    across, down = (_held(weight.sum(axis), share) for axis, share in enumerate(shares))
    # Of crops that hold nearly as much the upper one is taken: a head cut off is worse than feet.
    best = int(np.argmax(across)), int(np.argmax(down >= _NEARLY * down.max()))
    crops = _middle(best[0], len(across), wide), _middle(best[1], len(down), high)
    spans = region[::2], region[1::2]
    x, y = (_drawn(*each) for each in zip(crops, shares, spans, strict=True))
    return x, y


def _drawn(crop: float, share: float, span: tuple[float, ...]) -> float:
    """The middle of a crop of this share of a side, drawn to where the region is, and inside of it."""
    begin, end = span
    middle = crop if end - begin > _MUCH * share else (crop + (begin + end) / 2) / 2
    return round(min(max(middle, begin), end), 4)


def _middle(place: int, places: int, count: int) -> float:
    """The middle of the crop at this place, as a share of the side; `places` crops fit into `count`."""
    return round((place + (count - places + 1) / 2) / count, 4)


def _held(weight: NDArray[Any], share: float) -> NDArray[Any]:
    """How much a crop of this share of a side holds at each place; its middle counts more than its edges."""
    count = len(weight)
    wide = max(3, round(min(share, 1.0) * count))
    window = np.cos((np.arange(wide) + 0.5 - wide / 2) / wide * np.pi) ** 0.5
    return np.convolve(weight, window, mode="valid")


def _towards_middle(size: tuple[int, int]) -> Weight:
    x = (np.arange(size[0]) + 0.5) / size[0] - 0.5
    y = (np.arange(size[1]) + 0.5) / size[1] - 0.5
    return np.exp(-(x[None, :] ** 2 + y[:, None] ** 2) / (2 * _MIDDLE**2)).astype(np.float32)


def _scaled(values: NDArray[Any]) -> Weight:
    return (values / max(percentile(values, 99.0), 1e-6)).clip(0, 1).astype(np.float32)
