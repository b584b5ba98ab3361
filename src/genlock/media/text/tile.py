"""Captions laid over frames: drawn once as planes with a mask, blended while they are seen; children only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from genlock.errors import RenderRefused
from genlock.media.film.caption import Caption
from genlock.media.film.encode import Frame, Plane
from genlock.media.film.motion import Size
from genlock.media.film.source import planes_of
from genlock.media.text.setting import FINE, Block, blank, draw_line, set_caption

Mask = NDArray[np.float32]

_FADING = 0.24  # of the frame's height over which the scrim fades out beyond the words
_LOW = 0.8  # of the frame's height: words that end below it have their scrim down to the edge
_SHADOW, _SHADOW_WIDTH = 0.35, 0.006  # how dark, and how wide as a share of the frame's shorter side


@dataclass(frozen=True, slots=True)
class _Strip:
    """One plane of a caption: what it is blended with, how much of it is seen, and where it begins."""

    plane: Plane
    mask: Mask
    top: int


class Tile:
    """A caption ready to be laid over frames of one size."""

    def __init__(self, caption: Caption, size: Size, sources: Mapping[str, Path]) -> None:
        self._caption = caption
        colours, mask, top = _painted(caption, size, sources)
        luma, *chroma = planes_of(colours)
        half = _halved(mask)
        blue, red = (_halved(plane) for plane in chroma)
        self._strips = (
            _Strip(luma, mask, top),
            *(_Strip(np.asarray(plane, np.uint8), half, top // 2) for plane in (blue, red)),
        )

    def lay(self, frame: Frame, number: int) -> None:
        """Blend what is seen of it at this frame into the frame."""
        share = self._caption.share(number)
        if not share:
            return
        for strip, target in zip(self._strips, frame.planes, strict=True):
            under = target[strip.top : strip.top + strip.plane.shape[0]]
            mask = strip.mask if share == 1 else strip.mask * np.float32(share)
            under[:] = cv2.blendLinear(np.ascontiguousarray(under), strip.plane, 1 - mask, mask)


def _halved(plane: NDArray[Any]) -> NDArray[Any]:
    height, width = plane.shape
    return np.asarray(cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA))


def _painted(caption: Caption, size: Size, sources: Mapping[str, Path]) -> tuple[Plane, Mask, int]:
    """The rows of a frame that the caption covers: BGR, how much of it is seen, and the first row."""
    block = set_caption(caption, size)
    top, bottom = _rows(caption, block, size)
    colours = np.zeros((bottom - top, size[0], 3), np.float32)
    mask = _scrim(caption, block, size)[top:bottom, None] * np.ones((1, size[0]), np.float32)
    radius = max(1.0, _SHADOW_WIDTH * min(size))
    upper, lower = _inked(block, round(3 * radius), top, bottom)
    inked = slice(upper - top, lower - top)
    letters = [(_letters(block, colour, size, upper, lower), colour) for colour in _colours(block)]
    every = np.max([each for each, _ in letters], axis=0)
    shadow = np.asarray(cv2.GaussianBlur(every, (0, 0), radius) * np.float32(_SHADOW), np.float32)
    for each, colour in [(shadow, (0, 0, 0)), *letters]:
        colours[inked], mask[inked] = _over(
            colours[inked], mask[inked], each, np.array(colour[::-1], np.float32)
        )
    if block.logo and caption.logo:
        colours, mask = _logo(colours, mask, block.logo, _file(caption.logo.sha256, sources), top)
    straight = colours / np.maximum(mask, 1e-4)[..., None]
    return np.clip(np.rint(straight), 0, 255).astype(np.uint8), mask.astype(np.float32), top


def _rows(caption: Caption, block: Block, size: Size) -> tuple[int, int]:
    """The first row and the one past the last, both even: the words and as far as their scrim reaches."""
    high = size[1]
    beyond = _FADING * high if caption.scrim else 4 * _SHADOW_WIDTH * min(size)
    top = max(0, int(block.top / FINE - beyond)) // 2 * 2
    bottom = min(high, int(block.bottom / FINE + beyond) // 2 * 2 + 2)
    return top, high if caption.scrim and block.bottom / FINE > high * _LOW else bottom


def _inked(block: Block, beyond: int, top: int, bottom: int) -> tuple[int, int]:
    """The rows that have letters in them, and as many more as their shadow reaches."""
    return max(top, block.top // FINE - beyond), min(bottom, block.bottom // FINE + 1 + beyond)


def _scrim(caption: Caption, block: Block, size: Size) -> Mask:
    """How dark each row of the frame gets: even below the words, fading out above and below them."""
    rows = np.arange(size[1], dtype=np.float32) + 0.5
    top, bottom = block.top / FINE, block.bottom / FINE
    beyond = np.maximum(top - rows, rows - bottom if bottom < size[1] * _LOW else 0)
    near = np.clip(1 - (beyond - 0.02 * size[1]) / ((_FADING - 0.02) * size[1]), 0, 1)
    return np.asarray(caption.scrim * near * near * (3 - 2 * near), np.float32)


def _colours(block: Block) -> list[tuple[int, int, int]]:
    return list(dict.fromkeys([*(line.colour for line in block.lines), *(each for _, each in block.boxes)]))


def _letters(block: Block, colour: tuple[int, int, int], size: Size, top: int, bottom: int) -> Mask:
    """What is of this colour, as a mask of the rows from top to bottom."""
    fine = blank((size[0] * FINE, (bottom - top) * FINE))
    pen = ImageDraw.Draw(fine)
    for (left, upper, right, lower), its in block.boxes:
        if its == colour:
            pen.rectangle((left, upper - top * FINE, right - 1, lower - top * FINE - 1), fill=255)
    for line in block.lines:
        if line.colour == colour:
            draw_line(pen, line, y=top * FINE)
    small = fine.resize((size[0], bottom - top), Image.Resampling.BOX)
    return np.asarray(np.asarray(small, np.float32) / np.float32(255), np.float32)


def _over(below: Mask, mask: Mask, above: Mask, colour: Mask) -> tuple[Mask, Mask]:
    """A colour laid over colours that are multiplied by their mask."""
    kept = 1 - above
    return below * kept[..., None] + above[..., None] * colour, mask * kept + above


def _logo(
    colours: Mask, mask: Mask, box: tuple[int, int, int, int], path: Path, top: int
) -> tuple[Mask, Mask]:
    left, upper, right, lower = (round(side / FINE) for side in box)
    with Image.open(path) as image:
        fitting = image.convert("RGBA").resize((right - left, lower - upper), Image.Resampling.LANCZOS)
    pixels = np.asarray(fitting, np.float32)
    place = (slice(upper - top, lower - top), slice(left, right))
    seen = np.asarray(pixels[..., 3] / np.float32(255), np.float32)
    colours[place], mask[place] = _over(colours[place], mask[place], seen, pixels[..., 2::-1])
    return colours, mask


def _file(sha256: str, sources: Mapping[str, Path]) -> Path:
    if sha256 not in sources:
        raise RenderRefused(f"no file was given for logo {sha256[:12]}")
    return sources[sha256]
