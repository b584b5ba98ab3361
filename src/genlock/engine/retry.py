"""When, if at all, a failed attempt is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from genlock.engine.declare import Retry
from genlock.engine.failure import leaves
from genlock.errors import LedgerError, Permanent, Transient

MOST_DOUBLINGS = 64  # of any base that is a duration at all, these are longer than any cap
LONGEST_ASKED = timedelta(days=365)


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
    nothing to base·2ⁿ, at most the cap; what the other side asked for with Retry-After is never undercut
    (but nobody is waited for longer than a year). A group of errors is tried again if each of them is; so is
    whatever the ledger could not write or tell.
    """
    attempts = retry.attempts if retry else default.attempts
    on = (retry.on if retry else Transient, LedgerError)  # a database that was away is nobody's fault
    raised = list(leaves(error))
    if tries >= attempts or not all(isinstance(one, on) and not isinstance(one, Permanent) for one in raised):
        return None
    base = retry.base if retry else default.base
    cap = retry.cap if retry else default.cap
    doubled = base.total_seconds() * 2.0 ** min(tries - 1, MOST_DOUBLINGS)
    wait = timedelta(seconds=rng.uniform(0, min(cap.total_seconds(), doubled)))
    asked = [one.retry_after for one in raised if isinstance(one, Transient) and one.retry_after]
    return now + max(wait, *(min(each, LONGEST_ASKED) for each in asked), timedelta(0))
