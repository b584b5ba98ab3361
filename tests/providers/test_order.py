"""An order of providers, from a stage's body to the vendors' books."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from genlock import pipeline, provided, stage
from genlock.bootstrap import open_home
from genlock.providers.faces import VideoModel
from genlock.providers.result import Footage
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing.simulator import Do, Fault

QUICK = '[models."kling:kling-v2-5-turbo"]\npoll = 0.02\n[models."replicate:google/veo-3.1"]\npoll = 0.02\n'


@stage
async def film(first: Artifact, last: Artifact, *, video: VideoModel = provided()) -> Footage:
    return await video.clip(first, last, prompt="slowly", seconds=5)


@pipeline
def filming(first: Artifact, last: Artifact) -> Footage:
    return film(first, last)


@pytest.fixture
def run(settings: Any, small: Any) -> Any:
    """What a job bought, with these providers."""

    async def running(video: str) -> Footage:
        given = settings(video=video, settle_window=0.3, backoff=0.01)
        given.home.mkdir(exist_ok=True)
        given.models.write_text(QUICK)
        store = LocalStore(given.store)
        pictures = [await store.put(path, "image/jpeg") for path in small]
        async with open_home(given, more=[filming]) as home:
            return await home.engine.run(filming, *pictures)

    return running


@pytest.mark.parametrize("do", [Do.NO_CREDIT, Do.BUSY])
async def test_the_second_provider_is_paid_if_the_first_takes_nothing(run, vendors, do):
    vendors.misbehave(Fault(do, "kling"))
    footage = await run("kling:kling-v2-5-turbo,replicate:google/veo-3.1")
    assert footage.provider == "replicate:google/veo-3.1"
    assert [charge.vendor for charge in vendors.charges()] == ["replicate"]
    assert footage.passed


async def test_the_second_provider_is_not_asked_while_the_first_may_have_it(run, vendors):
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, "kling"))
    footage = await run("kling:kling-v2-5-turbo,replicate:google/veo-3.1")
    assert footage.provider == "kling:kling-v2-5-turbo"
    assert [charge.vendor for charge in vendors.charges()] == ["kling"]
    assert vendors.requests("replicate") == []


def test_a_home_in_which_nothing_is_bought_loads_no_http_client():
    code = (
        "import sys; from genlock.bootstrap import pipelines; pipelines(); "
        "print([name for name in sys.modules if name.startswith(('httpx2', 'httpcore2'))])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"
