"""Films over HTTP: ordered from the library, played, approved or sent back by their revision."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import av
import httpx2
import pytest
from PIL import Image

from api.conftest import served
from genlock.ledger.access.records import Scope
from genlock.settings import Settings
from genlock.testing.simulator import Simulator
from shoot import TINY, order, seen, until, upload

VEO = "replicate:google/veo-3.1"


@pytest.fixture
async def ann(live: Any) -> httpx2.AsyncClient:
    """A user of a home that runs its tasks."""
    client: httpx2.AsyncClient = await live.user("ann")
    return client


async def test_a_film_is_ordered_of_uploaded_pictures_and_played(ann: httpx2.AsyncClient) -> None:
    campaign, assets = await upload(ann)
    answer = await ann.post("/api/v3/jobs/from-image-pairs", json={"campaignId": campaign, **TINY})
    told = answer.json()["data"]
    assert answer.status_code == 202
    assert set(told) == {"jobId", "status", "campaignId", "totalAssets", "pollUrl", "message"}
    assert (told["campaignId"], told["totalAssets"]) == (campaign, len(assets))
    job = told["jobId"]
    done = await until(ann, job, "completed")
    assert (await ann.get(told["pollUrl"])).json()["data"]["status"] == "completed"
    assert (done["completedStages"], done["totalStages"], done["progress"]) == (10, 10, 1.0)
    assert {
        name: done["cost"][name] for name in ("estimated", "reserved", "actual", "doubt")
    } == dict.fromkeys(("estimated", "reserved", "actual", "doubt"), "$0.00")
    film = await ann.get(done["film"]["urls"]["data"])
    assert film.headers["content-type"] == "video/mp4"
    assert hashlib.sha256(film.content).hexdigest() == done["film"]["sha256"]
    with av.open(io.BytesIO(film.content)) as media:
        frames = sum(1 for _ in media.decode(video=0))
        assert (media.streams.video[0].width, media.streams.video[0].height) == (160, 90)
    shown = (await ann.get(f"/api/v3/videos/{job}")).json()["data"]
    assert (shown["frames"], shown["standing"], shown["campaignId"]) == (frames, "unasked", campaign)
    assert all(finding["passed"] for finding in shown["report"]["findings"])
    assert [each["revision"] for each in shown["revisions"]] == [1]


async def test_a_film_is_fetched_in_parts_and_only_again_if_it_has_changed(ann: httpx2.AsyncClient) -> None:
    campaign, _ = await upload(ann)
    job = await order(ann, campaign)
    await until(ann, job, "completed")
    url = f"/api/v3/videos/{job}/data"
    whole = await ann.get(url)
    tag, size = whole.headers["etag"], len(whole.content)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    first = await ann.get(url, headers={"Range": "bytes=0-999"})
    rest = await ann.get(url, headers={"Range": "bytes=1000-", "If-Range": tag})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.headers["content-range"] == f"bytes 0-999/{size}"
    assert first.content + rest.content == whole.content
    with av.open(io.BytesIO(first.content + rest.content)) as media:
        assert sum(1 for _ in media.decode(video=0)) > 0
    tail = await ann.get(url, headers={"Range": "bytes=-10"})
    assert tail.content == whole.content[-10:]
    changed = await ann.get(url, headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    beyond = await ann.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.json()["error"]["status"] == 416
    assert (await ann.get(url, headers={"If-None-Match": tag})).status_code == 304
    head = await ann.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")
    for part in ("poster", "sheet"):
        picture = await ann.get(f"/api/v3/videos/{job}/{part}")
        assert picture.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(picture.content)).width > 0


async def test_nothing_is_complete_before_a_person_has_approved_these_very_bytes(
    live: Any, ann: httpx2.AsyncClient
) -> None:
    campaign, _ = await upload(ann)
    job = await order(ann, campaign, review=True)
    waiting = await until(ann, job, "waiting")
    assert (waiting["stage"], waiting["film"]["standing"]) == ("review", "waiting")
    assert waiting["deadlineAt"] is None  # nobody says how long a person takes
    video = (await ann.get("/api/v3/videos?standing=waiting")).json()["data"][0]
    assert (video["id"], video["revision"]) == (job, 1)
    approve = f"/api/v3/videos/{job}/approve"
    for wrong in ({"revision": 2}, {"revision": 1, "sha256": "0" * 64}):
        assert (await ann.post(approve, json=wrong)).status_code == 409
    assert (await ann.get(f"/api/v3/jobs/{job}")).json()["data"]["state"] == "waiting"
    gate = f"review of {video['sha256'][:16]}"
    aside = await ann.post(f"/api/v3/jobs/{job}/tasks/review/signal", json={"name": gate, "value": True})
    assert aside.status_code == 409
    said = await ann.post(approve, json={"revision": 1, "sha256": video["sha256"]})
    assert said.status_code == 200, said.text
    done = await until(ann, job, "completed")
    assert done["film"]["standing"] == "approved"
    review = (await ann.get(f"/api/v3/videos/{job}")).json()["data"]["review"]
    assert (review["verdict"], review["by"], review["sha256"]) == ("approved", "ann", video["sha256"])
    assert (await ann.post(approve, json={"revision": 1})).status_code == 200  # the same word again
    no = await ann.post(f"/api/v3/videos/{job}/reject", json={"revision": 1, "reason": "on second thoughts"})
    assert no.status_code == 409
    boss = await live.client(await live.token("boss", frozenset(Scope), admin=True))
    [deed] = (await boss.get(f"/api/v3/audit?target=video:{job}")).json()["data"]
    assert (deed["user"], deed["action"]) == ("ann", "video.approved")
    assert deed["data"]["sha256"] == video["sha256"]


async def test_one_clip_made_again_is_a_new_revision_that_waits_again(ann: httpx2.AsyncClient) -> None:
    campaign, _ = await upload(ann)
    job = await order(ann, campaign, review=True)
    await until(ann, job, "waiting")
    url = f"/api/v3/videos/{job}"
    first = (await ann.get(url)).json()["data"]
    preview = await ann.post(f"{url}/redo-clip", json={"revision": 1, "clip": 2, "dryRun": True})
    plan = preview.json()["data"]
    assert (plan["redone"], plan["dryRun"], plan["atMost"]) == (["video_generation/1"], True, 0.0)
    assert "video_generation/0" in plan["kept"]
    assert (await ann.post(f"{url}/redo-clip", json={"revision": 1, "clip": 9})).status_code == 422
    redone = await ann.post(f"{url}/redo-clip", json={"revision": 1, "clip": 2})
    assert redone.status_code == 200, redone.text
    late = await ann.post(f"{url}/approve", json={"revision": 1, "sha256": first["sha256"]})
    assert late.status_code == 409
    second = await seen(ann, url, lambda video: video["standing"] == "waiting")
    assert (second["revision"], second["sha256"] != first["sha256"]) == (2, True)
    assert [(each["revision"], each["sha256"]) for each in second["revisions"]] == [
        (1, first["sha256"]),
        (2, second["sha256"]),
    ]
    old = await ann.get(f"{url}/data?revision=1")
    assert hashlib.sha256(old.content).hexdigest() == first["sha256"]
    assert (await ann.post(f"{url}/approve", json={"revision": 1})).status_code == 409
    assert (await ann.post(f"{url}/approve", json={"revision": 2})).status_code == 200
    await until(ann, job, "completed")


async def test_a_film_that_is_rejected_fails_with_the_reason_until_it_is_made_again(
    ann: httpx2.AsyncClient,
) -> None:
    campaign, _ = await upload(ann)
    job = await order(ann, campaign, review=True)
    await until(ann, job, "waiting")
    url = f"/api/v3/videos/{job}"
    assert (await ann.post(f"{url}/reject", json={"revision": 1, "reason": " "})).status_code == 422
    assert (await ann.post(f"{url}/reject", json={"revision": 1, "reason": "too dark"})).status_code == 200
    failed = await seen(ann, f"/api/v3/jobs/{job}", lambda told: told["state"] == "failed")
    assert (failed["error"]["kind"], failed["error"]["message"]) == ("Rejected", "rejected by ann: too dark")
    assert failed["film"]["standing"] == "rejected"
    retried = (await ann.post(f"/api/v3/jobs/{job}/retry")).json()["data"]
    assert (retried["resumeFrom"], retried["skippingStages"][-1]) == ("review", "video_storage")
    assert retried["message"].endswith(
        ". The film was rejected by ann: too dark, and stays so: have a clip made anew "
        f"(POST {url}/redo-clip) or a stage (POST /api/v3/jobs/{job}/rerun)"
    )
    await seen(ann, f"/api/v3/jobs/{job}", lambda told: told["state"] == "failed")  # the word stands
    assert (await ann.post(f"{url}/redo-clip", json={"revision": 1, "clip": 1})).status_code == 200
    again = await until(ann, job, "waiting")
    assert again["film"]["revision"] == 2


async def test_what_a_job_has_made_is_listed_and_loaded_by_its_hash(
    live: Any, ann: httpx2.AsyncClient
) -> None:
    campaign, _ = await upload(ann)
    job, other = await order(ann, campaign), await order(ann, campaign, seed=7, aspect="1:1")
    done = await until(ann, job, "completed")
    strange = (await until(ann, other, "completed"))["film"]["sha256"]
    listed = (await ann.get(f"/api/v3/jobs/{job}/artifacts?limit=2")).json()
    assert (len(listed["data"]), listed["meta"]["next"]) == (2, listed["data"][1]["sha256"])
    rest = await ann.get(f"/api/v3/jobs/{job}/artifacts?after={listed['meta']['next']}&limit=1000")
    found = {each["sha256"]: each for each in [*listed["data"], *rest.json()["data"]]}
    film = found[done["film"]["sha256"]]
    assert film["mediaType"] == "video/mp4"
    loaded = await ann.get(film["url"])
    assert hashlib.sha256(loaded.content).hexdigest() == film["sha256"]
    assert (await ann.get(f"/api/v3/jobs/{job}/artifacts/{strange}")).status_code == 404
    bob = await live.user("bob")
    assert (await bob.get(film["url"])).status_code == 404
    parts = (await ann.get(f"/api/v3/jobs/{job}/sub-jobs")).json()["data"]
    assert [each["id"] for each in parts["subJobs"]] == ["video_generation/0", "video_generation/1"]
    assert (parts["summary"]["total"], parts["summary"]["completed"]) == (2, 2)
    assert parts["subJobs"][0]["artifact"] in found


async def test_films_of_others_do_not_exist(live: Any, ann: httpx2.AsyncClient) -> None:
    campaign, _ = await upload(ann)
    job = await order(ann, campaign, review=True)
    await until(ann, job, "waiting")
    bob = await live.user("bob")
    assert (await bob.get("/api/v3/videos")).json()["data"] == []
    theirs, none = await bob.get(f"/api/v3/videos/{job}"), await bob.get("/api/v3/videos/nothing")
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.json()["error"]["detail"].replace(job, "ID") == none.json()["error"]["detail"].replace(
        "nothing", "ID"
    )
    for verb, body in (
        ("approve", {"revision": 1}),
        ("reject", {"revision": 1, "reason": "x"}),
        ("redo-clip", {"revision": 1, "clip": 1}),
    ):
        assert (await bob.post(f"/api/v3/videos/{job}/{verb}", json=body)).status_code == 404
    assert (await bob.get(f"/api/v3/videos/{job}/data")).status_code == 404
    no = await bob.post("/api/v3/jobs/from-image-pairs", json={"campaignId": campaign})
    assert no.status_code == 404


async def test_what_cannot_be_ordered_is_said_and_nothing_is_written(ann: httpx2.AsyncClient) -> None:
    campaign, assets = await upload(ann)
    pairs, jobs = "/api/v3/jobs/from-image-pairs", "/api/v3/jobs"
    info = {"name": "Villa", "location": "Rome", "propertyType": "house", "positioning": "quiet"}
    for path, body, status, word in [
        (pairs, {"campaignId": campaign, "executor": "luigi"}, 422, "embedded"),
        (pairs, {"campaignId": campaign, "assets": ["/etc/passwd", "/etc/hosts"]}, 403, "upload"),
        (pairs, {"campaignId": campaign, "assets": assets[:1]}, 422, "two"),
        (pairs, {"campaignId": campaign, "assets": [*assets, "as_nobody"]}, 404, "as_nobody"),
        (pairs, {"campaignId": campaign, "output": "/tmp/film.mp4"}, 403, "output"),
        (pairs, {"campaignId": campaign, "numPairs": 0}, 422, "numPairs"),
        (pairs, {"campaignId": campaign, "caps": {"job": "a lot"}}, 422, "money"),
        (pairs, {"campaignId": campaign, "owner": "bob"}, 403, "admin"),
        (jobs, {"pipeline": "campaign", "params": {"photos": ["/etc/passwd", "/etc/group"]}}, 403, "upload"),
        (
            jobs,
            {"pipeline": "campaign", "params": {"photos": assets}, "labels": {"schedule": "x"}},
            403,
            "sched",
        ),
        (jobs, {"pipeline": "campaign", "params": {"photos": assets}, "executor": "celery"}, 422, "celery"),
        (f"{jobs}/from-property-photos", {"propertyInfo": info, "photos": assets}, 422, "property"),
    ]:
        answer = await ann.post(path, json=body)
        assert answer.status_code == status, (body, answer.text)
        assert word in answer.text
    assert (await ann.get(jobs)).json()["data"] == []


async def test_a_dry_run_prices_a_job_and_writes_nothing(live: Any, ann: httpx2.AsyncClient) -> None:
    _, assets = await upload(ann)
    params = {"photos": assets, "num_pairs": 10, "clip_duration": 6}
    dry = "/api/v3/jobs/dry-run"
    free = (await ann.post(dry, json={"pipeline": "campaign", "params": params})).json()["data"]
    assert (free["estimatedCost"], free["currency"]) == (0.0, "USD")
    assert free["breakdown"][0] | {"note": ""} == {
        "stage": "video_generation",
        "model": "local",
        "count": 3,
        "each": "$0.00",
        "amount": "$0.00",
        "micros": 0,
        "currency": "USD",
        "note": "",
    }
    assert "video_storage" in {node["name"] for node in free["graph"]["nodes"]}
    no_key = await ann.post(dry, json={"pipeline": "campaign", "params": {**params, "video": "fal:veo3.1"}})
    assert no_key.status_code == 422
    assert (await ann.get("/api/v3/jobs")).json()["data"] == []


async def test_what_was_estimated_is_what_a_bought_film_costs(settings: Settings) -> None:
    with Simulator(work=0.1, width=160, frames=None, fps=24) as vendors:
        account = {"replicate_key": vendors.key("replicate"), "replicate_url": vendors.address("replicate")}
        settings = Settings(home=settings.home, **account)
        settings.home.mkdir(parents=True)
        (settings.home / "models.toml").write_text(f'[models."{VEO}"]\npoll = 0.1\n')
        async with served(settings) as home:
            ann = await home.user("ann")
            _, assets = await upload(ann)
            params = {
                "photos": assets,
                "num_pairs": 2,
                "clip_duration": 3.6,
                "with_audio": False,
                "video": VEO,
            }
            wanted = {"pipeline": "campaign", "params": {**params, "resolution": "90p"}}
            dry = (await ann.post("/api/v3/jobs/dry-run", json=wanted)).json()["data"]
            assert (dry["estimatedCost"], vendors.charges()) == (1.6, [])
            poor = await ann.post("/api/v3/jobs", json={**wanted, "caps": {"job": "1.00"}})
            job = poor.json()["data"]["id"]
            first = await seen(ann, f"/api/v3/calls?job={job}", lambda calls: len(calls) == 1)
            assert first[0]["estimate"] == "$0.80"
            await until(ann, job, "waiting")  # the second clip would cost more than is left
            raised = await ann.put(f"/api/v3/budgets/job:{job}", json={"cap": "5"})
            assert raised.status_code == 200, raised.text
            done = await until(ann, job, "completed")
            assert (done["cost"]["estimated"], done["cost"]["actual"]) == ("$1.60", "$1.60")
            assert [each["made_by"] for each in done["result"]["generated"]] == [VEO, VEO]
            redo = {"revision": 1, "clip": 1, "dryRun": True}
            plan = (await ann.post(f"/api/v3/videos/{job}/redo-clip", json=redo)).json()["data"]
            assert (plan["estimatedCost"], plan["atMost"]) == (0.8, 0.8)
            anew = {"stage": "sub_job_creation", "dryRun": True}
            plan = (await ann.post(f"/api/v3/jobs/{job}/rerun", json=anew)).json()["data"]
            assert (plan["estimatedCost"], plan["atMost"]) == (0.0, 1.6)
            assert len(vendors.charges()) == 2
