"""Keys, chords, progressions and voicings: arithmetic on pitch numbers, which music is built on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
}
_NAMES = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_LOWEST_VOICE, _HIGHEST_VOICE = 52, 76
_MIDDLE = 62


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic (pitch class 0..11, C is 0) and a mode from `SCALES`."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """As people write it: `E♭ major`."""
        return f"{_NAMES[self.tonic]} {self.mode}"

    @property
    def classes(self) -> tuple[int, ...]:
        """The seven pitch classes of the key, from the tonic up."""
        return tuple((self.tonic + step) % 12 for step in SCALES[self.mode])

    def pitch(self, degree: int, octave: int) -> int:
        """The MIDI number of a scale degree (0 is the tonic; may be negative or above 6)."""
        turns, index = divmod(degree, 7)
        return 12 * (octave + 1 + turns) + self.tonic + SCALES[self.mode][index]


@dataclass(frozen=True, slots=True)
class Chord:
    """A root pitch class and the pitch classes that sound, root first."""

    root: int
    classes: tuple[int, ...]
    name: str


def chord_on(key: Key, degree: int, *, size: int = 3) -> Chord:
    """The chord of stacked thirds on a scale degree: 3 is a triad, 4 adds the seventh, 5 the ninth."""
    classes = tuple(key.pitch(degree + 2 * step, 4) % 12 for step in range(size))
    third, fifth = (classes[1] - classes[0]) % 12, (classes[2] - classes[0]) % 12
    quality = "dim" if fifth == 6 else "m" if third == 3 else ""
    if size > 3:
        seventh = (classes[3] - classes[0]) % 12
        quality += ("maj" if seventh == 11 else "") + ("7", "9")[size - 4]
    return Chord(classes[0], classes, _NAMES[classes[0]] + quality)


def closing_chord(key: Key) -> Chord:
    """The tonic triad, its root doubled: at rest."""
    triad = chord_on(key, 0)
    return Chord(triad.root, (*triad.classes, triad.root), triad.name)


def progression(key: Key, degrees: Sequence[int], *, bars: int, size: int) -> list[Chord]:
    """A chord a bar for `bars` bars, going round `degrees`, with an approach to the tonic in the last two.

    Major keys come home by the fourth and fifth degree, minor ones by the flat sixth and seventh.
    """
    round_ = [degrees[bar % len(degrees)] for bar in range(bars)]
    approach = (3, 4) if key.mode in {"major", "lydian"} else (5, 6)
    if key.mode == "dorian":
        approach = (3, 6)
    for back, degree in zip((2, 1), approach, strict=True):
        if bars > back:
            round_[bars - back] = degree
    return [chord_on(key, degree, size=size) for degree in round_]


def voicings(chords: Sequence[Chord], *, voices: int = 4) -> list[tuple[int, ...]]:
    """Each chord as MIDI pitches in close position, every voice moving as little as it can."""
    led: list[tuple[int, ...]] = []
    for chord in chords:
        shapes = _shapes(chord, voices)
        before = led[-1] if led else None
        led.append(min(shapes, key=lambda shape: (_movement(before, shape), shape)))
    return led


def _shapes(chord: Chord, voices: int) -> list[tuple[int, ...]]:
    """Every close voicing of the chord within the range of the middle voices."""
    chosen = chord.classes[-voices:]  # of more, the root goes first: the bass has it
    doubled = [(*chosen, tone) for tone in chosen] if len(chosen) < voices else [chosen]
    shapes = {tuple(sorted(pitches)) for classes in doubled for pitches in product(*map(_places, classes))}
    close = [shape for shape in shapes if len(set(shape)) == len(shape) and shape[-1] - shape[0] <= 16]
    return close or sorted(shapes)


def _places(pitch_class: int) -> range:
    """Where a pitch class lies within the range of the middle voices."""
    return range(_LOWEST_VOICE + (pitch_class - _LOWEST_VOICE) % 12, _HIGHEST_VOICE + 1, 12)


def _movement(before: tuple[int, ...] | None, shape: tuple[int, ...]) -> float:
    """How far the hands travel, with a pull to the middle and away from mud and clashes."""
    clash = sum(3.0 for low, high in pairwise(shape) if high - low == 1) + (
        2.0 if shape[1] - shape[0] < 3 else 0.0
    )
    drift = 0.3 * abs(sum(shape) / len(shape) - _MIDDLE)
    if before is None:
        return clash + 4 * drift
    moved = sum(abs(a - b) for a, b in zip(before, shape, strict=False))
    return moved + clash + drift
