"""Schedules of a home that another process owns: the same answers, and the same errors, over its socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from desk import tick

from genlock.api.dependency import Services
from genlock.api.listener import answering
from genlock.bootstrap import open_home
from genlock.client.socket import SocketClient
from genlock.errors import BadInput, Conflict, NotFound
from genlock.ledger.schedules.records import Overlap
from genlock.owner import Ownership
from genlock.schedules.planner import Planner
from genlock.schedules.service import ScheduleService
from genlock.schedules.view import Plan, PlanChange
from genlock.settings import Settings

HOURLY = Plan(name="Hourly", pipeline="tick", params={"subject": "x"}, every="1h", overlap="allow")


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Planner, ScheduleService]]:
    """The owner's own, and a client's."""
    settings = Settings(home=tmp_path / "home")
    ownership = Ownership.take(settings)
    assert ownership is not None
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(open_home(settings, execute=False, more=[tick]))
        await stack.enter_async_context(answering(ownership, lambda: Services.of(home, trusted=True)))
        client = await stack.enter_async_context(SocketClient(settings))
        assert await client.ready()
        yield home.schedules, client.schedules


async def test_a_client_is_told_what_the_owner_would_say(both: tuple[Planner, ScheduleService]) -> None:
    mine, theirs = both
    made = await theirs.create(HOURLY, owner="ann", id="one")
    assert made == await mine.show("one") == await theirs.show("one")
    assert (made.owner, made.schedule, made.workflow) == ("ann", "1h", "tick")
    await theirs.create(HOURLY, id="two")
    assert list(await theirs.list()) == list(await mine.list())
    assert [each.id for each in await theirs.list(owner="ann")] == ["one"]
    changed = await theirs.change("one", PlanChange(cap="2.00", every="2h"))
    assert (changed.cap, changed.schedule) == ("2.00", "2h")
    assert (await theirs.replace("one", HOURLY)).cap is None
    assert (await theirs.pause("one", "enough")).reason == "enough"
    assert (await theirs.resume("one")).reason is None
    fired = [await theirs.trigger("one") for _ in range(3)]
    assert list(await theirs.firings("one")) == fired[::-1] == list(await mine.firings("one"))
    assert list(await theirs.firings("one", after=fired[1].due_at, limit=1)) == [fired[0]]
    times = await theirs.upcoming("one", count=2)
    assert times[1] - times[0] == timedelta(hours=1)
    await theirs.delete("one")
    assert [each.id for each in await mine.list()] == ["two"]


async def test_lists_longer_than_a_page_are_whole(both: tuple[Planner, ScheduleService]) -> None:
    mine, theirs = both
    for number in range(203):
        await mine.create(HOURLY, id=f"s{number}")
    assert [each.id for each in await theirs.list(limit=1000)] == [f"s{number}" for number in range(203)]
    for _ in range(3):
        await mine.trigger("s0")
    assert len(await theirs.firings("s0", limit=2)) == 2


async def test_a_client_is_refused_as_the_owner_would_refuse(both: tuple[Planner, ScheduleService]) -> None:
    mine = both[0]
    await mine.create(HOURLY.model_copy(update={"overlap": Overlap.SKIP}), id="one")
    await mine.trigger("one")
    for service in both:
        with pytest.raises(NotFound, match="there is no schedule 'none'"):
            await service.show("none")
        with pytest.raises(NotFound):
            await service.delete("none")
        with pytest.raises(Conflict, match="already"):
            await service.create(HOURLY, id="one")
        with pytest.raises(Conflict, match="has not finished"):
            await service.trigger("one")
        with pytest.raises(BadInput, match="no time zone"):
            await service.change("one", PlanChange(cron="0 9 * * *", zone="Nowhere/Else"))
        with pytest.raises(BadInput, match="no time zone"):
            await service.create(HOURLY.model_copy(update={"zone": "Nowhere/Else"}))
