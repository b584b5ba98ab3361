"""The HTTP face: envelope, problems, pages and streams."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from genlock import errors
from genlock.api.app import create_app
from genlock.api.channel import Channels
from genlock.api.dependency import Services
from genlock.api.wire import STATUS, error_of, problem_of
from genlock.buyer import webhook
from genlock.errors import GenlockError
from genlock.ledger.records import JobState


@pytest.fixture
async def http(service: Any):
    transport = httpx2.ASGITransport(
        create_app(Services(jobs=service, trusted=True)), raise_app_exceptions=False
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://genlock") as client:
        yield client


async def test_a_job_is_accepted_with_202_in_camel_case(http: Any, service: Any) -> None:
    body = {"pipeline": "campaign", "params": {"num_pairs": 3}, "deadline": 60, "dedup": "x"}
    answer = await http.post("/api/v3/jobs", json=body)
    assert answer.status_code == 202
    told = answer.json()
    assert set(told) == {"data", "error", "meta"}
    assert told["error"] is None
    assert told["data"]["state"] == "pending"
    assert told["data"]["totalStages"] == 3
    assert told["data"]["stages"][1]["counts"] == {"done": 1, "ready": 3}
    assert told["data"]["labels"] == {"some_key": 1}
    assert service.asked[0][6].total_seconds() == 60


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v3/jobs/none", None, 404, "NotFound"),
        ("GET", "/api/v3/nothing", None, 404, "NotFound"),
        ("PUT", "/api/v3/jobs", None, 405, "MethodNotAllowed"),
        ("POST", "/api/v3/jobs", {"pipeline": "campaign", "params": {"num_pairs": 0}}, 422, "BadInput"),
        ("POST", "/api/v3/jobs", {"pipline": "campaign"}, 422, "BadInput"),
        ("POST", "/api/v3/jobs", {"pipeline": "campaign", "deadline": -1}, 422, "BadInput"),
        ("POST", "/api/v3/jobs/over/cancel", None, 409, "Conflict"),
        ("POST", "/api/v3/jobs/over/rerun", {}, 422, "BadInput"),
        ("GET", "/api/v3/jobs?limit=0", None, 422, "BadInput"),
        ("GET", "/api/v3/jobs?status=happy", None, 422, "BadInput"),
    ],
)
async def test_what_does_not_work_is_a_problem(
    http: Any, service: Any, method: str, path: str, body: Any, status: int, code: str
) -> None:
    service.add("over", JobState.COMPLETED)
    answer = await http.request(method, path, json=body)
    told = answer.json()
    assert (answer.status_code, told["data"]) == (status, None)
    problem = told["error"]
    assert (problem["status"], problem["code"], problem["instance"]) == (status, code, path.partition("?")[0])
    assert problem["type"].startswith("urn:genlock:problem:")
    assert problem["title"]
    assert problem["detail"]


async def test_fields_that_do_not_fit_are_pointed_at(http: Any) -> None:
    answer = await http.post("/api/v3/jobs", json={"pipline": "campaign"})
    assert [e["pointer"] for e in answer.json()["error"]["errors"]] == ["/body/pipeline", "/body/pipline"]


async def test_text_that_is_no_json_is_a_400(http: Any) -> None:
    answer = await http.post("/api/v3/jobs", content="{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


async def test_an_error_nobody_expected_tells_nothing_of_the_inside(http: Any, service: Any) -> None:
    service.fault = RuntimeError("a secret")
    answer = await http.get("/api/v3/jobs/x")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "InternalError"
    assert "secret" not in answer.text


async def test_a_list_comes_in_pages_newest_first(http: Any, service: Any) -> None:
    for n in range(5):
        service.add(f"job{n}", JobState.FAILED if n % 2 else JobState.RUNNING)
    first = (await http.get("/api/v3/jobs?limit=2")).json()
    assert [job["id"] for job in first["data"]] == ["job4", "job3"]
    assert first["meta"]["next"] == "job3"
    last = (await http.get("/api/v3/jobs?limit=3&after=job3")).json()
    assert [job["id"] for job in last["data"]] == ["job2", "job1", "job0"]
    assert last["meta"]["next"] is None
    failed = (await http.get("/api/v3/jobs?status=failed&status=cancelled")).json()
    assert [job["id"] for job in failed["data"]] == ["job3", "job1"]


async def test_every_verb_reaches_the_service(http: Any, service: Any) -> None:
    service.add("abc")
    steer = "/api/v3/jobs/abc"
    assert (await http.post(f"{steer}/pause")).json()["data"]["state"] == "paused"
    assert (await http.post(f"{steer}/resume")).json()["data"]["state"] == "running"
    redo = (await http.post(f"{steer}/rerun", json={"task": "video_generation/3", "dryRun": True})).json()
    assert redo["data"]["redone"] == ["video_generation/3"]
    assert redo["data"]["dryRun"] is True
    told = {"name": "approval", "value": {"by": "ann"}}
    assert (await http.post(f"{steer}/tasks/video_generation/3/signal", json=told)).status_code == 200
    assert service.asked[-1] == ("signal", "abc", "video_generation/3", "approval", {"by": "ann"})
    cancelled = await http.post(f"{steer}/cancel", json={"reason": "enough"})
    assert cancelled.json()["data"]["state"] == "cancelled"
    assert service.asked[-1] == ("cancel", "abc", "enough")
    assert (await http.post(f"{steer}/retry")).json()["data"]["state"] == "running"
    assert (await http.get(f"{steer}/graph")).json()["data"]["mermaid"] == "graph TD"
    assert (await http.get(f"{steer}/tasks")).json()["data"][2]["error"]["kind"] == "RenderCrashed"
    assert (await http.get("/health")).json()["data"]["status"] == "ok"


async def test_history_is_json_unless_a_stream_is_asked_for(http: Any, service: Any) -> None:
    service.add("abc", JobState.COMPLETED)
    for kind in ("a", "b", "c"):
        service.tell("abc", kind, count=1)
    page = (await http.get("/api/v3/jobs/abc/events?after=1&limit=1")).json()
    assert [(e["seq"], e["kind"], e["data"]) for e in page["data"]] == [(2, "b", {"count": 1})]
    assert page["meta"]["next"] == "2"
    async with http.sse("/api/v3/jobs/abc/events", headers={"Last-Event-ID": "1"}) as source:
        lines = [line async for line in source]
    assert [(line.event, line.id) for line in lines[:-1]] == [("b", "2"), ("c", "3")]
    assert json.loads(lines[0].data)["kind"] == "b"
    assert lines[-1].event == "end"
    wrong = await http.get(
        "/api/v3/jobs/abc/events", headers={"Last-Event-ID": "x", "Accept": "text/event-stream"}
    )
    assert wrong.status_code == 422
    missing = await http.get("/api/v3/jobs/none/events", headers={"Accept": "text/event-stream"})
    assert missing.status_code == 404


async def test_a_quiet_stream_shows_that_it_is_alive_and_stops_with_the_server(service: Any) -> None:
    service.add("abc")
    channels = Channels(service)
    lines = channels.stream("abc", 0, "/x", quiet=0.01)
    assert (await anext(lines)).startswith(b":")
    service.tell("abc", "task_started")
    assert b"event: task_started" in [await anext(lines), await anext(lines)][0].splitlines()
    channels.stop()
    assert [line async for line in lines if not line.startswith(b":")] == []


async def test_an_error_in_a_stream_is_said_in_the_stream(service: Any) -> None:
    service.add("abc")
    service.tell("abc", "task_started")
    lines = Channels(service).stream("abc", 0, "/x")
    assert b"task_started" in await anext(lines)
    service.fault = errors.LedgerError("the disk is gone")
    service.set("abc")
    last = [line async for line in lines]
    assert last[0].startswith(b"event: problem")
    assert b"the disk is gone" in last[0]


@pytest.mark.parametrize("name", [n for n, k in vars(errors).items() if isinstance(k, type)])
def test_every_error_survives_the_wire(name: str) -> None:
    kind = getattr(errors, name)
    if not issubclass(kind, GenlockError):
        return
    back = error_of(problem_of(kind("what happened"), "/x"))
    assert type(back) is kind
    assert str(back) == "what happened"
    assert any(each in STATUS for each in kind.__mro__)


def test_openapi_describes_every_answer(service: Any) -> None:
    told = create_app(Services(jobs=service, trusted=True)).openapi()
    operations = [(path, verb, op) for path, verbs in told["paths"].items() for verb, op in verbs.items()]
    assert len(operations) >= 23
    for path, verb, operation in operations:
        good = next(code for code in operation["responses"] if code.startswith("2"))
        content = operation["responses"][good].get("content", {})
        assert all(kind["schema"] for kind in content.values()), (path, verb)
        assert content or good == "204", (path, verb)
        assert operation["summary"]
        assert "HTTPValidationError" not in json.dumps(operation)


def test_the_address_that_providers_report_to_is_one_that_is_answered(service: Any) -> None:
    address = httpx2.URL(webhook("https://films.example", "acme", "gl_1") or "")
    paths = create_app(Services(jobs=service, trusted=True)).openapi()["paths"]
    assert paths[address.path.replace("acme", "{vendor}")]["post"]["operationId"] == "take_report"
    assert address.params["key"] == "gl_1"
    assert webhook(None, "acme", "gl_1") is None
