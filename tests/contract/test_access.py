"""Users, tokens, answers and deeds, on each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock.errors import Conflict, NotFound
from genlock.ledger.access.records import Answer, Question, Scope, Standing
from genlock.ledger.access.sql import SqlAccess
from genlock.ledger.sql import SqlLedger

LEASE, DAY = timedelta(seconds=30), timedelta(hours=24)
ASKED = Question("ann", "POST /api/v3/jobs", "key-1")
GIVEN = Answer(202, (("content-type", "application/json"),), '{"data":"fĳlm"}')


@pytest.fixture
async def access(place: str | Path, clock: Any) -> AsyncIterator[SqlAccess]:
    ledger = await SqlLedger.open(place, clock)
    yield SqlAccess(ledger)
    await ledger.close()


async def begin(access: SqlAccess, holder: str, asked: Question = ASKED) -> Standing:
    return (await access.begin(asked, holder, lease=LEASE, kept=DAY)).standing


async def test_a_user_is_there_once_and_can_be_disabled_and_made_an_admin(
    access: SqlAccess, clock: Any
) -> None:
    made = await access.add_user("ann")
    assert (made.admin, made.created_at, made.disabled_at) == (False, clock.now(), None)
    with pytest.raises(Conflict, match="'ann' already"):
        await access.add_user("ann", admin=True)
    assert (await access.set_user("ann", admin=True)).admin
    disabled = await access.set_user("ann", disabled=True)
    clock.turn(5)
    assert (await access.set_user("ann", disabled=True)).disabled_at == disabled.disabled_at
    assert (await access.set_user("ann", disabled=False)).disabled_at is None
    with pytest.raises(NotFound, match="no user 'bob'"):
        await access.set_user("bob", admin=True)


async def test_users_and_tokens_come_in_pages(access: SqlAccess) -> None:
    for name in ("carl", "ann", "bob"):
        await access.add_user(name)
        await access.add_token(f"t-{name}", f"hash-{name}", user=name, label="", scopes=[Scope.JOBS_READ])
    assert [user.name for user in await access.users(limit=2)] == ["ann", "bob"]
    assert [user.name for user in await access.users(after="bob")] == ["carl"]
    assert [token.id for token in await access.tokens(after="t-ann")] == ["t-bob", "t-carl"]
    assert [token.id for token in await access.tokens(user="bob")] == ["t-bob"]


async def test_a_token_is_found_with_whose_it_is_and_revoked_for_good(access: SqlAccess, clock: Any) -> None:
    await access.add_user("ann", admin=True)
    until = clock.now() + timedelta(days=1)
    made = await access.add_token(
        "t1", "the-hash", user="ann", label="a build", scopes=[Scope.ADMIN, Scope.JOBS_READ], expires_at=until
    )
    found = await access.credential("t1")
    assert found is not None
    assert (found.token, found.hash, found.admin, found.disabled) == (made, "the-hash", True, False)
    clock.turn(1)
    await access.touch_token("t1")
    revoked = await access.revoke_token("t1")
    clock.turn(1)
    assert await access.revoke_token("t1") == revoked
    assert (revoked.used_at, revoked.revoked_at, revoked.expires_at) == (
        clock.now() - timedelta(seconds=1),
        clock.now() - timedelta(seconds=1),
        until,
    )
    await access.set_user("ann", disabled=True)
    again = await access.credential("t1")
    assert again is not None
    assert again.disabled
    assert await access.credential("t2") is None
    with pytest.raises(NotFound, match="no token 't2'"):
        await access.revoke_token("t2")
    with pytest.raises(NotFound, match="no user 'bob'"):
        await access.add_token("t2", "h", user="bob", label="", scopes=[Scope.JOBS_READ])


async def test_there_is_one_first_token_whoever_asks_at_once(access: SqlAccess) -> None:
    async def first(number: int) -> bool:
        made = await access.first_token(f"t{number}", f"h{number}", user="admin", label="first")
        return made is not None

    assert sum(await asyncio.gather(*map(first, range(8)))) == 1
    (token,) = await access.tokens()
    assert token.scopes == frozenset(Scope)
    await access.revoke_token(token.id)
    assert not await first(9), "an admin who has revoked the token is asked on the socket, not at the start"


async def test_a_question_is_answered_by_one_and_told_to_all(access: SqlAccess) -> None:
    standings = await asyncio.gather(*(begin(access, f"h{n}") for n in range(5)))
    assert sorted(standings) == [Standing.NEW, *[Standing.RUNNING] * 4]
    holder = f"h{standings.index(Standing.NEW)}"
    assert not await access.finish(ASKED, "somebody", "hash", GIVEN)
    assert await access.finish(ASKED, holder, "hash", GIVEN)
    turn = await access.begin(ASKED, "later", lease=LEASE, kept=DAY)
    assert (turn.standing, turn.request_hash, turn.answer) == (Standing.DONE, "hash", GIVEN)
    for other in (Question("bob", ASKED.route, ASKED.key), Question("ann", "POST /x", ASKED.key)):
        assert await begin(access, "h", other) is Standing.NEW


async def test_what_was_left_unanswered_is_taken_up_and_is_still_the_same_question(
    access: SqlAccess, clock: Any
) -> None:
    first = await access.begin(ASKED, "h1", lease=LEASE, kept=DAY)
    clock.turn(20)
    assert await access.hold(ASKED, "h1", LEASE)
    clock.turn(20)
    assert await begin(access, "h2") is Standing.RUNNING
    clock.turn(11)
    second = await access.begin(ASKED, "h2", lease=LEASE, kept=DAY)
    assert (second.standing, second.since) == (Standing.NEW, first.since)
    assert not await access.hold(ASKED, "h1", LEASE)
    assert not await access.finish(ASKED, "h1", "hash", GIVEN)
    await access.let_go(ASKED, "h2")
    assert await begin(access, "h3") is Standing.NEW


async def test_who_has_the_ledger_alone_knows_that_all_others_are_gone(access: SqlAccess) -> None:
    assert await begin(access, "h1") is Standing.NEW
    assert await begin(SqlAccess(access._ledger), "h1") is Standing.RUNNING
    alone = SqlAccess(access._ledger, alone=True)
    assert await begin(alone, "h1") is Standing.NEW
    assert await begin(alone, "h2") is Standing.RUNNING
    assert not await access.finish(ASKED, "h1", "hash", GIVEN)


async def test_answers_are_forgotten_after_a_day(access: SqlAccess, clock: Any) -> None:
    first = await access.begin(ASKED, "h1", lease=LEASE, kept=DAY)
    await access.finish(ASKED, "h1", "hash", GIVEN)
    clock.turn(DAY.total_seconds())
    assert await begin(access, "h2") is Standing.DONE
    clock.turn(1)
    again = await access.begin(ASKED, "h2", lease=LEASE, kept=DAY)
    assert again.standing is Standing.NEW
    assert again.since > first.since


async def test_deeds_are_listed_newest_first_by_target_or_by_user(access: SqlAccess, clock: Any) -> None:
    await access.record("ann", "t1", "job.cancelled", "job:1", {"reason": "enough"})
    await access.record("local", None, "job.cancelled", "job:2", {})
    clock.turn(1)
    await access.record("ann", "t1", "video.approved", "job:1", {"sha256": "aa"})
    deeds = await access.deeds()
    assert [(deed.user, deed.token, deed.action, deed.target) for deed in deeds] == [
        ("ann", "t1", "video.approved", "job:1"),
        ("local", None, "job.cancelled", "job:2"),
        ("ann", "t1", "job.cancelled", "job:1"),
    ]
    assert deeds[0].at - deeds[1].at == timedelta(seconds=1)
    assert deeds[2].data == {"reason": "enough"}
    assert [deed.seq for deed in await access.deeds(target="job:1", limit=1)] == [deeds[0].seq]
    assert [deed.seq for deed in await access.deeds(user="ann", before=deeds[0].seq)] == [deeds[2].seq]
