"""When a schedule is due: the only module that knows APScheduler, which is asked for times and nothing else.

Its fields are cron's but for two: it counts weekdays from Monday, and lets a day of the month and a weekday
hold both, where cron takes either. Both are put right here. A time of day that a change of clocks leaves
out comes an hour later by the clock on the wall; one that comes twice is due at the first, unless the
hour is given as `*`, which means every hour there is.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from genlock.errors import BadInput
from genlock.ledger.schedules.records import Kind
from genlock.span import read_span

LONGEST = timedelta(days=366)  # of an interval
LONGEST_EXPRESSION = 200  # characters
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?P<first>\*|[0-7]|[a-z]{3})(?:-(?P<last>[0-7]|[a-z]{3}))?(?:/(?P<step>[0-9]{1,2}))?")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_INSTANT = timedelta(microseconds=1)


class Rhythm(Protocol):
    """An endless row of moments, perhaps with an end."""

    def after(self, at: datetime) -> datetime | None:
        """The first that is later than this; None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from a moment; changes of clocks do not matter to it."""

    every: timedelta
    anchor: datetime

    def after(self, at: datetime) -> datetime | None:
        return self.anchor + ((at - self.anchor) // self.every + 1) * self.every


class Cron:
    """Five fields, read in a time zone. `BadInput` says what does not fit."""

    def __init__(self, expression: str, zone: str) -> None:
        fields = _fields(expression)
        self._every_hour = fields[1].startswith("*")
        either = not any(fields[place].startswith("*") for place in (2, 4))  # day of the month, weekday
        fields[4] = _weekdays(fields[4])
        choices = [[*fields[:4], "*"], [*fields[:2], "*", *fields[3:]]] if either else [fields]
        timezone = zone_of(zone)
        try:
            self._triggers = [_trigger(choice, timezone) for choice in choices]
        except ValueError as error:
            raise BadInput(f"{expression!r} is no cron expression: {error}") from error

    def after(self, at: datetime) -> datetime | None:
        found = [time for trigger in self._triggers if (time := self._first(trigger, at)) is not None]
        return min(found, default=None)

    def _first(self, trigger: CronTrigger, at: datetime) -> datetime | None:
        while True:
            found: datetime | None = trigger.get_next_fire_time(None, at + _INSTANT)
            if found is None:
                return None
            at = found.astimezone(at.tzinfo)
            if self._every_hour or not found.fold:
                return at


@lru_cache(maxsize=256)
def _cron(expression: str, zone: str) -> Cron:
    return Cron(expression, zone)


def rhythm_of(kind: Kind, expression: str, zone: str, anchor: datetime) -> Rhythm:
    """The rhythm of a schedule as the ledger keeps it."""
    if kind is Kind.CRON:
        return _cron(expression, zone)
    return Interval(every_of(expression), anchor)


def every_of(text: str) -> timedelta:
    """An interval as people write it, or in seconds; `BadInput` if it is none, or too long."""
    every = read_span(text)
    if every > LONGEST:
        raise BadInput(f"{text!r} is longer than a year: write a cron expression")
    return every


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name; `BadInput` if this machine knows none of that name."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise BadInput(f"there is no time zone {name!r}: write one as in Europe/Vienna, or UTC") from None


def latest(rhythm: Rhythm, first: datetime, until: datetime, most: int) -> list[datetime]:
    """`first` and what comes due after it up to `until`: the newest of them, in order, at most so many.

    Looked for backwards, a wider and wider while: of a server that was off for a year nobody waits for
    half a million minutes to be counted.
    """
    window = timedelta(minutes=1)
    while True:
        start = max(first, until - window)
        times = takewhile(lambda at: at <= until, _from(rhythm, start, including=start == first))
        found = deque(times, maxlen=most)
        if start == first or len(found) == most:
            return list(found)
        window *= 4


def _from(rhythm: Rhythm, start: datetime, *, including: bool) -> Iterator[datetime]:
    at: datetime | None = start if including else rhythm.after(start)
    while at is not None:
        yield at
        at = rhythm.after(at)


def _trigger(fields: list[str], zone: ZoneInfo) -> CronTrigger:
    return CronTrigger.from_crontab(" ".join(fields), timezone=zone)


def _fields(expression: str) -> list[str]:
    """The five fields; `BadInput` if there are not five."""
    if len(expression) > LONGEST_EXPRESSION or not expression.isascii():
        raise BadInput(f"a cron expression has {LONGEST_EXPRESSION} characters at most, all of them ASCII")
    fields = _NICKNAMES.get(expression.strip().lower(), expression).lower().split()
    if len(fields) != 5:
        raise BadInput(
            f"{expression!r} is no cron expression: that has five fields, minute, hour, day of the month, "
            "month and weekday, as in `0 */5 * * *`"
        )
    return fields


def _weekdays(field: str) -> str:
    """Weekdays by name: cron's 0 and 7 are Sunday, and a range may go on over the end of the week."""
    if field == "*":
        return field
    days = {day for part in field.split(",") for day in _days(part, field)}
    return ",".join(_WEEKDAYS[day] for day in sorted(days))


def _days(part: str, field: str) -> set[int]:
    found = _PART.fullmatch(part)
    if found is None:
        raise BadInput(f"{field!r} are no weekdays: write 0 to 7 or sun to sat, as in `1-5` or `mon,thu`")
    step = int(found["step"] or 1)
    if step == 0:
        raise BadInput(f"{field!r} are no weekdays: a step is at least 1")
    if found["first"] == "*":
        return set(range(0, 7, step))
    first = _day(found["first"], field)
    last = _day(found["last"], field) if found["last"] else (6 if found["step"] else first)
    return {day % 7 for day in range(first, last + (7 if last < first else 0) + 1, step)}


def _day(text: str, field: str) -> int:
    if text.isdigit():
        return int(text)
    if text not in _WEEKDAYS:
        raise BadInput(f"{field!r} are no weekdays: there is no {text!r}")
    return _WEEKDAYS.index(text)
