"""What somebody does and the line that says so are one transaction: never one without the other."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api.conftest import NOTE
from api.world import World

V3 = "/api/v3"
FULL = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no line can be written'); END"
HOURLY: dict[str, Any] = {"name": "Hourly", "every": "1h", **NOTE}


async def refuse_lines(api: Any) -> None:
    """From now on nothing can be written into the audit."""
    await api.home.engine.ledger.change(lambda connection, _: connection.execute(text(FULL)) and None)


async def lines(admin: httpx2.AsyncClient) -> list[str]:
    return [each["action"] for each in (await admin.get(f"{V3}/audit?limit=200")).json()["data"]]


async def shown(client: httpx2.AsyncClient, path: str) -> Any:
    answer = await client.get(f"{V3}/{path}")
    assert answer.is_success, answer.text
    return answer.json()["data"]


async def fails(client: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> None:
    answer = await client.request(method, f"{V3}/{path}", json=body)
    assert answer.status_code >= 500, answer.text


async def test_no_job_is_started_steered_or_paid_for_without_its_line(
    api: Any, user: Any, admin: Any, tmp_path: Any
) -> None:
    world = World(api, user, "ann", tmp_path)
    job = (await user.post(f"{V3}/jobs", json=NOTE)).json()["data"]["id"]
    key = (await world.call())["key"]
    await api.home.engine.ledger.doubt(key, 1, "no answer came")
    before, jobs = await lines(admin), await api.home.engine.reader.jobs()
    await refuse_lines(api)
    await fails(user, "POST", "jobs", NOTE)
    await fails(user, "POST", f"jobs/{job}/pause")
    await fails(user, "POST", f"jobs/{job}/cancel", {"reason": "enough"})
    await fails(user, "POST", f"calls/{key}/resolve", {"decision": "give-up"})
    await fails(user, "PUT", f"budgets/job:{job}", {"cap": "5.00"})
    assert await api.home.engine.reader.jobs() == jobs
    assert (await shown(user, "calls?state=doubt"))[0]["key"] == key
    assert await lines(admin) == before


async def test_no_schedule_user_or_token_comes_or_changes_without_its_line(
    api: Any, user: Any, admin: Any
) -> None:
    made = (await user.post(f"{V3}/schedules", json=HOURLY)).json()["data"]["id"]
    [token] = await shown(user, "tokens")
    before = {path: await shown(admin, path) for path in ("schedules", "users", "audit", "jobs")}
    await refuse_lines(api)
    await fails(user, "POST", "schedules", HOURLY)
    await fails(user, "PATCH", f"schedules/{made}", {"name": "Other", "every": "2h"})
    for verb in ("pause", "trigger"):
        await fails(user, "POST", f"schedules/{made}/{verb}")
    await fails(user, "DELETE", f"schedules/{made}")
    await fails(admin, "POST", "users", {"name": "eve"})
    await fails(admin, "PATCH", "users/ann", {"disabled": True})
    await fails(admin, "POST", "tokens", {"user": "ann", "scopes": ["jobs:read"]})
    await fails(user, "DELETE", f"tokens/{token['id']}")
    assert {path: await shown(admin, path) for path in before} == before
    assert (await shown(user, "tokens"))[0]["revokedAt"] is None


@pytest.mark.parametrize("again", ["dedup", "id"])
async def test_what_changes_nothing_or_is_refused_has_no_line(user: Any, admin: Any, again: str) -> None:
    order = NOTE | {again: "spring"}
    ids = {(await user.post(f"{V3}/jobs", json=order)).json()["data"]["id"] for _ in range(2)}
    assert len(ids) == 1
    [job] = ids
    await user.post(f"{V3}/jobs/{job}/cancel")
    assert (await user.post(f"{V3}/jobs/{job}/pause")).status_code == 409
    assert (await user.post(f"{V3}/jobs/{job}/rerun", json={"stage": "write", "dryRun": True})).status_code
    assert (await lines(admin))[:2] == ["job.cancelled", "job.started"]


async def test_a_line_is_about_the_whole_id_whatever_was_typed(admin: Any) -> None:
    job = (await admin.post(f"{V3}/jobs", json=NOTE)).json()["data"]["id"]
    assert (await admin.post(f"{V3}/jobs/{job[:9]}/cancel")).status_code == 200
    [deed, _] = await shown(admin, f"audit?target=job:{job}")
    assert deed["action"] == "job.cancelled"
