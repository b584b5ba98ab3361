"""Films and what people say of them, on each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from genlock.errors import Conflict, NotFound
from genlock.ledger.access.sql import SqlAccess
from genlock.ledger.library.review import SqlReviews
from genlock.ledger.library.verdict import Ruling, SoughtFilms, Standing
from genlock.ledger.records import TaskRef
from genlock.ledger.sql import SqlLedger

GATE = "review of these bytes"


class Room:
    """A bench, and the films of its ledger."""

    def __init__(self, ledger: SqlLedger, bench: Any) -> None:
        self.ledger, self.bench = ledger, bench
        self.films = SqlReviews(ledger)

    async def film(self, id: str = "job-1", *, gated: bool = True, **options: Any) -> None:
        """A job whose film is made, and waits."""
        self.bench.job = id
        nodes, edges = ("clip", "video_storage", "review"), "clip>video_storage video_storage>review"
        if not gated:
            nodes, edges = nodes[:2], edges.split(maxsplit=1)[0]
        await self.bench.start(*nodes, edges=edges, id=id, **options)
        await self.bench.do("clip", '"clip"', input_hash="clip")
        await self.bench.do("video_storage", '"film"', input_hash="film")
        if gated:
            claim = await self.bench.claim("review")
            await self.ledger.park(claim, f"waits for {GATE}", signal=GATE)

    def word(self, verdict: str = "approved", **options: Any) -> Ruling:
        said = {"job": "job-1", "revision": 1, "sha256": "aa", "by": "ann", "signal": GATE, "value": "{}"}
        return Ruling(verdict=verdict, **{**said, **options})


@pytest.fixture
async def room(place: str | Path, clock: Any, bench_of: Callable[..., Any]) -> AsyncIterator[Room]:
    ledger = await SqlLedger.open(place, clock)
    yield Room(ledger, bench_of(ledger, ledger.reader))
    await ledger.close()


async def test_a_word_wakes_the_gate_and_is_written_down_with_the_bytes(room: Room, clock: Any) -> None:
    await room.film(labels='{"campaign":"spring"}')
    assert await room.bench.job_state() == "waiting"
    said = await room.films.rule(room.word(reason="fine", token="t1"))
    assert (said.verdict, said.by, said.at, said.reason) == ("approved", "ann", clock.now(), "fine")
    assert await room.bench.state("review") == "ready"
    assert await room.ledger.reader.notes(TaskRef("job-1", "review")) == {f"signal:{GATE}": "{}"}
    assert await room.bench.last("film.approved") == {
        "by": "ann",
        "reason": "fine",
        "revision": 1,
        "sha256": "aa",
    }
    [deed] = await SqlAccess(room.ledger).deeds(target="video:job-1")
    assert (deed.user, deed.token, deed.action, deed.data["sha256"]) == ("ann", "t1", "video.approved", "aa")
    await room.bench.do("review", '"yes"')
    film = await room.films.film("job-1")
    assert (film.standing, film.revision, film.output) == (Standing.APPROVED, 1, '"film"')
    assert film.reviews == [said]


async def test_the_first_word_stays_and_the_same_again_changes_nothing(room: Room, clock: Any) -> None:
    await room.film()
    said = await room.films.rule(room.word())
    clock.turn(5)
    assert await room.films.rule(room.word()) == said
    for other in (room.word("rejected"), room.word(by="bob"), room.word(sha256="bb")):
        with pytest.raises(Conflict, match="approved by ann already"):
            await room.films.rule(other)
    assert len(await SqlAccess(room.ledger).deeds()) == 1


async def test_of_many_words_at_once_one_is_taken(room: Room) -> None:
    await room.film()
    words = [room.word("approved" if n % 2 else "rejected", by=f"u{n}") for n in range(8)]
    answers = await asyncio.gather(*map(room.films.rule, words), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 7 + ["Review"]


async def test_nothing_is_said_of_a_film_that_is_made_anew(room: Room) -> None:
    await room.film()
    await room.ledger.redo("job-1", ["clip"])
    film = await room.films.film("job-1")
    assert (film.standing, film.revision, film.output) == (Standing.REMAKING, 1, '"film"')
    with pytest.raises(Conflict, match="made anew, as revision 2"):
        await room.films.rule(room.word())
    await room.bench.do("clip", '"other clip"', input_hash="clip 2")
    await room.bench.do("video_storage", '"other film"', input_hash="film 2")
    with pytest.raises(Conflict, match="the newest is revision 2"):
        await room.films.rule(room.word())
    assert await room.films.earlier("job-1") == [(1, '"film"')]
    await room.films.rule(room.word(revision=2, sha256="bb"))
    again = await room.films.film("job-1")
    assert (again.revision, again.output, again.standing) == (2, '"other film"', Standing.WAITING)


async def test_a_film_that_waits_for_nobody_is_not_decided_about(room: Room) -> None:
    await room.film(gated=False)
    assert (await room.films.film("job-1")).standing is Standing.UNASKED
    with pytest.raises(Conflict, match="without a review"):
        await room.films.rule(room.word())
    await room.film("job-2")
    await room.ledger.cancel("job-2")
    assert (await room.films.film("job-2")).standing is Standing.WITHDRAWN
    with pytest.raises(Conflict, match="cancelled"):
        await room.films.rule(room.word(job="job-2"))
    await room.bench.start("clip", "video_storage", edges="clip>video_storage", id="job-3")
    with pytest.raises(NotFound, match="no film"):
        await room.films.film("job-3")


async def test_films_are_listed_newest_first_by_what_is_sought(room: Room) -> None:
    await room.film("job-1", owner="ann", labels='{"campaign":"spring"}')
    await room.film("job-2", gated=False, owner="bob", labels='{"campaign":"spring 2"}')
    await room.film("job-3", owner="bob")
    await room.bench.start("clip", id="job-4")

    async def found(after: str | None = None, limit: int = 50, **sought: Any) -> list[str]:
        films = await room.films.films(SoughtFilms(**sought), after=after, limit=limit)
        return [film.job for film in films]

    assert await found() == ["job-3", "job-2", "job-1"]
    assert await found(limit=2) == ["job-3", "job-2"]
    assert await found(after="job-2") == ["job-1"]
    assert await found(owner="bob") == ["job-3", "job-2"]
    assert await found(campaign="spring") == ["job-1"]
    assert await found(standing=Standing.WAITING) == ["job-3", "job-1"]
    assert await found(standing=Standing.UNASKED) == ["job-2"]
    assert await found(pipeline="film", standing=Standing.REJECTED) == []


async def test_a_job_that_is_forgotten_takes_what_was_said_of_its_film_along(room: Room, clock: Any) -> None:
    await room.film()
    await room.films.rule(room.word())
    await room.bench.do("review", '"yes"')
    clock.turn(60)
    assert await room.ledger.forget(clock.now()) == ["job-1"]
    await room.film()  # the id is free again, and so is its first revision
    again = await room.films.film("job-1")
    assert (again.standing, again.reviews) == (Standing.WAITING, [])
    assert (await room.films.rule(room.word("rejected"))).verdict == "rejected"
