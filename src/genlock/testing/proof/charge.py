"""What the vendors charged, read from the book that the simulator keeps on the disk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from genlock.testing.simulator.book import FILE, Charge

MONEY = ('{"kind":"charge"', '{"kind":"returned"')  # how lines begin that are about money


def charges_in(folder: Path) -> Sequence[Charge]:
    """All charges in the book of this folder, in their order; those that were returned are marked."""
    path = folder / FILE
    charges: dict[int, Charge] = {}
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n") if path.exists() else ("", "", "")
    for line in whole.split("\n"):
        if not line.startswith(MONEY):
            continue  # a request with its pictures is a long line
        content = json.loads(line)
        kind = content.pop("kind")
        if kind == "charge":
            charges[content["number"]] = Charge(**content)
        elif kind == "returned":
            charges[content["number"]].returned = True
    return list(charges.values())


def owed(charges: Iterable[Charge]) -> int:
    """What they come to, in millionths."""
    return sum(charge.amount for charge in charges if not charge.returned)


def counted(charges: Iterable[Charge]) -> Mapping[str, int]:
    """How often each input was charged for."""
    return Counter(charge.input for charge in charges if not charge.returned)
