"""Finishing the sound of a film: exact length, measured loudness, AAC that is measured again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from genlock.errors import BadInput, RenderRefused
from genlock.media.music.synth import RATE, Samples
from genlock.media.operation import Progress, operation
from genlock.media.sound import loudness
from genlock.media.sound import stream as sound
from genlock.media.sound.soundtrack import FinishAudio, Loudness, Soundtrack

_NEAR = 0.2  # LU: nearer than this to the target is not worth another pass
_FAR = 0.5  # LU: what may be left after the last pass
_PASSES = 5
_HEADROOM = 0.5  # dB below the ceiling, for what AAC adds to the peaks


@operation("finish_audio")
def finish(request: FinishAudio, progress: Progress) -> Soundtrack:
    """Write the track to `request.path`.

    `BadInput` when the source is not as long as the film or is silent; `RenderRefused`, with the numbers,
    when the loudness cannot be reached under the ceiling.
    """
    if length(request) < loudness.SHORTEST * RATE:
        raise BadInput(
            f"{request.frames} frames are too short for sound: loudness needs {loudness.SHORTEST} s"
        )
    before = _measured(request, progress)
    if before <= loudness.SILENCE:
        raise BadInput(f"{request.source.name} is silent: there is nothing to set the loudness of")
    return _settled(request, _Setting(request.target - before, _HEADROOM), progress)


def length(request: FinishAudio) -> int:
    """Samples a channel in the film."""
    return round(request.frames * RATE / request.fps)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What one pass is made with: dB of gain, dB of headroom under the ceiling."""

    gain: float
    headroom: float

    def corrected(self, request: FinishAudio, heard: Loudness) -> _Setting:
        """The setting for the next pass, from what was heard after the last one."""
        over = heard.true_peak - request.ceiling
        headroom = self.headroom + (over + 0.1 if over > 0 else 0.0)
        return _Setting(self.gain + request.target - heard.integrated, headroom)


def _settled(request: FinishAudio, setting: _Setting, progress: Progress) -> Soundtrack:
    """Encode, listen, correct, until what is heard is what was asked for."""
    for number in range(_PASSES):
        track = _encoded(request, setting, progress)
        off = abs(track.loudness.integrated - request.target)
        fits = track.loudness.true_peak <= request.ceiling
        if fits and off <= (_NEAR if number < _PASSES - 1 else _FAR):
            return track
        setting = setting.corrected(request, track.loudness)
    heard = track.loudness
    raise RenderRefused(
        f"{request.source.name} comes out at {heard.integrated:.1f} LUFS,"
        f" its peaks at {heard.true_peak:.1f} dBTP;"
        f" {request.target:g} LUFS under {request.ceiling:g} dBTP cannot be reached:"
        " the peaks are too far above the rest"
    )


def _encoded(request: FinishAudio, setting: _Setting, progress: Progress) -> Soundtrack:
    samples = length(request)
    source = sound.exactly(sound.read(request.source), samples)
    source = sound.told(source, samples, lambda share: progress(0.2 + 0.6 * share, "encoding sound"))
    levelled = loudness.levelled(source, setting.gain, request.ceiling - setting.headroom)
    size = sound.write_aac(request.path, sound.exactly(levelled, samples), request.bitrate)
    heard = sound.exactly(sound.read(request.path), samples)

    def listening(share: float) -> None:
        progress(0.8 + 0.2 * share, "listening to what was encoded")

    return Soundtrack(
        path=request.path,
        samples=samples,
        bitrate=round(size * 8 * RATE / samples),
        gain=setting.gain,
        loudness=loudness.measure(sound.told(heard, samples, listening)),
    )


def _measured(request: FinishAudio, progress: Progress) -> float:
    """The source's loudness in LUFS; `BadInput` unless it lasts as long as the film to within one frame."""
    found, due = 0, length(request)

    def counted() -> Iterator[Samples]:
        nonlocal found
        for block in sound.read(request.source):
            found += block.shape[1]
            progress(0.2 * min(1.0, found / due), "measuring loudness")
            yield block

    heard = loudness.integrated(counted())
    if abs(found - due) > RATE / request.fps:
        raise BadInput(
            f"{request.source.name} lasts {found / RATE:.3f} s where the film lasts {due / RATE:.3f} s; "
            "give sound that is as long as the film"
        )
    return heard
