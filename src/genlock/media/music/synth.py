"""Sounds from nothing: struck partials, bowed bands and drums as arrays, each made once and reused.

All sounds are band-limited by construction (no partial above `_TOP` Hz), float32, 48 kHz.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genlock.media.music.score import Note
from genlock.media.music.timbre import BOWED, DRUMS, STRUCK, Bowed, Struck

Samples = NDArray[np.float32]

RATE = 48_000
_TOP = 17_000.0
_BLOCK = 1024
_STRUCK_SECONDS = 4.5
_TABLE = 1 << 18
_LAYERS = 3
_VARIANTS = 3
_WIDTH = 0.55  # sides against middle: wide, and still whole when heard in mono


class Synth:
    """Renders notes to stereo arrays of shape (2, n). One per piece: its caches hold the piece's sounds."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._struck: dict[tuple[str, int, int], Samples] = {}
        self._bowed: dict[tuple[str, int, int], Samples] = {}
        self._drums: dict[tuple[str, int], Samples] = {}
        self._hits = 0

    def render(self, note: Note) -> Samples:
        """The note as it sounds in front of the listener, without the room."""
        gain = np.float32(note.velocity * note.level)
        if note.instrument in STRUCK:
            return _panned(self._strike(note), note.pan, gain)
        if note.instrument in BOWED:
            return _balanced(self._bow(note), note.pan, gain)
        return _panned(self._drum(note), note.pan, gain)

    def _strike(self, note: Note) -> Samples:
        timbre, layer = STRUCK[note.instrument], _layer(note.velocity)
        key = (note.instrument, note.pitch, layer)
        if key not in self._struck:
            self._struck[key] = struck(timbre, frequency(note.pitch), (layer + 1) / _LAYERS)
        full = self._struck[key]
        held, fade = int(note.length * RATE), int(timbre.release * RATE)
        sound = full[: held + fade].copy()
        if len(sound) == held + fade:
            sound[held:] *= _fall(fade)
        return sound

    def _bow(self, note: Note) -> Samples:
        timbre, layer = BOWED[note.instrument], _layer(note.velocity)
        key = (note.instrument, note.pitch, layer)
        if key not in self._bowed:
            number = sorted(BOWED).index(note.instrument)
            random = np.random.default_rng((self._seed & 0xFFFFFFFF, number, note.pitch, layer))
            self._bowed[key] = bowed(timbre, frequency(note.pitch), (layer + 1) / _LAYERS, random)
        table = self._bowed[key]
        held, fade = int(note.length * RATE), int(timbre.release * RATE)
        sound = _looped(table, int(note.start * 7919) * 31 % _TABLE, held + fade)
        rise = min(int(timbre.attack * RATE), max(held, 1))
        sound[:, :rise] *= _fall(rise)[::-1]
        sound[:, held:] *= _fall(fade)
        return sound

    def _drum(self, note: Note) -> Samples:
        if note.instrument == "swell":
            return swell(note.length, np.random.default_rng(7))
        self._hits += 1
        key = (note.instrument, self._hits % _VARIANTS)
        if key not in self._drums:
            number = DRUMS.index(note.instrument)
            self._drums[key] = DRUM[note.instrument](np.random.default_rng((number, key[1])))
        return self._drums[key]


