"""A clock that goes on whatever the machine's is set to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from genlock.clock import SteadyClock

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class SetClock:
    """A machine's clock, which people set."""

    def __init__(self) -> None:
        self.wall, self.passed = NOON, 100.0

    def now(self) -> datetime:
        return self.wall

    def adjust(self, at: datetime) -> datetime:
        return at

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.go_on(seconds)

    def go_on(self, seconds: float) -> None:
        self.wall, self.passed = self.wall + timedelta(seconds=seconds), self.passed + seconds


def test_it_shows_what_the_other_shows() -> None:
    machine = SetClock()
    clock = SteadyClock(machine)
    for seconds in (0.0, 0.5, 3600.0):
        machine.go_on(seconds)
        assert clock.now() == machine.now()


def test_set_back_it_goes_on_from_where_it_was() -> None:
    machine = SetClock()
    clock = SteadyClock(machine)
    machine.wall -= timedelta(hours=5)
    assert clock.now() == NOON
    machine.go_on(10)
    assert clock.now() == NOON + timedelta(seconds=10)
    machine.wall += timedelta(hours=6)
    assert clock.now() == machine.now()


def test_it_never_goes_back_even_by_a_little() -> None:
    machine = SetClock()
    clock = SteadyClock(machine)
    before = clock.now()
    machine.wall -= timedelta(microseconds=300)
    assert clock.now() == before


def test_it_goes_on_from_what_was_seen_before_it_was_there() -> None:
    machine = SetClock()
    clock = SteadyClock(machine)
    clock.catch_up(NOON + timedelta(hours=2))
    machine.go_on(60)
    assert clock.now() == NOON + timedelta(hours=2, minutes=1)
    clock.catch_up(NOON)
    assert clock.now() == NOON + timedelta(hours=2, minutes=1)
