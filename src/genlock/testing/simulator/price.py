"""What the simulated vendors charge. Round stand-in prices: set your own with `Simulator.price`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """Millionths of a dollar: for a call, a second made, a character spoken, a thousand tokens."""

    call: int = 0
    second: int = 0
    character: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def written(self) -> dict[str, int]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Units:
    """How much of it was used."""

    seconds: float = 0.0
    characters: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


# By vendor, or by vendor and model; the longer name wins.
RATES: dict[str, Rate] = {
    "elevenlabs": Rate(character=100),
    "elevenlabs:music": Rate(second=8_000),
    "fal": Rate(second=100_000),
    "google": Rate(second=400_000),
    "kling": Rate(second=98_000),
    "luma": Rate(second=142_000),
    "openai": Rate(character=15, tokens_in=1_250, tokens_out=10_000),
    "replicate": Rate(second=100_000),
    "replicate:google/veo-3.1": Rate(second=400_000),
    "replicate:meta/musicgen": Rate(call=70_000),
    "replicate:minimax/hailuo-02": Rate(second=45_000),
    "runway": Rate(second=50_000),
    "xai": Rate(tokens_in=1_250, tokens_out=2_500),
}


class Prices:
    """The price list of one simulator."""

    def __init__(self) -> None:
        self._rates = dict(RATES)

    def set(self, name: str, rate: Rate) -> None:
        """From now on `vendor` or `vendor:model` costs this much."""
        self._rates[name] = rate

    def amount(self, vendor: str, model: str, units: Units) -> int:
        """What this much of a model costs, in whole millionths of a dollar, half to even."""
        rate = self._rates.get(f"{vendor}:{model}") or self._rates.get(vendor) or Rate()
        exact = rate.call + rate.second * Decimal(str(units.seconds)) + rate.character * units.characters
        exact += (Decimal(rate.tokens_in) * units.tokens_in + rate.tokens_out * units.tokens_out) / 1000
        return int(Decimal(exact).to_integral_value(ROUND_HALF_EVEN))

    def written(self) -> dict[str, Any]:
        """As JSON, by name."""
        return {name: rate.written() for name, rate in self._rates.items()}
