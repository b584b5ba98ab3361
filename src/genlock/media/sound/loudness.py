"""How loud sound is, by EBU R 128, and making it as loud as it should be without clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from genlock.media.music.synth import RATE, Samples
from genlock.media.operation import Progress, operation
from genlock.media.sound import stream as sound
from genlock.media.sound.soundtrack import Loudness, MeasureLoudness

SILENCE, NO_PEAK = -70.0, -120.0
SHORTEST = 0.4  # seconds: one block of the standard's gating
_STEP = RATE // 10
_OVERSAMPLED = 4 * RATE


@operation("measure_loudness")
def measure_file(request: MeasureLoudness, progress: Progress) -> Loudness:
    """The loudness of a local file's first audio track; `RenderRefused` if it has none."""
    blocks = sound.read(request.path)
    return measure(sound.told(blocks, 1, lambda _: progress(0.5, "listening")))


def measure(blocks: Iterable[Samples]) -> Loudness:
    """Integrated loudness, loudness range and true peak of sound; less than 0.4 s count as silence."""
    found = _metered(blocks, "peak=true")
    if not found:
        return Loudness(integrated=SILENCE, range=0.0, true_peak=NO_PEAK)
    peak = float(found["lavfi.r128.true_peak"])
    return Loudness(
        integrated=max(SILENCE, float(found["lavfi.r128.I"])),
        range=float(found["lavfi.r128.LRA"]),
        true_peak=max(NO_PEAK, 20 * math.log10(max(peak, 1e-9))),
    )


def integrated(blocks: Iterable[Samples]) -> float:
    """Integrated loudness alone: peaks take longer to find than all the rest."""
    found = _metered(blocks, "peak=none")
    return max(SILENCE, float(found["lavfi.r128.I"])) if found else SILENCE


def _metered(blocks: Iterable[Samples], peaks: str) -> dict[str, str]:
    """What the meter says when all was heard; nothing if that was too little."""
    found: dict[str, str] = {}
    for frame in sound.through(_whole_steps(blocks), ("ebur128", f"{peaks}:metadata=1:framelog=quiet")):
        found = frame.metadata
    return found


def levelled(blocks: Iterable[Samples], gain: float, ceiling: float) -> Iterator[Samples]:
    """Sound with `gain` dB added and its true peaks held under `ceiling` dBTP, as long as it was.

    The limiter looks 5 ms ahead and works on four times the sample rate, so that it sees the peaks between
    samples.
    """
    filters = (
        ("volume", f"volume={gain:.4f}dB:precision=float"),
        ("aresample", str(_OVERSAMPLED)),
        ("alimiter", f"limit={10 ** (ceiling / 20):.6f}:attack=5:release=60:level=disabled:latency=1"),
        ("aresample", str(RATE)),
        ("aformat", f"sample_fmts=fltp:sample_rates={RATE}:channel_layouts=stereo"),
    )
    yield from map(sound.block, sound.through(blocks, *filters))


def _whole_steps(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The blocks, filled up to a whole tenth of a second: the meter reports nothing of a part."""
    count = 0
    for block in blocks:
        count += block.shape[1]
        yield block
    if rest := -count % _STEP:
        yield np.zeros((2, rest), dtype=np.float32)
