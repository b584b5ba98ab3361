"""Reading footage that anybody may have made, frame by frame; in rendering children only."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream

from genlock.errors import RenderRefused
from genlock.media.film.colour import Planes, as_bt709, is_known
from genlock.media.film.encode import Plane
from genlock.media.foreign import open_foreign

_CONTAINERS = {"mov", "mp4", "webm", "matroska"}
GRAIN = 1e-3  # seconds: containers round times
_TIE = 1e-6  # seconds
_ONE = 1 << 16
_HD = 720  # lines from which on players take colours that are not tagged for BT.709
_SDR = {ColorTrc.UNSPECIFIED, ColorTrc.BT709, ColorTrc.SMPTE170M, ColorTrc.IEC61966_2_1}
_INTERPOLATION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_AS_THEY_ARE = {"yuv420p", "yuvj420p"}
_HEAD = 512


@dataclass(frozen=True, slots=True)
class Pose:
    """How what is stored is shown: transposed first, then mirrored, as a display matrix says."""

    transposed: bool = False
    left_right: bool = False
    up_down: bool = False

    @classmethod
    def of(cls, frame: VideoFrame, name: str) -> Self:
        """As the frame is tagged; `RenderRefused` for one that lies aslant."""
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return cls()
        a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix))
        if b == c == 0 and a and d:
            return cls(False, a < 0, d < 0)
        if a == d == 0 and b and c:
            return cls(True, c < 0, b < 0)
        raise RenderRefused(f"{name} is to be shown turned by {frame.rotation}°, and only quarters are known")

    def upright(self, plane: Plane) -> Plane:
        """A plane as it is shown."""
        plane = plane.T if self.transposed else plane
        plane = plane[:, ::-1] if self.left_right else plane
        return plane[::-1] if self.up_down else plane

    def __str__(self) -> str:
        told = {"turned": self.transposed, "mirrored": self.left_right != self.up_down}
        upside = not self.transposed and self.left_right and self.up_down
        return "upside down" if upside else " and ".join(word for word, true in told.items() if true)


class Reel:
    """A file's first video track, read from the beginning or from a moment on."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.name, self._path = name or path.name, path
        self._container = _opened(path, self.name)
        self._reformatter = VideoReformatter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    @property
    def container(self) -> InputContainer:
        return self._container

    @property
    def stream(self) -> VideoStream:
        """The track; `RenderRefused` if there is none."""
        if not self._container.streams.video:
            what = "sound, and no picture" if self._container.streams.audio else "no picture"
            raise RenderRefused(f"{self.name} has {what}")
        return self._container.streams.video[0]

    def frames(self) -> Iterator[VideoFrame]:
        """All frames in the order they are shown. `RenderRefused` for damage."""
        number = 0
        self.stream.thread_type = "AUTO"
        try:
            for packet in self._container.demux(self.stream):
                if packet.is_corrupt:
                    raise RenderRefused(f"{self.name} is cut off in frame {number}: fetch it again")
                for frame in packet.decode():
                    if frame.is_corrupt or frame.pts is None:
                        what = "is damaged" if frame.is_corrupt else "has no time"
                        raise RenderRefused(f"{self.name}: frame {number} {what}")
                    yield frame
                    number += 1
        except av.FFmpegError as error:
            raise RenderRefused(
                f"{self.name} cannot be decoded beyond frame {number}: {error.strerror}"
            ) from error

    def seek(self, moment: float) -> None:
        """Read on from a frame at or before this moment, if the file can tell where that is."""
        base = self.stream.time_base or Fraction(1, 1000)
        with suppress(av.FFmpegError):
            self._container.seek(int(moment / base), stream=self.stream, backward=True)

    def planes(self, frame: VideoFrame) -> Planes:
        """A frame upright, in BT.709 of limited range; half as many samples of blue and red each way.

        Sizes are even: of an odd one the last row or column is left out.
        """
        pose = Pose.of(frame, self.name)
        luma, *chroma = (pose.upright(plane) for plane in self._plain(frame))
        height, width = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
        blue, red = (plane[: height // 2, : width // 2] for plane in chroma)
        return luma[:height, :width], blue, red

    def _plain(self, frame: VideoFrame) -> Planes:
        """As stored, by the tags that it has or what players take for granted where it has none."""
        full, matrix = is_full(frame), _matrix(frame)
        if ColorTrc(frame.color_trc) not in _SDR or not _is_yuv(frame):
            return _planes(self._converted(frame, matrix, full))
        if frame.format.name not in _AS_THEY_ARE:
            same = ColorRange.JPEG if full else ColorRange.MPEG
            frame = self._reformatter.reformat(
                frame,
                format="yuv420p",
                src_colorspace=matrix,
                dst_colorspace=matrix,
                src_color_range=same,
                dst_color_range=same,
                interpolation=_INTERPOLATION,
            )
        planes = _planes(frame)
        plain = matrix == Colorspace.ITU709 and not full
        return planes if plain else as_bt709(planes, matrix, full=full)

    def _converted(self, frame: VideoFrame, matrix: int, full: bool) -> VideoFrame:
        """Brought from another light, wider colours or RGB to BT.709."""
        return self._reformatter.reformat(
            frame,
            format="yuv420p",
            src_colorspace=matrix,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_INTERPOLATION,
            dst_color_trc=ColorTrc.BT709 if _is_yuv(frame) else None,
            dst_color_primaries=ColorPrimaries.BT709 if _is_yuv(frame) else None,
        )


class Gate:
    """Shows the frame of a file that is nearest to a moment; moments may only go forward."""

    def __init__(self, path: Path, begin: float) -> None:
        self._reel = Reel(path)
        self._reel.seek(begin)
        self._frames = self._reel.frames()
        self._next = next(self._frames, None)
        if self._next is None or time_of(self._next) > begin + GRAIN:
            self._reel = Reel(path)
            self._frames = self._reel.frames()
            self._next = next(self._frames, None)
        if self._next is None:
            raise RenderRefused(f"{path.name} has no frame")
        self._shown, self._number = self._next, 0

    def at(self, moment: float) -> tuple[int, Planes]:
        """The planes of the frame nearest to this moment, and a number that changes with the frame."""
        while self._next is not None and _is_nearer(self._next, self._shown, moment):
            self._shown, self._number = self._next, self._number + 1
            self._next = next(self._frames, None)
        return self._number, self._reel.planes(self._shown)


def time_of(frame: VideoFrame) -> float:
    """When a frame is shown, in seconds of the file's own clock."""
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)


def _opened(path: Path, name: str) -> InputContainer:
    try:
        container = open_foreign(path)
    except av.FFmpegError as error:
        raise RenderRefused(f"{name} {_what_is(path) or f'cannot be opened: {error.strerror}'}") from error
    if not _CONTAINERS & set(container.format.name.split(",")):
        found = container.format.name
        container.close()
        raise RenderRefused(f"{name} is {found}; footage has to be MP4, MOV or WebM")
    return container


def _what_is(path: Path) -> str | None:
    """What a file is that is no video, as far as its beginning tells."""
    with path.open("rb") as file:
        head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return "is empty"
    if head.startswith(b"#EXTM3U") or head[:32].lower().startswith((b"ffconcat", b"[playlist]")):
        return "is a playlist, which names other files, and no video"
    if head.startswith(b"<"):
        return f"is a page of text ({_quoted(head)}) and no video"
    if head[:1] in b"{[":
        return f"is JSON ({_quoted(head)}) and no video"
    if head[4:8] == b"ftyp":
        return "is an MP4 file that is cut off: its index is missing; fetch it again"
    return None


def _quoted(head: bytes) -> str:
    return " ".join(head[:60].decode("utf-8", "replace").split())


def _is_nearer(one: VideoFrame, other: VideoFrame, moment: float) -> bool:
    return abs(time_of(one) - moment) <= abs(time_of(other) - moment) + _TIE


def is_full(frame: VideoFrame) -> bool:
    """Whether its values use the whole range, and not that of television."""
    name = frame.format.name
    return int(frame.color_range) == ColorRange.JPEG or name.startswith(("yuvj", "rgb", "bgr", "gbr", "gray"))


def _matrix(frame: VideoFrame) -> int:
    found = int(frame.colorspace)
    if is_known(found):
        return found
    return Colorspace.ITU709 if min(frame.width, frame.height) >= _HD else Colorspace.ITU601


def _is_yuv(frame: VideoFrame) -> bool:
    return frame.format.name.startswith(("yuv", "nv", "p0", "p2", "p4", "y2"))


def _planes(frame: VideoFrame) -> Planes:
    luma, blue, red = (_view(plane) for plane in frame.planes)
    return luma, blue, red


def _view(plane: av.video.plane.VideoPlane) -> Plane:
    """The plane's samples, without the padding at the end of its lines; valid while its frame is."""
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.asarray(lines[: plane.height, : plane.width])
