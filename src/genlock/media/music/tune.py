"""What is asked of the composer, and what it says of its music. Light: the parent imports this."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genlock.media.music.mood import MoodName
from genlock.media.operation import Request, Value


class Passage(Value):
    """A section of the music: from where to where, in seconds, and how full it is (1 thin … 3 full)."""

    name: str
    start: float
    end: float
    energy: int


class Tune(Value):
    """A finished piece: a stereo WAV of 32-bit floats with exactly `samples` samples a channel.

    `chords` are the names of the chords, one a bar, the closing one last; `bar` and `beat` are seconds.
    Its level is what the arrangement gave; loudness is set when the sound is finished for the film.
    """

    path: Path
    samples: int
    rate: int
    tempo: float
    beat: float
    bar: float
    key: str
    chords: list[str]
    passages: list[Passage]


class ComposeMusic(Request[Tune]):
    """Ask for music of exactly `frames` video frames at `fps`, the same bytes for the same seed.

    `tempo` in beats a minute and `offset`, seconds to the first beat, come from the film plan; without a
    tempo the mood has its own. The last chord begins on a beat and rings out to the last frame.
    """

    path: Path
    frames: int = Field(ge=1)
    fps: int = Field(default=30, ge=1, le=240)
    mood: MoodName = "calm"
    tempo: float | None = Field(default=None, ge=40, le=200)
    offset: float = Field(default=0.0, ge=0.0, le=5.0)
    seed: int = 0
