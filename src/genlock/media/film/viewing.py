"""Looking at all of a film file before anything is made of it; in rendering children only."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from genlock.errors import RenderRefused
from genlock.media.film.footage import FootageReport, LookAtFootage
from genlock.media.film.reel import GRAIN, Pose, Reel, is_full, time_of
from genlock.media.operation import Progress, operation

_LATE = 0.25  # seconds by which a track may be shorter than it says
_HDR = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}


@operation("look_at_footage")
def look(request: LookAtFootage, progress: Progress) -> FootageReport:
    """Decode every frame of a file and say what it is."""
    with Reel(request.path, request.name) as reel:
        stream, name = reel.stream, reel.name
        _check_size(stream, request.pixels, name)
        times: list[float] = []
        first: VideoFrame | None = None
        for frame in reel.frames():
            first = first or frame
            times.append(time_of(frame))
            _check_frame(frame, first, times, request.seconds, name)
            progress(min(times[-1] / request.seconds, 0.99), f"looking at {name}")
        if first is None or len(times) < 2:
            raise RenderRefused(f"{name} has {'one frame' if times else 'no frame'}: that is no footage")
        _check_whole(stream, reel.container, times, name)
        return _report(request.path, reel, first, times)


def _report(path: Path, reel: Reel, first: VideoFrame, times: list[float]) -> FootageReport:
    pose, luma = Pose.of(first, reel.name), reel.planes(first)[0]
    height, width = luma.shape
    stretch = reel.stream.sample_aspect_ratio or Fraction(1)
    if pose.transposed:
        stretch = 1 / stretch
    steps = [later - earlier for earlier, later in pairwise(times)]
    mean = (times[-1] - times[0]) / len(steps)
    even = all(abs(step - mean) <= GRAIN for step in steps)
    return FootageReport(
        bytes=path.stat().st_size,
        format=reel.container.format.name,
        codec=reel.stream.codec_context.name,
        pixels=first.format.name,
        width=max(2, round(width * stretch / 2) * 2),
        height=height,
        frames=len(times),
        first=times[0],
        last=times[-1],
        seconds=times[-1] - times[0] + mean,
        fps=round(1 / mean, 4) if even else None,
        has_audio=bool(reel.container.streams.audio),
        notes=tuple(_notes(first, pose, stretch, even=even)),
    )


def _notes(first: VideoFrame, pose: Pose, stretch: Fraction, *, even: bool) -> Iterator[str]:
    if not even:
        yield "its frames do not last equally long"
    if str(pose):
        yield f"it is stored {pose}"
    if stretch != 1:
        yield f"its pixels are not square, but {stretch.numerator}:{stretch.denominator}"
    if (light := _HDR.get(ColorTrc(first.color_trc))) is not None:
        yield f"it is HDR ({light}), and all above paper white becomes white"
    if is_full(first):
        yield "it is of full range"


def _check_size(stream: VideoStream, pixels: int, name: str) -> None:
    width, height = stream.width, stream.height
    if width * height > pixels:
        raise RenderRefused(f"{name} has {width}x{height} pixels, more than {pixels:,} a frame")
    if min(width, height) < 2:
        raise RenderRefused(f"{name} has {width}x{height} pixels: that is no picture")


def _check_frame(frame: VideoFrame, first: VideoFrame, times: list[float], longest: float, name: str) -> None:
    number = len(times) - 1
    if (frame.width, frame.height) != (first.width, first.height):
        raise RenderRefused(
            f"{name} changes its size at frame {number}, from {first.width}x{first.height} to "
            f"{frame.width}x{frame.height}"
        )
    if frame.interlaced_frame:
        raise RenderRefused(f"{name} is interlaced: frame {number} has two fields")
    if number and times[-1] <= times[-2]:
        raise RenderRefused(f"{name}: frame {number} is not later than the one before")
    if times[-1] - times[0] > longest:
        raise RenderRefused(f"{name} is longer than {longest:g} s: no clip needs that")


def _check_whole(stream: VideoStream, container: InputContainer, times: list[float], name: str) -> None:
    """Whether there is as much as the file says."""
    if stream.frames and len(times) < stream.frames:
        raise RenderRefused(
            f"{name} is cut off: it has {len(times)} of {stream.frames} frames; fetch it again"
        )
    lasts = None
    if stream.duration and stream.time_base:
        lasts = float(stream.duration * stream.time_base)
    elif container.duration and not container.streams.audio:
        lasts = container.duration / 1e6
    step = (times[-1] - times[0]) / (len(times) - 1)
    ends = times[-1] - min(times[0], 0.0) + step
    if lasts is not None and ends < lasts - max(_LATE, 2 * step):
        raise RenderRefused(f"{name} is cut off: it ends after {ends:.2f} of {lasts:.2f} s; fetch it again")
