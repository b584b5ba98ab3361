"""Routes of the older systems: their shapes, and nothing played that this version cannot do."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from shoot import TINY, order, seen, until, upload

OLDER_JOB = {
    *("id", "status", "stage", "theme", "created_at", "updated_at", "error_message", "completed_stages"),
    *("total_stages", "progress_pct", "extra_data"),
}


@pytest.fixture
async def ann(live: Any) -> httpx2.AsyncClient:
    """A user of a home that runs its tasks."""
    client: httpx2.AsyncClient = await live.user("ann")
    return client


async def test_a_luigi_job_is_made_by_the_embedded_executor_and_says_so(ann: httpx2.AsyncClient) -> None:
    campaign, _ = await upload(ann)
    body = {"campaignId": campaign, "executor": "luigi", **TINY}
    started = await ann.post("/api/v3/luigi/jobs", json=body)
    told = started.json()
    assert started.status_code == 202
    assert (told["executor"], told["totalAssets"]) == ("embedded", 3)
    assert "no luigi executor" in told["message"]
    await until(ann, told["jobId"], "completed")
    shown = (await ann.get(told["pollUrl"])).json()
    assert (shown["jobId"], shown["status"], shown["campaignId"]) == (told["jobId"], "completed", campaign)
    assert (shown["subJobs"]["total"], shown["subJobs"]["completed"]) == (2, 2)
    assert [each["jobId"] for each in (await ann.get("/api/v3/luigi/jobs")).json()] == [told["jobId"]]
    for verb in ("cancel", "retry"):
        assert (await ann.post(f"{told['pollUrl']}/{verb}")).status_code == 409


async def test_an_older_client_sees_jobs_films_and_reviews_in_its_own_words(ann: httpx2.AsyncClient) -> None:
    campaign, _ = await upload(ann)
    job = await order(ann, campaign, review=True)
    await until(ann, job, "waiting")
    [listed] = (await ann.get("/api/jobs?status=waiting")).json()
    assert set(listed) == OLDER_JOB
    assert (listed["id"], listed["stage"], listed["completed_stages"][-1]) == (job, "review", "video_storage")
    assert (await ann.get(f"/api/jobs/{job}")).json()["total_stages"] == 10
    [film] = (await ann.get("/api/videos?status=waiting")).json()
    assert (film["id"], film["status"]) == (job, "waiting")
    no = (await ann.post(f"/videos/{job}/reject", json={"reason": "too dark"})).json()
    assert (no["reviewed_by"], no["rejection_reason"]) == ("ann", "too dark")
    failed = await seen(ann, f"/api/v3/jobs/{job}", lambda told: told["state"] == "failed")
    assert failed["error"]["message"] == "rejected by ann: too dark"
    assert (await ann.post(f"/api/videos/{job}/approve")).status_code == 409
    again = (await ann.post(f"/api/jobs/{job}/retry")).json()
    assert set(again) == {"job_id", "task_id", "status", "resume_from", "skipping_stages", "message"}
    assert (again["task_id"], again["resume_from"]) == (f"{job}/review", "review")
    await seen(ann, f"/api/v3/jobs/{job}", lambda told: told["state"] == "failed")
    await ann.post(f"/api/v3/videos/{job}/redo-clip", json={"revision": 1, "clip": 1})
    await until(ann, job, "waiting")
    yes = (await ann.post(f"/api/videos/{job}/approve")).json()
    assert (yes["revision"], yes["reviewed_by"], yes["rejection_reason"]) == (2, "ann", None)
    await until(ann, job, "completed")
    assert (await ann.get(f"/api/videos/{job}")).json()["status"] == "approved"


async def test_jobs_come_in_pages_that_name_the_next_one(user: Any) -> None:
    _, assets = await upload(user)
    for _ in range(3):
        made = await user.post("/api/v3/jobs", json={"pipeline": "campaign", "params": {"photos": assets}})
        assert made.status_code == 202, made.text
    first = await user.get("/api/jobs?limit=2")
    assert len(first.json()) == 2
    rest = await user.get(first.links["next"]["url"])
    assert len(rest.json()) == 1
    assert "next" not in rest.links
    assert {each["status"] for each in [*first.json(), *rest.json()]} == {"queued"}


async def test_a_short_is_not_pretended(user: Any) -> None:
    for body in ({}, {"theme": "cats"}):
        answer = await user.post("/api/generate", json=body)
        assert answer.status_code == 422
        assert "no pipeline that makes shorts" in answer.json()["error"]["detail"]
    assert (await user.get("/api/jobs")).json() == []
