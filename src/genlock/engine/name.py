"""Names for new jobs."""

from __future__ import annotations

import random
from datetime import datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread


def job_id(now: datetime, rng: random.Random) -> str:
    """Thirteen characters that sort by time of creation: milliseconds since 1970, then four at random."""
    return _digits(int(now.timestamp() * 1000), 9) + _digits(rng.getrandbits(20), 4)


def _digits(number: int, count: int) -> str:
    out = ""
    for _ in range(count):
        number, digit = divmod(number, 32)
        out = ALPHABET[digit] + out
    return out
