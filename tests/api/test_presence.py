"""Streams of those who may not see any more what they see: they end, and nobody is asked about one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api.conftest import NOTE
from genlock.access.access import Access
from genlock.access.identity import ANYBODY, Identity
from genlock.access.office import Office
from genlock.access.presence import Guest, Presence
from genlock.access.token import id_of
from genlock.api.wire import PROBLEM, Problem
from genlock.clock import SystemClock
from genlock.errors import LedgerError, Unauthorized
from genlock.ledger.access.records import Credential, Scope
from genlock.ledger.access.sql import SqlAccess

V3 = "/api/v3"
PATIENCE = 20.0  # seconds; far more than it takes
SOON = 0.01  # seconds between two looks


class Turned(SystemClock):
    """A clock whose seconds are counted by a test."""

    seconds = 0.0

    def now(self) -> Any:
        return super().now() + timedelta(seconds=self.seconds)


class Counting(SqlAccess):
    """Counts how often it is asked whose tokens are good, and fails when it is told to."""

    asked = 0
    failing = False

    async def credentials(self, ids: Collection[str]) -> Sequence[Credential]:
        self.asked += 1
        if self.failing:
            raise LedgerError("the disk is gone")
        return await super().credentials(ids)

    async def looked(self, times: int) -> None:
        """Return when it was asked so often again."""
        until = self.asked + times
        while self.asked < until:  # noqa: ASYNC110 - by somebody else
            await asyncio.sleep(SOON)


async def stream(client: httpx2.AsyncClient, job: str, begun: asyncio.Event) -> list[httpx2.ServerSentEvent]:
    """All that comes on one connection."""
    async with client.sse(f"{V3}/jobs/{job}/events") as source:
        assert source.response.is_success
        found = []
        async for event in source:
            found.append(event)
            begun.set()
        return found


async def opened(client: httpx2.AsyncClient, job: str) -> asyncio.Task[list[httpx2.ServerSentEvent]]:
    """A stream that has begun."""
    begun = asyncio.Event()
    task = asyncio.create_task(stream(client, job, begun))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    return task


async def revoke(api: Any, token: str) -> None:
    await Office(api.home.access, ANYBODY).revoke_token(id_of(token) or "")


async def lock(api: Any, token: str) -> None:
    await Office(api.home.access, ANYBODY).change_user("eve", disabled=True)


async def demote(api: Any, token: str) -> None:
    await Office(api.home.access, ANYBODY).change_user("eve", admin=False)


async def revoke_elsewhere(api: Any, token: str) -> None:
    """In another process, which can ring no bell here."""
    elsewhere = Access(api.home.access.ledger, SystemClock())
    await Office(elsewhere, ANYBODY).revoke_token(id_of(token) or "")


@pytest.mark.parametrize("take_back", [revoke, lock, demote, revoke_elsewhere])
async def test_a_stream_ends_with_a_problem_when_its_reader_may_not_see_it_any_more(
    api: Any, user: httpx2.AsyncClient, take_back: Callable[[Any, str], Awaitable[None]]
) -> None:
    job = (await user.post(f"{V3}/jobs", json=NOTE)).json()["data"]["id"]
    token = await api.token("eve", frozenset(Scope), admin=True)
    theirs = await opened(await api.client(token), job)
    others = await opened(user, job)
    await take_back(api, token)
    *before, last = await asyncio.wait_for(theirs, PATIENCE)
    assert [event.event for event in before] == ["job.created"]
    assert last.event == PROBLEM
    problem = Problem.model_validate_json(last.data)
    assert (problem.status, problem.code) == (401, "Unauthorized")
    assert "revoked or has expired" in problem.detail
    assert not others.done()
    await user.post(f"{V3}/jobs/{job}/cancel")
    assert (await asyncio.wait_for(others, PATIENCE))[-1].event == "end"


@pytest.fixture
def ledger(api: Any) -> Counting:
    return Counting(api.home.access.ledger._ledger)


async def identities(api: Any, access: Access, count: int, **options: Any) -> list[Identity]:
    return [await access.identify(await api.token(**options), "") for _ in range(count)]


async def test_one_question_is_asked_about_all_who_stay(api: Any, ledger: Counting) -> None:
    access = Access(ledger, SystemClock())
    known = await identities(api, access, 20)
    woken: list[str] = []
    presence = Presence(access, lambda: woken.append("woken"), every=SOON)
    before = ledger.asked
    with ExitStack() as stack:
        guests = [stack.enter_context(presence.stay(who)) for who in known * 10]
        await asyncio.wait_for(ledger.looked(5), PATIENCE)
        assert ledger.asked - before < 10  # and not 200 for each look
        await Office(Access(ledger, SystemClock()), ANYBODY).revoke_token(known[3].token or "")
        while not woken:  # noqa: ASYNC110 - by the presence
            await asyncio.sleep(SOON)
        assert [guest.who for guest in guests if guest.gone] == [known[3]] * 10
    await asyncio.sleep(0)
    assert "genlock-presence" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_token_that_runs_out_ends_the_stay(api: Any, ledger: Counting) -> None:
    clock = Turned()
    access = Access(ledger, clock)
    (who,) = await identities(api, access, 1, expires_in=timedelta(hours=1))
    gone = asyncio.Event()
    with Presence(access, gone.set, every=SOON).stay(who) as guest:
        await asyncio.wait_for(ledger.looked(2), PATIENCE)
        guest.check()
        clock.seconds = 3601.0
        await asyncio.wait_for(gone.wait(), PATIENCE)
        with pytest.raises(Unauthorized, match="has expired"):
            guest.check()


async def test_nobody_is_sent_away_because_the_ledger_does_not_answer(api: Any, ledger: Counting) -> None:
    access = Access(ledger, SystemClock())
    (who,) = await identities(api, access, 1)
    with Presence(access, lambda: None, every=SOON).stay(who) as guest:
        ledger.failing = True
        await asyncio.wait_for(ledger.looked(3), PATIENCE)
        guest.check()


async def test_whoever_comes_while_the_question_is_answered_is_asked_about_next(
    api: Any, ledger: Counting
) -> None:
    access = Access(ledger, SystemClock())
    first, second = await identities(api, access, 2)
    presence = Presence(access, lambda: None, every=SOON)
    stays: list[Guest] = []
    with ExitStack() as stack:

        class Late(Counting):
            async def credentials(self, ids: Collection[str]) -> Sequence[Credential]:
                found = await super().credentials(ids)
                if not stays:
                    stays.append(stack.enter_context(presence.stay(second)))
                return found

        late = access.ledger = Late(ledger._ledger)
        stays_too = stack.enter_context(presence.stay(first))
        await asyncio.wait_for(late.looked(3), PATIENCE)
        assert not any(guest.gone for guest in (*stays, stays_too))
        assert stays


async def test_those_whose_word_nobody_can_take_back_are_not_asked_about(api: Any, ledger: Counting) -> None:
    access = Access(ledger, SystemClock())
    before = ledger.asked
    with Presence(access, lambda: None, every=SOON).stay(ANYBODY) as guest:
        await asyncio.sleep(5 * SOON)
        guest.check()
    assert ledger.asked == before
