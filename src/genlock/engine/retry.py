"""When, if at all, a failed attempt is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from genlock.engine.declare import Retry
from genlock.errors import Permanent, Transient


@dataclass(frozen=True, slots=True)
class RetryDefault:
    """What holds for a stage that names nothing else."""

    attempts: int = 4
    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=10)


def retry_at(
    error: BaseException,
    retry: Retry | None,
    default: RetryDefault,
    *,
    tries: int,
    now: datetime,
    rng: random.Random,
) -> datetime | None:
    """When to try again after failure number `tries` (1 is the first), or None if that was the last.

    Exponential with full jitter (Brooker, "Exponential Backoff and Jitter"): the wait is anything from
    nothing to base·2ⁿ, at most the cap; what the other side asked for with Retry-After is never undercut.
    """
    attempts = retry.attempts if retry else default.attempts
    on = retry.on if retry else (Transient,)
    if tries >= attempts or not isinstance(error, on) or isinstance(error, Permanent):
        return None
    base = retry.base if retry else default.base
    cap = retry.cap if retry else default.cap
    wait = rng.uniform(0, min(cap.total_seconds(), base.total_seconds() * 2 ** (tries - 1)))
    asked = getattr(error, "retry_after", None)
    return now + max(timedelta(seconds=wait), asked or timedelta(0))
