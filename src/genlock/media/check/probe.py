"""What a film or sound file is, read from its packets; in rendering children only."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import av

from genlock.errors import RenderRefused
from genlock.media.check.container import AudioTrack, VideoTrack, inspect
from genlock.media.operation import Progress, operation
from genlock.media.request import AudioReport, MediaReport, ProbeMedia, VideoReport

_TICK = Fraction(1, 1000)


@operation("probe")
def probe(request: ProbeMedia, progress: Progress) -> MediaReport:
    """Count and measure a file's first video and audio track."""
    path = request.path
    if not path.is_file():
        raise RenderRefused(f"{path.name}: there is no such file")
    progress(0.1, f"reading {path.name}")
    try:
        found = inspect(path)
    except av.FFmpegError as error:
        raise RenderRefused(
            f"{path.name} is no film or sound file that is read here, or is damaged: {error.strerror}"
        ) from error
    video = _video(found.video) if found.video else None
    audio = _audio(found.audio) if found.audio else None
    return MediaReport(
        path=path,
        bytes=path.stat().st_size,
        format=found.form,
        seconds=max(track.start + track.seconds for track in (video, audio) if track)
        if video or audio
        else 0.0,
        faststart=_starts_fast(found.boxes),
        tracks=found.tracks,
        video=video,
        audio=audio,
    )


def _video(track: VideoTrack) -> VideoReport:
    times = [time * track.tick for time in track.times]
    fps = _rate(times)
    step = 1 / fps if fps else Fraction(0)
    start = times[0] if times else Fraction(0)
    return VideoReport(
        codec=track.codec,
        profile=track.profile,
        pixels=track.pixels,
        width=track.width,
        height=track.height,
        sample_aspect_ratio=f"{track.aspect.numerator}:{track.aspect.denominator}",
        frames=len(times),
        fps=float(fps) if fps else None,
        start=float(start),
        seconds=float(times[-1] + step - start) if times else 0.0,
        keys=track.keys,
        primaries=track.colour.primaries,
        transfer=track.colour.transfer,
        matrix=track.colour.matrix,
        full_range=track.colour.full,
    )


def _audio(track: AudioTrack) -> AudioReport:
    return AudioReport(
        codec=track.codec,
        profile=track.profile,
        rate=track.rate,
        channels=track.channels,
        start=float(track.start),
        seconds=float(track.end - track.start),
        bitrate=round(track.bitrate),
    )


def _rate(times: Sequence[Fraction]) -> Fraction | None:
    """Frames a second, if all last equally long to within a millisecond, the grain of some containers."""
    if len(times) < 2:
        return None
    rate = (len(times) - 1) / (times[-1] - times[0])
    even = all(abs(later - earlier - 1 / rate) <= _TICK for earlier, later in pairwise(times))
    return rate if even else None


def _starts_fast(boxes: Sequence[str]) -> bool:
    return "moov" in boxes and "mdat" in boxes and boxes.index("moov") < boxes.index("mdat")
