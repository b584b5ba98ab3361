"""What a request may look like, and what is said of one that does not: on every route alike."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.conftest import NOTE
from api.world import V3, World

JOBS, CLIENTS = f"{V3}/jobs", f"{V3}/clients"


def detail(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["detail"])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
async def test_a_body_that_is_not_said_to_be_json_is_refused(user: Any, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    for path in (JOBS, f"{JOBS}/from-image-pairs", CLIENTS, "/api/cron/jobs/interval", "/api/generate"):
        answer = await user.post(path, content=b'{"name": "Acme"}', headers=headers)
        assert "application/json" in detail(answer, 415), path
    patched = await user.patch(f"{V3}/schedules/none", content=b"{}", headers={"Content-Type": "text/plain"})
    assert patched.status_code in (404, 415)


BROKEN = {
    b"": "/body: Field required",
    b"{bad": "at character 2",
    b'{"name": "a" "b"}': "at character 14",
    b"\xff\xfe\xfa": "no text in UTF-8",
    b"[" * 100_000: "nested too deeply",
    b"[]": "/body: Input should be",
}


async def test_what_is_wrong_with_a_body_is_said(user: Any) -> None:
    for body, reason in BROKEN.items():
        answer = await user.post(CLIENTS, content=body, headers={"Content-Type": "application/json"})
        assert reason in answer.json()["error"]["detail"], body[:20]
        assert answer.status_code in (400, 422)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
async def test_numbers_that_are_none_are_not_kept_as_nothing(user: Any, number: str) -> None:
    for path in (CLIENTS, f"{V3}/campaigns"):
        body = f'{{"name": "Acme", "details": {{"a": [{number}]}}}}'
        answer = await user.post(path, content=body, headers={"Content-Type": "application/json"})
        assert "finite number" in detail(answer, 422)
        assert (await user.get(path)).json()["data"] == []


async def test_an_address_with_nothing_behind_it_and_what_cannot_be_done_there_are_told(user: Any) -> None:
    assert "openapi.json" in detail(await user.get("/api/v3/job"), 404)
    answer = await user.delete(JOBS)
    assert "GET, HEAD, POST" in detail(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_a_parameter_that_nobody_knows_is_refused_and_not_passed_over(user: Any) -> None:
    assert (await user.post(JOBS, json=NOTE)).status_code == 202
    told = detail(await user.get(f"{JOBS}?state=failed"), 422)
    assert told.startswith("there is no parameter 'state' here; there are: ")
    assert "status" in told
    assert (await user.get(f"{JOBS}?status=failed")).json()["data"] == []
    assert "there are: none" in detail(await user.get(f"{V3}/me?x=1"), 422)
    assert len((await user.get("/api/jobs?skip=0")).json()) == 1, "older programs ask as they always did"


async def test_head_answers_like_get_and_sends_nothing(api: Any, user: Any, tmp_path: Any) -> None:
    world = World(api, user, "ann", tmp_path)
    templates = ["assets/{id}/data", "assets/{id}/thumbnail", "videos/{video}/data", "videos/{video}/poster"]
    templates += ["jobs/{job}", "schedules", "me"]
    paths = [await world.path(f"{V3}/{each}") for each in templates]
    for path in (*paths, "/health", "/ready", f"{V3}/openapi.json"):
        full, head = await user.get(path), await user.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("content-type", "content-length", "etag", "accept-ranges"):
            assert head.headers.get(name) == full.headers.get(name), (path, name)
    part = await user.head(paths[0], headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.headers["content-length"]) == (206, "3")
    stream = await user.head(f"{paths[4]}/events", headers={"Accept": "text/event-stream"})
    assert (stream.status_code, stream.content) == (200, b"")
    assert (await user.head(f"{V3}/nothing")).status_code == 404


async def test_the_lists_of_older_systems_name_their_next_page(
    api: Any, user: Any, admin: Any, tmp_path: Any
) -> None:
    world = World(api, user, "ann", tmp_path)
    for _ in range(3):
        await world.path(f"{V3}/schedules/{{id}}")
        await world.path(f"{V3}/videos/{{video}}")
    for client, path in ((user, "/api/cron/jobs"), (admin, "/api/cron/jobs/all"), (user, "/api/videos")):
        whole = (await client.get(path)).json()
        found, place = [], f"{path}?limit=1"
        while place:
            page = await client.get(place)
            found += page.json()
            place = page.links.get("next", {}).get("url", "")
        assert found == whole, path
        assert len(found) >= 3


async def test_a_page_behind_something_that_is_gone_is_refused(api: Any, user: Any, tmp_path: Any) -> None:
    world = World(api, user, "ann", tmp_path)
    places = [await world.path(f"{V3}/schedules/{{id}}") for _ in range(3)]
    first = places[0].rpartition("/")[2]
    assert len((await user.get(f"{V3}/schedules?after={first}")).json()["data"]) == 2
    last = places[2].rpartition("/")[2]
    assert (await user.get(f"{V3}/schedules?after={last}")).json()["data"] == [], "the end of the list"
    assert (await user.delete(places[0])).status_code == 204
    job = (await world.path(f"{V3}/jobs/{{job}}")).rpartition("/")[2]
    for path in ("schedules", "calls", f"jobs/{job}/sub-jobs", f"jobs/{job}/artifacts"):
        told = detail(await user.get(f"{V3}/{path}?after={first}"), 422)
        assert told.endswith("so the list cannot go on behind it: begin anew")


async def test_nobody_lists_what_is_somebody_elses(user: Any, admin: Any) -> None:
    for kind in ("jobs", "videos", "clients", "campaigns", "assets", "schedules", "calls"):
        assert "only an admin" in detail(await user.get(f"{V3}/{kind}?owner=bob"), 403), kind
        assert (await user.get(f"{V3}/{kind}?owner=ann")).json()["data"] == []
        assert (await admin.get(f"{V3}/{kind}?owner=bob")).json()["data"] == []
