"""Moods as data: which keys, chords, instruments and patterns make music calm, bold, cinematic or bright.

A pattern is one bar of sixteen steps; `.` is a rest and `-` holds on. Drums: a digit is a velocity of 1..9.
Bass: `r` root, `f` fifth, `o` octave. Keys and arpeggio: a digit is a voice of the chord counted from below
(past the top it goes on an octave higher), `c` is the whole chord. Melody: `x` begins a note. A layer has a
pattern for each energy 1, 2, 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MoodName = Literal["calm", "bold", "cinematic", "bright"]
_REST = "................"
Energies = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Mood:
    """All that the arranger needs. Levels are linear gains; `pump` is 0..1; `swing` is a share of a step."""

    name: MoodName
    tempo: float
    keys_of: tuple[tuple[str, tuple[int, ...]], ...]
    progressions: dict[str, tuple[tuple[int, ...], ...]]
    chord_size: int
    pad: str
    keys: str
    arp: str
    leads: tuple[str, ...]
    bass: str
    keys_pattern: Energies
    arp_pattern: Energies
    bass_pattern: Energies
    drums: dict[str, Energies]
    melody_rhythms: tuple[str, ...]
    levels: dict[str, float]
    swing: float = 0.0
    pump: float = 0.0
    room: float = 1.8
    wet: float = 0.25
    impact: bool = False


CALM = Mood(
    name="calm",
    tempo=84.0,
    keys_of=(("major", (0, 2, 3, 5, 7, 9, 10)), ("lydian", (0, 3, 5, 7, 10))),
    progressions={
        "major": ((0, 5, 3, 4), (0, 2, 3, 4), (3, 0, 5, 4), (0, 4, 5, 3)),
        "lydian": ((0, 1, 5, 4), (0, 4, 1, 5)),
    },
    chord_size=4,
    pad="warm",
    keys="epiano",
    arp="kalimba",
    leads=("kalimba", "bell"),
    bass="round",
    keys_pattern=("c-------c-------", "0-2-3-2-1-2-3-2-", "c--0.2-3c--2.3-2"),
    arp_pattern=(_REST, _REST, "4...2...5...3..."),
    bass_pattern=("r---------------", "r---------f-r---", "r-----r---f-r-o-"),
    drums={
        "kick": (_REST, "6.........5.....", "7.......3.6....."),
        "rim": (_REST, "....3.......3...", "....4.......4..2"),
        "shaker": ("..2...2...2...2.", "3.2.3.2.3.2.3.2.", "4.2.3.2.4.2.3.23"),
    },
    melody_rhythms=("x-------x---x---", "x-----x---x-----", "....x---x---x-x-"),
    levels={"pad": 0.21, "keys": 0.46, "arp": 0.16, "lead": 0.30, "bass": 0.48, "drums": 0.80},
    swing=0.12,
    pump=0.12,
    room=2.2,
    wet=0.30,
)

BOLD = Mood(
    name="bold",
    tempo=116.0,
    keys_of=(("aeolian", (0, 2, 4, 5, 7, 9, 11)), ("dorian", (0, 2, 4, 7, 9))),
    progressions={
        "aeolian": ((0, 5, 2, 6), (0, 3, 5, 6), (5, 6, 0, 0), (0, 6, 5, 6)),
        "dorian": ((0, 3, 0, 6), (0, 2, 6, 3)),
    },
    chord_size=3,
    pad="bright",
    keys="epiano",
    arp="pluck",
    leads=("pluck", "solo"),
    bass="drive",
    keys_pattern=("c-----c---------", "c--c--c---c--c--", "c--c--c---c--c-c"),
    arp_pattern=("0.2.1.2.0.2.1.2.", "0.21.20.0.21.20.", "0123412301234123"),
    bass_pattern=("r-------r-------", "r.r.r.r.r.r.r.o.", "r.rrr.r.r.rrr.of"),
    drums={
        "kick": ("7.......7.......", "8...7...8...7...", "9...8...9...8..5"),
        "clap": (_REST, "....6.......6...", "....8.......8..3"),
        "hat": ("..3...3...3...3.", "..5...5...5...5.", "3.6.3.6.3.6.3.63"),
    },
    melody_rhythms=("x--x--x---x-x---", "x-x---x-x---x---", "x---x--x--x-x-x-"),
    levels={"pad": 0.22, "keys": 0.28, "arp": 0.30, "lead": 0.34, "bass": 0.46, "drums": 0.85},
    pump=0.40,
    room=1.3,
    wet=0.18,
    impact=True,
)

CINEMATIC = Mood(
    name="cinematic",
    tempo=76.0,
    keys_of=(("aeolian", (0, 2, 3, 5, 7, 8, 10)), ("dorian", (0, 2, 5, 7))),
    progressions={
        "aeolian": ((0, 5, 2, 6), (0, 2, 5, 6), (0, 6, 5, 3), (5, 2, 0, 6)),
        "dorian": ((0, 2, 6, 3), (0, 3, 2, 6)),
    },
    chord_size=3,
    pad="strings",
    keys="piano",
    arp="spiccato",
    leads=("solo", "bell"),
    bass="deep",
    keys_pattern=("c---------------", "0---2---3---2---", "c-----2-3---2---"),
    arp_pattern=(_REST, "0.0.2.0.0.0.2.1.", "002.003.002.103."),
    bass_pattern=("r---------------", "r-------r-------", "r-----r-r---o---"),
    drums={
        "taiko": ("6...............", "7.....4.6.......", "9..4..5.8..4.5.6"),
        "rim": (_REST, _REST, "....3.......3.23"),
        "hat": (_REST, "..1...2...1...2.", "2.2.3.2.2.2.3.2."),
    },
    melody_rhythms=("x-------x-------", "x-----x-x-------", "x-------x---x---"),
    levels={"pad": 0.31, "keys": 0.36, "arp": 0.24, "lead": 0.30, "bass": 0.46, "drums": 0.80},
    room=3.0,
    wet=0.36,
    impact=True,
)

BRIGHT = Mood(
    name="bright",
    tempo=104.0,
    keys_of=(("major", (0, 2, 4, 5, 7, 9, 10)), ("mixolydian", (2, 4, 7, 9))),
    progressions={
        "major": ((0, 4, 5, 3), (0, 3, 5, 4), (3, 4, 0, 5), (0, 5, 3, 4)),
        "mixolydian": ((0, 6, 3, 0), (0, 3, 6, 3)),
    },
    chord_size=3,
    pad="warm",
    keys="piano",
    arp="pluck",
    leads=("bell", "kalimba", "pluck"),
    bass="round",
    keys_pattern=("c-------c-----c-", "c---c-c-..c-c---", "c-c-..c-c-c-..c-"),
    arp_pattern=(_REST, "0.2.3.2.1.2.3.2.", "0.2.3.4.5.4.3.2."),
    bass_pattern=("r-------r-------", "r--.r---f--.r-o-", "r-r.o-r.f-r.o-r."),
    drums={
        "kick": (_REST, "8.....5.8.......", "8...6...8.5.6..."),
        "clap": (_REST, "....5.......5...", "....7.......7..."),
        "shaker": ("3.2.3.2.3.2.3.2.", "4.2.5.2.4.2.5.2.", "4.3.6.3.4.3.6.34"),
    },
    melody_rhythms=("x---x-x---x-x---", "x-x-x---x---x-x-", "..x-x---x-x-x---"),
    levels={"pad": 0.17, "keys": 0.42, "arp": 0.22, "lead": 0.32, "bass": 0.46, "drums": 0.72},
    swing=0.06,
    pump=0.20,
    room=1.6,
    wet=0.22,
)

MOODS: dict[MoodName, Mood] = {mood.name: mood for mood in (CALM, BOLD, CINEMATIC, BRIGHT)}
