"""Joining segments and adding sound, by copying packets: nothing is encoded a second time.

Every frame is accounted for. Copying is right only if all segments were encoded alike, which is
checked on what the files themselves say; where they differ, the film is encoded again and says so.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from genlock.errors import CheckFailed, RenderRefused
from genlock.media.check.sighting import read_all, sign
from genlock.media.film.draft import draft
from genlock.media.film.encode import TICKS_PER_FRAME, Encoder, open_film
from genlock.media.film.segment import Encoding
from genlock.media.operation import Progress, operation
from genlock.media.request import JoinedFilm, JoinSegments, MuxedFilm, MuxFilm, Part

_RATE = 48_000

Signature = tuple[tuple[str, Any], ...]


@operation("join")
def join(request: JoinSegments, progress: Progress) -> JoinedFilm:
    """One film from segments, in order; `CheckFailed` if a segment has more or fewer frames than it must."""
    signatures = [_signature(part.path) for part in request.parts]
    difference = _difference(request.parts, signatures)
    with draft(request.to) as path:
        if difference is None:
            frames = _copy(request.parts, request.fps, path, progress)
        else:
            frames = _encode_again(request.parts, request.fps, path, progress)
        if (written := count_frames(path)) != frames:
            raise CheckFailed(f"{frames} frames were joined, but the film has {written}")
        seen = read_all([part.path for part in request.parts]) if difference is None else None
        if seen is not None:
            sign(path, seen)
    return JoinedFilm(
        path=request.to,
        frames=frames,
        fps=request.fps,
        bytes=request.to.stat().st_size,
        encoded_again=difference,
    )


@operation("mux")
def mux(request: MuxFilm, progress: Progress) -> MuxedFilm:
    """A film that can be played while it is still being loaded, with its sound if there is one."""
    with draft(request.to) as path:
        with open_film(path, request.fps, movflags="+faststart") as film:
            frames, heard = _mux_into(film, request, progress)
        if (written := count_frames(path)) != frames:
            raise CheckFailed(f"{frames} frames were copied, but the film has {written}")
    return MuxedFilm(
        path=request.to,
        frames=frames,
        video_seconds=frames / request.fps,
        audio_seconds=heard,
        bytes=request.to.stat().st_size,
    )


def open_file(path: Path, **options: str) -> InputContainer:
    """A local film or sound file of ours; formats that make a decoder open other files are not read."""
    options = {"protocol_whitelist": "file", **options}
    try:
        return av.open(f"file:{path.resolve()}", format="mp4", options=options)
    except av.FFmpegError as error:
        raise RenderRefused(f"{path.name} cannot be opened as MP4: {error.strerror}") from error


def open_packets(path: Path) -> InputContainer:
    """As `open_file`, ten times as fast: no frame is decoded to learn what only a decoder can tell."""
    return open_file(path, skip_frame="all")


def only_video(film: InputContainer, path: Path) -> VideoStream:
    """The film's video stream."""
    if not film.streams.video:
        raise RenderRefused(f"{path.name} has no video in it")
    return film.streams.video[0]


def count_frames(path: Path) -> int:
    """How many video packets the file has."""
    with open_packets(path) as film:
        return sum(1 for packet in film.demux(only_video(film, path)) if packet.size)


def _signature(path: Path) -> Signature:
    """All that must be equal for packets of two files to be decoded as one stream.

    The parameter sets also say how pixels are stored and how far frames are reordered.
    """
    with open_packets(path) as film:
        stream = only_video(film, path)
        context = stream.codec_context
        return (
            ("codec", context.name),
            ("profile", stream.profile),
            ("size", (context.width, context.height)),
            ("frame rate", stream.average_rate),
            ("sample aspect ratio", stream.sample_aspect_ratio),
            ("colour", (context.color_primaries, context.color_trc, context.colorspace, context.color_range)),
            ("parameter sets", context.extradata),
        )


def _difference(parts: list[Part], signatures: list[Signature]) -> str | None:
    """In words, the first thing in which a segment differs from the first one; None if none does."""
    for part, signature in zip(parts, signatures, strict=True):
        for (what, expected), (_, found) in zip(signatures[0], signature, strict=True):
            if expected != found:
                return f"{part.path.name} has another {what} than {parts[0].path.name}"
    return None


def _copy(parts: list[Part], fps: int, to: Path, progress: Progress) -> int:
    """Copy all packets, each segment right behind the one before; answers the number of frames."""
    done, total = 0, sum(part.frames for part in parts)
    with open_film(to, fps) as film, open_packets(parts[0].path) as first:
        target = _like(only_video(first, parts[0].path), film)
        for part in parts:
            for packet in _placed(part, fps, done):
                packet.stream = target
                film.mux_one(packet)
            done += part.frames
            progress(done / total, f"{done} of {total} frames joined")
    return done


def _like(source: VideoStream, film: OutputContainer) -> VideoStream:
    """A stream for a source's packets.

    What shape its pixels have, the file's header tells: libav itself would decode a frame to learn it.
    """
    target = film.add_stream_from_template(source)
    if source.sample_aspect_ratio is not None:
        target.codec_context.sample_aspect_ratio = source.sample_aspect_ratio
    return target


