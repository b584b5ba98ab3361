"""People see what is theirs: by id, by the beginning of one, by what should make it the same."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.conftest import NOTE
from api.world import V3, World
from genlock.ledger.access.records import Scope
from genlock.ledger.records import JobSpec, NodeSpec

JOBS = f"{V3}/jobs"


async def started(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(JOBS, json=NOTE | more)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()["data"]
    return job


async def test_a_job_is_of_who_asks_and_admins_may_name_another(user: Any, admin: Any) -> None:
    assert (await started(user))["owner"] == "ann"
    assert (await started(user, owner="ann"))["owner"] == "ann"
    assert (await user.post(JOBS, json=NOTE | {"owner": "bob"})).status_code == 403
    assert (await started(admin, owner="bob"))["owner"] == "bob"
    assert (await user.get(f"{JOBS}?owner=bob")).status_code == 403
    mine = [job["owner"] for job in (await user.get(JOBS)).json()["data"]]
    assert mine == ["ann", "ann"]
    hers = (await admin.get(f"{JOBS}?owner=ann")).json()["data"]
    assert [job["owner"] for job in hers] == mine


async def test_the_beginning_of_an_id_finds_ones_own_job_alone(user: Any, other: Any) -> None:
    await started(user, id="spring-ann")
    await started(other, id="spring-bob")
    found = await user.get(f"{JOBS}/spring")
    assert found.json()["data"]["id"] == "spring-ann"
    for typed in ("spring-bob", "spring-b", "bob"):
        answer = await user.get(f"{JOBS}/{typed}")
        assert answer.status_code == 404
        assert "spring" not in answer.json()["error"]["detail"].replace(repr(typed), "")
    stream = await user.get(f"{JOBS}/spring-bob/events", headers={"Accept": "text/event-stream"})
    assert stream.status_code == 404


async def test_nobody_gets_at_a_job_by_its_id_or_its_dedup_key(user: Any, other: Any, admin: Any) -> None:
    job = await started(user, id="mine", dedup="monday")
    assert (await started(user, dedup="monday"))["id"] == job["id"]
    taken = await other.post(JOBS, json=NOTE | {"id": "mine"})
    assert taken.status_code == 409
    assert "hello" not in taken.text
    assert (await started(other, dedup="monday"))["id"] != job["id"]
    assert (await started(admin, dedup="monday"))["id"] != job["id"]
    assert (await started(admin, dedup="monday", owner="ann"))["id"] == job["id"]


async def test_a_nested_job_is_of_whose_the_outer_one_is(api: Any, user: Any, other: Any) -> None:
    ledger = api.home.engine.ledger
    outer = JobSpec("outer", "film", "{}", "{}", (NodeSpec("clips"),), (), owner="ann")
    (task,) = (await ledger.create_job(outer)).ready
    (claim,) = await ledger.claim("somebody", tasks=[task])
    await ledger.nest(claim, JobSpec("outer.inner", "film", "{}", "{}", (NodeSpec("x"),), ()))
    assert (await user.get(f"{JOBS}/outer.inner/tasks")).json()["data"][0]["key"] == "x"
    assert (await other.get(f"{JOBS}/outer.inner/tasks")).status_code == 404


async def test_money_is_shown_of_ones_own_jobs(
    user: Any, other: Any, admin: Any, api: Any, tmp_path: Any
) -> None:
    world = World(api, user, "ann", tmp_path)
    key = (await world.call())["key"]
    for path in ("calls", "costs"):
        assert len((await user.get(f"{V3}/{path}")).json()["data"]) == 1
        assert (await other.get(f"{V3}/{path}")).json()["data"] == []
        assert len((await admin.get(f"{V3}/{path}?owner=ann")).json()["data"]) == 1
        assert (await admin.get(f"{V3}/{path}?owner=bob")).json()["data"] == []
    job = (await user.get(f"{V3}/calls/{key}")).json()["data"]["job"]
    assert (await other.get(f"{V3}/costs?job={job}")).status_code == 404
    assert (await other.get(f"{V3}/calls/{key[-8:]}")).status_code == 404


async def test_only_admins_say_what_people_may_spend(user: Any, other: Any, admin: Any) -> None:
    job = (await started(user))["id"]
    cap = {"cap": "2.50"}
    for scope, status in (
        (f"job:{job}", 200),
        (job, 200),
        ("user:ann", 403),
        ("user:bob", 404),
        ("day:2026-11-22", 404),
        ("schedule:x", 404),
        ("job:none", 404),
    ):
        assert (await user.put(f"{V3}/budgets/{scope}", json=cap)).status_code == status, scope
    assert (await other.put(f"{V3}/budgets/job:{job}", json=cap)).status_code == 404
    for scope in ("user:ann", "user:bob", "day:2026-11-22"):
        assert (await admin.put(f"{V3}/budgets/{scope}", json=cap)).status_code == 200
    seen = [budget["scope"] for budget in (await user.get(f"{V3}/budgets")).json()["data"]]
    assert sorted(seen) == sorted([f"job:{job}", "user:ann"])
    assert (await user.get(f"{V3}/budgets?scope=user:bob")).status_code == 404
    assert len((await admin.get(f"{V3}/budgets")).json()["data"]) == 4


@pytest.mark.parametrize("decision", ["give-up"])
async def test_a_decision_is_of_who_signed_in_whatever_they_write(
    api: Any, user: Any, admin: Any, tmp_path: Any, decision: str
) -> None:
    key = (await World(api, user, "ann", tmp_path).call())["key"]
    await api.home.engine.ledger.doubt(key, 1, "no answer came")
    answer = await user.post(f"{V3}/calls/{key}/resolve", json={"decision": decision, "by": "the director"})
    assert answer.json()["data"]["decidedBy"] == "ann", answer.text
    (deed,) = (await admin.get(f"{V3}/audit?target=call:{key}")).json()["data"]
    assert (deed["user"], deed["action"], deed["data"]) == ("ann", "call.resolved", {"decision": decision})


async def test_the_audit_says_who_did_what_with_which_token(api: Any, user: Any, admin: Any) -> None:
    job = (await started(user))["id"]
    for verb in ("pause", "resume", "cancel"):
        assert (await user.post(f"{JOBS}/{job}/{verb}")).status_code == 200
    await user.post(f"{JOBS}/{job}/cancel", json={"reason": "enough"})
    deeds = (await admin.get(f"{V3}/audit?target=job:{job}&limit=4")).json()
    assert [deed["action"] for deed in deeds["data"]] == [
        "job.cancelled",
        "job.cancelled",
        "job.resumed",
        "job.paused",
    ]
    (token,) = (await user.get(f"{V3}/tokens")).json()["data"]
    assert {(deed["user"], deed["token"]) for deed in deeds["data"]} == {("ann", token["id"])}
    assert deeds["data"][0]["data"] == {"reason": "enough"}
    rest = await admin.get(f"{V3}/audit?target=job:{job}&after={deeds['meta']['next']}")
    assert [deed["action"] for deed in rest.json()["data"]] == ["job.started"]
    assert rest.json()["meta"]["next"] is None
    by_ann = (await admin.get(f"{V3}/audit?user=ann")).json()["data"]
    assert len(by_ann) == 5
    assert Scope.ADMIN not in token["scopes"]


@pytest.mark.parametrize("vendor", ["replicate", "nobody"])
async def test_a_stranger_who_reports_learns_nothing_of_how_this_is_set_up(
    stranger: httpx2.AsyncClient, vendor: str
) -> None:
    answer = await stranger.post(f"{V3}/hooks/{vendor}", json={"id": "x"})
    assert (answer.status_code, answer.json()["error"]["detail"]) == (
        422,
        f"no reports of {vendor} are taken here",
    )
