"""The film check: is this file what was planned, and fit to be published? Numbers, never a guess.

Stillness is judged on frames averaged down to 40 blocks: a run of frames in which nothing moved since its
first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise

import av

from genlock.errors import RenderRefused
from genlock.media.check import watch, witness
from genlock.media.check.container import AudioTrack, Container, VideoTrack, inspect
from genlock.media.check.report import CheckFilm, CheckReport, Finding, Span
from genlock.media.check.watch import Listener, Watched
from genlock.media.check.witness import Show
from genlock.media.music.synth import RATE
from genlock.media.operation import Progress, operation
from genlock.media.sound import loudness
from genlock.media.sound import stream as sound

_BT709 = 1
_GOP_SECONDS = 2.0
_BLACK_SECONDS, _FREEZE_SECONDS, _SILENCE_SECONDS = 0.1, 1.0, 1.0
_LOUDNESS_RANGE = 1.0


@operation("check_film")
def check(request: CheckFilm, progress: Progress, show: Show | None = None) -> CheckReport:
    """Look at everything a film must pass; never raises for what a film is like, only reports it.

    `show` is handed the key frames of a film that was watched before.
    """
    if request.of == "sound":
        return CheckReport(findings=list(_sound(request, progress)))
    with ThreadPoolExecutor(max_workers=1) as beside:  # decoders work while packets are counted
        reading = beside.submit(inspect, request.path)
        known = _known(request, progress, show)
        try:
            container = reading.result()
        except (av.FFmpegError, OSError) as error:
            got = f"no film that can be read ({error.strerror or error})"
            return CheckReport(findings=[_finding("file", "an MP4 that opens", got, False)])
    return CheckReport(findings=list(_findings(request, container, progress, known)))


def _findings(
    request: CheckFilm, container: Container, progress: Progress, known: Watched | None
) -> Iterator[Finding]:
    yield _faststart(container)
    yield _tracks(request, container)
    if container.video:
        yield from _format(request, container.video)
        yield from _timing(request, container.video)
        yield from _picture(request, _watched(request, progress) if known is None else known)
    if request.has_audio and container.audio:
        yield from _sound_format(request, container.audio)
        if request.of == "film":
            yield from _sound(request, progress)


def _finding(name: str, wanted: str, got: str, passed: bool) -> Finding:
    return Finding(name=name, wanted=wanted, got=got, passed=passed)


# The file


def _faststart(container: Container) -> Finding:
    order = [name for name in container.boxes if name in {"moov", "mdat"}]
    passed = order[:1] == ["moov"] and "mdat" in order
    return _finding("faststart", "moov before mdat", " ".join(container.boxes) or "no MP4 boxes", passed)


def _tracks(request: CheckFilm, container: Container) -> Finding:
    wanted = 2 if request.has_audio else 1
    kinds = [name for name, track in (("picture", container.video), ("sound", container.audio)) if track]
    passed = len(kinds) == wanted == container.tracks and "picture" in kinds
    got = f"{container.tracks}: {' and '.join(kinds) or 'none of use'}"
    return _finding("tracks", "2: picture and sound" if request.has_audio else "1: picture", got, passed)


# The picture, as tagged


def _format(request: CheckFilm, video: VideoTrack) -> Iterator[Finding]:
    codec = f"{video.codec} {video.profile}"
    yield _finding("codec", "h264 High", codec, codec == "h264 High")
    yield _finding("pixels", "yuv420p", video.pixels, video.pixels == "yuv420p")
    wanted, got = f"{request.width}×{request.height}", f"{video.width}×{video.height}"
    yield _finding("size", wanted, got, wanted == got)
    aspect = f"{video.aspect.numerator}:{video.aspect.denominator}" if video.aspect else "not said"
    yield _finding("pixel aspect", "1:1", aspect, video.aspect == 1)
    yield _colour(video)


def _colour(video: VideoTrack) -> Finding:
    tags = video.colour
    ranges = {False: "video range", True: "full range", None: "no range"}
    got = f"primaries {tags.primaries}, transfer {tags.transfer}, matrix {tags.matrix}, {ranges[tags.full]}"
    wanted = "BT.709: primaries 1, transfer 1, matrix 1, video range"
    numbers = {tags.primaries, tags.transfer, tags.matrix}
    return _finding("colour", wanted, got, numbers == {_BT709} and tags.full is False)


def _timing(request: CheckFilm, video: VideoTrack) -> Iterator[Finding]:
    step = Fraction(1, request.fps)
    steps = [later - earlier for earlier, later in pairwise(video.times)]
    due = step / video.tick
    wrong = [number for number, found in enumerate(steps) if found != due]
    got = f"{len(steps)} steps, {len(wrong)} of which differ"
    if wrong:
        got += f", first after frame {wrong[0]}: {float(steps[wrong[0]] * video.tick):.5f} s"
    yield _finding("frame rate", f"{request.fps} a second, every step {float(step):.5f} s", got, not wrong)
    start = video.times[0] * video.tick if video.times else Fraction(-1)
    yield _finding("start", "0 s", f"{float(start):.5f} s", start == 0)
    yield _groups(request, video)


def _groups(request: CheckFilm, video: VideoTrack) -> Finding:
    """Groups of pictures: each begins with an IDR, so each is closed, and none is longer than 2 s."""
    ends = [*video.keys[1:], len(video.times)][: len(video.keys)]
    longest = max((end - start for start, end in zip(video.keys, ends, strict=True)), default=0)
    got = f"{len(video.keys)} groups, the longest {longest / request.fps:.2f} s"
    if video.open_keys:
        got += f", {video.open_keys} open"
    passed = bool(video.keys) and video.keys[0] == 0 and not video.open_keys
    wanted = f"closed, {_GOP_SECONDS:g} s at most"
    return _finding("groups of pictures", wanted, got, passed and longest <= _GOP_SECONDS * request.fps)


# The picture, as seen


def _known(request: CheckFilm, progress: Progress, show: Show | None) -> Watched | None:
    """What is to be seen in a film that was watched before; None if it has to be watched now."""
    if request.witness is None:
        return None
    try:
        return witness.seen_before(request.path, request.witness, progress, show)
    except av.FFmpegError:
        return None  # what is wrong with the film is told by whoever counts its packets, or watches it


def _watched(request: CheckFilm, progress: Progress) -> Watched:
    """What is to be seen in every frame."""
    record = Watched()
    for record in watch.watch(request.path):
        progress(0.8 * record.frames / max(request.frames, record.frames), "watching the film")
    return record


def _picture(request: CheckFilm, seen: Watched) -> Iterator[Finding]:
    got = f"{seen.error or seen.how}; {seen.damaged} damaged"
    yield _finding("decoding", "every frame, none damaged", got, seen.error is None and not seen.damaged)
    yield _finding("frames", str(request.frames), str(seen.frames), seen.frames == request.frames)
    got = f"{seen.interlaced} frames interlaced" if seen.interlaced else "progressive"
    yield _finding("scan", "progressive", got, not seen.interlaced)
    yield _finding("upright", "as stored", seen.turned or "as stored", seen.turned is None)
    yield _repeats(request, seen.repeats)
    yield _run("black", seen.black, request.blacks, request.fps, _BLACK_SECONDS)
    yield _run("freeze", seen.still, request.holds, request.fps, _FREEZE_SECONDS)


def _repeats(request: CheckFilm, found: Sequence[int]) -> Finding:
    """Frames shown twice while the picture moves: a jolt, though the count of frames may be right."""
    wrong = [index for index in found if not any(span.start <= index < span.end for span in request.repeats)]
    got = f"{len(wrong)}" + (f", the first at {wrong[0] / request.fps:.2f} s" if wrong else "")
    return _finding("repeated frames", "none while the picture moves", got, not wrong)


def _run(
    name: str, runs: Sequence[tuple[float, float]], planned: Sequence[Span], fps: float, most: float
) -> Finding:
    """Whether the longest unplanned stretch of a fault is short enough; `runs` in frames."""
    start, end = watch.longest(runs, [(span.start, span.end) for span in planned])
    seconds = (end - start) / fps
    got = f"{seconds:.2f} s" + (f" from {start / fps:.2f} s" if seconds else "")
    return _finding(name, f"{most:g} s at most, unless planned", got, seconds <= most + 1e-6)


# The sound


def _sound_format(request: CheckFilm, audio: AudioTrack) -> Iterator[Finding]:
    codec = f"{audio.codec} {audio.profile}, {audio.rate} Hz, {audio.channels} channels"
    yield _finding(
        "sound codec", "aac LC, 48000 Hz, 2 channels", codec, codec == "aac LC, 48000 Hz, 2 channels"
    )
    wanted, got = f"{request.bitrate / 1000:.0f} kbit/s at least", f"{audio.bitrate / 1000:.0f} kbit/s"
    yield _finding("sound bit rate", wanted, got, audio.bitrate >= request.bitrate)
    yield _finding("sound start", "0 s", f"{float(audio.start):.5f} s", audio.start == 0)
    film = request.frames / request.fps
    off = float(audio.end) - film
    got = f"{float(audio.end):.3f} s, {off:+.3f} s"
    yield _sound_timing(audio)
    yield _finding("sound length", f"{film:.3f} s, to one frame", got, abs(off) <= 1 / request.fps + 1e-9)


def _sound_timing(audio: AudioTrack) -> Finding:
    """Whether the sound runs as fast as its samples say: else it drifts away from the picture."""
    got = f"{audio.packets} packets"
    if audio.uneven:
        at, off = audio.uneven[0]
        got += f", {len(audio.uneven)} of which are not, first at {float(at):.3f} s"
        got += f" by {float(off) * 1000:+.3f} ms"
    return _finding("sound timing", "every packet as long as its samples", got, not audio.uneven)


def _sound(request: CheckFilm, progress: Progress) -> Iterator[Finding]:
    """What is heard, up to the last frame: what a decoder adds behind it is not part of the film."""
    samples = round(request.frames * RATE / request.fps)
    listener = Listener()
    film = sound.exactly(sound.read(request.path), samples)
    film = sound.told(film, samples, lambda share: progress(0.8 + 0.2 * share, "listening to the film"))
    try:
        level = loudness.measure(listener.hear(film))
    except RenderRefused as error:
        yield _finding("sound decoding", "all of it", str(error), False)
        return
    wanted = f"{request.loudness:g} ± {_LOUDNESS_RANGE:g} LUFS"
    near = abs(level.integrated - request.loudness) <= _LOUDNESS_RANGE
    yield _finding("loudness", wanted, f"{level.integrated:.1f} LUFS", near)
    under = level.true_peak <= request.ceiling
    yield _finding("true peak", f"{request.ceiling:g} dBTP at most", f"{level.true_peak:.1f} dBTP", under)
    runs = [(start * request.fps, end * request.fps) for start, end in listener.silences()]
    yield _run("silence", runs, request.silences, request.fps, _SILENCE_SECONDS)
