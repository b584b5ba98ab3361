"""Sampling planes: as exact as arithmetic, wherever the camera looks and however far away it is."""

from __future__ import annotations

import gc

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.media.film import sampler
from genlock.media.film.encode import Frame
from genlock.media.film.sampler import Sampler

WIDTH, HEIGHT = 96, 54


def picture(seed: int, width: int = 320, height: int = 200) -> NDArray[np.uint8]:
    """Soft noise, which differs at every place."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.float32)
    soft = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    return np.asarray(soft, np.uint8)


def drawn(plane: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    target = Frame(WIDTH, HEIGHT).surfaces[0]
    Sampler(plane).draw(target, matrix)
    return target.plane.copy()


def expected(plane: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear samples, worked out one by one, the edge going on for ever."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    at_x, at_y = (row[0] * x + row[1] * y + row[2] for row in matrix)
    left, top = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
    found = np.zeros((HEIGHT, WIDTH))
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = np.abs(1 - dx - (at_x - left)) * np.abs(1 - dy - (at_y - top))
        rows, columns = np.clip(top + dy, 0, plane.shape[0] - 1), np.clip(left + dx, 0, plane.shape[1] - 1)
        found += weight * plane[rows, columns]
    return found


@pytest.mark.parametrize("step", [0.6, 1.0, 1.37, 1.5, 1.7001, 2.0, 2.4])
def test_every_camera_position_is_met(step: float) -> None:
    plane, random = picture(1), np.random.default_rng(2)
    for _ in range(20):
        matrix = np.array([[step, 0, random.uniform(0, 60)], [0, step, random.uniform(0, 50)]])
        off = np.abs(drawn(plane, matrix) - expected(plane, matrix))
        assert off.mean() < 0.6  # half a level is lost in rounding
        assert off.max() < 4


@pytest.mark.parametrize("corner", [(-0.5, -0.5), (320 - 96 * 1.7 + 0.4, 200 - 54 * 1.7 + 0.4), (-2.0, 60.0)])
def test_the_edge_goes_on_beyond_the_plane(corner: tuple[float, float]) -> None:
    plane = picture(3)
    matrix = np.array([[1.7, 0, corner[0]], [0, 1.7, corner[1]]])
    off = np.abs(drawn(plane, matrix) - expected(plane, matrix))
    assert off.mean() < 0.6
    assert off.max() < 4


def test_a_camera_that_turns_is_followed_too() -> None:
    plane = picture(4)
    matrix = np.array([[1.6, 0.1, 20.0], [-0.1, 1.6, 40.0]])
    assert np.abs(drawn(plane, matrix) - expected(plane, matrix)).mean() < 0.6


def test_a_slow_camera_does_not_tremble() -> None:
    """From frame to frame the picture moves by the same way, to 0.03 pixels."""
    x = np.arange(1200, dtype=np.float64)
    ramp = np.tile((x / 1200 * 250).astype(np.float32), (200, 1))
    plane = np.asarray(np.rint(ramp + np.random.default_rng(5).uniform(-0.5, 0.5, ramp.shape)), np.uint8)
    seen_by, target = Sampler(plane), Frame(WIDTH, HEIGHT).surfaces[0]
    places = []
    for number in range(120):
        seen_by.draw(target, np.array([[1.7, 0, 40 + 0.037 * number], [0, 1.7, 30.0]]))
        places.append(float(target.plane.mean()) / 250 * 1200 / 1.7)
    ways = np.diff(places) - 0.037 / 1.7
    assert np.abs(ways).max() < 0.03


def test_the_plane_itself_is_kept() -> None:
    plane = picture(6)
    assert np.array_equal(Sampler(plane).plane, plane)


def test_what_is_drawn_in_vain_stays_beside_the_planes() -> None:
    """Each plane of a frame shows what was drawn on it, and the encoder reads the same."""
    frame, random = Frame(WIDTH, HEIGHT), np.random.default_rng(7)
    planes = [picture(seed) for seed in (8, 9, 10)]
    for _ in range(20):
        matrix = np.array([[1.7, 0, random.uniform(0, 60)], [0, 1.7, random.uniform(0, 50)]])
        for plane, surface in zip(planes, frame.surfaces, strict=True):
            Sampler(plane).draw(surface, matrix)
        for plane, shown in zip(planes, frame.planes, strict=True):
            wanted = expected(plane, matrix)[: shown.shape[0], : shown.shape[1]]
            assert np.abs(shown - wanted).max() < 4
        packed = np.concatenate([plane.ravel() for plane in frame.planes])
        assert np.array_equal(frame.buffer.to_ndarray().ravel(), packed)


def test_a_frame_goes_on_living_in_the_encoder_when_its_maker_has_let_it_go() -> None:
    frame = Frame(WIDTH, HEIGHT)
    for number, plane in enumerate(frame.planes):
        plane[:] = 50 + number
    buffer = frame.buffer
    del frame, plane
    gc.collect()
    assert set(np.unique(buffer.to_ndarray())) == {50, 51, 52}


def test_without_intels_library_the_same_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    plane, matrix = picture(11), np.array([[1.7, 0, 20.3], [0, 1.68, 30.8]])
    quick = drawn(plane, matrix).astype(np.int16)
    monkeypatch.setattr(sampler, "_BY_INTEL", False)
    monkeypatch.setattr(sampler, "_BILINEAR", cv2.INTER_LINEAR_EXACT)
    off = np.abs(drawn(plane, matrix) - quick)
    assert off.max() <= 1
    assert off.mean() < 0.05


def test_other_drawing_of_the_process_stays_as_it_is() -> None:
    drawn(picture(12), np.array([[1.7, 0, 20.3], [0, 1.68, 30.8]]))
    assert not cv2.ipp.useIPP_NotExact()
