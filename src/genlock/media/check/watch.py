"""Watching a film for what a person would call broken: black, frozen, damaged frames, and silence."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from genlock.media.check.planned import unmoved
from genlock.media.check.repeat import Luma, Repeats
from genlock.media.foreign import open_foreign
from genlock.media.music.synth import RATE, Samples
from genlock.media.photo.tone import blocks, contrasts_of, strong

Blocks = NDArray[np.float32]

_BLACK = 30  # luma in video range, where 16 is black
_BLACK_SHARE = 0.98
_QUIET = 10 ** (-55 / 20)
_WINDOW = RATE // 50
_ONE = 1 << 16
_LATER, _EVERY = 8, 4  # frames that may turn out to have begun a run, and how far they are apart

Run = tuple[int, int]


@dataclass(slots=True)
class Watched:
    """What was seen: decoded frames, damaged ones, and runs (first, past the last) of black and of stillness.

    `repeats` are frames that repeat the one before in the middle of a movement, `interlaced` counts frames
    of two fields, `turned` says how players are told to turn or mirror the picture. `error` is what the
    decoder said when it gave up, `how` what was decoded.
    """

    frames: int = 0
    damaged: int = 0
    interlaced: int = 0
    turned: str | None = None
    repeats: list[int] = field(default_factory=list)
    black: list[Run] = field(default_factory=list)
    still: list[Run] = field(default_factory=list)
    error: str | None = None
    how: str = "every frame"


class Watch:
    """Looks at frames one after the other, and notes what is black and what stands still."""

    def __init__(self) -> None:
        self.record = Watched()
        self._reference: Reference | None = None
        self._later: deque[Reference] = deque(maxlen=_LATER)

    def see(self, luma: Luma) -> Blocks:
        """The next frame; answers it as it was judged, averaged down to blocks."""
        small, index = blocks(luma), self.record.frames
        self.record.frames += 1
        if np.mean(small < _BLACK) >= _BLACK_SHARE:
            _extend(self.record.black, index, index)
        if self._reference is not None and self._reference.like(small):
            _extend(self.record.still, index, self._reference.index)
        else:
            self._reference = self._since(index, small)
        if index % _EVERY == 0:
            self._later.append(Reference(index, small))
        return small

    def _since(self, index: int, small: Blocks) -> Reference:
        """What a new run of still frames is measured by: the earliest frame lately from which nothing moved.

        A film may freeze while a run is under way that began in a slow movement before. That run ends as soon
        as coding noise adds to what had moved by then, but the freeze has lasted for longer.
        """
        began = self._reference.index if self._reference else -1
        for later in self._later:
            if later.index > began and later.like(small):
                self.record.still.append((later.index, index + 1))
                return later
        return Reference(index, small)


def watch(path: Path) -> Iterator[Watched]:
    """Decode every frame; yields the growing record after each, so that progress can be told."""
    eye, repeats = Watch(), Repeats()
    record = eye.record
    record.repeats = repeats.found
    try:
        for frame in decoded(path):
            luma = luma_of(frame)
            repeats.see(luma, key=frame.key_frame)
            eye.see(luma)
            note(frame, record)
            yield record
    except av.FFmpegError as error:
        record.error = str(error)
    yield record


def note(frame: VideoFrame, record: Watched) -> None:
    """What the decoder says of a frame."""
    record.damaged += frame.is_corrupt
    record.interlaced += frame.interlaced_frame
    record.turned = record.turned or _turned(frame)


class Listener:
    """Notes the level of sound that passes by, in windows of 20 ms: the louder channel's root mean square."""

    def __init__(self) -> None:
        self._levels: list[NDArray[np.float32]] = []

    def hear(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """The blocks, unchanged."""
        rest = np.zeros((2, 0), dtype=np.float32)
        for block in blocks:
            yield block
            rest = np.concatenate([rest, block], axis=1)
            whole = rest.shape[1] // _WINDOW * _WINDOW
            windows = rest[:, :whole].reshape(2, -1, _WINDOW)
            self._levels.append(np.sqrt(np.mean(windows**2, axis=2)).max(axis=0))
            rest = rest[:, whole:]

    def silences(self) -> list[tuple[float, float]]:
        """Where what was heard stayed under -55 dBFS, as (start, end) in seconds."""
        levels = np.concatenate([np.zeros(0, dtype=np.float32), *self._levels])
        quiet = np.concatenate([[False], levels < _QUIET, [False]])
        edges = np.flatnonzero(np.diff(quiet.astype(np.int8))) * _WINDOW / RATE
        return [(float(start), float(end)) for start, end in edges.reshape(-1, 2)]


def longest(
    runs: Sequence[tuple[float, float]], planned: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The longest stretch of a run that was not planned, as (start, end); (0, 0) if there is none."""
    best = (0.0, 0.0)
    for start, end in runs:
        at = start
        for hold in sorted(planned):
            if hold[0] > at:
                best = max(best, (at, min(hold[0], end)), key=_length)
            at = max(at, hold[1])
        best = max(best, (at, end), key=_length)
    return best


def _length(run: tuple[float, float]) -> float:
    return run[1] - run[0]


def decoded(path: Path, *, keys: bool = False) -> Iterator[VideoFrame]:
    """The frames of a film, or its key frames alone."""
    with open_foreign(path, skip_frame="all") as container:  # while it is opened; frames tell all of a stream
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        # Frames that no other is made from are as good without deblocking when only averages are looked at.
        stream.codec_context.options = {"skip_loop_filter": "noref"}
        if keys:
            yield from _keys(container, stream)
        else:
            yield from container.decode(stream)


def _keys(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Packets that are left out do not get in the way of decoding several key frames at the same time."""
    for packet in container.demux(stream):
        if packet.is_keyframe or not packet.size:  # the last, empty one asks for what is still in the decoder
            yield from packet.decode()


def luma_of(frame: VideoFrame) -> Luma:
    """The brightness of each pixel, without a copy where that can be."""
    if frame.format.name != "yuv420p":
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    lines: Luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width]


def _turned(frame: VideoFrame) -> str | None:
    """What the frame's display matrix makes of it; None if that is nothing."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix))
    if (a, b, c, d) == (_ONE, 0, 0, _ONE):
        return None
    if a * d - b * c < 0:
        return "mirrored"
    return f"turned by {frame.rotation % 360}°" if frame.rotation else "scaled"


class Reference:
    """The frame that a run of still ones began with."""

    def __init__(self, index: int, small: Blocks) -> None:
        self.index = index
        self._small = small

    def like(self, small: Blocks) -> bool:
        """Whether nothing has moved since."""
        if small.shape != self._small.shape:
            return False
        return strong(np.asarray(cv2.absdiff(self._small, small))) <= self._unmoved

    @cached_property
    def _unmoved(self) -> float:
        return unmoved(max(contrasts_of(self._small)))


def _extend(runs: list[Run], index: int, first: int) -> None:
    """Add a frame to the run it continues, or begin one at `first`."""
    if runs and runs[-1][1] == index:
        runs[-1] = (runs[-1][0], index + 1)
    else:
        runs.append((first, index + 1))
