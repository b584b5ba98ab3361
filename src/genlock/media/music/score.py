"""Arranging: a mood, a seed and a length become sections, chords and notes. No sound is made here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from genlock.media.music.harmony import Chord, Key, closing_chord, progression, voicings
from genlock.media.music.melody import Melody
from genlock.media.music.mood import Mood

STEPS = 16
_SHAPE = (("intro", 0.13, 1), ("verse", 0.24, 2), ("build", 0.10, 2), ("main", 0.21, 3), ("break", 0.10, 1))
_SHORTEST_RING = 2.4


@dataclass(frozen=True, slots=True)
class Note:
    """One sound: start and length in seconds, a MIDI pitch (0 for drums), velocity 0..1, pan -1..1."""

    instrument: str
    start: float
    length: float
    pitch: int
    velocity: float
    pan: float = 0.0
    level: float = 1.0


@dataclass(frozen=True, slots=True)
class Section:
    """A run of bars with one energy: 1 thin, 2 moving, 3 full."""

    name: str
    first: int
    bars: int
    energy: int


@dataclass(slots=True)
class Score:
    """A whole piece. `close` is when the last chord is struck; `kicks` are what the pump follows."""

    key: Key
    tempo: float
    offset: float
    seconds: float
    sections: list[Section]
    chords: list[Chord]
    notes: list[Note] = field(default_factory=list)

    @property
    def beat(self) -> float:
        """Seconds a beat."""
        return 60.0 / self.tempo

    @property
    def bar(self) -> float:
        """Seconds a bar of four beats."""
        return 4 * self.beat

    @property
    def close(self) -> float:
        """Seconds to the last chord."""
        return self.offset + sum(section.bars for section in self.sections) * self.bar

    @property
    def kicks(self) -> list[float]:
        """When the kick drum sounds."""
        return [note.start for note in self.notes if note.instrument == "kick"]


def arrange(mood: Mood, *, seconds: float, tempo: float | None, offset: float, seed: int) -> Score:
    """The piece for a film of this many seconds: the same for the same arguments."""
    random = Random(f"{mood.name} {seed}")
    mode, tonics = random.choice(mood.keys_of)
    key = Key(random.choice(tonics), mode)
    degrees = random.choice(mood.progressions[mode])
    tempo = tempo or mood.tempo
    bars = _whole_bars(seconds - offset, 240.0 / tempo)
    chords = [*progression(key, degrees, bars=bars, size=mood.chord_size), closing_chord(key)]
    score = Score(key, tempo, offset, seconds, form(bars), chords)
    score.notes = sorted(_Arranger(mood, score, random).notes(), key=lambda note: note.start)
    return score


def form(bars: int) -> list[Section]:
    """How the bars are divided: short pieces keep only a beginning and a main part."""
    if bars <= 0:
        return []
    if bars < 4:
        return [Section("main", 0, bars, 2)]
    unit = 2 if bars >= 20 else 1
    sections, done, share = [], 0, 0.0
    for name, part, energy in _SHAPE:
        share += part
        end = min(round(share * bars / unit) * unit, bars - 1)
        if end > done:
            sections.append(Section(name, done, end - done, energy))
            done = end
    return [*sections, Section("finale", done, bars - done, 3)]


def _whole_bars(seconds: float, bar: float) -> int:
    """How many bars come before the last chord, which needs time to ring."""
    ring = min(max(_SHORTEST_RING, 0.9 * bar), 0.5 * seconds)
    return max(0, int((seconds - ring) / bar + 1e-9))


class _Arranger:
    """Fills a score layer by layer. One use: the random stream is read in a fixed order."""

    def __init__(self, mood: Mood, score: Score, random: Random) -> None:
        self._mood, self._score, self._random = mood, score, random
        self._voices = voicings(score.chords)
        self._step = score.beat / 4
        self._lead = random.choice(mood.leads)

    def notes(self) -> Iterator[Note]:
        """Every note of the piece, in no particular order."""
        melody = Melody(self._score.key, self._mood.melody_rhythms, self._random)
        for section in self._score.sections:
            for bar in range(section.first, section.first + section.bars):
                yield from self._pad(bar, section)
                yield from self._voiced(self._mood.keys, "keys", self._mood.keys_pattern, bar, section)
                yield from self._voiced(self._mood.arp, "arp", self._mood.arp_pattern, bar, section)
                yield from self._bass(bar, section)
                yield from self._drums(bar, section)
                if section.name in {"main", "break", "finale"}:
                    yield from self._melody(melody, bar, section)
            yield from self._entrance(section)
        yield from self._closing()

    def _at(self, bar: int, step: float) -> float:
        """Seconds to a step of a bar, with the mood's swing on every second step."""
        late = self._mood.swing * self._step if step % 2 == 1 else 0.0
        return self._score.offset + bar * self._score.bar + step * self._step + late

    def _human(self, velocity: float, step: int) -> float:
        """A velocity as played: accents on the beat, and no two alike."""
        accent = 1.0 if step % 8 == 0 else 0.93 if step % 4 == 0 else 0.86
        return min(1.0, max(0.05, velocity * accent * self._random.gauss(1.0, 0.06)))

    def _loose(self, seconds: float, spread: float = 0.004) -> float:
        return max(0.0, seconds + max(-0.012, min(0.012, self._random.gauss(0.0, spread))))

    def _pad(self, bar: int, section: Section) -> Iterator[Note]:
        velocity = (0.55, 0.72, 0.9)[section.energy - 1]
        for number, pitch in enumerate(self._voices[bar]):
            pan = (-0.5, 0.35, -0.2, 0.5)[number % 4]
            length = self._score.bar + 0.12
            yield Note(self._mood.pad, self._at(bar, 0), length, pitch, velocity, pan, self._level("pad"))

    def _voiced(
        self, instrument: str, layer: str, patterns: tuple[str, str, str], bar: int, section: Section
    ) -> Iterator[Note]:
        """Chords and broken chords, from a pattern of voices."""
        pattern, voices = patterns[section.energy - 1], self._voices[bar]
        lift = 12 if layer == "arp" else 0
        for step, mark, steps in strokes(pattern):
            chosen = voices if mark == "c" else (_voice(voices, int(mark)),)
            for strum, pitch in enumerate(chosen):
                start = self._loose(self._at(bar, step) + 0.006 * strum)
                velocity = self._human(0.6 + 0.1 * section.energy, step) / (1 + 0.12 * (len(chosen) - 1))
                pan = max(-0.6, min(0.6, (pitch + lift - 68) / 24))
                length = max(steps * self._step, 0.12)
                yield Note(instrument, start, length, pitch + lift, velocity, pan, self._level(layer))

    def _bass(self, bar: int, section: Section) -> Iterator[Note]:
        if section.name == "intro":
            return
        chord = self._score.chords[bar]
        root = self._low(chord.root)
        fifth = self._low(chord.classes[2])
        for step, mark, steps in strokes(self._mood.bass_pattern[section.energy - 1]):
            pitch = {"r": root, "f": fifth, "o": root + 12}[mark]
            velocity = self._human(0.85, step)
            length = steps * self._step * 0.94
            start = self._loose(self._at(bar, step), 0.002)
            yield Note(self._mood.bass, start, length, pitch, velocity, 0.0, self._level("bass"))

    def _low(self, pitch_class: int) -> int:
        """A pitch class in the octave where this mood's bass plays."""
        lowest = 28 if self._mood.bass == "deep" else 33
        return lowest + (pitch_class - lowest) % 12

    def _drums(self, bar: int, section: Section) -> Iterator[Note]:
        if section.name == "break":
            return
        last = bar == section.first + section.bars - 1
        for drum, patterns in self._mood.drums.items():
            pattern = patterns[section.energy - 1]
            if last and section.name == "build" and drum == "kick":
                pattern = pattern[:8] + "." * 8  # the floor drops out just before the main part
            pan = {"hat": 0.3, "shaker": -0.35, "rim": 0.15}.get(drum, 0.0)
            for step, mark, _ in strokes(pattern):
                velocity = self._human(int(mark) / 9, step)
                start = self._at(bar, step) if drum == "kick" else self._loose(self._at(bar, step), 0.003)
                yield Note(drum, start, 1.0, 0, velocity, pan, self._level("drums"))

    def _melody(self, melody: Melody, bar: int, section: Section) -> Iterator[Note]:
        level = self._level("lead") * (0.8 if section.name == "break" else 1.0)
        for step, steps, pitch in melody.bar(bar - section.first, self._score.chords[bar]):
            start = self._loose(self._at(bar, step), 0.006)
            velocity = self._human(0.8, step)
            length = steps * self._step
            yield Note(self._lead, start, length, pitch, velocity, 0.12, level)

    def _entrance(self, section: Section) -> Iterator[Note]:
        """A swell into a fuller section, and a low impact where it begins."""
        full = section.name in {"main", "finale"} and section.bars >= 2
        start = self._at(section.first, 0)
        if full and section.first > 0:
            length = min(self._score.bar, start)
            yield Note("swell", start - length, length, 0, 0.6, 0.0, self._level("drums") * 0.5)
        if full and self._mood.impact:
            yield Note("impact", start, 2.0, 0, 0.8, 0.0, self._level("drums"))

    def _closing(self) -> Iterator[Note]:
        """The tonic, struck once by everybody and rolled upwards, then left to ring to the last frame."""
        start, voices = self._score.close, self._voices[-1]
        ring = max(0.05, self._score.seconds - start)
        root = self._low(self._score.key.tonic)
        for number, pitch in enumerate(voices):
            pan = (-0.5, 0.35, -0.2, 0.5)[number % 4]
            yield Note(self._mood.pad, start, ring, pitch, 0.85, pan, 1.25 * self._level("pad"))
            yield Note(self._mood.keys, start + 0.012 * number, ring, pitch, 0.7, pan, self._level("keys"))
        yield Note(self._mood.bass, start, ring, root, 0.8, 0.0, self._level("bass"))
        if self._score.sections:
            yield Note("impact", start, 2.0, 0, 0.45, 0.0, self._level("drums"))
        for number in range(6):
            at = start + (number + 1) * self._step * 2
            if at + 0.4 < self._score.seconds:
                pitch = _voice(voices, number) + 12
                velocity = self._human(0.6 - 0.05 * number, 4)
                yield Note(self._mood.arp, at, 2.0, pitch, velocity, 0.15 * number - 0.4, self._level("keys"))

    def _level(self, layer: str) -> float:
        return self._mood.levels[layer]


def strokes(pattern: str) -> Iterator[tuple[int, str, int]]:
    """Each stroke of a pattern: its step, its mark, and how many steps it holds on."""
    for step, mark in enumerate(pattern):
        if mark in ".-":
            continue
        held = len(pattern[step + 1 :]) - len(pattern[step + 1 :].lstrip("-"))
        yield step, mark, held + 1


def _voice(voices: tuple[int, ...], number: int) -> int:
    """A voice of the chord, going on an octave higher past the top one."""
    turns, index = divmod(number, len(voices))
    return voices[index] + 12 * turns
