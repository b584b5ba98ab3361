"""Makers of film, each in its own words."""

from __future__ import annotations

import base64
import io
from typing import Any

import av
import numpy as np
import pytest

from customer import BLUE, KEY, RED, Open, data_uri, kling_token
from genlock.money import Money
from genlock.testing.simulator import Do, Fault, Rate, Simulator


def frames(data: bytes) -> list[Any]:
    with av.open(io.BytesIO(data)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def mean(frame: Any) -> tuple[int, int, int]:
    red, green, blue = np.asarray(frame).reshape(-1, 3).mean(axis=0)
    return round(red), round(green), round(blue)


def assert_red_to_blue(data: bytes) -> None:
    pictures = frames(data)
    assert len(pictures) == 12
    assert pictures[0].shape == (90, 160, 3)
    assert mean(pictures[0]) == pytest.approx((220, 20, 20), abs=12)
    assert mean(pictures[-1]) == pytest.approx((20, 20, 220), abs=12)


# Kling


def kling_body(**more: Any) -> dict[str, Any]:
    bare = {"image": base64.b64encode(RED).decode(), "image_tail": base64.b64encode(BLUE).decode()}
    return {"model_name": "kling-v2-1", "mode": "pro", "duration": "5", "prompt": "x", **bare, **more}


def test_kling_makes_a_film_from_the_first_picture_to_the_last(sim: Simulator, open_at: Open) -> None:
    client = open_at("kling")
    made = client.post("/v1/videos/image2video", json=kling_body(external_task_id=KEY)).json()
    assert made["code"] == 0
    task = made["data"]
    assert task["task_status"] == "submitted"
    assert task["task_info"] == {"external_task_id": KEY}

    def look(name: str) -> dict[str, Any]:
        data: dict[str, Any] = client.get(f"/v1/videos/image2video/{name}").json()["data"]
        return data

    assert look(task["task_id"])["task_status"] == "processing"
    sim.advance(1)
    assert look(KEY) == look(task["task_id"])
    [video] = look(KEY)["task_result"]["videos"]
    assert video["duration"] == "0.5"
    assert_red_to_blue(client.get(video["url"]).content)


def test_kling_answers_a_repeated_id_with_the_task_it_has_and_charges_once(
    sim: Simulator, open_at: Open
) -> None:
    client = open_at("kling")
    sent = [
        client.post("/v1/videos/image2video", json=kling_body(external_task_id=KEY)).json() for _ in range(3)
    ]
    assert len({answer["data"]["task_id"] for answer in sent}) == 1
    [charge] = sim.charges()
    assert (charge.vendor, charge.model, charge.key) == ("kling", "kling-v2-1", KEY)
    assert charge.amount == 5 * 98_000
    other = client.post("/v1/videos/image2video", json=kling_body(external_task_id=KEY[::-1])).json()
    assert other["data"]["task_id"] != sent[0]["data"]["task_id"]


def test_kling_lists_its_tasks_newest_first(sim: Simulator, open_at: Open) -> None:
    client = open_at("kling")
    for number in range(5):
        client.post("/v1/videos/image2video", json=kling_body(external_task_id=f"own-{number}"))
    pages = [
        client.get("/v1/videos/image2video", params={"pageNum": page, "pageSize": 2}).json()["data"]
        for page in (1, 2, 3, 4)
    ]
    own = [[task["task_info"]["external_task_id"] for task in page] for page in pages]
    assert own == [["own-4", "own-3"], ["own-2", "own-1"], ["own-0"], []]


def test_kling_takes_no_token_but_one_signed_with_its_secret(sim: Simulator, open_at: Open) -> None:
    client = open_at("kling")
    secret = sim.key("kling")
    tokens = [kling_token("guessed"), kling_token(secret, issuer="somebody"), secret, "a.b.c", "x"]
    for token in tokens:
        answer = client.get("/v1/videos/image2video", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, 1000)


@pytest.mark.parametrize(
    "wrong", [{"duration": 5}, {"duration": "99"}, {"mode": "fast"}, {"image": "", "image_tail": ""}]
)
def test_kling_finds_bad_input_bad(sim: Simulator, open_at: Open, wrong: dict[str, Any]) -> None:
    answer = open_at("kling").post("/v1/videos/image2video", json=kling_body(**wrong))
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert sim.charges() == []


# Runway


def runway_body(**more: Any) -> dict[str, Any]:
    pictures = [{"uri": data_uri(RED), "position": "first"}, {"uri": data_uri(BLUE), "position": "last"}]
    return {
        "model": "gen4_turbo",
        "promptImage": pictures,
        "promptText": "x",
        "ratio": "1280:720",
        "duration": 5,
        **more,
    }


def test_runway_answers_with_an_id_and_makes_a_film(sim: Simulator, open_at: Open) -> None:
    client = open_at("runway")
    made = client.post("/v1/image_to_video", json=runway_body(seed=7)).json()
    assert list(made) == ["id"]
    assert client.get(f"/v1/tasks/{made['id']}").json()["status"] == "RUNNING"
    sim.advance(1)
    task = client.get(f"/v1/tasks/{made['id']}").json()
    assert task["status"] == "SUCCEEDED"
    assert_red_to_blue(client.get(task["output"][0]).content)
    assert sim.charges()[0].seed == 7


def test_runway_accepts_a_third_task_and_lets_it_wait(sim: Simulator, open_at: Open) -> None:
    client = open_at("runway")
    ids = [client.post("/v1/image_to_video", json=runway_body(seed=n)).json()["id"] for n in range(3)]

    def states() -> list[str]:
        return [client.get(f"/v1/tasks/{task_id}").json()["status"] for task_id in ids]

    assert states() == ["RUNNING", "RUNNING", "THROTTLED"]
    sim.advance(1)
    assert states() == ["SUCCEEDED", "SUCCEEDED", "RUNNING"]
    sim.advance(1)
    assert states() == ["SUCCEEDED"] * 3
    assert len(sim.charges()) == 3


def test_runway_wants_its_version_and_lists_nothing(sim: Simulator, open_at: Open) -> None:
    client = open_at("runway")
    answer = client.post("/v1/image_to_video", json=runway_body(), headers={"x-runway-version": "2020-01-01"})
    assert answer.status_code == 400
    assert client.get("/v1/tasks").status_code == 404
    assert sim.charges() == []


def test_runway_deletes_a_task(sim: Simulator, open_at: Open) -> None:
    client = open_at("runway")
    task_id = client.post("/v1/image_to_video", json=runway_body()).json()["id"]
    client.get(f"/v1/tasks/{task_id}")
    assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
    assert client.get(f"/v1/tasks/{task_id}").json()["status"] == "CANCELLED"


# Luma


def luma_body(**more: Any) -> dict[str, Any]:
    keyframes = {
        name: {"type": "image", "url": f"https://example.org/{name}.jpg"} for name in ("frame0", "frame1")
    }
    return {"prompt": "x", "model": "ray-2", "keyframes": keyframes, "duration": "5s", **more}


def test_luma_lists_requests_and_shows_charges_in_its_balance(sim: Simulator, open_at: Open) -> None:
    client = open_at("luma")
    here = "/dream-machine/v1"
    before = client.get(f"{here}/credits").json()["credit_balance"]
    made = client.post(f"{here}/generations", json=luma_body())
    assert (made.status_code, made.json()["state"]) == (201, "queued")
    client.post(f"{here}/generations", json=luma_body(duration="9s"))
    listed = client.get(f"{here}/generations", params={"limit": 1, "offset": 1}).json()
    assert listed["has_more"] is False
    [generation] = listed["generations"]
    assert generation["id"] == made.json()["id"]
    assert generation["request"]["keyframes"]["frame1"]["url"] == "https://example.org/frame1.jpg"
    assert before - client.get(f"{here}/credits").json()["credit_balance"] == pytest.approx(14.2 * 14)
    sim.advance(1)
    done = client.get(f"{here}/generations/{made.json()['id']}").json()
    assert done["state"] == "completed"
    assert len(frames(client.get(done["assets"]["video"]).content)) == 12


def test_luma_takes_addresses_of_pictures_only(sim: Simulator, open_at: Open) -> None:
    body = luma_body(keyframes={"frame0": {"type": "image", "url": data_uri(RED)}})
    assert open_at("luma").post("/dream-machine/v1/generations", json=body).status_code == 400
    assert sim.charges() == []


# Google


def veo_body(**parameters: Any) -> dict[str, Any]:
    def inline(data: bytes) -> dict[str, str]:
        return {"bytesBase64Encoded": base64.b64encode(data).decode(), "mimeType": "image/png"}

    instance = {"prompt": "x", "image": inline(RED), "lastFrame": inline(BLUE)}
    return {
        "instances": [instance],
        "parameters": {"durationSeconds": 4, "aspectRatio": "16:9", **parameters},
    }


VERTEX = "/v1/projects/p/locations/us-central1/publishers/google/models/veo-3.1-generate-001"


def test_vertex_writes_into_the_bucket_that_was_named(sim: Simulator, open_at: Open) -> None:
    client = open_at("google")
    body = veo_body(storageUri=f"gs://films/{KEY}/")
    name = client.post(f"{VERTEX}:predictLongRunning", json=body).json()["name"]
    look = f"{VERTEX}:fetchPredictOperation"
    assert client.post(look, json={"operationName": name}).json() == {"name": name}
    objects = f"/storage/v1/b/films/o?prefix={KEY}/"
    assert "items" not in client.get(objects).json()
    sim.advance(1)
    [item] = client.get(objects).json()["items"]
    done = client.post(look, json={"operationName": name}).json()
    assert done["response"]["videos"] == [{"mimeType": "video/mp4", "gcsUri": f"gs://films/{item['name']}"}]
    assert client.get(f"/{'v1'}/{name}").json() == done
    assert_red_to_blue(client.get(item["mediaLink"]).content)
    assert client.get(item["mediaLink"], headers={"authorization": ""}).status_code == 401
    assert client.get("/storage/v1/b/films/o?prefix=other/").json() == {"kind": "storage#objects"}
    assert sim.charges()[0].key == KEY


def test_vertex_without_a_bucket_answers_with_the_film(sim: Simulator, open_at: Open) -> None:
    client = open_at("google")
    name = client.post(f"{VERTEX}:predictLongRunning", json=veo_body()).json()["name"]
    sim.advance(1)
    [video] = client.get(f"/v1/{name}").json()["response"]["videos"]
    assert_red_to_blue(base64.b64decode(video["bytesBase64Encoded"]))


def test_the_gemini_api_gives_an_address(sim: Simulator, open_at: Open) -> None:
    client = open_at("google")
    name = client.post("/v1beta/models/veo-3.1:predictLongRunning", json=veo_body()).json()["name"]
    assert name.startswith("models/veo-3.1/operations/")
    sim.advance(1)
    [sample] = client.get(f"/v1beta/{name}").json()["response"]["generateVideoResponse"]["generatedSamples"]
    assert_red_to_blue(client.get(sample["video"]["uri"]).content)


# xAI's films


def test_xai_makes_films_that_are_found_by_their_id_alone(sim: Simulator, open_at: Open) -> None:
    client = open_at("xai")
    body = {"model": "grok-imagine-video", "prompt": "x", "duration": 6}
    task_id = client.post("/v1/videos/generations", json=body).json()["request_id"]
    assert client.get(f"/v1/videos/{task_id}").json()["status"] == "pending"
    sim.advance(1)
    done = client.get(f"/v1/videos/{task_id}").json()
    assert done["status"] == "done"
    assert len(frames(client.get(done["video"]["url"]).content)) == 12


# What they share


def test_films_are_as_long_as_asked_for_if_that_is_wanted(sim: Simulator, open_at: Open) -> None:
    sim.tune(frames=None, fps=30, width=96)
    client = open_at("runway")
    task_id = client.post("/v1/image_to_video", json=runway_body(duration=2, ratio="720:1280")).json()["id"]
    sim.advance(1)
    url = client.get(f"/v1/tasks/{task_id}").json()["output"][0]
    pictures = frames(client.get(url).content)
    assert len(pictures) == 60
    assert pictures[0].shape == (96, 54, 3)


def test_prices_are_ones_own_if_that_is_wanted(sim: Simulator, open_at: Open) -> None:
    sim.price("runway:gen4_turbo", Rate(call=10_000, second=1_000))
    open_at("runway").post("/v1/image_to_video", json=runway_body())
    assert sim.spent() == Money(15_000)


def test_an_account_can_run_dry(sim: Simulator, open_at: Open) -> None:
    sim.fund("runway", Money.of("0.50"))
    client = open_at("runway")
    statuses = [client.post("/v1/image_to_video", json=runway_body(seed=n)).status_code for n in range(3)]
    assert statuses == [200, 200, 400]
    assert sim.spent() == Money.of("0.50")


def test_what_fails_is_not_charged_in_the_end(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.FAIL), Fault(Do.CENSOR, nth=2))
    client = open_at("runway")
    ids = [client.post("/v1/image_to_video", json=runway_body(seed=n)).json()["id"] for n in range(3)]
    sim.tune(slots={"runway": None})
    sim.advance(1)
    tasks = [client.get(f"/v1/tasks/{task_id}").json() for task_id in ids]
    assert [task["status"] for task in tasks] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert tasks[1]["failureCode"].startswith("SAFETY.")
    assert [charge.returned for charge in sim.charges()] == [True, True, False]
    assert sim.spent() == Money(250_000)


def test_an_address_holds_for_as_long_as_the_vendor_says(sim: Simulator, open_at: Open) -> None:
    client = open_at("runway")
    task_id = client.post("/v1/image_to_video", json=runway_body()).json()["id"]
    sim.advance(1)
    url = client.get(f"/v1/tasks/{task_id}").json()["output"][0]
    assert client.get(url).status_code == 200
    sim.advance(25 * 3600)
    assert client.get(url).status_code == 403


def test_a_part_of_a_file_can_be_asked_for(sim: Simulator, open_at: Open) -> None:
    client = open_at("runway")
    task_id = client.post("/v1/image_to_video", json=runway_body()).json()["id"]
    sim.advance(1)
    url = client.get(f"/v1/tasks/{task_id}").json()["output"][0]
    whole = client.get(url).content
    part = client.get(url, headers={"range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, whole[100:])
    assert client.head(url).headers["content-length"] == str(len(whole))
    assert client.get(url, headers={"range": f"bytes={len(whole)}-"}).status_code == 416
