"""A tune over chords: a two-bar motif that returns, varied, so that the ear has something to hold on to."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from genlock.media.music.harmony import Chord, Key

_LOWEST, _HIGHEST = 67, 86
_FORM = (0, 1, 0, 2)  # which motif a bar of four plays: statement, answer, statement, turn


class Melody:
    """Three one-bar motifs (rhythm and contour), fitted to whatever chord they meet."""

    def __init__(self, key: Key, rhythms: tuple[str, ...], random: Random) -> None:
        self._key = key
        order = random.sample(rhythms, k=min(3, len(rhythms)))
        self._rhythms = [order[index % len(order)] for index in range(3)]
        self._contours = [_contour(random, rhythm) for rhythm in self._rhythms]
        self._scale = [p for p in range(_LOWEST - 12, _HIGHEST + 13) if p % 12 in key.classes]
        self._last = _LOWEST + 7

    def bar(self, number: int, chord: Chord) -> Iterator[tuple[int, int, int]]:
        """Step, length in steps and pitch of each note of this bar; strong beats fall on chord tones."""
        motif = _FORM[number % 4]
        rhythm = self._rhythms[motif]
        starts = [step for step, mark in enumerate(rhythm) if mark == "x"]
        for index, step in enumerate(starts):
            end = starts[index + 1] if index + 1 < len(starts) else len(rhythm)
            strong = step % 8 == 0 or index in {0, len(starts) - 1}
            self._last = self._fit(self._contours[motif][index], chord if strong else None)
            yield step, end - step, self._last

    def _fit(self, move: int, chord: Chord | None) -> int:
        """The pitch `move` scale steps from the last one, drawn to the chord and kept in range."""
        nearest = min(range(len(self._scale)), key=lambda i: abs(self._scale[i] - self._last))
        target = self._scale[max(0, min(len(self._scale) - 1, nearest + move))]
        while target > _HIGHEST:
            target -= 12
        while target < _LOWEST:
            target += 12
        if chord is None:
            return target
        tones = [p for p in range(_LOWEST, _HIGHEST + 1) if p % 12 in chord.classes[:3]]
        return min(tones, key=lambda pitch: (abs(pitch - target), pitch))


def _contour(random: Random, rhythm: str) -> list[int]:
    """Moves in scale steps, mostly by step, a leap now and then answered the other way."""
    moves: list[int] = []
    for _ in range(rhythm.count("x")):
        leapt = bool(moves) and abs(moves[-1]) >= 3
        if leapt:
            moves.append(-1 if moves[-1] > 0 else 1)
        else:
            moves.append(random.choice((-3, -2, -1, -1, 1, 1, 2, 2, 4)))
    return moves