def frequency(pitch: float) -> float:
    """Hz of a MIDI pitch."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def struck(timbre: Struck, hertz: float, force: float) -> Samples:
    """A struck note: a sum of dying sines, computed in blocks as one matrix product."""
    ratios, levels = np.array(timbre.ratios), np.array(timbre.levels)
    numbers = np.arange(len(ratios))
    hertzes = hertz * ratios * np.sqrt(1 + timbre.stretch * ratios**2)
    levels = levels * np.exp(-timbre.tilt * numbers * (1 - force))
    decays = timbre.decay * (261.6 / hertz) ** 0.35 / (1 + timbre.damping * (ratios - 1))
    if timbre.beating:
        hertzes = np.concatenate([hertzes, hertzes + timbre.beating])
        levels, decays = np.tile(levels / 2, 2), np.concatenate([decays, decays * 0.45])
    audible = hertzes < _TOP
    speeds = (2j * np.pi * hertzes - 1 / decays)[audible] / RATE
    blocks = int(np.ceil(_STRUCK_SECONDS * RATE / _BLOCK))
    coarse = np.exp(np.outer(np.arange(blocks) * _BLOCK, speeds)) * levels[audible]
    fine = np.exp(np.outer(speeds, np.arange(_BLOCK)))
    # Of the complex product only the imaginary half is heard: in real numbers it is a quarter of the work.
    waves = np.vstack([fine.imag, fine.real]).astype(np.float32)
    sound = (np.hstack([coarse.real, coarse.imag]).astype(np.float32) @ waves).ravel()
    rise = int(timbre.attack * RATE)
    sound[:rise] *= _fall(rise)[::-1]
    sound[-_BLOCK:] *= _fall(_BLOCK)
    return np.asarray(sound / np.abs(sound).max(), dtype=np.float32)


def bowed(timbre: Bowed, hertz: float, force: float, random: np.random.Generator) -> Samples:
    """A seamless stereo loop: each harmonic a narrow band with random phases, by one inverse transform."""
    spectrum = np.zeros(_TABLE // 2 + 1)
    step = RATE / _TABLE
    for number in range(1, int(min(2 * timbre.top, _TOP) / hertz) + 1):
        centre = number * hertz
        width = max((2 ** (timbre.cents / 1200) - 1) * centre, 2 * step)
        level = (
            number**-timbre.slope * np.exp(-0.10 * number * (1 - force)) / (1 + (centre / timbre.top) ** 6)
        )
        peak, boost = timbre.body
        level *= 1 + (boost - 1) * np.exp(-((np.log2(centre / peak) / 0.8) ** 2)) if peak else 1.0
        low, high = int((centre - 4 * width) / step), int((centre + 4 * width) / step) + 2
        bins = np.arange(max(low, 8), min(high, len(spectrum)))
        spectrum[bins] += level * np.exp(-(((bins * step - centre) / width) ** 2)) / np.sqrt(width)
    phases = random.uniform(0, 2 * np.pi, (2, len(spectrum))).astype(np.float32)
    heard = np.flatnonzero(spectrum)
    turned = np.zeros(phases.shape, np.complex64)
    level, phase = spectrum[heard].astype(np.float32), phases[:, heard]
    turned.real[:, heard] = level * np.cos(
        phase
    )  # with `np.exp` of complex numbers it takes thirty times as long
    turned.imag[:, heard] = level * np.sin(phase)
    middle, side = np.fft.irfft(turned, axis=1)
    loop = np.stack([middle + _WIDTH * side, middle - _WIDTH * side])
    return np.asarray(loop * (0.25 / np.sqrt(np.mean(loop**2))), dtype=np.float32)


def _kick(random: np.random.Generator) -> Samples:
    body = _sweep(0.42, low=47, high=150, fall=0.035) * _decay(0.42, 0.13)
    return _finished(body + 0.03 * _noise(random, 0.42, 900, 4000) * _decay(0.42, 0.006))


def _taiko(random: np.random.Generator) -> Samples:
    body = _sweep(1.4, low=62, high=95, fall=0.08) * _decay(1.4, 0.34)
    return _finished(body + 0.22 * _noise(random, 1.4, 120, 1400) * _decay(1.4, 0.05))


def _impact(random: np.random.Generator) -> Samples:
    body = _sweep(2.6, low=38, high=70, fall=0.15) * _decay(2.6, 0.7)
    return _finished(body + 0.2 * _noise(random, 2.6, 60, 700) * _decay(2.6, 0.35))


def _rim(random: np.random.Generator) -> Samples:
    tone = (_sine(0.12, 1720) + 0.6 * _sine(0.12, 820)) * _decay(0.12, 0.016)
    return _finished(0.5 * tone + 0.3 * _noise(random, 0.12, 1500, 9000) * _decay(0.12, 0.01))


def _clap(random: np.random.Generator) -> Samples:
    noise = _noise(random, 0.4, 900, 7000)
    envelope = sum(_decay(0.4, 0.012, late=late) for late in (0.0, 0.011, 0.021)) + 0.8 * _decay(
        0.4, 0.07, late=0.03
    )
    return _finished(noise * envelope)


def _hat(random: np.random.Generator) -> Samples:
    return 0.75 * _finished(_noise(random, 0.16, 6500, 15000) * _decay(0.16, 0.028))


def _shaker(random: np.random.Generator) -> Samples:
    rise = np.minimum(1, np.arange(round(0.16 * RATE)) / (0.022 * RATE))
    return 0.70 * _finished(_noise(random, 0.16, 4500, 12000) * rise**2 * _decay(0.16, 0.032, late=0.022))


DRUM: dict[str, Callable[[np.random.Generator], Samples]] = {
    "kick": _kick,
    "taiko": _taiko,
    "impact": _impact,
    "rim": _rim,
    "clap": _clap,
    "hat": _hat,
    "shaker": _shaker,
}


def swell(seconds: float, random: np.random.Generator) -> Samples:
    """Noise that grows and brightens, then stops: it leads the ear into the next section."""
    count = max(round(seconds * RATE), 64)
    where = np.linspace(0, 1, count)
    dark, light = (_noise(random, count / RATE, *band)[:count] for band in ((300, 2500), (2500, 11000)))
    sound = (dark * where**2 + 0.8 * light * where**4).astype(np.float32)
    fade = min(1200, count // 4)
    sound[-fade:] *= _fall(fade)
    return 0.7 * _finished(sound)


def _noise(random: np.random.Generator, seconds: float, low: float, high: float) -> Samples:
    """Noise between two frequencies, with soft shoulders, at a standard deviation of 1."""
    count = round(seconds * RATE)
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    shape = 1 / (1 + (low / np.maximum(hertz, 1)) ** 6) / (1 + (hertz / high) ** 8)
    shape[hertz > _TOP] = 0
    white = random.standard_normal(count).astype(np.float32)
    noise = np.fft.irfft(np.fft.rfft(white) * shape.astype(np.float32), count)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _sweep(seconds: float, *, low: float, high: float, fall: float) -> Samples:
    """A sine whose pitch drops from `high` to `low` Hz within about `fall` seconds."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = low * time + (high - low) * fall * (1 - np.exp(-time / fall))
    return np.sin(2 * np.pi * phase).astype(np.float32)


