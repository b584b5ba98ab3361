"""How often somebody may ask: a bucket a name, that fills as time passes.

In memory, for each process: what is counted is the load on this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from genlock.clock import Clock
from genlock.errors import TooMany

WINDOW = 60  # seconds in which a bucket fills
MOST = 20_000  # buckets: full ones are forgotten before there are more


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a bucket after something was taken. `reset`: seconds until it is full again.

    `wait` is 0 if there was enough in it, else the seconds until there is.
    """

    name: str
    limit: int
    remaining: int
    reset: int
    wait: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """As the IETF's draft of RateLimit header fields says it."""
        return {
            "ratelimit-policy": f'"{self.name}";q={self.limit};w={WINDOW}',
            "ratelimit": f'"{self.name}";r={self.remaining};t={self.reset}',
        }


class Rate:
    """Buckets of one kind, each of `limit` for `WINDOW` seconds. With a limit of 0 nobody is held up."""

    def __init__(self, name: str, limit: int, clock: Clock) -> None:
        self.name, self.limit, self._clock = name, limit, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what was in it, and when

    def take(self, key: str) -> Quota | None:
        """Take one from a bucket, if there is one in it; None if there is no limit."""
        if self.limit == 0:
            return None
        now, pace = self._clock.monotonic(), self.limit / WINDOW
        held, since = self._buckets.get(key, (float(self.limit), now))
        held = min(float(self.limit), held + (now - since) * pace)
        wait = 0.0 if held >= 1 else (1 - held) / pace
        held = held if wait else held - 1
        self._keep(key, held, now)
        return Quota(self.name, self.limit, int(held), math.ceil((self.limit - held) / pace), wait)

    def _keep(self, key: str, held: float, now: float) -> None:
        if len(self._buckets) >= MOST and key not in self._buckets:
            self._buckets = {k: v for k, v in self._buckets.items() if now - v[1] < WINDOW}
        self._buckets[key] = (held, now)


def refuse(quota: Quota, who: str) -> TooMany:
    """The error that says when it works again."""
    wait = math.ceil(quota.wait)
    return TooMany(
        f"{who} has used up its {quota.limit} {quota.name} a minute: ask again in {wait} s",
        retry_after=timedelta(seconds=wait),
    )
