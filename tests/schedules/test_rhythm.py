"""When a schedule is due: cron as cron means it, intervals, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from genlock.errors import BadInput
from genlock.ledger.schedules.records import Kind
from genlock.schedules.rhythm import Cron, Interval, Rhythm, every_of, latest, rhythm_of, zone_of

SUNDAY = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)  # that is one


def times(rhythm: Rhythm, after: datetime, count: int) -> list[str]:
    def all_of_them():
        at = after
        while (at := rhythm.after(at)) is not None:
            yield f"{at:%m-%d %H:%M}"

    return list(islice(all_of_them(), count))


def weekdays(field: str) -> str:
    """On which days of a week that begins on a Monday it is due."""
    rhythm, monday, found = Cron(f"0 12 * * {field}", "UTC"), SUNDAY + timedelta(days=1), ""
    at = rhythm.after(monday)
    while at is not None and at < monday + timedelta(days=7):
        found += "MTWTFSS"[at.weekday()] if at.weekday() not in (3, 6) else {3: "t", 6: "s"}[at.weekday()]
        at = rhythm.after(at)
    return found


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "s"),
        ("7", "s"),
        ("1", "M"),
        ("6", "S"),
        ("1-5", "MTWtF"),
        ("0-2", "MTs"),
        ("5-7", "FSs"),
        ("0-7", "MTWtFSs"),
        ("6-0", "Ss"),
        ("fri-mon", "MFSs"),
        ("sat,sun", "Ss"),
        ("MON,Thu", "Mt"),
        ("mon-fri", "MTWtF"),
        ("*/2", "TtSs"),
        ("1-5/2", "MWF"),
        ("4/2", "tS"),
        ("*", "MTWtFSs"),
    ],
)
def test_weekdays_are_those_of_cron(field: str, days: str) -> None:
    assert weekdays(field) == days


def test_fields_take_lists_ranges_steps_and_names() -> None:
    assert times(Cron("0 */5 * * *", "UTC"), SUNDAY, 5) == [
        "11-22 05:00",
        "11-22 10:00",
        "11-22 15:00",
        "11-22 20:00",
        "11-23 00:00",
    ]
    assert times(Cron("15,45 9-10 * dec *", "UTC"), SUNDAY, 3) == [
        "12-01 09:15",
        "12-01 09:45",
        "12-01 10:15",
    ]
    assert times(Cron("0  0\t29 2  *", "UTC"), SUNDAY, 1) == ["02-29 00:00"]
    assert times(Cron("@weekly", "UTC"), SUNDAY, 2) == ["11-29 00:00", "12-06 00:00"]


def test_a_day_of_the_month_and_a_weekday_mean_either() -> None:
    assert times(Cron("0 0 1 * mon", "UTC"), SUNDAY, 3) == ["11-23 00:00", "11-30 00:00", "12-01 00:00"]
    # ... but not if one of them begins with a star, as in cron
    assert times(Cron("0 0 */2 * mon", "UTC"), SUNDAY, 2) == ["11-23 00:00", "12-07 00:00"]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * * mun",
        "* * * * 1,,2",
        "* * * * */0",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "-1 * * * *",
        "@reboot",
        "1" * 300,
        "９ * * * *",
    ],
)
def test_what_is_no_cron_expression_is_refused_in_words(expression: str) -> None:
    with pytest.raises(BadInput, match=r"cron expression|weekdays"):
        Cron(expression, "UTC")


def test_a_day_that_never_comes_is_found_out_quickly() -> None:
    assert Cron("0 0 31 2 *", "UTC").after(SUNDAY) is None


def test_times_are_read_in_the_zone_of_the_schedule() -> None:
    assert times(Cron("0 9 * * *", "America/New_York"), SUNDAY, 1) == ["11-22 14:00"]
    assert times(Cron("30 9 * * *", "Asia/Kolkata"), SUNDAY, 1) == ["11-22 04:00"]
    assert times(Cron("0 0 * * *", "Pacific/Kiritimati"), SUNDAY, 1) == ["11-22 10:00"]


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "\0"])
def test_a_zone_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="time zone"):
        zone_of(name)


BEFORE_GAP = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)  # Vienna: 02:00 is followed by 03:00 on the 29th
BEFORE_OVERLAP = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)  # 03:00 is followed by 02:00 on the 25th


def test_a_time_that_is_left_out_when_clocks_go_forward_comes_once_that_day() -> None:
    assert times(Cron("30 2 * * *", "Europe/Vienna"), BEFORE_GAP, 3) == [
        "03-29 01:30",  # 03:30 on the wall
        "03-30 00:30",
        "03-31 00:30",
    ]


def test_every_hour_means_every_hour_there_is_when_clocks_go_forward() -> None:
    start = BEFORE_GAP + timedelta(hours=11, minutes=30)
    assert times(Cron("0 * * * *", "Europe/Vienna"), start, 3) == [
        "03-29 00:00",
        "03-29 01:00",
        "03-29 02:00",
    ]


def test_a_time_that_comes_twice_when_clocks_go_back_is_due_once() -> None:
    assert times(Cron("30 2 * * *", "Europe/Vienna"), BEFORE_OVERLAP, 3) == [
        "10-25 00:30",
        "10-26 01:30",
        "10-27 01:30",
    ]


def test_every_hour_means_every_hour_there_is_when_clocks_go_back() -> None:
    start = BEFORE_OVERLAP + timedelta(hours=11, minutes=30)
    assert times(Cron("0 * * * *", "Europe/Vienna"), start, 4) == [
        "10-25 00:00",
        "10-25 01:00",
        "10-25 02:00",
        "10-25 03:00",
    ]


def test_an_interval_does_not_mind_clocks_that_are_changed() -> None:
    rhythm = Interval(timedelta(hours=5), BEFORE_GAP)
    assert times(rhythm, BEFORE_GAP, 4) == ["03-28 17:00", "03-28 22:00", "03-29 03:00", "03-29 08:00"]


def test_an_interval_stays_on_its_grid() -> None:
    rhythm = rhythm_of(Kind.INTERVAL, "18000", "UTC", SUNDAY)
    assert rhythm.after(SUNDAY + timedelta(hours=12)) == SUNDAY + timedelta(hours=15)
    assert rhythm.after(SUNDAY + timedelta(hours=15)) == SUNDAY + timedelta(hours=20)
    assert rhythm.after(SUNDAY - timedelta(hours=1)) == SUNDAY


def test_intervals_are_longer_than_nothing_and_shorter_than_a_year() -> None:
    assert every_of("90m") == timedelta(minutes=90)
    for wrong in ("0", "0h", "400d", "soon", "-5h"):
        with pytest.raises(BadInput):
            every_of(wrong)


def test_the_latest_due_times_are_found_over_years_without_counting_them_all() -> None:
    rhythm = Cron("* * * * *", "UTC")
    first, now = SUNDAY - timedelta(days=3650), SUNDAY + timedelta(seconds=30)
    found = latest(rhythm, first, now, 100)
    assert len(found) == 100
    assert found[-1] == SUNDAY
    assert found[0] == SUNDAY - timedelta(minutes=99)


def test_the_latest_due_times_begin_with_the_one_that_is_planned() -> None:
    planned = SUNDAY + timedelta(minutes=7)  # on no grid: the interval was changed since
    rhythm = Interval(timedelta(hours=1), SUNDAY)
    assert latest(rhythm, planned, planned, 100) == [planned]
    assert latest(rhythm, planned, SUNDAY + timedelta(hours=2), 100) == [
        planned,
        SUNDAY + timedelta(hours=1),
        SUNDAY + timedelta(hours=2),
    ]
    assert latest(rhythm, planned, SUNDAY + timedelta(hours=2), 2) == [
        SUNDAY + timedelta(hours=1),
        SUNDAY + timedelta(hours=2),
    ]
