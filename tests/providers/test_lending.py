"""What a vendor has fetched, it has been asked for: such a request is not sent again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genlock import pipeline, provided, stage
from genlock.bootstrap import Home, open_home
from genlock.errors import NotFound
from genlock.ledger.spending import CallState, Decision
from genlock.providers.faces import VideoModel
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing.simulator import Do, Fault, Simulator

VEO = "replicate:google/veo-3.1"


@stage
async def shoot(first: Artifact, last: Artifact, *, video: VideoModel = provided()) -> Artifact:
    return (await video.clip(first, last, prompt="a shot", seconds=5)).clip


@pipeline
def shot(first: Artifact, last: Artifact) -> Artifact:
    return shoot(first, last)


async def until(home: Home, state: CallState) -> Any:
    async with asyncio.timeout(20):
        while not (found := await home.engine.accounts.calls(states=[state])):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found[0]


@pytest.mark.parametrize("fetched", [True, False])
async def test_a_lost_request_whose_pictures_were_fetched_waits_for_a_person(
    fetched: bool, settings: Callable[..., Any], vendors: Simulator, small: list[Path]
) -> None:
    vendors.behave()
    vendors.misbehave(Fault(Do.DROP, vendor="replicate", seconds=0.1))
    given = settings(video=VEO, settle_window=1.0, backoff=0.01)
    given.home.mkdir(exist_ok=True)
    given.models.write_text(f'[models."{VEO}"]\npoll = 0.02\n')
    store = LocalStore(given.store)
    first, last = [await store.put(path, "image/jpeg") for path in small]
    async with open_home(given, more=[shot]) as home:
        lending = home.library.lending
        params = {"first": first.model_dump(), "last": last.model_dump()}
        job = (await home.engine.start("shot", params)).id
        call = await until(home, CallState.INTENDED)
        picture, path = await lending.lend(call.key, f"{first.sha256}.jpg")
        assert (picture, path.read_bytes()) == (first, small[0].read_bytes())
        if fetched:
            assert [await lending.note(call.key, first) for _ in range(2)] == [True, False]
            found = await until(home, CallState.DOUBT)
            assert "has fetched the pictures of it" in found.reason
            assert vendors.charges() == []
            await lending.lend(call.key, f"{last.sha256}.jpg")
            await home.engine.accounts.resolve(call.key, Decision.GIVE_UP, by="ann")
        else:
            await until(home, CallState.SETTLED)
            assert len(vendors.charges()) == 1
        with pytest.raises(NotFound):
            await lending.lend(call.key, f"{first.sha256}.jpg")
        assert ("call.delivered" in [e.kind for e in await home.engine.events(job)]) == fetched
