"""Drawing frames: pictures under moving cameras, one above the other, as YUV planes; in children only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from genlock.errors import RenderRefused
from genlock.media.check.sighting import Lookout, sign
from genlock.media.film.canvas import UNMOVED, Draw, Shift
from genlock.media.film.dissolve import draw_dissolve
from genlock.media.film.draft import draft
from genlock.media.film.encode import Encoder, Frame
from genlock.media.film.layer import AnyLayer, Entry, Layer, Morph, Projection
from genlock.media.film.morph import Morpher
from genlock.media.film.motion import View, cover, enlargement
from genlock.media.film.projector import Projector
from genlock.media.film.push import draw_push
from genlock.media.film.segment import Segment
from genlock.media.film.source import Box, Source, load_part
from genlock.media.film.zoom import draw_zoom
from genlock.media.operation import Progress, operation
from genlock.media.request import RenderedSegment, RenderSegment
from genlock.media.text.tile import Tile


@operation("render_segment")
def render_segment(request: RenderSegment, progress: Progress) -> RenderedSegment:
    """Draw every frame of a segment, look at it and encode it."""
    segment = request.segment
    easel, lookout = Easel(segment, request.sources), Lookout()
    with draft(request.to) as path:
        with Encoder(path, segment.size, segment.fps, segment.encoding) as encoder:
            for number in range(segment.frames):
                frame = easel.draw(number)
                lookout.see(frame.planes[0])
                encoder.write(frame.buffer)
                progress((number + 1) / segment.frames, f"{number + 1} of {segment.frames} frames")
        sign(path, lookout.sighting(path))
    return RenderedSegment(
        path=request.to,
        name=segment.name,
        frames=encoder.frames,
        bytes=request.to.stat().st_size,
    )


class Painter(Protocol):
    """Draws a layer."""

    def draw(self, canvas: Frame, number: int, shift: Shift) -> None:
        """What the layer's camera sees at this frame, moved aside."""


class Easel:
    """Draws a segment's frames into one buffer, over and over. `sources` maps hashes to working copies."""

    def __init__(self, segment: Segment, sources: Mapping[str, Path]) -> None:
        missing = [sha256[:12] for sha256 in segment.sources if sha256 not in sources]
        if missing:
            raise RenderRefused(f"no file was given for picture {', '.join(missing)}")
        self._lower, *self._upper = (_painter(layer, segment, sources) for layer in segment.layers)
        self._entry = segment.layers[-1].entry
        self._tiles = [Tile(caption, segment.size, sources) for caption in segment.captions]
        self._frame, self._spare = Frame(*segment.size), Frame(*segment.size)

    def draw(self, number: int) -> Frame:
        """The frame of this number; the buffer is drawn into again by the next call."""
        share = self._entry.share(number) if self._entry else 0.0
        if self._entry and 0 < share < 1:
            layers = (partial(_draw, one, number) for one in (self._lower, *self._upper))
            _meet(self._entry, share, self._frame, self._spare, *layers)
        else:
            (self._upper[0] if share else self._lower).draw(self._frame, number, UNMOVED)
        for tile in self._tiles:
            tile.lay(self._frame, number)
        return self._frame


def _draw(one: Painter, number: int, canvas: Frame, shift: Shift) -> None:
    one.draw(canvas, number, shift)


def _meet(entry: Entry, share: float, canvas: Frame, spare: Frame, below: Draw, above: Draw) -> None:
    """One layer on its way over another; `step` is what passes of it from frame to frame."""
    step, soften = 1 / (entry.frames + 1), entry.soften
    match entry.kind:
        case "dissolve":
            draw_dissolve(canvas, spare, below, above, share, soften=soften)
        case "zoom":
            draw_zoom(canvas, spare, below, above, share=share, step=step, grow=entry.grow, soften=soften)
        case side:
            draw_push(canvas, spare, below, above, share=share, step=step, side=side)


def _painter(layer: AnyLayer, segment: Segment, sources: Mapping[str, Path]) -> Painter:
    if isinstance(layer, Morph):
        return Morpher(layer, segment, sources)
    if isinstance(layer, Projection):
        return Projector(layer, segment, sources[layer.picture.sha256])
    return Still(layer, segment, sources[layer.picture.sha256])


class Still:
    """Draws one picture under a moving camera."""

    def __init__(self, layer: Layer, segment: Segment, path: Path) -> None:
        self._layer, self._size = layer, segment.size
        self._source = _load(layer, segment, path)

    def draw(self, canvas: Frame, number: int, shift: Shift) -> None:
        """What the camera sees at this frame."""
        left, top, right, bottom = _box(self._layer, [self._layer.view(number, self._size)], self._size)
        x, y = (right - left) / self._size[0] * shift[0], (bottom - top) / self._size[1] * shift[1]
        self._source.draw(canvas, (left - x, top - y, right - x, bottom - y))


def _load(layer: Layer, segment: Segment, path: Path) -> Source:
    """Planes of the region that the camera passes over, in all of its move.

    So all parts of a clip, and the passages beside it, ask for the same ones, unless the camera dashes.
    """
    numbers = range(layer.move_start, layer.end + 1)
    if layer.surge:
        begin = max(0, layer.entry.start if layer.entry else 0)
        numbers = range(begin, max(begin + 1, min(segment.frames, layer.end)))
    views = [layer.view(number, segment.size) for number in numbers]
    near, far = max(view.zoom for view in views), min(view.zoom for view in views)
    if layer.surge:
        near = far  # who dashes sees nothing sharp
    native = 1 / enlargement(layer.picture, segment.size, near)
    return load_part(path, layer.picture, _box(layer, views, segment.size), native, layer.grade, near / far)


def _box(layer: Layer, views: list[View], size: tuple[int, int]) -> Box:
    """The pixels that all these views lie in."""
    wide, high = cover(layer.picture, size)
    width, height = layer.picture.width, layer.picture.height
    return (
        min(view.x - wide / view.zoom / 2 for view in views) * width,
        min(view.y - high / view.zoom / 2 for view in views) * height,
        max(view.x + wide / view.zoom / 2 for view in views) * width,
        max(view.y + high / view.zoom / 2 for view in views) * height,
    )
