"""What is counted of things that another process has begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from genlock.api.oversight import oversee
from genlock.bootstrap import open_home
from genlock.ledger.records import JobSpec, NodeSpec
from genlock.ledger.spending import CallSpec
from genlock.money import Money
from genlock.owner import Ownership
from genlock.settings import Settings

ASK = CallSpec("clip", "acme:one", "acme", "blind", "{}", "hash", Money.of("0.50"))


async def test_calls_that_a_process_before_had_begun_are_counted_with_their_vendor(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with Ownership.take(settings) or pytest.fail("the home is taken"):
        async with open_home(settings, execute=False) as home:
            ledger = home.engine.ledger
            spec = JobSpec("film", "film", "{}", "{}", (NodeSpec("buy"),), ())
            (ready,) = (await ledger.create_job(spec)).ready
            (claim,) = await ledger.claim("somebody", tasks=[ready])
            intent = await ledger.intend(claim, ASK)
            assert intent.call is not None
            async with oversee(home) as later:  # as if it were watched over only from now on
                await ledger.accept(intent.call.key, 1, "handle")
                text = (await later.metrics.text()).decode()
    assert 'genlock_calls_total{outcome="accepted",vendor="acme"} 1.0' in text
    assert 'vendor=""' not in text
