"""When jobs begin and end: by the vendors' time, by places, by looks."""

from __future__ import annotations

import random

from genlock.testing.simulator.job import Job, Phase, Yard


def job(number: int, at: float = 0.0, **more: float) -> Job:
    return Job("v", f"j{number}", "m", None, at, number, {}, **more)  # type: ignore[arg-type]


def test_jobs_go_through_their_phases_at_their_times() -> None:
    yard = Yard()
    yard.add(job(1, 10, queue=2, work=3))
    assert yard.due() == 12
    assert [(j.phase, j.started_at, j.ended_at) for j in yard.settle(100)] == [
        (Phase.WORKING, 12, None),
        (Phase.MADE, 12, 15),
    ]
    assert yard.due() is None


def test_a_place_is_given_on_at_the_moment_it_is_free() -> None:
    yard = Yard(slots=2)
    for number in range(5):
        yard.add(job(number, number * 0.1, work=10))
    assert yard.full is False
    yard.settle(1)
    assert yard.full is True
    yard.settle(100)
    assert [(j.started_at, j.ended_at) for j in yard] == [
        (0, 10),
        (0.1, 10.1),
        (10, 20),
        (10.1, 20.1),
        (20, 30),
    ]


def test_a_yard_that_forgets_all_forgets_when_a_place_became_free() -> None:
    """Time may be set back then: the next job must not wait for the last one's future."""
    yard = Yard(slots=1)
    yard.add(job(1, at=1000, work=10))
    yard.settle(2000)
    yard.clear()
    yard.add(job(1, at=5, work=10))
    yard.settle(100)
    assert [(each.started_at, each.ended_at) for each in yard] == [(5, 15)]


def test_a_job_that_is_cancelled_gives_its_place_back() -> None:
    yard = Yard(slots=1)
    first, second, third = (job(number, work=10) for number in range(3))
    for each in (first, second, third):
        yard.add(each)
    yard.settle(1)
    assert yard.cancel(second, 2) is True
    assert second.phase is Phase.ABORTED
    assert yard.cancel(first, 3) is True
    assert first.phase is Phase.CANCELLED
    yard.settle(3)
    assert third.started_at == 3
    assert yard.cancel(first, 4) is False


def test_a_job_is_not_done_before_it_was_looked_at_often_enough() -> None:
    yard = Yard()
    one = job(1, work=1, polls=2)
    yard.add(one)
    yard.settle(100)
    assert one.phase is Phase.WORKING
    yard.look(one)
    yard.look(one)
    yard.settle(100)
    assert (one.phase, one.ended_at) == (Phase.MADE, 1)


def test_never_are_more_worked_on_than_there_are_places_whatever_happens() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        yard, now = Yard(slots=rng.randint(1, 3)), 0.0
        for number in range(40):
            now += rng.random()
            yard.add(job(number, now, queue=rng.random(), work=3 * rng.random()))
            yard.settle(now)
            chosen = yard.get(f"j{rng.randrange(number + 1)}")
            assert chosen is not None
            if rng.random() < 0.2:
                yard.cancel(chosen, now)
        yard.settle(1e9)
        assert all(each.final for each in yard)
        spans = [(j.started_at, j.ended_at) for j in yard if j.started_at is not None]
        for began, _ in spans:
            at_once = sum(1 for start, end in spans if start <= began < (end or 0))
            assert at_once <= (yard.slots or 0), seed


def test_thousands_are_no_trouble() -> None:
    yard = Yard()
    for number in range(20_000):
        yard.add(job(number, work=number % 7))
    assert len(yard.settle(10)) == 40_000
