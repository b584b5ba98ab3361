"""Writing stereo sound to WAV files of 32-bit floats: nothing is clipped or rounded on the way."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from genlock.media.music.synth import RATE, Samples

_CHANNELS, _BYTES, _IEEE_FLOAT = 2, 4, 3


def write(path: Path, blocks: Iterable[Samples], samples: int) -> None:
    """Write blocks of shape (2, n), `samples` in all a channel; `ValueError` if they are more or fewer."""
    written = 0
    with path.open("wb") as file:
        file.write(_header(samples))
        for block in blocks:
            file.write(np.ascontiguousarray(block.T, dtype="<f4").tobytes())
            written += block.shape[1]
    if written != samples:
        raise ValueError(f"{path.name}: {written} samples were made where {samples} were due")


def _header(samples: int) -> bytes:
    frame = _CHANNELS * _BYTES
    size = samples * frame
    sound = struct.pack("<HHIIHHH", _IEEE_FLOAT, _CHANNELS, RATE, RATE * frame, frame, 8 * _BYTES, 0)
    chunks = b"fmt " + struct.pack("<I", len(sound)) + sound + b"fact" + struct.pack("<II", 4, samples)
    chunks += b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + size) + b"WAVE" + chunks
