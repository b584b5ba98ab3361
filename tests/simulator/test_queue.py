"""Those that list, report and cancel: Replicate and fal; and Luma's and Kling's reports."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
from typing import Any

import av
import httpx2
import pytest

from customer import BLUE, KEY, RED, Mailbox, Open, data_uri, headers
from genlock.testing.simulator import Do, Fault, Simulator

VEO = "/v1/models/google/veo-3.1/predictions"


def prediction(**more: Any) -> dict[str, Any]:
    given = {"prompt": "x", "image": data_uri(RED), "last_frame": data_uri(BLUE), "duration": 4}
    return {"input": {**given, **more}}


# Replicate


def test_replicate_makes_a_prediction_by_model_and_by_version(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    made = client.post(VEO, json=prediction())
    assert (made.status_code, made.json()["status"]) == (201, "starting")
    version = client.post("/v1/predictions", json={"version": "minimax/hailuo-02", **prediction(seed=5)})
    assert [charge.model for charge in sim.charges()] == ["google/veo-3.1", "minimax/hailuo-02"]
    assert version.status_code == 201
    assert client.get(made.json()["urls"]["get"]).json()["status"] == "processing"
    sim.advance(1)
    done = client.get(made.json()["urls"]["get"]).json()
    assert done["status"] == "succeeded"
    assert client.get(done["output"]).headers["content-type"] == "video/mp4"


def test_replicate_waits_for_those_who_prefer_it(sim: Simulator, open_at: Open) -> None:
    sim.set_clock(scale=1000)
    done = open_at("replicate").post(VEO, json=prediction(), headers={"prefer": "wait=5"}).json()
    assert done["status"] == "succeeded"


def test_replicate_lists_a_hundred_a_page_newest_first(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    for number in range(103):
        if number == 2:
            sim.advance(60)
        client.post(VEO, json={"input": {"seed": number}})
    after = client.get("/v1/predictions").json()["results"][0]["created_at"]
    page = client.get("/v1/predictions", params={"created_after": after}).json()
    assert [row["input"]["seed"] for row in page["results"]] == list(range(102, 2, -1))
    rest = client.get(page["next"]).json()
    assert [row["input"]["seed"] for row in rest["results"]] == [2]
    assert rest["next"] is None
    before = client.get("/v1/predictions", params={"created_before": after}).json()["results"]
    assert [row["input"]["seed"] for row in before] == [1, 0]


def test_replicate_forgets_what_went_in_and_came_out_after_an_hour(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    here = client.post(VEO, json=prediction()).json()["urls"]["get"]
    sim.advance(1)
    output = client.get(here).json()["output"]
    sim.advance(3500)
    assert client.get(here).json()["input"]["duration"] == 4
    sim.advance(200)
    late = client.get(here).json()
    assert (late["input"], late["output"], late["data_removed"]) == ({}, None, True)
    assert client.get(output).status_code == 404


def test_replicate_charges_for_what_was_cancelled_while_it_ran_only(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    running = client.post(VEO, json=prediction()).json()
    client.get(running["urls"]["get"])
    assert client.post(running["urls"]["cancel"]).json()["status"] == "canceled"
    sim.tune(queue=60)
    waiting = client.post(VEO, json=prediction(seed=2)).json()
    assert client.post(waiting["urls"]["cancel"]).json()["status"] == "aborted"
    assert [charge.returned for charge in sim.charges()] == [False, True]


def test_replicate_cancels_by_itself_when_it_was_told_to(sim: Simulator, open_at: Open) -> None:
    sim.tune(queue=120)
    client = open_at("replicate")
    made = client.post(VEO, json=prediction(), headers={"cancel-after": "1m"}).json()
    sim.advance(59)
    assert client.get(made["urls"]["get"]).json()["status"] == "starting"
    sim.advance(1)
    for _ in range(200):
        status = client.get(made["urls"]["get"]).json()["status"]
        if status != "starting":
            break
    assert status == "aborted"
    assert client.post(VEO, json=prediction(), headers={"cancel-after": "soon"}).status_code == 422


def test_replicate_takes_files_by_form_and_two_of_the_same_are_one(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    urls = []
    for key in (KEY, KEY[::-1]):
        files, fields = {"content": ("a.png", RED, "image/png")}, {"metadata": f'{{"our": "{key}"}}'}
        sent = client.post("/v1/files", files=files, data=fields)
        assert (sent.status_code, sent.json()["size"]) == (201, len(RED))
        urls.append(sent.json()["urls"]["get"])
        assert client.get(urls[-1]).json()["metadata"] == {"our": key}
    for url in urls:
        client.post(VEO, json={"input": {"image": url}})
    client.post(VEO, json={"input": {"image": data_uri(RED)}})
    [charges] = sim.charges_by_input().values()
    assert [charge.key for charge in charges] == [KEY, KEY[::-1], None]


async def test_replicate_signs_its_reports(sim: Simulator, open_at: Open, mailbox: Mailbox) -> None:
    client = open_at("replicate")
    hook = {"webhook": f"{mailbox.url}/hook?key={KEY}", "webhook_events_filter": ["start", "completed"]}
    made = client.post(VEO, json={**prediction(), **hook}).json()
    await mailbox.wait(1)
    sim.advance(1)
    await mailbox.wait(2)
    assert mailbox.words("status") == ["processing", "succeeded"]
    assert mailbox.words("id") == [made["id"]] * 2
    secret = client.get("/v1/webhooks/default/secret").json()["key"]
    for (path, head, _), body in zip(mailbox.got, mailbox.raw, strict=True):
        assert path == f"/hook?key={KEY}"
        text = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        assert head["webhook-signature"] == f"v1,{signature}"
    assert mailbox.got[0][1]["webhook-id"] != mailbox.got[1][1]["webhook-id"]
    assert sim.charges()[0].key == KEY


async def test_a_report_that_nobody_takes_is_sent_again_under_its_id(
    sim: Simulator, open_at: Open, mailbox: Mailbox
) -> None:
    sim.set_clock(scale=1000)
    mailbox.answers = [500, 503, 200]
    hook = {"webhook": mailbox.url, "webhook_events_filter": ["completed"]}
    open_at("replicate").post(VEO, json={**prediction(), **hook})
    await mailbox.wait(3)
    assert len({head["webhook-id"] for _, head, _ in mailbox.got}) == 1
    assert [report.status for report in sim.reports()][:2] == [500, 503]


# fal


def test_fal_answers_with_addresses_of_its_own(sim: Simulator, open_at: Open) -> None:
    client = open_at("fal")
    body = {"prompt": "x", "image_url": data_uri(RED), "tail_image_url": data_uri(BLUE), "duration": "5"}
    made = client.post("/fal-ai/kling-video/v2.1/pro/image-to-video", json=body).json()
    assert made["status"] == "IN_QUEUE"
    assert made["status_url"].endswith(f"/fal-ai/kling-video/requests/{made['request_id']}/status")
    look = client.get(made["status_url"], params={"logs": "1"})
    assert (look.status_code, look.json()["status"], look.json()["logs"]) == (202, "IN_PROGRESS", [])
    assert client.get(made["response_url"]).status_code == 400
    sim.advance(1)
    assert client.get(made["status_url"]).status_code == 200
    video = client.get(made["response_url"]).json()["video"]
    assert len(client.get(video["url"]).content) > 1000
    assert client.put(made["cancel_url"]).json()["status"] == "ALREADY_COMPLETED"


def test_fal_lists_requests_by_endpoint_with_what_went_in(sim: Simulator, open_at: Open) -> None:
    client = open_at("fal")
    for seed in (1, 2, 3):
        client.post("/fal-ai/veo3", json={"seed": seed})
        sim.advance(10)
    client.post("/fal-ai/other", json={"seed": 4})
    client.post("/fal-ai/veo3", json={"seed": 5})  # has not ended
    rows = {"endpoint_id": "fal-ai/veo3", "expand": "payloads"}
    page = client.get("/v1/models/requests/by-endpoint", params={**rows, "limit": 2}).json()
    assert [row["json_input"]["seed"] for row in page["items"]] == [3, 2]
    rest = client.get(
        "/v1/models/requests/by-endpoint", params={**rows, "limit": 2, "cursor": page["next_cursor"]}
    ).json()
    assert [row["json_input"]["seed"] for row in rest["items"]] == [1]
    since = {"start": page["items"][1]["sent_at"], "end": page["items"][0]["sent_at"]}
    between = client.get("/v1/models/requests/by-endpoint", params={**rows, **since}).json()["items"]
    assert [row["json_input"]["seed"] for row in between] == [2]


async def test_fal_reports_how_it_ended(sim: Simulator, open_at: Open, mailbox: Mailbox) -> None:
    sim.misbehave(Fault(Do.FAIL, nth=2))
    client = open_at("fal")
    for seed in (1, 2):
        client.post("/fal-ai/veo3", params={"fal_webhook": f"{mailbox.url}/{KEY}"}, json={"seed": seed})
        sim.advance(1)
        await mailbox.wait(seed)
    assert mailbox.words("status") == ["OK", "ERROR"]
    assert {charge.key for charge in sim.charges()} == {KEY}


# Reports of others


async def test_luma_reports_each_state(sim: Simulator, open_at: Open, mailbox: Mailbox) -> None:
    body = {"prompt": "x", "model": "ray-2", "callback_url": mailbox.url}
    open_at("luma").post("/dream-machine/v1/generations", json=body)
    await mailbox.wait(1)
    sim.advance(1)
    await mailbox.wait(2)
    assert mailbox.words("state") == ["dreaming", "completed"]


async def test_kling_reports_each_state(sim: Simulator, open_at: Open, mailbox: Mailbox) -> None:
    body = {"image": data_uri(RED), "external_task_id": KEY, "callback_url": mailbox.url}
    open_at("kling").post("/v1/videos/image2video", json=body)
    await mailbox.wait(1)
    sim.advance(1)
    await mailbox.wait(2)
    assert mailbox.words("task_status") == ["processing", "succeed"]
    assert mailbox.words("external_task_id") == [KEY, KEY]


# What is fetched


async def test_a_picture_on_this_machine_is_fetched_as_a_vendor_would(sim: Simulator) -> None:
    asked: list[str] = []

    async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(RED) + RED)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(show, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{KEY}/a.png?until=1"
    body = {"prompt": "x", "model": "ray-2", "keyframes": {"frame0": {"type": "image", "url": url}}}
    here = f"{sim.address('luma')}/dream-machine/v1/generations"
    async with httpx2.AsyncClient(headers=headers(sim, "luma"), timeout=20) as client:
        made = (await client.post(here, json=body)).json()
        sim.advance(1)
        film = (
            await client.get((await client.get(f"{here}/{made['id']}")).json()["assets"]["video"])
        ).content
    server.close()
    assert asked == [f"/{KEY}/a.png?until=1"]
    assert sim.charges()[0].key == KEY
    with av.open(io.BytesIO(film)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24").reshape(-1, 3).mean(axis=0)
    assert tuple(first) == pytest.approx((220, 20, 20), abs=12)


def test_what_tells_whether_a_key_works_is_free(sim: Simulator, open_at: Open) -> None:
    questions = {
        "replicate": "/v1/account",
        "runway": "/v1/organization",
        "luma": "/dream-machine/v1/credits",
        "google": "/v1beta/models/veo",
        "elevenlabs": "/v1/user/subscription",
        "xai": "/v1/models",
        "openai": "/v1/models",
    }
    assert {open_at(vendor).get(path).status_code for vendor, path in questions.items()} == {200}
    assert sim.charges() == []


@pytest.mark.parametrize("url", ["https://example.org/hook", "http://192.0.2.1/hook"])
async def test_nobody_beyond_this_machine_is_spoken_to(sim: Simulator, open_at: Open, url: str) -> None:
    client = open_at("fal")
    made = client.post("/fal-ai/veo3", params={"fal_webhook": url}, json={}).json()
    sim.advance(1)
    assert client.get(made["status_url"]).json()["status"] == "COMPLETED"
    for _ in range(100):
        if sim.reports():
            break
    [report] = sim.reports()
    assert report.status == 0
    assert report.event.startswith("not sent")


def test_every_vendor_turns_a_wrong_key_away(sim: Simulator) -> None:
    paths = {
        "replicate": "/v1/predictions",
        "runway": "/v1/tasks/1",
        "fal": "/v1/models/requests/by-endpoint",
        "luma": "/dream-machine/v1/credits",
        "google": "/storage/v1/b/films/o",
        "elevenlabs": "/v1/history",
        "xai": "/v1/videos/1",
    }
    for vendor, path in paths.items():
        answer = httpx2.get(sim.address(vendor) + path, headers={"authorization": "Bearer guessed"})
        assert answer.status_code == 401, vendor
