"""Sampling pictures into the planes of a frame, to a fraction of a pixel; in rendering children only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Frame, Plane
from genlock.media.film.motion import Size
from genlock.media.film.route import Quad
from genlock.media.film.source import Source

Matrix = NDArray[np.float64]
Shift = tuple[float, float]  # pixels by which a frame's content is moved to the right and down
Draw = Callable[[Frame, Shift], None]

UNMOVED: Shift = (0.0, 0.0)

_NOTHING = 0.02  # of a pixel: what perspective does beyond this is drawn


def looking_at(quad: Quad, width: float, height: float, size: Size, shift: Shift = UNMOVED) -> Matrix:
    """From frame coordinates to those of a picture of this size, part of which the frame shows: 3 x 3.

    Coordinates are continuous: the first pixel reaches from 0 to 1.
    """
    dx, dy = shift
    across, down = size
    frame = np.array([[dx, dy], [across + dx, dy], [across + dx, down + dy], [dx, down + dy]], np.float32)
    matrix = cv2.getPerspectiveTransform(frame, (np.array(quad) * [width, height]).astype(np.float32))
    return np.asarray(matrix, np.float64)


def draw_flat(canvas: Frame, source: Source, matrix: Matrix) -> None:
    """Sample a picture through a matrix of `looking_at` into all planes."""
    flat = is_affine(matrix, (canvas.planes[0].shape[1], canvas.planes[0].shape[0]))
    for number, (sampler, target) in enumerate(zip(source.samplers, canvas.surfaces, strict=True)):
        whole = onto_plane(source, number) @ matrix @ from_plane(number)
        if flat:
            sampler.draw(target, whole[:2] / whole[2, 2])
        else:
            cv2.warpPerspective(
                sampler.plane,
                whole,
                (target.plane.shape[1], target.plane.shape[0]),
                dst=target.plane,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )


def from_plane(number: int) -> Matrix:
    """From pixels of a frame's plane to frame coordinates.

    Chroma samples of H.264 lie on the left luma sample of their pair, and half-way between two lines.
    """
    if number:
        return np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 1.0], [0.0, 0.0, 1.0]])
    return np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])


def onto_plane(source: Source, number: int) -> Matrix:
    """From pixels of the picture to those of one of the planes made of it."""
    x0, y0, x1, y1 = source.region
    height, width = source.planes[number].shape
    across, down = width / (x1 - x0), height / (y1 - y0)
    return np.array([[across, 0.0, -x0 * across - 0.5], [0.0, down, -y0 * down - 0.5], [0.0, 0.0, 1.0]])


def is_affine(matrix: Matrix, size: Size) -> bool:
    """Whether the frame's lower right corner lies where it would without perspective."""
    a, b, c = (matrix @ np.array(point) for point in ((0, 0, 1), (size[0], 0, 1), (0, size[1], 1)))
    d = matrix @ np.array((*size, 1))
    a, b, c, d = (point[:2] / point[2] for point in (a, b, c, d))
    return bool(np.abs(b + c - a - d).max() < _NOTHING)


def mix(below: Frame, above: Frame, share: float) -> None:
    """Let this share of a frame be seen over another one, in place."""
    for under, over in zip(below.planes, above.planes, strict=True):
        cv2.addWeighted(under, 1 - share, over, share, 0, dst=under)


def soft_mix(below: Frame, above: Frame, share: float, soften: float) -> None:
    """As `mix`, with both out of focus by `soften` of the frame's longer side when half of each is seen."""
    reach = soften * max(below.planes[0].shape) * (4 * share * (1 - share)) ** 2
    mix(below, above, share)
    for number, plane in enumerate(below.planes):  # of both at once, which comes to the same
        side = 2 * round(reach / (2 if number else 1)) + 1
        if side > 1:
            cv2.blur(plane, (side, side), dst=plane)


def mix_by_place(below: Frame, above: Frame, shares: NDArray[np.float32], margin: int, step: int) -> None:
    """As `mix`, with a share for each place: a grid of points `step` apart that begins `margin` outside."""
    for number, (under, over) in enumerate(zip(below.planes, above.planes, strict=True)):
        side = step // 2 if number else step
        full = spread(shares, under, margin, side)
        under[:] = cv2.blendLinear(under, over, 1 - full, full)


def spread(grid: NDArray[Any], plane: Plane, margin: int, step: int) -> NDArray[Any]:
    """A grid's values at each pixel of a plane; its first `margin` rows and columns lie outside."""
    rows, columns = grid.shape[:2]
    full = cv2.resize(grid, (columns * step, rows * step), interpolation=cv2.INTER_LINEAR)
    height, width = plane.shape
    edge = margin * step
    return np.asarray(full[edge : edge + height, edge : edge + width])
