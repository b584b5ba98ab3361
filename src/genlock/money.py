"""Money: whole millionths of a currency, because sums of floats are not what was paid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

from genlock.errors import BadInput

MICRO: Final = 1_000_000
_SIGNS: Final = {"USD": "$", "EUR": "€", "GBP": "£"}
_MOST: Final = 2**62  # what a database's integer takes, with room for sums


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in `micros`, millionths of `currency` (ISO 4217). Only amounts of one currency add up."""

    micros: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise BadInput(f"{self.currency!r} is no currency: write three letters, as in USD")
        if not -_MOST < self.micros < _MOST:
            raise BadInput(f"{self.micros} millionths of {self.currency} are more than can be counted")

    @classmethod
    def of(cls, amount: Decimal | int | str, currency: str = "USD") -> Money:
        """From an amount in whole units, rounded to millionths, half to even. `BadInput` if it is none."""
        try:
            micros = (Decimal(amount) * MICRO).to_integral_value(ROUND_HALF_EVEN)
            return cls(int(micros), currency)
        except (InvalidOperation, OverflowError, ValueError) as error:
            raise BadInput(f"{amount!r} is no amount of money: write it as 2.50") from error

    @classmethod
    def parse(cls, text: str) -> Money:
        """What people write: `2.50`, `$2.50`, `2.50 EUR`. `BadInput` for anything else, and below zero."""
        signs = {sign: currency for currency, sign in _SIGNS.items()}
        found = re.fullmatch(r"\s*([$€£]?)\s*(\d+(?:\.\d{1,6})?)\s*([A-Za-z]{3})?\s*", text)
        if found is None or (found[1] and found[3]):
            raise BadInput(f"{text!r} is no amount of money: write 2.50, $2.50 or 2.50 EUR")
        return cls.of(found[2], signs.get(found[1]) or (found[3] or "USD").upper())

    def __add__(self, other: Money) -> Money:
        return Money(self.micros + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.micros - self._same(other), self.currency)

    def __mul__(self, times: int | Decimal) -> Money:
        return Money(int((Decimal(self.micros) * times).to_integral_value(ROUND_HALF_EVEN)), self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise BadInput(f"{other} cannot be added to {self}: these are two currencies")
        return other.micros

    def __str__(self) -> str:
        """With as many digits behind the point as it needs, at least two: `$0.50`, `12.3456 CHF`."""
        whole, rest = divmod(abs(self.micros), MICRO)
        digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
        sign, minus = _SIGNS.get(self.currency, ""), "-" if self.micros < 0 else ""
        return f"{minus}{sign}{whole:,}.{digits}" + ("" if sign else f" {self.currency}")
