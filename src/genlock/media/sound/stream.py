"""Sound as blocks of samples: reading any local file, writing AAC, and libav's filters in between.

A block is float32 of shape (2, n) at 48 kHz. Reading honours the encoder delay a file declares, so that what
comes out is what a player plays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.filter import Graph

from genlock.errors import RenderRefused
from genlock.media.foreign import open_foreign
from genlock.media.music.synth import RATE, Samples

_CHUNK = RATE // 10
_TICK = Fraction(1, RATE)
# The quick coder without its lossy tricks is nearer to the source than the default one at these rates
# (35 against 31 dB of signal to error at 256 kbit/s, on music) and takes half the time.
_AAC = {"aac_coder": "fast", "aac_pns": "0", "aac_is": "0"}


def read(path: Path) -> Iterator[Samples]:
    """The first audio track of a local file, block by block; `RenderRefused` if there is none to decode."""
    try:
        with open_foreign(path, skip_frame="all") as container:  # of a film's picture nothing is decoded
            if not container.streams.audio:
                raise RenderRefused(f"{path.name} has no audio track")
            resampler = AudioResampler(format="fltp", layout="stereo", rate=RATE, frame_size=_CHUNK)
            for frame in container.decode(container.streams.audio[0]):
                yield from map(block, resampler.resample(frame))
            yield from map(block, resampler.resample(None))
    except av.FFmpegError as error:
        raise RenderRefused(f"{path.name} cannot be decoded as sound: {error}") from error


def block(frame: AudioFrame) -> Samples:
    """The samples of a frame of planar floats."""
    return np.asarray(frame.to_ndarray(), dtype=np.float32)


def through(blocks: Iterable[Samples], *filters: tuple[str, str]) -> Iterator[AudioFrame]:
    """Blocks sent through a chain of libav filters (name, arguments); what comes out, as frames."""
    graph = Graph()
    nodes = [
        graph.add_abuffer(sample_rate=RATE, format="fltp", layout="stereo", time_base=_TICK),
        *(graph.add(name, arguments) for name, arguments in filters),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    for frame in framed(blocks):
        graph.push(frame)
        yield from _drained(graph)
    graph.push(None)
    yield from _drained(graph)


def framed(blocks: Iterable[Samples]) -> Iterator[AudioFrame]:
    """Blocks as stamped frames of a tenth of a second at most."""
    at = 0
    for whole in blocks:
        for first in range(0, whole.shape[1], _CHUNK):
            part = np.ascontiguousarray(whole[:, first : first + _CHUNK], dtype=np.float32)
            frame = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = RATE, _TICK, at
            at += part.shape[1]
            yield frame


def exactly(blocks: Iterable[Samples], samples: int) -> Iterator[Samples]:
    """The blocks cut, or filled up with silence, to this many samples."""
    left = samples
    for whole in blocks:
        if left <= 0:
            return
        yield whole[:, :left]
        left -= min(left, whole.shape[1])
    if left > 0:
        yield np.zeros((2, left), dtype=np.float32)


def told(blocks: Iterable[Samples], samples: int, say: Callable[[float], None]) -> Iterator[Samples]:
    """The blocks, unchanged; `say` hears how much of `samples` has passed, 0..1."""
    done = 0
    for whole in blocks:
        yield whole
        done += whole.shape[1]
        say(min(1.0, done / max(samples, 1)))


def write_aac(path: Path, blocks: Iterable[Samples], bitrate: int) -> int:
    """Write an .m4a of AAC-LC whose edit list hides the encoder's delay; the bytes of sound in it."""
    size = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo", options=dict(_AAC))
        stream.bit_rate = bitrate
        for frame in chain(framed(blocks), [None]):
            for packet in stream.encode(frame):
                size += packet.size
                container.mux(packet)
    return size


def _drained(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, AudioFrame)
        yield frame