def _placed(part: Part, fps: int, offset: int) -> Iterator[Packet[Any]]:
    """The segment's packets with their times `offset` frames later; every frame must be there once."""
    shown, begin = [], offset * TICKS_PER_FRAME
    with open_packets(part.path) as segment:
        stream = only_video(segment, part.path)
        tick = (stream.time_base or Fraction(1)) * fps * TICKS_PER_FRAME
        ratio = (
            tick.numerator if tick.denominator == 1 else tick
        )  # fractions would take as long as all the rest
        for packet in segment.demux(stream):
            if not packet.size or packet.pts is None or packet.dts is None:
                continue
            shown.append(packet.pts * ratio)
            packet.pts, packet.dts = int(shown[-1]) + begin, int(packet.dts * ratio) + begin
            packet.duration = TICKS_PER_FRAME
            packet.time_base = Fraction(1, fps * TICKS_PER_FRAME)
            yield packet
    if sorted(shown) != list(range(0, part.frames * TICKS_PER_FRAME, TICKS_PER_FRAME)):
        raise CheckFailed(
            f"{part.path.name} must have {part.frames} frames at {fps} a second from 0 on, "
            f"but has {len(shown)} from {float(min(shown, default=0)) / TICKS_PER_FRAME:g} "
            f"to {float(max(shown, default=0)) / TICKS_PER_FRAME:g}"
        )


def _encode_again(parts: list[Part], fps: int, to: Path, progress: Progress) -> int:
    """Decode and encode all segments; they must at least be of one size."""
    done, total = 0, sum(part.frames for part in parts)
    with open_packets(parts[0].path) as first:
        stream = only_video(first, parts[0].path)
        size = stream.width, stream.height
    with Encoder(to, size, fps, Encoding()) as encoder:
        for part in parts:
            for frame in _decoded(part, size):
                encoder.write(frame)
                progress(encoder.frames / total, f"{encoder.frames} of {total} frames encoded again")
            done += part.frames
            if encoder.frames != done:
                found = encoder.frames - done + part.frames
                raise CheckFailed(f"{part.path.name} must have {part.frames} frames, but has {found}")
    return done


def _decoded(part: Part, size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    with open_file(part.path) as segment:
        for frame in segment.decode(only_video(segment, part.path)):
            if (frame.width, frame.height) != size:
                raise RenderRefused(
                    f"{part.path.name} is {frame.width}x{frame.height}, but the film is {size[0]}x{size[1]}"
                )
            yield frame.reformat(format="yuv420p")


def _mux_into(film: OutputContainer, request: MuxFilm, progress: Progress) -> tuple[int, float | None]:
    """Copy all tracks, interleaved by time: the number of frames, and the seconds of sound."""
    with ExitStack() as files:
        video = files.enter_context(open_packets(request.video))
        tracks = [_Track(video, only_video(video, request.video), film)]
        if request.audio is not None:
            audio = files.enter_context(open_file(request.audio))
            tracks.append(_Track(audio, _sound(audio, request.audio), film))
        _interleave(film, tracks, progress)
    frames = tracks[0].packets
    if request.audio is None:
        return frames, None
    shown, heard = frames / request.fps, tracks[1].end
    if abs(heard - shown) > 1 / request.fps:
        raise CheckFailed(
            f"the film lasts {shown:.3f} s and its sound {heard:.3f} s: they are more than a frame apart"
        )
    return frames, heard


class _Track:
    """A stream on its way from one file to another; it lasts for `length` seconds, as the file says, and the
    last of what went by has been played at the second `end`.
    """

    def __init__(
        self, file: InputContainer, source: VideoStream | AudioStream, film: OutputContainer
    ) -> None:
        self._file = file
        self._source = source
        self.target: VideoStream | AudioStream = (
            _like(source, film) if isinstance(source, VideoStream) else film.add_stream_from_template(source)
        )
        self._tick = source.time_base or Fraction(1)
        self.length = float((source.duration or 1) * self._tick)
        self.packets = self._last = 0

    @property
    def end(self) -> float:
        return float(self._last * self._tick)

    def __iter__(self) -> Iterator[tuple[float, _Track, Packet[Any]]]:
        """Packets with the second at which each is decoded; fractions would take as long as all the rest."""
        part, whole = self._tick.as_integer_ratio()
        for packet in self._file.demux(self._source):
            if packet.size and packet.pts is not None and packet.dts is not None:
                self.packets += 1
                self._last = max(self._last, packet.pts + (packet.duration or 0))
                yield packet.dts * part / whole, self, packet


def _interleave(film: OutputContainer, tracks: list[_Track], progress: Progress) -> None:
    for at, track, packet in heapq.merge(*tracks, key=lambda placed: placed[0]):
        packet.stream = track.target
        film.mux_one(packet)
        progress(at / tracks[0].length, "sound and picture put together")


def _sound(audio: InputContainer, path: Path) -> AudioStream:
    """The file's sound, which must be finished: players everywhere take AAC-LC at 48 kHz in stereo."""
    if not audio.streams.audio:
        raise RenderRefused(f"{path.name} has no sound in it")
    stream = audio.streams.audio[0]
    found = (stream.codec_context.name, stream.profile, stream.sample_rate, stream.channels)
    if found != ("aac", "LC", _RATE, 2):
        raise RenderRefused(
            f"{path.name} has {found[0]} {found[1] or ''} at {found[2]} Hz with {found[3]} channels; "
            f"finish it first as AAC-LC at {_RATE} Hz in stereo"
        )
    return stream
