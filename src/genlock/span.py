"""Spans of time as people write and read them: `5h`, `1h30m`, `PT5H`, or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

from genlock.errors import BadInput

_UNITS = (
    ("w", "week", 604_800),
    ("d", "day", 86_400),
    ("h", "hour", 3_600),
    ("m", "minute", 60),
    ("s", "second", 1),
)
_SHORT = re.compile("".join(rf"(?:(\d{{1,6}}){letter})?" for letter, _, _ in _UNITS), re.ASCII)
_ISO = re.compile(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII
)


def read_span(text: str) -> timedelta:
    """A span in whole seconds, longer than nothing. `BadInput` for anything else."""
    bare = re.sub(r"\s+", "", text)
    found = None
    if re.fullmatch(r"[0-9]{1,9}", bare):
        found = timedelta(seconds=int(bare))
    elif counted := _SHORT.fullmatch(bare.lower()) or _ISO.fullmatch(bare.upper()):
        numbers = [int(number or 0) for number in counted.groups()]
        found = timedelta(seconds=sum(n * unit[2] for n, unit in zip(numbers, _UNITS, strict=True)))
    if not found:
        raise BadInput(f"{text!r} is no span of time: write 5h, 90m, 1h30m, PT5H or seconds")
    return found


def short_span(span: timedelta) -> str:
    """As `5h` or `1h30m`; `read_span` reads it. Parts of seconds are left out."""
    return "".join(f"{count}{letter}" for count, (letter, _, _) in _parts(span)) or "0s"


def told_span(span: timedelta) -> str:
    """As `5 hours` or `1 hour 30 minutes`."""
    return (
        " ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, (_, word, _) in _parts(span))
        or "0 seconds"
    )


def _parts(span: timedelta) -> list[tuple[int, tuple[str, str, int]]]:
    left, found = int(span.total_seconds()), []
    for unit in _UNITS[1:]:  # nobody expects 7d to be read back as a week
        count, left = divmod(left, unit[2])
        if count:
            found.append((count, unit))
    return found
