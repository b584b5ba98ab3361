"""Where the eye goes in a picture, so that crops and camera moves keep it in view."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 160
_NARROWEST, _LOWEST = (
    9 / 16,
    9 / 16,
)  # of a frame: width by height where it stands, height by width where it lies
_NEARLY = 0.95
_MIDDLE = 0.35  # how far what is off the middle counts less: a crop in the middle is never badly wrong


def find_focus(image: NDArray[Any]) -> tuple[float, float]:
    """The middle of the crop that keeps most of what stands out, as shares of width and height.

    What stands out does so by colour and by sharpness. `image` is RGB, height x width x 3. A picture in
    which nothing stands out has its focus in the middle.
    """
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    weight = np.sqrt(_colour(small) * _sharpness(image, size)) * _towards_middle(size)
    weight = np.clip(weight - np.quantile(weight, 0.7), 0.0, None)
    if float(weight.sum()) < 1e-6:
        return 0.5, 0.5
    across, down = (
        _held(weight.sum(0), height * _NARROWEST / width),
        _held(weight.sum(1), width * _LOWEST / height),
    )
    x = int(np.argmax(across))
    # Of crops that hold nearly as much the upper one is taken: a head cut off is worse than feet.
    y = int(np.argmax(down >= _NEARLY * down.max()))
    return _middle(x, len(across), size[0]), _middle(y, len(down), size[1])


def _middle(place: int, places: int, count: int) -> float:
    """The middle of the crop at this place, as a share of the side; `places` crops fit into `count`."""
    return round((place + (count - places + 1) / 2) / count, 4)


def _held(weight: NDArray[Any], share: float) -> NDArray[Any]:
    """How much a crop of this share of a side holds at each place; its middle counts more than its edges."""
    count = len(weight)
    wide = max(3, round(min(share, 1.0) * count))
    window = np.cos((np.arange(wide) + 0.5 - wide / 2) / wide * np.pi) ** 0.5
    return np.convolve(weight, window, mode="valid")


def _colour(small: NDArray[Any]) -> NDArray[np.float32]:
    """How far each place is from the picture's mean colour, as the eye sees distances."""
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    smooth = cv2.GaussianBlur(lab, (0, 0), 2)
    return _scaled(np.linalg.norm(smooth - lab.reshape(-1, 3).mean(0), axis=2))


def _sharpness(image: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """How much fine detail there is: what the photographer focused on."""
    grey = cv2.cvtColor(
        cv2.resize(image, (size[0] * 4, size[1] * 4), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    return _scaled(cv2.GaussianBlur(cv2.resize(detail, size, interpolation=cv2.INTER_AREA), (0, 0), 4))


def _towards_middle(size: tuple[int, int]) -> NDArray[np.float32]:
    x = (np.arange(size[0]) + 0.5) / size[0] - 0.5
    y = (np.arange(size[1]) + 0.5) / size[1] - 0.5
    return np.exp(-(x[None, :] ** 2 + y[:, None] ** 2) / (2 * _MIDDLE**2)).astype(np.float32)


def _scaled(values: NDArray[Any]) -> NDArray[np.float32]:
    return (values / max(float(np.quantile(values, 0.99)), 1e-6)).clip(0, 1).astype(np.float32)
