"""Schedules over HTTP: in today's shapes and in those of the older cron API, and whose they are."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.conftest import NOTE
from genlock.bootstrap import scheduled
from genlock.ledger.access.records import Scope
from genlock.schedules.mainline import MAIN, register_main

HOURLY: dict[str, Any] = {"name": "Hourly", "every": "1h", **NOTE}
URL = "/api/v3/schedules"
CRON = "/api/cron/jobs"


def data(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def refused(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["detail"])


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_schedule_is_planned_shown_changed_and_taken_away(user: httpx2.AsyncClient) -> None:
    made = data(await user.post(URL, json=HOURLY | {"cap": "$2.50", "zone": "Europe/Vienna"}), 201)
    assert (made["name"], made["owner"], made["schedule"], made["state"]) == ("Hourly", "ann", "1h", "active")
    assert (made["params"], made["cap"], made["missed"], made["overlap"]) == (
        NOTE["params"],
        "$2.50",
        "once",
        "skip",
    )
    assert when(made["nextAt"]) - when(made["createdAt"]) == pytest.approx(
        timedelta(hours=1), abs=timedelta(seconds=5)
    )
    place = f"{URL}/{made['id']}"
    assert data(await user.get(place)) == made
    assert data(await user.get(URL)) == [made]
    changed = data(await user.patch(place, json={"overlap": "queue", "cap": None}))
    assert (changed["overlap"], changed["cap"], changed["nextAt"]) == ("queue", None, made["nextAt"])
    moved = data(await user.patch(place, json={"cron": "0 9 * * mon-fri", "zone": "Europe/Vienna"}))
    assert (moved["schedule"], moved["kind"]) == ("0 9 * * mon-fri", "cron")
    replaced = data(await user.put(place, json=HOURLY))
    assert (replaced["overlap"], replaced["zone"], replaced["kind"]) == ("skip", "UTC", "interval")
    assert (await user.delete(place)).status_code == 204
    assert refused(await user.get(place), 404) == f"there is no schedule '{made['id']}'"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"every": None}, "either `cron` or `every`"),
        ({"cron": "* * * * *"}, "either `cron` or `every`"),
        ({"every": "soon"}, "no span of time"),
        ({"every": "400d"}, "longer than a year"),
        ({"every": None, "cron": "99 * * * *"}, "no cron expression"),
        ({"every": None, "cron": "0 0 31 2 *"}, "never comes due"),
        ({"zone": "Mars/Olympus", "every": None, "cron": "0 9 * * *"}, "no time zone"),
        ({"pipeline": "nothing"}, "there is no pipeline 'nothing'"),
        ({"pipeline": "note:x"}, "only scripts have names"),
        ({"params": {"text": 1}}, "text: input should be a valid string"),
        ({"cap": "a lot"}, "no amount of money"),
        ({"missed": "maybe"}, "'skip', 'once' or 'all'"),
        ({"unknown": 1}, "unknown"),
        ({"name": ""}, "name"),
    ],
)
async def test_what_cannot_be_planned_is_refused_with_its_reason(
    user: httpx2.AsyncClient, more: dict[str, Any], said: str
) -> None:
    body = {name: value for name, value in (HOURLY | more).items() if value is not None}
    assert said in refused(await user.post(URL, json=body), 422)
    assert data(await user.get(URL)) == []


async def test_people_see_their_own_schedules_and_admins_all(
    api: Any, user: httpx2.AsyncClient, other: httpx2.AsyncClient, admin: httpx2.AsyncClient
) -> None:
    hers = data(await user.post(URL, json=HOURLY), 201)
    his = data(await admin.post(URL, json=HOURLY | {"owner": "bob", "id": "bobs"}), 201)
    assert [each["id"] for each in data(await user.get(URL))] == [hers["id"]]
    assert [each["id"] for each in data(await other.get(URL))] == ["bobs"]
    assert [each["id"] for each in data(await admin.get(URL))] == [hers["id"], "bobs"]
    assert [each["id"] for each in data(await admin.get(URL, params={"owner": "bob"}))] == ["bobs"]
    refused(await user.get(URL, params={"owner": "bob"}), 403)
    for path in (URL, CRON):
        nobody = refused(await user.get(f"{path}/nobody"), 404)
        for method, more in (("GET", ""), ("DELETE", ""), ("POST", "/trigger"), ("POST", "/pause")):
            answer = await user.request(method, f"{path}/bobs{more}")
            assert refused(answer, 404) == nobody.replace("nobody", "bobs")
    for more in ("/firings", "/upcoming"):
        refused(await user.get(f"{URL}/bobs{more}"), 404)
    for method in ("PUT", "PATCH"):
        refused(await user.request(method, f"{URL}/bobs", json=HOURLY), 404)
    assert data(await other.get(f"{URL}/bobs")) == his


async def test_only_admins_name_ids_owners_files_and_scripts(
    user: httpx2.AsyncClient, admin: httpx2.AsyncClient
) -> None:
    refused(await user.post(URL, json=HOURLY | {"id": "mine"}), 403)
    refused(await user.post(URL, json=HOURLY | {"owner": "bob"}), 403)
    photos = {"photos": ["/etc/passwd", "/etc/hosts"]}
    refused(await user.post(URL, json=HOURLY | {"pipeline": "campaign", "params": photos}), 403)
    refused(await user.post(URL, json=HOURLY | {"pipeline": "script:it", "params": {}}), 403)
    mine = data(await user.post(URL, json=HOURLY), 201)
    for change in ({"pipeline": "script:it", "params": {}}, {"pipeline": "script:it"}):
        refused(await user.patch(f"{URL}/{mine['id']}", json=change), 403)
    answer = await admin.post(URL, json=HOURLY | {"pipeline": "script:it", "params": {}})
    assert "there is no script 'it'" in refused(answer, 422)
    data(await admin.post(URL, json=HOURLY | {"id": "one"}), 201)
    assert "already" in refused(await admin.post(URL, json=HOURLY | {"id": "one"}), 409)


async def test_reading_and_writing_are_scopes_of_their_own(api: Any) -> None:
    reader = await api.user("ann", Scope.SCHEDULES_READ)
    writer = await api.user("ann", Scope.SCHEDULES_WRITE)
    neither = await api.user("ann", Scope.JOBS_READ, Scope.JOBS_WRITE)
    assert (await reader.get(URL)).status_code == 200
    assert (await writer.post(URL, json=HOURLY)).status_code == 201
    for client, method, path in (
        (reader, "POST", URL),
        (writer, "GET", URL),
        (neither, "GET", URL),
        (neither, "GET", CRON),
        (reader, "POST", f"{CRON}/interval"),
    ):
        assert "scope" in refused(await client.request(method, path, json=HOURLY), 403)


async def test_a_run_is_started_by_hand_and_has_a_history(user: httpx2.AsyncClient) -> None:
    place = f"{URL}/{data(await user.post(URL, json=HOURLY | {'overlap': 'allow'}), 201)['id']}"
    fired = [data(await user.post(f"{place}/trigger"), 202) for _ in range(3)]
    assert [(each["kind"], each["state"]) for each in fired] == [("manual", "started")] * 3
    job = data(await user.get(f"/api/v3/jobs/{fired[0]['job']}"))
    assert (job["owner"], job["labels"]["schedule"]) == ("ann", place.rpartition("/")[2])
    first = await user.get(f"{place}/firings", params={"limit": 2})
    assert [each["job"] for each in data(first)] == [fired[2]["job"], fired[1]["job"]]
    rest = await user.get(f"{place}/firings?limit=2&after={first.json()['meta']['next']}")
    assert [each["job"] for each in data(rest)] == [fired[0]["job"]]
    assert rest.json()["meta"]["next"] is None


async def test_a_run_that_would_overlap_is_not_started_by_hand(user: httpx2.AsyncClient) -> None:
    place = f"{URL}/{data(await user.post(URL, json=HOURLY), 201)['id']}"
    job = data(await user.post(f"{place}/trigger"), 202)["job"]
    assert job in refused(await user.post(f"{place}/trigger"), 409)


async def test_a_schedule_is_paused_and_resumed(user: httpx2.AsyncClient) -> None:
    place = f"{URL}/{data(await user.post(URL, json=HOURLY), 201)['id']}"
    paused = data(await user.post(f"{place}/pause", json={"reason": "holidays"}))
    assert (paused["state"], paused["reason"], paused["nextAt"]) == ("paused", "holidays", None)
    assert len(data(await user.get(f"{place}/upcoming", params={"count": 3}))) == 3
    resumed = data(await user.post(f"{place}/resume"))
    assert (resumed["state"], resumed["reason"]) == ("active", None)
    times = [when(text) for text in data(await user.get(f"{place}/upcoming"))]
    assert len(times) == 5
    assert {after - before for before, after in pairwise(times)} == {timedelta(hours=1)}
    assert times[0] == when(resumed["nextAt"])


async def test_schedules_are_listed_by_the_page(user: httpx2.AsyncClient) -> None:
    made = [data(await user.post(URL, json=HOURLY), 201)["id"] for _ in range(3)]
    first = await user.get(URL, params={"limit": 2})
    rest = await user.get(URL, params={"limit": 2, "after": first.json()["meta"]["next"]})
    assert [each["id"] for each in data(first) + data(rest)] == made


async def test_what_people_do_to_schedules_is_written_down(
    user: httpx2.AsyncClient, admin: httpx2.AsyncClient
) -> None:
    made = data(await user.post(URL, json=HOURLY), 201)["id"]
    for verb in ("trigger", "pause", "resume"):
        assert (await user.post(f"{URL}/{made}/{verb}")).is_success
    await user.patch(f"{URL}/{made}", json={"name": "Other"})
    await user.delete(f"{URL}/{made}")
    found = data(await admin.get("/api/v3/audit", params={"target": f"schedule:{made}"}))
    verbs = ["created", "triggered", "paused", "resumed", "changed", "deleted"]
    assert sorted(each["action"] for each in found) == sorted(f"schedule.{verb}" for verb in verbs)


async def test_a_cap_of_a_schedule_is_the_budget_of_all_its_jobs(
    user: httpx2.AsyncClient, admin: httpx2.AsyncClient
) -> None:
    made = data(await user.post(URL, json=HOURLY | {"cap": "3.00"}), 201)["id"]
    scope = {"scope": f"schedule:{made}"}

    async def cap() -> Any:
        return data(await admin.get("/api/v3/budgets", params=scope))[0]["cap"]

    assert await cap() == "$3.00"
    await user.patch(f"{URL}/{made}", json={"cap": "4.50"})
    assert await cap() == "$4.50"
    await user.patch(f"{URL}/{made}", json={"cap": None})
    assert await cap() is None


# The older cron API


async def test_the_documented_trigger_of_the_main_pipeline_works_word_for_word(
    api: Any, tmp_path: Path
) -> None:
    script = tmp_path / "main.sh"
    script.write_text("echo made\n")
    settings = api.home.settings
    settings.home.mkdir(exist_ok=True)
    settings.scripts_file.write_text(f'[main]\npath = "{script}"\n')
    await register_main(api.home.schedules, timedelta(hours=5), "script:main")
    token = await api.token("boss", frozenset(Scope), admin=True)
    async with httpx2.AsyncClient(base_url=api.url) as client:
        answer = await client.post(
            "/api/cron/jobs/main_pipeline_v2/trigger", headers={"Authorization": f"Bearer {token}"}
        )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["message"], told["job_id"]) == ("Job main_pipeline_v2 triggered", "main_pipeline_v2")
    job = await api.home.engine.show(told["run_id"])
    assert (job.pipeline, job.owner) == ("script", "system")


async def test_the_main_pipeline_is_shown_as_it_always_was(api: Any, admin: httpx2.AsyncClient) -> None:
    await register_main(api.home.schedules, timedelta(hours=5), "note")  # whose inputs nobody gives
    found = (await admin.get(f"{CRON}/all")).json()
    assert found == [
        {
            "job_id": "main_pipeline_v2",
            "name": "Main Video Pipeline",
            "schedule": "5h",
            "user_id": "system",
            "workflow_id": "main_pipeline",
            "next_run": None,
            "status": "paused",
        }
    ]
    said = refused(await admin.post(f"{CRON}/{MAIN}/trigger"), 409)
    assert "GENLOCK_MAIN_PIPELINE" in said
    assert "GENLOCK_MAIN_EVERY=off" in refused(await admin.delete(f"{CRON}/{MAIN}"), 409)
    assert "settings" in refused(await admin.patch(f"{URL}/{MAIN}", json={"every": "1h"}), 409)
    patched = data(await admin.patch(f"{URL}/{MAIN}", json={"overlap": "queue", "patience": 2}))
    assert (patched["overlap"], patched["patience"], patched["state"]) == ("queue", 2, "paused")
    await admin.post(f"{CRON}/{MAIN}/pause")  # ... and a pause does not hide that it cannot run
    for verb in ("resume", "trigger"):
        assert "cannot run" in refused(await admin.post(f"{CRON}/{MAIN}/{verb}"), 409)
    assert (await admin.get(CRON)).json() == []  # which is nobody's but the system's


async def test_the_older_api_plans_lists_and_steers(
    user: httpx2.AsyncClient, admin: httpx2.AsyncClient
) -> None:
    wish = {"name": "Nightly", "workflow_id": "note", "params": NOTE["params"]}
    by_cron = await user.post(f"{CRON}/cron", json=wish | {"cron_expression": "30 2 * * *"})
    assert by_cron.status_code == 201, by_cron.text
    told = by_cron.json()
    assert (told["schedule"], told["user_id"], told["workflow_id"]) == ("30 2 * * *", "ann", "note")
    assert when(told["next_run"]).minute == 30
    by_interval = (await user.post(f"{CRON}/interval", json=wish | {"hours": 1, "minutes": 30})).json()
    assert by_interval["schedule"] == "1h30m"
    assert [each["job_id"] for each in (await user.get(CRON)).json()] == [
        told["job_id"],
        by_interval["job_id"],
    ]
    refused(await user.get(f"{CRON}/all"), 403)
    assert len((await admin.get(f"{CRON}/all")).json()) == 2
    place = f"{CRON}/{told['job_id']}"
    assert (await user.get(place)).json() == told
    assert (await user.post(f"{place}/pause")).json()["status"] == "paused"
    assert (await user.post(f"{place}/resume")).json()["status"] == "active"
    started = (await user.post(f"{place}/trigger")).json()
    assert data(await user.get(f"/api/v3/jobs/{started['run_id']}"))["pipeline"] == "note"
    assert (await user.delete(place)).json() == {
        "message": f"Job {told['job_id']} deleted",
        "job_id": told["job_id"],
        "run_id": None,
    }
    refused(await user.get(place), 404)
    refused(await user.post(f"{CRON}/interval", json=wish), 422)


async def test_a_schedule_that_is_added_over_http_fires_while_the_server_runs(live: Any) -> None:
    client = await live.client(await live.token("boss", frozenset(Scope), admin=True))
    script = live.home.settings.home / "it.sh"
    script.write_text("echo hello\n")
    live.home.settings.scripts_file.write_text(f'[it]\npath = "{script}"\n')
    async with scheduled(live.home):
        wish = {"name": "Quick", "pipeline": "script:it", "every": "1s", "overlap": "queue"}
        place = f"{URL}/{data(await client.post(URL, json=wish), 201)['id']}"
        async with asyncio.timeout(30):
            while True:
                told = data(await client.get(f"{place}/firings"))
                if [each["state"] for each in told].count("succeeded") >= 2:
                    break
                await asyncio.sleep(0.1)
    job = data(await client.get(f"/api/v3/jobs/{told[-1]['job']}"))
    assert (job["state"], job["result"]["tail"]) == ("completed", ["hello"])


CAMPAIGN = {"pipeline": "campaign", "name": "Weekly", "every": "168h"}


async def test_a_schedule_of_assets_keeps_their_ids_and_opens_them_when_it_fires(
    api: Any, user: httpx2.AsyncClient, other: httpx2.AsyncClient, pictures: list[str]
) -> None:
    plan = CAMPAIGN | {"params": {"photos": pictures, "num_pairs": 1}}
    made = data(await user.post(URL, json=plan), 201)
    place = f"{URL}/{made['id']}"
    assert made["params"] == plan["params"]
    assert data(await user.put(place, json=plan))["params"] == plan["params"], (
        "what is shown may be said again"
    )
    assert data(await user.patch(place, json={"name": "Weekly film"}))["params"] == plan["params"]
    assert refused(await other.post(URL, json=plan), 404) == f"there is no asset '{pictures[0]}'"
    fired = data(await user.post(f"{place}/trigger"), 202)
    order = json.loads((await api.home.engine.reader.job(fired["job"])).input)["order"]
    assert [Path(each).name for each in order["photos"]] == ["1.jpg", "2.jpg"]
    assert [Path(each).parts[-3] for each in order["photos"]] == ["shelf", "shelf"]


async def test_a_schedule_whose_asset_is_gone_says_so_when_it_fires(
    user: httpx2.AsyncClient, pictures: list[str]
) -> None:
    plan = CAMPAIGN | {"params": {"photos": pictures, "num_pairs": 1}}
    place = f"{URL}/{data(await user.post(URL, json=plan), 201)['id']}"
    assert (await user.delete(f"/api/v3/assets/{pictures[1]}")).status_code == 204
    assert f"there is no asset '{pictures[1]}'" in refused(await user.post(f"{place}/trigger"), 409)
    assert data(await user.get(f"{place}/firings")) == []
