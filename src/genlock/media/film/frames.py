"""Drawing frames: pictures under moving cameras, as YUV planes, to a fraction of a pixel.

A picture is converted once for each segment to BT.709 planes of 1.5 to 2 samples a frame pixel: at
that density plain bilinear sampling is as sharp as a filter of four times the cost, neither shimmers
nor softens as the camera moves, and integer crops, which tremble, are never needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.errors import RenderRefused
from genlock.media.film.draft import draft
from genlock.media.film.encode import Encoder, Frame, Plane
from genlock.media.film.motion import Picture, Size, View, cover, enlargement, view_at
from genlock.media.film.segment import Layer, Segment
from genlock.media.operation import Progress, operation
from genlock.media.request import RenderedSegment, RenderSegment

# BT.709, limited range, from B, G, R of 0..255; the last column is the offset.
_LUMA = np.array([[0.0722 * 219 / 255, 0.7152 * 219 / 255, 0.2126 * 219 / 255, 16.0]])
_BLUE = np.array([[112 / 255, -0.7152 / 1.8556 * 224 / 255, -0.2126 / 1.8556 * 224 / 255, 128.0]])
_RED = np.array([[-0.0722 / 1.5748 * 224 / 255, -0.7152 / 1.5748 * 224 / 255, 112 / 255, 128.0]])

_DENSE = 1.7
_DENSE_ENOUGH = (1.5, 2.1)
_MARGIN = 4

Region = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """The part of a picture that a segment shows: planes, and the region they cover, in picture pixels."""

    planes: tuple[Plane, Plane, Plane]
    region: Region


@operation("render_segment")
def render_segment(request: RenderSegment, progress: Progress) -> RenderedSegment:
    """Draw every frame of a segment and encode it."""
    segment = request.segment
    sources = [load_source(layer, segment, _path(layer, request.sources)) for layer in segment.layers]
    easel = Easel(segment, sources)
    with (
        draft(request.to) as path,
        Encoder(path, segment.size, segment.fps, segment.encoding) as encoder,
    ):
        for number in range(segment.frames):
            encoder.write(easel.draw(number).buffer)
            progress((number + 1) / segment.frames, f"{number + 1} of {segment.frames} frames")
    return RenderedSegment(
        path=request.to,
        name=segment.name,
        frames=encoder.frames,
        bytes=request.to.stat().st_size,
    )


class Easel:
    """Draws a segment's frames into one buffer, over and over."""

    def __init__(self, segment: Segment, sources: list[Source]) -> None:
        self._layers = list(zip(segment.layers, sources, strict=True))
        self._size = segment.size
        self._frame = Frame(*segment.size)
        self._above = Frame(*segment.size)

    def draw(self, number: int) -> Frame:
        """The frame of this number; the buffer is drawn into again by the next call."""
        visible = [
            (layer, source, share) for layer, source in self._layers if (share := opacity(layer, number)) > 0
        ]
        lowest = max(place for place, (_, _, share) in enumerate(visible) if share == 1)
        for place, (layer, source, share) in enumerate(visible[lowest:]):
            canvas = self._above if place else self._frame
            draw_view(canvas, source, _view(layer, number), layer.picture, self._size)
            if place:
                _blend(self._frame, self._above, share)
        return self._frame


