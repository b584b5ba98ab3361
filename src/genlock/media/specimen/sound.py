"""Small sounds: a voice that hums each letter at its time, and a chord; for the provider simulator alone."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from genlock.errors import Unsupported

Samples = NDArray[np.float32]  # one channel, within ±1

LETTER_SECONDS: Final = 0.06
_PAUSE_SECONDS: Final = 0.25
_PAUSES: Final = frozenset(".,;:!?…\n")
_BLOCK: Final = 4096

# What a format is called, as (container, codec).
_FORMATS: Final = {
    "mp3": ("mp3", "libmp3lame"),
    "wav": ("wav", "pcm_s16le"),
    "flac": ("flac", "flac"),
    "opus": ("ogg", "libopus"),
    "aac": ("adts", "aac"),
    "pcm": ("s16le", "pcm_s16le"),
}
FORMATS: Final = tuple(_FORMATS)


@dataclass(frozen=True, slots=True)
class Letter:
    """A character of a text and when it is spoken, in seconds; no hum is heard for one that is no letter."""

    text: str
    start: float
    end: float


def spell(text: str, speed: float = 1.0) -> list[Letter]:
    """When each character of a text is spoken: without a gap, from 0 on."""
    letters, at = [], 0.0
    for character in text:
        until = at + (_PAUSE_SECONDS if character in _PAUSES else LETTER_SECONDS) / speed
        letters.append(Letter(character, round(at, 4), round(until, 4)))
        at = until
    return letters


def voice(letters: Sequence[Letter], rate: int) -> Samples:
    """A hum for each letter, at a pitch of its own, and silence for all other characters."""
    samples = np.zeros(round((letters[-1].end if letters else LETTER_SECONDS) * rate), np.float32)
    for letter in letters:
        if not letter.text.isalnum():
            continue
        first, last = round(letter.start * rate), round(letter.end * rate)
        time = np.arange(last - first, dtype=np.float32) / np.float32(rate)
        pitch = 110 + 8 * (ord(letter.text.lower()) % 24)
        samples[first:last] = 0.4 * np.sin(np.float32(2 * np.pi * pitch) * time)
    return samples


def chord(seconds: float, rate: int, seed: int) -> Samples:
    """Three notes that swell twice a second, as long as was asked."""
    root = 110 * 2 ** (random.Random(seed).randrange(12) / 12)
    time = np.arange(round(seconds * rate), dtype=np.float32) / np.float32(rate)
    swell = 0.75 - 0.25 * np.cos(np.float32(2 * np.pi * 2) * time)
    notes = [np.sin(np.float32(2 * np.pi * root * ratio) * time) for ratio in (1, 1.25, 1.5)]
    mixed: Samples = (0.12 * swell * np.sum(notes, axis=0)).astype(np.float32)
    return mixed


def encode(samples: Samples, rate: int, format: str) -> bytes:
    """The sound as a file: mp3, wav, flac, opus, aac or pcm (16 bit). `Unsupported` for another format."""
    if format not in _FORMATS:
        raise Unsupported(f"no sound is written as {format!r}: choose one of {', '.join(FORMATS)}")
    container, codec = _FORMATS[format]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream(codec, rate=48000 if format == "opus" else rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        if format == "mp3":
            stream.bit_rate = 64000
        encode_into(file, stream, samples, rate)
    return out.getvalue()


def encode_into(
    file: av.container.OutputContainer, stream: av.AudioStream, samples: Samples, rate: int | None = None
) -> None:
    """Encode all samples into a stream, converted to what its codec takes."""
    rate = rate or stream.codec_context.sample_rate
    stream.codec_context.open(strict=False)
    resampler = av.AudioResampler(
        stream.codec_context.format,
        stream.codec_context.layout,
        stream.codec_context.sample_rate,
        frame_size=stream.codec_context.frame_size or None,
    )
    for first in range(0, len(samples), _BLOCK):
        block = np.ascontiguousarray(samples[first : first + _BLOCK][None, :])
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, first
        for ready in resampler.resample(frame):
            file.mux(stream.encode(ready))
    for ready in resampler.resample(None):
        file.mux(stream.encode(ready))
    file.mux(stream.encode(None))
