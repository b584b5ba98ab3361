"""Spans of time as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from genlock.errors import BadInput
from genlock.span import read_span, short_span, told_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5h", 18_000),
        ("90m", 5_400),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("45s", 45),
        ("45", 45),
        ("PT5H", 18_000),
        ("pt90m", 5_400),
        ("P1DT1H", 90_000),
        (" 5 H ", 18_000),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert read_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0h", "P", "PT", "h", "5x", "-5h", "5h5h", "1.5h", "five hours", "9" * 40, "9" * 8 + "w"],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="span of time"):
        read_span(text)


@pytest.mark.parametrize(
    ("seconds", "short", "told"),
    [
        (18_000, "5h", "5 hours"),
        (5_400, "1h30m", "1 hour 30 minutes"),
        (86_400, "1d", "1 day"),
        (604_800, "7d", "7 days"),
        (1, "1s", "1 second"),
        (90_061, "1d1h1m1s", "1 day 1 hour 1 minute 1 second"),
        (0, "0s", "0 seconds"),
    ],
)
def test_spans_are_told_as_people_say_them(seconds: int, short: str, told: str) -> None:
    span = timedelta(seconds=seconds)
    assert (short_span(span), told_span(span)) == (short, told)
    if seconds:
        assert read_span(short) == span
