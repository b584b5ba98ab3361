"""What is asked of sound, and what is answered: loudness measured, a track finished for its film. Light."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genlock.media.operation import Request, Value

TARGET = -14.0
CEILING = -1.0


class Loudness(Value):
    """Loudness by EBU R 128: LUFS, LU, and dB of the true peak. Silence is -70 LUFS and -120 dB."""

    integrated: float
    range: float
    true_peak: float


class MeasureLoudness(Request[Loudness]):
    """Ask how loud the first audio track of a local file is, as it is heard after decoding."""

    path: Path


class Soundtrack(Value):
    """A finished AAC-LC track, 48 kHz stereo: `samples` a channel, `loudness` as heard after decoding.

    `gain` is what was added to the source, in dB, before the limiter. `bitrate` is measured, in bits a
    second: AAC takes fewer than it may for very plain sound, such as a single sine.
    """

    path: Path
    samples: int
    bitrate: int
    gain: float
    loudness: Loudness


class FinishAudio(Request[Soundtrack]):
    """Ask for `source` as the sound of a film of `frames` frames at `fps`: as long and as loud.

    The source must be as long as the film to within a frame. `target` is in LUFS, `ceiling` in dBTP; both
    are verified on the decoded result.
    """

    source: Path
    path: Path
    frames: int = Field(ge=1)
    fps: int = Field(default=30, ge=1, le=240)
    target: float = Field(default=TARGET, ge=-40, le=-5)
    ceiling: float = Field(default=CEILING, ge=-20, le=-0.1)
    bitrate: int = Field(default=256_000, ge=192_000, le=320_000)
