"""A home that is restored in another folder: orders of uploaded pictures find them there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from api.conftest import served
from genlock.backup import back_up, restore
from genlock.clock import SystemClock
from genlock.ledger.access.records import Scope
from genlock.owner import Ownership
from genlock.settings import Settings
from shoot import order, until, upload


async def test_an_order_of_uploaded_pictures_is_carried_out_in_the_home_it_was_restored_to(
    tmp_path: Path,
) -> None:
    old, new = Settings(home=tmp_path / "old"), Settings(home=tmp_path / "new", cpu=1)
    async with served(old, execute=False) as api:
        ann = await api.user("ann")
        campaign, assets = await upload(ann)
        job = await order(ann, campaign, ending="See you", logo=assets[0], resolution="180p")
        assert str(old.shelf) in (await api.home.engine.reader.job(job)).input, (
            "it names them where they were"
        )
        copy = Path(await api.home.engine.copy_ledger())
        back_up(lambda: copy, old, tmp_path / "kept", now=SystemClock().now(), progress=lambda *_: None)
    shutil.rmtree(old.home)
    with Ownership.take(new) or pytest.fail("it is new"):
        restore(tmp_path / "kept", new, name=None, progress=lambda *_: None)
    async with served(new) as api:
        boss = await api.client(await api.token("boss", frozenset(Scope), admin=True))
        done = await until(boss, job, "completed")
        assert (await boss.get(done["film"]["urls"]["data"])).is_success
        picture = await boss.get(f"/api/v3/assets/{assets[0]}/thumbnail")
        assert picture.is_success
        again = await order(boss, campaign, id="again", owner="ann")
        await until(boss, again, "completed")


async def test_films_of_a_set_are_of_the_campaign_that_the_set_is_of(tmp_path: Path) -> None:
    small = {"resolution": "90p", "clip_duration": 1, "transitions": "dissolve", "num_pairs": 1}
    async with served(Settings(home=tmp_path / "home")) as api:
        ann = await api.user("ann")
        campaign, assets = await upload(ann, 2)
        params = {**small, "photos": assets, "aspects": ["16:9", "9:16"], "with_audio": False}
        body = {"pipeline": "campaign_set", "params": params, "labels": {"campaign": campaign}}
        started = await ann.post("/api/v3/jobs", json=body)
        assert started.status_code == 202, started.text
        await until(ann, started.json()["data"]["id"], "completed")
        found = (await ann.get(f"/api/v3/videos?campaign={campaign}")).json()["data"]
    assert [film["campaignId"] for film in found] == [campaign] * 2
    assert {film["width"] for film in found} == {160, 90}
