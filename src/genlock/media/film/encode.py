"""Encoding a segment: ready YUV planes in, H.264 in MP4 out; in rendering children only.

Every segment of a film is encoded with the same settings by one thread, so that the same frames come
out as the same bytes and all segments carry the same parameter sets: then they join by copying.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from genlock.media.film.segment import Encoding

Plane = NDArray[np.uint8]
TICKS_PER_FRAME = 512
_BEFORE, _BEHIND = 128, 64  # pixels around a frame; lines stay aligned as the encoder likes them

# With AVX-512, x264's macroblock tree reads memory that it never wrote (core 165, B-frames, fades): the
# same frames come out as other bytes each time. With AVX2 they do not, and encoding is as fast.
_AVX_512F = 13  # cv2 has no name for it
_AS_WITH_AVX2 = ":asm=AVX2,FMA3,LZCNT,BMI1,BMI2"


@dataclass(frozen=True, slots=True)
class Surface:
    """A plane of a frame. `wide` is that plane and what may be drawn over around it, without being seen.

    There are `before` more rows and columns before the plane, and `behind` of both behind it.
    """

    wide: Plane
    before: int
    behind: int

    @property
    def plane(self) -> Plane:
        return self.wide[self.before : -self.behind, self.before : -self.behind]

    def around(self, above: int, left: int, rows: int, columns: int) -> Plane:
        """So many rows and columns, the first of which lie so far above the plane and left of it."""
        top, begin = self.before - above, self.before - left
        return self.wide[top : top + rows, begin : begin + columns]


class Frame:
    """A picture buffer that the encoder reads where it lies, and whose planes are drawn into in place."""

    def __init__(self, width: int, height: int) -> None:
        memory = av.VideoFrame(width + _BEFORE + _BEHIND, height + _BEFORE + _BEHIND, "yuv420p")
        self.surfaces = [
            Surface(_view(plane), _BEFORE // part, _BEHIND // part)
            for plane, part in zip(memory.planes, (1, 2, 2), strict=True)
        ]
        self.planes: list[Plane] = [surface.plane for surface in self.surfaces]
        self.buffer = av.VideoFrame.from_dlpack(self.planes, format="yuv420p")


class Encoder:
    """Encodes frames in order into an MP4 file at `path`, at a constant rate from 0 on."""

    def __init__(self, path: Path, size: tuple[int, int], fps: int, encoding: Encoding) -> None:
        self.frames = 0
        self._container = open_film(path, fps)
        self._stream = add_video(self._container, size, fps, encoding)

    def __enter__(self) -> Self:
        return self

    def write(self, frame: av.VideoFrame) -> None:
        """Encode the next frame; its buffer may be drawn into again afterwards."""
        frame.pts = self.frames
        frame.time_base = self._stream.codec_context.time_base
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def open_film(path: Path, fps: int, **flags: str) -> av.container.OutputContainer:
    """An MP4 file to be written, in which a frame lasts a whole number of ticks and no date is noted."""
    ticks = str(fps * TICKS_PER_FRAME)
    return av.open(
        str(path), "w", format="mp4", options={"video_track_timescale": ticks, "fflags": "+bitexact", **flags}
    )


def add_video(
    container: av.container.OutputContainer, size: tuple[int, int], fps: int, encoding: Encoding
) -> av.VideoStream:
    """A video stream whose parameter sets depend on nothing but these arguments."""
    gop = round(fps * encoding.gop_seconds)
    stream = container.add_stream(
        encoding.codec,
        rate=fps,
        options={
            "preset": encoding.preset,
            "crf": str(encoding.crf),
            "profile": encoding.profile,
            "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:threads=1:{encoding.tuning}"
            + (_AS_WITH_AVX2 if cv2.checkHardwareSupport(_AVX_512F) else ""),
        },
    )
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.sample_aspect_ratio = Fraction(1, 1)
    context.thread_count = 1
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = Colorspace.ITU709
    return stream


def _view(plane: av.video.plane.VideoPlane) -> Plane:
    """The plane's bytes as an array, without the padding at the end of its lines."""
    lines: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]
