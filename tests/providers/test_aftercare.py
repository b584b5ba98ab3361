"""Calls of a cancelled job are looked after, also while their vendor does not take the key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from genlock import pipeline, provided, stage
from genlock.bootstrap import open_home
from genlock.ledger.spending import CallState
from genlock.providers.faces import VideoModel
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing.simulator import Do, Fault

QUICK = '[models."kling:kling-v2-5-turbo"]\npoll = 0.02\n'


@stage
async def shoot(number: int, first: Artifact, *, video: VideoModel = provided()) -> Artifact:
    return (await video.clip(first, prompt=f"shot {number}", seconds=5)).clip


@pipeline
def shooting(numbers: list[int], first: Artifact) -> list[Artifact]:
    return shoot.map(numbers, first)


@pytest.fixture
async def home(settings: Any, small: Any) -> Any:
    given = settings(video="kling:kling-v2-5-turbo", backoff=0.01)
    given.home.mkdir(exist_ok=True)
    given.models.write_text(QUICK)
    async with open_home(given, more=[shooting]) as opened:
        yield opened


async def calls_of(home: Any, *states: CallState, count: int) -> list[Any]:
    async with asyncio.timeout(20):
        while True:
            found = await home.engine.accounts.calls(states=list(states))
            if len(found) >= count:
                return list(found)
            await asyncio.sleep(0.05)


async def test_a_key_that_is_refused_for_one_call_does_not_keep_the_others_open(home, small, vendors):
    vendors.misbehave(Fault(Do.LONG_WORK, "kling", "create", times=3, seconds=1.5))
    first = (await LocalStore(home.settings.store).put(small[0], "image/jpeg")).model_dump()
    job = (await home.engine.start("shooting", {"numbers": [1, 2, 3], "first": first})).id
    accepted = await calls_of(home, CallState.ACCEPTED, count=3)
    await home.engine.cancel(job)
    refused = accepted[0].provider_id
    vendors.misbehave(Fault(Do.DENY, "kling", "get", times=1_000_000, where=refused))
    settled = await calls_of(home, CallState.SETTLED, count=2)
    assert {call.provider_id for call in settled} == {call.provider_id for call in accepted} - {refused}
    vendors.behave()
    await calls_of(home, CallState.SETTLED, count=3)
    assert len(vendors.charges()) == 3
