"""Everything that can be made to go wrong, and exactly when."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
import pytest

from customer import KEY, Mailbox, Open, headers
from genlock.errors import BadInput
from genlock.testing.simulator import FOREVER, Do, Fault, Simulator

VEO = "/v1/models/google/veo-3.1/predictions"
LOST = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


def create(client: httpx2.Client, seed: int = 1, **more: Any) -> httpx2.Response:
    return client.post(VEO, json={"input": {"prompt": "x", "seed": seed}, **more})


def finished(sim: Simulator, client: httpx2.Client) -> str:
    """The address of a film that is ready."""
    here = create(client).json()["urls"]["get"]
    sim.advance(1)
    return str(client.get(here).json()["output"])


# Before anything is accepted


def test_a_dropped_request_was_not_accepted(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    sim.misbehave(Fault(Do.DROP))
    with pytest.raises(LOST):
        create(client)
    assert sim.charges() == []
    [receipt] = sim.requests()
    assert (receipt.fault, receipt.status) == ("drop", 0)
    assert create(client).status_code == 201


def test_refusing_connections_is_not_even_reading_them(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    sim.misbehave(Fault(Do.REFUSE, seconds=3600))
    with pytest.raises(LOST):
        create(client)
    with pytest.raises(httpx2.ConnectError):
        create(client)
    assert sim.charges() == []
    assert len(sim.requests()) == 1


async def test_a_door_that_was_shut_opens_again(sim: Simulator) -> None:
    url, shown = f"{sim.address('replicate')}/v1/predictions", headers(sim, "replicate")
    sim.shut(3600)
    async with httpx2.AsyncClient(headers=shown, timeout=20) as client, asyncio.timeout(20):
        with pytest.raises(httpx2.ConnectError):
            await client.get(url)
        sim.shut(0.1)  # the last word counts
        while True:
            try:
                assert (await client.get(url)).status_code == 200
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("do", "status", "words"),
    [
        (Do.ERROR, 500, "internal server error"),
        (Do.BUSY, 429, "too many requests"),
        (Do.NO_CREDIT, 402, "Insufficient credit"),
        (Do.DENY, 401, "denied"),
        (Do.REJECT, 422, "Input validation failed"),
    ],
)
def test_a_refusal_is_in_the_vendors_words(
    sim: Simulator, open_at: Open, do: Do, status: int, words: str
) -> None:
    sim.misbehave(Fault(do, seconds=7))
    answer = create(open_at("replicate"))
    assert answer.status_code == status
    assert words in answer.text
    assert answer.headers.get("retry-after") == ("7" if do is Do.BUSY else None)
    assert sim.charges() == []


def test_a_hang_ends_without_an_answer(sim: Simulator, open_at: Open) -> None:
    sim.set_clock(scale=1000)
    sim.misbehave(Fault(Do.HANG, seconds=100))
    with pytest.raises(LOST):
        create(open_at("replicate"))
    assert sim.charges() == []


def test_a_hang_outlasts_the_patience_of_the_client(sim: Simulator) -> None:
    sim.misbehave(Fault(Do.ACCEPT_THEN_HANG, seconds=60))
    with (
        httpx2.Client(base_url=sim.address("replicate"), headers=headers(sim, "replicate")) as client,
        pytest.raises(httpx2.ReadTimeout),
    ):
        client.post(VEO, json={"input": {}}, timeout=httpx2.Timeout(20, read=0.2))
    until = time.monotonic() + 20
    while not sim.charges() and time.monotonic() < until:
        time.sleep(0.01)
    assert len(sim.charges()) == 1


# After it


@pytest.mark.parametrize(
    "do",
    [Do.ACCEPT_THEN_DROP, Do.ACCEPT_THEN_ERROR, Do.ACCEPT_THEN_HANG, Do.HALF_ANSWER, Do.GARBAGE, Do.SLOW],
)
def test_what_is_accepted_is_charged_whatever_is_answered(sim: Simulator, open_at: Open, do: Do) -> None:
    sim.set_clock(scale=1000)
    sim.misbehave(Fault(do, seconds=50, status=503))
    client = open_at("replicate")
    try:
        answer = create(client)
    except LOST:
        assert do in (Do.ACCEPT_THEN_DROP, Do.ACCEPT_THEN_HANG, Do.HALF_ANSWER)
    else:
        status, is_json = answer.status_code, "json" in answer.headers["content-type"]
        expected = {Do.ACCEPT_THEN_ERROR: (503, True), Do.GARBAGE: (200, False), Do.SLOW: (201, True)}
        assert (status, is_json) == expected[do]
    [charge] = sim.charges()
    listed = client.get("/v1/predictions").json()["results"]
    assert [row["id"] for row in listed] == [charge.id]


def test_two_sendings_of_one_call_are_two_charges_even_under_two_keys(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    for key in (KEY, KEY[::-1]):
        client.post(VEO, json={"input": {"prompt": "x"}, "webhook": f"http://127.0.0.1:9/?key={key}"})
    create(client, seed=8)
    client.post(VEO, json={"input": {"prompt": "another"}, "webhook": f"http://127.0.0.1:9/?key={KEY}"})
    assert set(sim.charges_by_key()) == {KEY, KEY[::-1]}
    twice = sim.charged_twice()
    assert sorted([charge.number for charge in charges] for charges in twice) == [[1, 2, 3], [1, 4]]


# What becomes of it


def test_long_work_takes_as_many_looks_as_were_said(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.LONG_WORK, seconds=0, polls=3))
    client = open_at("replicate")
    here = create(client).json()["urls"]["get"]
    states = [client.get(here).json()["status"] for _ in range(4)]
    assert states == ["processing", "processing", "succeeded", "succeeded"]


def test_long_work_takes_as_long_as_was_said(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.LONG_WORK, seconds=600))
    client = open_at("replicate")
    here = create(client).json()["urls"]["get"]
    sim.advance(599)
    assert client.get(here).json()["status"] == "processing"
    sim.advance(1)
    assert client.get(here).json()["status"] == "succeeded"


@pytest.mark.parametrize("do", [Do.FAIL, Do.CENSOR])
def test_generation_fails_when_it_should_be_done(sim: Simulator, open_at: Open, do: Do) -> None:
    sim.misbehave(Fault(do))
    client = open_at("replicate")
    here = create(client).json()["urls"]["get"]
    assert client.get(here).json()["status"] == "processing"
    sim.advance(1)
    done = client.get(here).json()
    assert done["status"] == "failed"
    assert ("sensitive" in done["error"]) == (do is Do.CENSOR)


def test_a_list_shows_late_what_was_accepted(sim: Simulator, open_at: Open) -> None:
    sim.tune(lag=2)
    sim.misbehave(Fault(Do.LIST_LATE, nth=2, seconds=30))
    client = open_at("replicate")
    for seed in (1, 2):
        create(client, seed)

    def seeds() -> list[int]:
        return [row["input"]["seed"] for row in client.get("/v1/predictions").json()["results"]]

    assert seeds() == []
    sim.advance(2)
    assert seeds() == [1]
    sim.advance(28)
    assert seeds() == [2, 1]


async def test_a_webhook_can_outrun_the_answer(sim: Simulator, mailbox: Mailbox) -> None:
    sim.misbehave(Fault(Do.EARLY_WEBHOOK))
    body = {"input": {}, "webhook": mailbox.url, "webhook_events_filter": ["completed"]}
    async with httpx2.AsyncClient(headers=headers(sim, "replicate"), timeout=20) as client:
        answer = (await client.post(sim.address("replicate") + VEO, json=body)).json()
    assert mailbox.words("status") == ["succeeded"]
    assert mailbox.words("id") == [answer["id"]]
    assert answer["status"] == "starting"


# Files


def test_half_a_file_breaks_off(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    url = finished(sim, client)
    sim.misbehave(Fault(Do.HALF_FILE, on="file"))
    with pytest.raises(LOST):
        client.get(url)
    assert client.get(url).status_code == 200


def test_files_are_short_wrong_or_gone(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    url = finished(sim, client)
    sim.misbehave(
        Fault(Do.SHORT_FILE, on="file"),
        Fault(Do.WRONG_FILE, on="file", nth=2),
        Fault(Do.EXPIRED, on="file", nth=3),
    )
    short, wrong, gone, whole = (client.get(url) for _ in range(4))
    assert len(short.content) == len(whole.content) // 2
    assert (wrong.status_code, wrong.headers["content-type"], wrong.content[:9]) == (
        200,
        "video/mp4",
        b"<!doctype",
    )
    assert gone.status_code == 404


# Reports


async def test_reports_are_lost_late_doubled_or_forged(
    sim: Simulator, open_at: Open, mailbox: Mailbox
) -> None:
    sim.misbehave(
        Fault(Do.LOST, on="webhook"),
        Fault(Do.LATE, on="webhook", nth=2, seconds=60),
        Fault(Do.DUPLICATE, on="webhook", nth=3),
        Fault(Do.FORGED, on="webhook", nth=4),
    )
    client = open_at("replicate")
    ids: list[str] = []
    for seed, arrived in enumerate((0, 0, 2, 3)):
        hook = {"webhook": mailbox.url, "webhook_events_filter": ["start"]}
        ids.append(create(client, seed, **hook).json()["id"])
        await mailbox.wait(arrived)
    assert mailbox.words("id") == [ids[2], ids[2], ids[3]]
    first, second, forged = (head for _, head, _ in mailbox.got)
    assert first["webhook-id"] == second["webhook-id"]
    assert forged["webhook-signature"].endswith("AAAAAAA=")
    sim.advance(60)
    await mailbox.wait(4)
    assert mailbox.words("id")[3] == ids[1]


# When


def test_a_fault_counts_from_when_it_is_set(sim: Simulator, open_at: Open) -> None:
    client = open_at("replicate")
    create(client)
    sim.misbehave(Fault(Do.ERROR, vendor="replicate", nth=3, times=2))
    statuses = [create(client, seed).status_code for seed in range(5)]
    assert statuses == [201, 201, 500, 500, 201]


def test_a_fault_is_about_one_vendor_and_one_route(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.BUSY, vendor="replicate", on="get", times=FOREVER), Fault(Do.ERROR, on="music"))
    client, other = open_at("replicate"), open_at("elevenlabs")
    made = create(client)
    assert made.status_code == 201
    assert [client.get(made.json()["urls"]["get"]).status_code for _ in range(3)] == [429] * 3
    assert other.post("/v1/text-to-speech/adam", json={"text": "hello"}).status_code == 200
    assert other.post("/v1/music", json={"prompt": "x", "music_length_ms": 3000}).status_code == 500
    sim.behave()
    assert client.get(made.json()["urls"]["get"]).status_code == 200


def test_a_fault_can_wait_and_can_choose(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.ERROR, after=10), Fault(Do.BUSY, where='"seed":7'))
    client = open_at("replicate")
    assert [create(client, seed).status_code for seed in (6, 7, 7)] == [201, 429, 201]
    sim.advance(10)
    assert [create(client, seed).status_code for seed in (6, 7)] == [500, 201]


def test_faults_come_together(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.ACCEPT_THEN_DROP), Fault(Do.LIST_LATE, seconds=30), Fault(Do.FAIL))
    client = open_at("replicate")
    with pytest.raises(LOST):
        create(client)
    assert sim.requests()[0].fault == "accept_then_drop list_late fail"
    assert client.get("/v1/predictions").json()["results"] == []
    sim.advance(30)
    [found] = client.get("/v1/predictions").json()["results"]
    assert found["status"] == "failed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "explode"},
        {"do": "drop", "nth": 0},
        {"do": "half_file"},
        {"do": "late"},
        {"do": "drop", "on": "webhook"},
        {"do": "fail", "on": "get"},
        {"do": "drop", "vendor": "nobody"},
        {"do": "drop", "when": "later"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_at_once(sim: Simulator, wrong: dict[str, Any]) -> None:
    answer = httpx2.post(f"{sim.url}/_misbehave", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]
    with pytest.raises(BadInput):
        sim.misbehave(Fault.read(wrong))