def _sine(seconds: float, hertz: float) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def _decay(seconds: float, fall: float, *, late: float = 0.0) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE - late
    return (np.exp(-np.maximum(time, 0) / fall) * (time >= 0)).astype(np.float32)


def _finished(sound: Samples) -> Samples:
    """No click at either end, no constant part, peak 1."""
    sound = sound - np.float32(sound.mean())
    rise, fade = min(48, len(sound) // 8), min(960, len(sound) // 4)
    sound[:rise] *= _fall(rise)[::-1]
    sound[-fade:] *= _fall(fade)
    return np.asarray(sound / np.abs(sound).max(), dtype=np.float32)


@lru_cache(maxsize=32)
def _fall(count: int) -> Samples:
    """A raised cosine from 1 to 0, to be multiplied with."""
    fall = (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, count))).astype(np.float32)
    fall.flags.writeable = False
    return fall


def _looped(table: Samples, first: int, count: int) -> Samples:
    """So many samples of a loop, from one of them on; a copy."""
    sound = np.empty((len(table), count), dtype=np.float32)
    done = 0
    while done < count:
        piece = table[:, first : first + count - done]
        sound[:, done : done + piece.shape[1]] = piece
        done, first = done + piece.shape[1], 0
    return sound


def _layer(velocity: float) -> int:
    return min(_LAYERS - 1, int(velocity * _LAYERS))


def _panned(mono: Samples, pan: float, gain: np.float32) -> Samples:
    """A mono sound placed at -1 (left) … 1 (right) with equal power."""
    angle = (pan + 1) * np.pi / 4
    return np.stack([mono * (gain * np.float32(np.cos(angle))), mono * (gain * np.float32(np.sin(angle)))])


def _balanced(stereo: Samples, pan: float, gain: np.float32) -> Samples:
    """A stereo sound leaned to one side, in place."""
    left, right = min(1.0, 1 - pan), min(1.0, 1 + pan)
    stereo *= gain * np.array([[left], [right]], dtype=np.float32)
    return stereo
