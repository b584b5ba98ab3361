"""The instruments as data: which partials sound, how fast they die, how wide they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Struck:
    """Something struck or plucked: partials that die away, the high ones first.

    `decay` is the seconds in which the fundamental of middle C falls to 1/e; `damping` how much faster each
    higher partial does; `tilt` how much of the upper partials soft playing loses; `stretch` is inharmonicity.
    """

    ratios: tuple[float, ...]
    levels: tuple[float, ...]
    decay: float
    damping: float
    tilt: float = 0.4
    attack: float = 0.003
    stretch: float = 0.0
    release: float = 0.12
    beating: float = 0.0


@dataclass(frozen=True, slots=True)
class Bowed:
    """Something that sounds as long as it is held: harmonics spread into narrow bands of noise.

    `slope` is the exponent by which harmonics weaken, `cents` the width of each band, `top` the highest
    frequency in Hz, `attack` and `release` are seconds.
    """

    slope: float
    cents: float
    top: float
    attack: float
    release: float
    body: tuple[float, float] = (0.0, 1.0)


def _sawtooth(partials: int, slope: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    numbers = range(1, partials + 1)
    return tuple(float(k) for k in numbers), tuple(k**-slope for k in numbers)


STRUCK = {
    "epiano": Struck(
        (1, 2, 3, 4, 5, 7.03, 11.1),
        (1.0, 0.34, 0.16, 0.07, 0.05, 0.14, 0.06),
        decay=1.5,
        damping=0.24,
        tilt=0.5,
        attack=0.004,
        release=0.22,
    ),
    "piano": Struck(
        *_sawtooth(18, 1.35),
        decay=1.3,
        damping=0.16,
        tilt=0.22,
        attack=0.003,
        stretch=3e-4,
        release=0.25,
        beating=0.6,
    ),
    "kalimba": Struck(
        (1, 2, 4.02, 6.3), (1.0, 0.10, 0.16, 0.07), decay=0.7, damping=0.55, tilt=0.4, release=0.4
    ),
    "bell": Struck(
        (1, 2, 3.01, 4.17, 5.43, 6.79),
        (1.0, 0.4, 0.22, 0.15, 0.1, 0.06),
        decay=0.9,
        damping=0.35,
        release=0.4,
    ),
    "pluck": Struck(*_sawtooth(28, 1.05), decay=0.34, damping=0.20, tilt=0.10, attack=0.002, release=0.10),
    "round": Struck(*_sawtooth(8, 1.7), decay=1.1, damping=0.35, tilt=0.3, attack=0.006, release=0.07),
    "drive": Struck(*_sawtooth(26, 1.15), decay=0.7, damping=0.10, tilt=0.10, attack=0.004, release=0.05),
    "deep": Struck(*_sawtooth(12, 1.35), decay=1.8, damping=0.22, tilt=0.2, attack=0.012, release=0.15),
}

BOWED = {
    "warm": Bowed(slope=1.7, cents=28, top=5000, attack=0.30, release=0.60),
    "bright": Bowed(slope=1.15, cents=38, top=9000, attack=0.12, release=0.45),
    "strings": Bowed(slope=1.1, cents=24, top=9000, attack=0.32, release=0.70, body=(900.0, 1.7)),
    "spiccato": Bowed(slope=1.0, cents=16, top=9000, attack=0.012, release=0.14, body=(1100.0, 1.7)),
    "solo": Bowed(slope=1.25, cents=11, top=8000, attack=0.10, release=0.35, body=(1000.0, 1.9)),
}

DRUMS = ("kick", "rim", "clap", "hat", "shaker", "taiko", "impact", "swell")

# How much of each instrument goes to the room; what is not named here sends a third.
SENDS = {
    "round": 0.0,
    "drive": 0.0,
    "deep": 0.08,
    "kick": 0.02,
    "shaker": 0.15,
    "hat": 0.12,
    "rim": 0.5,
    "clap": 0.45,
    "taiko": 0.55,
    "impact": 0.5,
    "swell": 0.6,
    "kalimba": 0.7,
    "bell": 0.7,
    "solo": 0.6,
    "strings": 0.45,
    "warm": 0.45,
    "piano": 0.4,
}
SEND = 0.33
