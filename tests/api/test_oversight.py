"""What those who run the service look at: readiness, figures, log lines and traces."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from genlock import Transient, pipeline, stage
from genlock.access.identity import ANYBODY
from genlock.access.office import Office
from genlock.api.app import create_app
from genlock.api.dependency import Services
from genlock.api.oversight import oversee
from genlock.api.readiness import Check, Readiness, Unready
from genlock.bootstrap import Home, open_home
from genlock.clock import SystemClock
from genlock.ledger.access.records import Scope
from genlock.ledger.records import JobState
from genlock.log import log_to_file, log_to_stderr
from genlock.owner import Ownership
from genlock.settings import Settings
from genlock.testing.clock import FakeClock

log = structlog.get_logger("tests.oversight")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEY = "read-the-figures-with-this-0123456789"


@stage
async def halve(number: int) -> int:
    log.info("halving", number=number)
    if number % 2:
        raise Transient("odd")
    return number // 2


@stage
async def tell(number: int) -> str:
    return f"it is {number}"


@pipeline
def telling(number: int) -> str:
    return tell(halve(number))


@dataclass
class Watched:
    """A home that is watched over, and a client of its API who signs in as an admin."""

    home: Home
    http: httpx2.AsyncClient
    services: Services

    async def finished(self, number: int, **headers: str) -> dict[str, Any]:
        """A job of `telling`, once it has ended."""
        order = {"pipeline": "telling", "params": {"number": number}}
        answer = await self.http.post("/api/v3/jobs", json=order, headers=headers)
        assert answer.status_code == 202, answer.text
        job = answer.json()["data"]["id"]
        await self.home.engine.reader.ended(job, 20)
        found: dict[str, Any] = (await self.http.get(f"/api/v3/jobs/{job}")).json()["data"]
        return found


@asynccontextmanager
async def watched(settings: Settings) -> AsyncIterator[Watched]:
    with Ownership.take(settings) or pytest.fail("the home is taken"):
        async with open_home(settings, more=[telling]) as home, oversee(home) as oversight:
            services = replace(Services.of(home), oversight=oversight)
            office = Office(home.access, ANYBODY)
            await office.create_user("boss", admin=True)
            token = (await office.create_token("boss", scopes=frozenset(Scope))).token
            transport = httpx2.ASGITransport(create_app(services), raise_app_exceptions=False)
            signed = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://genlock", headers=signed
            ) as http:
                yield Watched(home, http, services)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", attempts=2, backoff=timedelta(milliseconds=1), metrics_token=KEY)


# Figures


async def figures(watched: Watched) -> dict[str, float]:
    """Every sample by its name with labels."""
    answer = await watched.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_what_jobs_and_their_tasks_came_to_is_counted_as_it_is_committed(settings: Settings) -> None:
    async with watched(settings) as one:
        done = await one.finished(8)
        failed = await one.finished(7)
        found = await figures(one)
    assert (done["state"], failed["state"]) == (JobState.COMPLETED, JobState.FAILED)
    assert found['genlock_jobs_started_total{pipeline="telling"}'] == 2
    assert found['genlock_jobs_total{executor="embedded",outcome="completed"}'] == 1
    assert found['genlock_jobs_total{executor="embedded",outcome="failed"}'] == 1
    assert found['genlock_tasks_total{outcome="done",stage="tell"}'] == 1
    assert found['genlock_tasks_total{outcome="failed",stage="halve"}'] == 1
    assert found['genlock_attempts_total{outcome="retried",stage="halve"}'] == 1
    assert found['genlock_attempt_seconds_count{stage="halve"}'] == 1
    assert found["genlock_tasks_ready"] == 0
    assert found["genlock_queue_age_seconds"] == 0
    assert found['genlock_http_requests_total{method="POST",route="/api/v3/jobs",status="202"}'] == 2


async def test_no_name_of_a_thing_is_a_label_of_a_figure(settings: Settings) -> None:
    async with watched(settings) as one:
        job = await one.finished(8)
        await one.http.get("/api/v3/jobs/a-secret-name")
        await one.http.request("SECRET-METHOD", "/nowhere/a-secret-name")
        text = (await one.http.get("/metrics")).text
    assert job["id"] not in text
    assert "secret" not in text.lower()


async def test_who_may_read_the_figures(settings: Settings) -> None:
    async with watched(settings) as one:
        office = Office(one.home.access, ANYBODY)
        await office.create_user("ann")
        plain = (await office.create_token("ann", scopes=frozenset({Scope.JOBS_READ}))).token
        transport = httpx2.ASGITransport(create_app(one.services))
        async with httpx2.AsyncClient(transport=transport, base_url="http://genlock") as anybody:
            assert (await anybody.get("/metrics")).status_code == 401
            signed = {"Authorization": f"Bearer {plain}"}
            assert (await anybody.get("/metrics", headers=signed)).status_code == 403
            scraping = {"Authorization": f"Bearer {KEY}"}
            assert (await anybody.get("/metrics", headers=scraping)).status_code == 200
            assert (await anybody.get("/api/v3/jobs", headers=scraping)).status_code == 401
        own = httpx2.ASGITransport(create_app(replace(one.services, trusted=True)))
        async with httpx2.AsyncClient(transport=own, base_url="http://genlock") as local:
            assert (await local.get("/metrics")).status_code == 200


# Readiness


async def test_a_home_that_can_work_is_ready_until_it_stops(settings: Settings) -> None:
    async with watched(settings) as one:
        answer = await one.http.get("/ready")
        assert answer.status_code == 200
        assert {name: look["ok"] for name, look in answer.json()["data"]["checks"].items()} == {
            "ledger": True,
            "disk": True,
            "encoder": True,
            "broker": True,
        }
        one.services.stop()
        answer = await one.http.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "NotReady"
        assert "stopping" in answer.json()["error"]["detail"]


async def test_what_is_wrong_is_said(settings: Settings) -> None:
    async with watched(settings.model_copy(update={"disk_reserve": 0.999})) as one:
        answer = await one.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["error"]["detail"].startswith("disk: ")
    assert "rendering waits for room" in answer.json()["error"]["detail"]


async def test_looks_are_shared_and_kept_for_a_moment() -> None:
    clock, looks = FakeClock(), []

    async def look() -> str:
        looks.append(clock.monotonic())
        await asyncio.sleep(0)
        if len(looks) == 2:
            raise Unready("not today")
        return "well"

    readiness = Readiness({"it": Check(look, timedelta(seconds=60))}, clock)
    answers = await asyncio.gather(*(readiness.findings() for _ in range(50)))
    assert len(looks) == 1
    assert all(answer["it"].ok for answer in answers)
    clock.advance(61)
    assert (await readiness.findings())["it"].found == "not today"
    clock.advance(3)  # what is wrong is looked at again soon
    assert (await readiness.findings())["it"].ok
    assert len(looks) == 3


async def test_a_look_that_hangs_is_no_reason_to_wait() -> None:
    async def hang() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    found = await Readiness({"it": Check(hang, within=0.01)}, SystemClock()).findings()
    assert not found["it"].ok
    assert "no answer" in found["it"].found


# Log lines


@pytest.fixture
def logged(settings: Settings) -> Iterator[Path]:
    """Where the lines go, as they do in a process of ours."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in ("uvicorn", "httpx2", "asyncio")}
    log_to_stderr(settings)
    with log_to_file(settings):
        yield settings.logs / "genlock.log"
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def written(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def lines(path: Path, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in written(path).splitlines()]
    return [line for line in found if line["event"] == event]


async def test_a_line_written_in_a_task_says_in_which(settings: Settings, logged: Path) -> None:
    async with watched(settings) as one:
        first, second = await asyncio.gather(one.finished(8), one.finished(6))
    told = {line["job"]: line for line in lines(logged, "halving")}
    assert told[first["id"]]["number"] == 8
    assert told[second["id"]]["number"] == 6
    assert {(line["task"], line["attempt"]) for line in told.values()} == {("halve", 1)}
    assert all("request" not in line for line in told.values())


async def test_a_request_has_a_name_that_its_answer_and_its_lines_have_too(
    settings: Settings, logged: Path
) -> None:
    async with watched(settings) as one:
        order = {"pipeline": "telling", "params": {"number": 4}}
        mine = {"X-Request-Id": "mine-1", "traceparent": PARENT}
        answer = await one.http.post("/api/v3/jobs", json=order, headers=mine)
        assert (await one.http.post("/api/jobs/none/retry?token=secret")).status_code == 404
        assert "secret" not in (await one.http.post("/api/v3/jobs?token=secret", json=order)).text
        assert answer.headers["x-request-id"] == "mine-1"
        given = (await one.http.get("/health", headers={"X-Request-Id": "no name\twith blanks"})).headers
        assert given["x-request-id"].isalnum()
        await one.home.engine.reader.ended(answer.json()["data"]["id"], 20)
    [line] = [line for line in lines(logged, "answered") if line.get("request") == "mine-1"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/api/v3/jobs", 202)
    assert line["trace"] == PARENT.split("-")[1]
    [task] = lines(logged, "halving")
    assert task["trace"] == PARENT.split("-")[1]
    assert "secret" not in written(logged)


async def test_an_answer_that_could_not_be_given_has_a_name_too(
    settings: Settings, logged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(settings) as one:

        async def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("nobody expected this")

        monkeypatch.setattr(one.home.engine, "list", fail)
        answer = await one.http.get("/api/v3/jobs", headers={"X-Request-Id": "mine-2"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "mine-2"
    assert "nobody expected this" not in answer.text
    [line] = lines(logged, "a request could not be answered")
    assert line["request"] == "mine-2"
    assert "nobody expected this" in line["exception"]


# Traces


@dataclass
class Collector:
    """What an OpenTelemetry collector was sent."""

    url: str
    sent: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.sent
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            import gzip

            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            collector.sent.append(request)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_one_trace_shows_a_request_the_job_and_its_tasks(settings: Settings) -> None:
    with collecting() as collector:
        async with watched(settings.model_copy(update={"otlp_endpoint": collector.url})) as one:
            job = await one.finished(8, traceparent=PARENT)
        spans = collector.spans()
    [trace, parent] = [bytes.fromhex(part) for part in PARENT.split("-")[1:3]]
    mine = [span for span in spans if span.trace_id == trace]
    [request] = [span for span in mine if span.name == "request"]
    assert request.parent_span_id == parent
    tasks = [span for span in mine if span.name == "task"]
    assert all(span.parent_span_id == request.span_id for span in tasks)
    told = [{each.key: each.value for each in span.attributes} for span in tasks]
    assert {each["genlock.task"].string_value for each in told} == {"halve", "tell"}
    assert {each["genlock.job"].string_value for each in told} == {job["id"]}


async def test_a_collector_that_is_gone_stops_nothing(settings: Settings) -> None:
    async with watched(settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:9"})) as one:
        assert (await one.finished(8))["state"] == "completed"
