"""Mixing a score block by block: memory stays flat however long the film is."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from genlock.media.music.mood import Mood
from genlock.media.music.score import Note, Score
from genlock.media.music.synth import RATE, Samples, Synth
from genlock.media.music.timbre import SEND, SENDS

_BLOCK = 1 << 19  # samples that are mixed at a time, roughly: all blocks of a piece are equally long
_TAIL = 16 * RATE
_ROOM = 1 << 17
_BACK = cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_ROWS | cv2.DFT_REAL_OUTPUT
_PUMPED = frozenset({"warm", "bright", "strings", "round", "drive", "deep"})
_FADE = 1.4
_MASTER = 0.42


def blocks(score: Score, mood: Mood, samples: int, seed: int) -> Iterator[Samples]:
    """The piece as stereo blocks of shape (2, n), `samples` in all, faded out at the very end."""
    size = _block(samples)
    mixer = _Mixer(score, mood, seed, size)
    for first in range(0, samples, size):
        count = min(size, samples - first)
        block = mixer.block(first)[:, :count]
        yield _faded(block, first, samples)


def _block(samples: int) -> int:
    """How long each block is, so that little is mixed behind the end."""
    count = max(1, round(samples / _BLOCK))
    return -(-samples // count)


class _Bus:
    """A stereo sum that reaches past its block; what lies beyond is kept for the next one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sum = np.zeros((2, size + _TAIL), dtype=np.float32)

    def add(self, sound: Samples, at: int) -> None:
        """Mix a sound in, `at` samples from the start of the block."""
        room = self._sum.shape[1] - at
        self._sum[:, at : at + sound.shape[1]] += sound[:, :room]

    def take(self) -> Samples:
        """The finished block; the bus moves on."""
        block = self._sum[:, : self._size].copy()
        self._sum[:, :_TAIL] = self._sum[:, self._size :]
        self._sum[:, _TAIL:] = 0
        return block


class _Mixer:
    """Dry sound, sound that ducks under the kick, and the room."""

    def __init__(self, score: Score, mood: Mood, seed: int, size: int) -> None:
        self._synth, self._size = Synth(seed), size
        self._mood = mood
        self._notes = iter(score.notes)
        self._next: Note | None = next(self._notes, None)
        self._kicks = np.array([round(start * RATE) for start in score.kicks], dtype=np.int64)
        self._dip = _dip(mood.pump, score.beat)
        self._dry, self._pumped, self._send = _Bus(size), _Bus(size), _Bus(size)
        self._room = _Room(mood.room, mood.wet)

    def block(self, first: int) -> Samples:
        """The block that begins `first` samples into the piece; call in order."""
        while self._next is not None and round(self._next.start * RATE) < first + self._size:
            self._place(self._next, first)
            self._next = next(self._notes, None)
        pumped = self._pumped.take() * self._pump(first)
        return _MASTER * (self._dry.take() + pumped + self._room.hear(self._send.take()))

    def _place(self, note: Note, first: int) -> None:
        sound, at = self._synth.render(note), round(note.start * RATE) - first
        bus = self._pumped if note.instrument in _PUMPED else self._dry
        bus.add(sound, at)
        if send := SENDS.get(note.instrument, SEND):
            self._send.add(sound * np.float32(send), at)

    def _pump(self, first: int) -> Samples:
        """The gain of what ducks: it falls with each kick and comes back within a beat."""
        gain = np.ones(self._size, dtype=np.float32)
        reach = len(self._dip)
        for kick in self._kicks[(self._kicks > first - reach) & (self._kicks < first + self._size)] - first:
            low, high = max(kick, 0), min(kick + reach, self._size)
            gain[low:high] = np.minimum(gain[low:high], self._dip[low - kick : high - kick])
        return gain


class _Room:
    """A stereo hall: convolution with decaying noise, the high frequencies dying first."""

    def __init__(self, seconds: float, wet: float) -> None:
        random = np.random.default_rng(1973)
        time = np.arange(_ROOM) / RATE
        response = sum(
            _band(random, low, high) * np.exp(-6.91 * time / (seconds * share))
            for low, high, share in ((180.0, 900.0, 1.0), (900.0, 4000.0, 0.8), (4000.0, 11000.0, 0.45))
        )
        response = response * np.minimum(
            1, time / 0.02
        )  # the first reflections come a moment after the sound
        response[:, -4800:] *= np.linspace(1, 0, 4800)
        response *= wet * 3 / np.sqrt((response**2).sum(axis=1, keepdims=True))
        self._response = _spectrum(response.astype(np.float32))
        self._rest = np.zeros((2, _ROOM), dtype=np.float32)

    def hear(self, sent: Samples) -> Samples:
        """What the room answers to a block, with what still rings from the last one."""
        heard = np.empty_like(sent)
        for first in range(0, sent.shape[1], _ROOM):
            part = sent[:, first : first + _ROOM]
            count = part.shape[1]
            answer = self._answer(part)
            answer[:, :_ROOM] += self._rest
            heard[:, first : first + count] = answer[:, :count]
            self._rest = answer[:, count : count + _ROOM]
        return heard

    def _answer(self, part: Samples) -> Samples:
        """What comes of a part no longer than the room's ring: twice as much as that."""
        mixed = cv2.mulSpectrums(_spectrum(part), self._response, cv2.DFT_ROWS)
        return np.asarray(cv2.dft(mixed, flags=_BACK), np.float32)


def _spectrum(part: Samples) -> Samples:
    """By OpenCV, whose transform takes a tenth of the time of numpy's."""
    whole = np.zeros((2, 2 * _ROOM), dtype=np.float32)
    whole[:, : part.shape[1]] = part
    return np.asarray(cv2.dft(whole, flags=cv2.DFT_ROWS), np.float32)


def _band(random: np.random.Generator, low: float, high: float) -> Samples:
    """Stereo noise between two frequencies, its density falling gently upwards."""
    hertz = np.maximum(np.fft.rfftfreq(_ROOM, 1 / RATE), 1)
    shape = 1 / (1 + (low / hertz) ** 6) / (1 + (hertz / high) ** 6) / np.sqrt(hertz / 1000)
    white = random.standard_normal((2, _ROOM)).astype(np.float32)
    noise = np.fft.irfft(np.fft.rfft(white) * shape.astype(np.float32), _ROOM)
    return np.asarray(noise, dtype=np.float32)


def _dip(depth: float, beat: float) -> Samples:
    """The shape of one duck: 4 ms down, the rest of most of a beat up."""
    down, up = int(0.004 * RATE), int(0.7 * beat * RATE)
    fall = 1 - depth * np.linspace(0, 1, down)
    rise = 1 - depth * (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, up)))
    return np.concatenate([fall, rise]).astype(np.float32)


def _faded(block: Samples, first: int, samples: int) -> Samples:
    """The block with its share of the closing fade; the last sample of the piece is silent."""
    fade = min(int(_FADE * RATE), samples // 2)
    into = np.arange(first, first + block.shape[1]) - (samples - 1 - fade)
    if into[-1] <= 0:
        return block
    gain = np.cos(np.clip(into / max(fade, 1), 0, 1) * np.pi / 2)
    return (block * gain).astype(np.float32)
