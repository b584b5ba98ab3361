"""What a film file says of itself without decoding: its boxes, its tracks, its packets."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from genlock.media.foreign import open_foreign

_IDR = 5
_NEAR = Fraction(1, 10_000)  # containers whose clock does not divide the rate round by less
_SILENT_PACKET = 64  # bytes: an AAC packet of digital silence is far smaller than one with sound


@dataclass(frozen=True, slots=True)
class Colour:
    """The numbers of ITU-T H.273, as tagged; 2 is unspecified. `full` is the range."""

    primaries: int
    transfer: int
    matrix: int
    full: bool | None


@dataclass(slots=True)
class VideoTrack:
    """The picture track. `times` are presentation times in order, in ticks of so many seconds; `keys` index
    into them.
    """

    codec: str
    profile: str
    pixels: str
    width: int
    height: int
    aspect: Fraction
    colour: Colour
    tick: Fraction
    times: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    open_keys: int = 0


@dataclass(slots=True)
class AudioTrack:
    """The sound track. `start` and `end` are seconds; `bitrate` is measured where there is sound.

    `uneven` are the packets after which the next one does not come when the samples in it are over: when
    they begin, and by how much. Both in seconds.
    """

    codec: str
    profile: str
    rate: int
    channels: int
    start: Fraction = Fraction(0)
    end: Fraction = Fraction(0)
    bitrate: float = 0.0
    packets: int = 0
    uneven: list[tuple[Fraction, Fraction]] = field(default_factory=list)


@dataclass(slots=True)
class Container:
    """A film file, read once from end to end. More tracks than one of a kind are counted.

    `form` is the name of the format it was read as.
    """

    form: str
    boxes: list[str]
    video: VideoTrack | None
    audio: AudioTrack | None
    tracks: int


def inspect(path: Path) -> Container:
    """Read headers and packets; raises `av.FFmpegError` if libav cannot open or read the file."""
    with open_foreign(path) as opened:
        video = opened.streams.video[0] if opened.streams.video else None
        audio = opened.streams.audio[0] if opened.streams.audio else None
        wanted = [stream for stream in (video, audio) if stream is not None]
        packets: dict[int, list[_Seen]] = {stream.index: [] for stream in wanted}
        for packet in opened.demux(wanted) if wanted else ():
            if packet.pts is not None and packet.size:
                packets[packet.stream.index].append(_seen(packet))
        return Container(
            form=opened.format.name,
            boxes=[name for name, _ in boxes(path)],
            video=_video(video, packets[video.index]) if video else None,
            audio=_audio(audio, packets[audio.index]) if audio else None,
            tracks=len(opened.streams),
        )


def boxes(path: Path) -> Iterator[tuple[str, int]]:
    """Name and size of each box at the top level of an MP4 file; stops where it is no longer one."""
    end = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= end:
            file.seek(at)
            size, name = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            size = size or end - at
            if size < 8:
                return
            yield name.decode("latin-1"), size
            at += size


@dataclass(frozen=True, slots=True)
class _Seen:
    """A packet without its content; times in ticks of its stream."""

    start: int
    end: int
    size: int
    key: bool
    idr: bool


def _seen(packet: Packet[Any]) -> _Seen:
    assert packet.pts is not None
    end, key = packet.pts + (packet.duration or 0), packet.is_keyframe
    return _Seen(packet.pts, end, packet.size, key, key and _has_idr(bytes(packet)))


def _has_idr(data: bytes) -> bool:
    """Whether a length-prefixed H.264 packet has a picture that nothing after it reaches behind."""
    at = 0
    while at + 5 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4] & 0x1F == _IDR:
            return True
        at += 4 + size
    return False


def _video(stream: VideoStream, packets: list[_Seen]) -> VideoTrack:
    context = stream.codec_context
    packets = sorted(packets, key=lambda packet: packet.start)
    return VideoTrack(
        codec=context.name,
        profile=str(stream.profile),
        pixels=str(context.pix_fmt),
        width=stream.width,
        height=stream.height,
        aspect=Fraction(stream.sample_aspect_ratio or 0),
        colour=Colour(
            int(context.color_primaries),
            int(context.color_trc),
            int(context.colorspace),
            {1: False, 2: True}.get(int(context.color_range)),
        ),
        tick=_tick(stream),
        times=[packet.start for packet in packets],
        keys=[index for index, packet in enumerate(packets) if packet.key],
        open_keys=sum(packet.key and not packet.idr for packet in packets),
    )


def _audio(stream: AudioStream, packets: list[_Seen]) -> AudioTrack:
    context, tick = stream.codec_context, _tick(stream)
    sounding = [packet for packet in packets if packet.size >= _SILENT_PACKET]
    seconds = sum(packet.end - packet.start for packet in sounding) * tick
    bits = 8 * sum(packet.size for packet in sounding)
    return AudioTrack(
        codec=context.name,
        profile=str(stream.profile),
        rate=context.sample_rate,
        channels=context.channels,
        # The encoder's delay lies before zero, and an edit list hides it.
        start=max(min((packet.start for packet in packets), default=0), 0) * tick,
        end=max((packet.end for packet in packets), default=0) * tick,
        bitrate=float(bits / seconds) if seconds else 0.0,
        packets=len(packets),
        uneven=list(_uneven(packets, tick, context.frame_size, context.sample_rate)),
    )


def _tick(stream: VideoStream | AudioStream) -> Fraction:
    """Seconds: packets' times are whole numbers of it, and thousands of fractions would take long."""
    assert stream.time_base is not None
    return stream.time_base


def _uneven(
    packets: list[_Seen], tick: Fraction, samples: int, rate: int
) -> Iterator[tuple[Fraction, Fraction]]:
    """Packets that begin too early or too late after the one before; nothing where lengths may differ."""
    if not samples or not rate:
        return
    length = Fraction(samples, rate) / tick
    due, near = float(length), float(_NEAR / tick)
    for one, other in pairwise(packets):
        step = other.start - one.start
        if abs(step - due) > near:
            yield one.start * tick, (step - length) * tick