def opacity(layer: Layer, number: int) -> float:
    """How much of a layer is seen at this frame, 0..1; eased, and even between the two ends."""
    if not layer.fade_frames:
        return 1.0
    share = (number - layer.fade_start + 1) / (layer.fade_frames + 1)
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def draw_view(canvas: Frame, source: Source, view: View, picture: Picture, size: Size) -> None:
    """Sample what the camera sees into the planes of a frame.

    Chroma samples of H.264 lie on the left luma sample of their pair, and half-way between two lines.
    """
    wide, high = cover(picture, size)
    left = (view.x - wide / view.zoom / 2) * picture.width
    top = (view.y - high / view.zoom / 2) * picture.height
    step = wide / view.zoom * picture.width / size[0]
    for number, (plane, target) in enumerate(zip(source.planes, canvas.planes, strict=True)):
        x0, y0, x1, y1 = source.region
        across, down = plane.shape[1] / (x1 - x0), plane.shape[0] / (y1 - y0)
        stride, shift = (2, (0.5, 1.0)) if number else (1, (0.5, 0.5))
        matrix = np.array(
            [
                [step * stride * across, 0.0, (left + step * shift[0] - x0) * across - 0.5],
                [0.0, step * stride * down, (top + step * shift[1] - y0) * down - 0.5],
            ]
        )
        cv2.warpAffine(
            plane,
            matrix,
            (target.shape[1], target.shape[0]),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def _blend(below: Frame, above: Frame, share: float) -> None:
    for under, over in zip(below.planes, above.planes, strict=True):
        cv2.addWeighted(under, 1 - share, over, share, 0, dst=under)


def _view(layer: Layer, number: int) -> View:
    return view_at(layer.move, (number - layer.move_start) / layer.move_frames)


def _path(layer: Layer, sources: dict[str, Path]) -> Path:
    try:
        return sources[layer.picture.sha256]
    except KeyError:
        raise RenderRefused(f"no file was given for picture {layer.picture.sha256[:12]}") from None


@lru_cache(maxsize=3)
def _decoded(path: Path, picture: Picture) -> Plane:
    """The working copy as BGR; neighbouring segments of a warm child often show the same one."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise RenderRefused(f"{path.name} cannot be decoded: it is no working copy of a picture")
    height, width = image.shape[:2]
    if (width, height) != (picture.width, picture.height):
        raise RenderRefused(
            f"{path.name} has {width}x{height} pixels, but the plan was made for "
            f"{picture.width}x{picture.height}"
        )
    return np.asarray(image, np.uint8)


def load_source(layer: Layer, segment: Segment, path: Path) -> Source:
    """Planes of the region that this segment's camera passes over."""
    ends = [_view(layer, number) for number in _span(layer, segment)]
    region = _region(ends, layer.picture, segment.size)
    x0, y0, x1, y1 = region
    part = _decoded(path, layer.picture)[y0:y1, x0:x1]
    native = 1 / enlargement(layer.picture, segment.size, max(view.zoom for view in ends))
    scale = 1.0 if _DENSE_ENOUGH[0] <= native <= _DENSE_ENOUGH[1] else _DENSE / native
    width, height = max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale))
    filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    luma = _plane(part, _LUMA)
    if scale != 1.0:
        luma = _resized(luma, width, height, filtering)
    blue, red = (
        _resized(_plane(part, matrix), width // 2, height // 2, cv2.INTER_AREA) for matrix in (_BLUE, _RED)
    )
    return Source((luma, blue, red), region)


def _plane(image: Plane, matrix: NDArray[np.float64]) -> Plane:
    return np.asarray(cv2.transform(image, matrix), np.uint8)


def _resized(plane: Plane, width: int, height: int, filtering: int) -> Plane:
    return np.asarray(cv2.resize(plane, (width, height), interpolation=filtering), np.uint8)


def _span(layer: Layer, segment: Segment) -> tuple[int, int]:
    """The first and the last frame of the segment at which the layer can be seen."""
    return max(0, layer.fade_start), min(segment.frames, layer.move_start + layer.move_frames) - 1


def _region(views: list[View], picture: Picture, size: Size) -> Region:
    """The pixels that all views between these two lie in, with a margin for sampling."""
    wide, high = cover(picture, size)
    left = min(view.x - wide / view.zoom / 2 for view in views) * picture.width
    right = max(view.x + wide / view.zoom / 2 for view in views) * picture.width
    top = min(view.y - high / view.zoom / 2 for view in views) * picture.height
    bottom = max(view.y + high / view.zoom / 2 for view in views) * picture.height
    return (
        max(0, int(left) - _MARGIN),
        max(0, int(top) - _MARGIN),
        min(picture.width, int(right) + 1 + _MARGIN),
        min(picture.height, int(bottom) + 1 + _MARGIN),
    )
