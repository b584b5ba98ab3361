"""`genlock serve` and `uvicorn genlock.api.app:create`: real processes, asked over HTTP and stopped."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest

PATIENCE = 60.0  # seconds in which any of these processes listens
TOKEN = "gl_0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP01"  # of the admin, by the settings
GOES_ON = ("pending", "running", "completed")  # on a busy machine the film may be done by the time we ask


def started(command: Any, *words: object) -> tuple[Any, str]:
    """`genlock serve` on a free port, once it listens; and its address."""
    server = command.start("serve", "--port", 0, *words)
    assert server.until(lambda: "Listening on" in server.err, PATIENCE), server.err
    found = re.search(r"Listening on (http://[^\" ]+)", server.err)
    assert found
    return server, found[1]


def asking(url: str, token: str | None = TOKEN) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=30)


def said(server: Any) -> list[str]:
    """The lines of its log, in their words."""
    return [json.loads(line)["event"] for line in server.errors if line.startswith("{")]


@pytest.fixture
def command(genlock: Any) -> Any:
    genlock.env |= {"GENLOCK_ADMIN_TOKEN": TOKEN, "GENLOCK_CPU": "1"}
    return genlock


def test_a_connection_is_kept_for_longer_than_clients_keep_theirs(command: Any) -> None:
    """Whoever asks again after the 5 s that many clients keep one must not find it being closed."""
    _, url = started(command)
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=30)) as line:  # makes no second one
        for pause in (0, 5.5):
            time.sleep(pause)
            line.request("GET", "/health")
            answer = line.getresponse()
            assert answer.status == 200
            answer.read()


def test_it_answers_on_a_port_to_whoever_signs_in(command: Any) -> None:
    server, url = started(command)
    with asking(url) as admin, asking(url, None) as stranger:
        assert stranger.get("/health").json()["data"]["pid"] == server.pid
        assert stranger.get("/api/v3/jobs").status_code == 401
        assert admin.get("/api/v3/jobs").json()["data"] == []
        assert stranger.get("/metrics").status_code == 401
        assert "genlock_tasks_ready 0.0" in admin.get("/metrics").text
        ready = stranger.get("/ready").json()["data"]
        assert ready["ready"]
        assert set(ready["checks"]) == {"ledger", "disk", "encoder", "broker"}
    assert command.answer("jobs", "list") == []  # over the socket of the home, where nobody signs in
    server.signal(signal.SIGTERM)
    assert server.wait(10) == 0
    assert said(server)[-1] == "Shutting down - pipelines will recover on restart"


def test_the_first_start_shows_a_token_that_is_in_no_log(command: Any) -> None:
    del command.env["GENLOCK_ADMIN_TOKEN"]
    server, url = started(command)
    token = re.search(r"gl_\S+", server.err)
    assert token
    with asking(url, token[0]) as admin:
        assert admin.get("/api/v3/jobs").status_code == 200
    server.signal(signal.SIGTERM)
    server.wait(10)
    assert token[0] not in json.dumps(command.log())
    again, _ = started(command)
    assert "gl_" not in again.err


def test_a_port_that_is_taken_is_said_before_the_home_is(command: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = command("serve", "--port", port, code=4)
    assert error.startswith(f"genlock: cannot listen on 127.0.0.1 port {port}: another program does already")
    assert not (command.home / "lock").exists()
    assert "is no address of this machine" in command("serve", "--host", "nowhere.invalid", code=4)


def test_a_home_that_is_served_is_the_better_reason(command: Any) -> None:
    _, url = started(command)
    error = command("serve", "--port", url.rpartition(":")[2], code=4)
    assert "owns" in error
    assert "a home has one owner" in error


@contextmanager
def streaming(url: str, job: str) -> Iterator[Iterator[str]]:
    with (
        asking(url) as client,
        client.stream("GET", f"/api/v3/jobs/{job}/events", headers={"Accept": "text/event-stream"}) as answer,
    ):
        yield answer.iter_lines()


def test_it_stops_within_ten_seconds_with_streams_open_and_tasks_at_work(
    command: Any, photo: Any, tmp_path: Path
) -> None:
    server, url = started(command)
    photos = [str(path) for path in photo("dandelion", "fig-in-bowl", "forest-stream-near")]
    job = submitted(url, photos)
    with streaming(url, job) as first, streaming(url, job) as second:
        for line in first:
            if "task.claimed" in line:
                break
        next(second)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        list(first)  # they end without having said that the job has
        assert server.wait(15) == 0
    assert time.monotonic() - began < 10
    assert server.survivors() == []
    server, url = started(command)
    assert "Found 1 orphaned jobs, resuming" in said(server)
    assert f"Recovering job {job}" in said(server)
    with asking(url) as admin:
        admin.post(f"/api/v3/jobs/{job}/cancel")


def submitted(url: str, photos: list[str]) -> str:
    order = {"pipeline": "campaign", "params": {"photos": photos, "num_pairs": 2, "resolution": "180p"}}
    with asking(url) as client:
        answer = client.post("/api/v3/jobs", json=order)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["id"])


def test_the_second_signal_ends_it_at_once(command: Any, photo: Any) -> None:
    server, url = started(command)
    submitted(url, [str(path) for path in photo("dandelion", "fig-in-bowl", "forest-stream-near")])
    server.signal(signal.SIGINT)
    server.signal(signal.SIGTERM)
    assert server.wait(5) in (0, 130, 143)
    assert server.survivors() == []


# By another server


@contextmanager
def by_uvicorn(command: Any) -> Iterator[subprocess.Popen[str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-m", "uvicorn", "genlock.api.app:create", "--factory", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *words],
        env=command.env,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    process.url = f"http://127.0.0.1:{port}"  # type: ignore[attr-defined]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_it_answers(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with asking(url, None) as anybody, suppress(httpx2.TransportError):
            if anybody.get("/health").status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"nobody answers at {url}")


def test_uvicorn_serves_it_too_and_the_next_process_waits_for_the_lock(command: Any, photo: Any) -> None:
    with by_uvicorn(command) as first:
        until_it_answers(first.url)  # type: ignore[attr-defined]
        job = submitted(first.url, [str(path) for path in photo("dandelion", "fig-in-bowl")])  # type: ignore[attr-defined]
        assert command.answer("jobs", "list")[0]["id"] == job
        with by_uvicorn(command) as second, streaming(first.url, job) as lines:  # type: ignore[attr-defined]
            next(lines)
            assert second.stderr is not None
            waiting = second.stderr.readline() + second.stderr.readline() + second.stderr.readline()
            assert "Waiting for" in waiting
            began = time.monotonic()
            first.terminate()
            assert first.wait(15) is not None
            assert time.monotonic() - began < 10
            until_it_answers(second.url)  # type: ignore[attr-defined]
            with asking(second.url) as admin:  # type: ignore[attr-defined]
                assert admin.get(f"/api/v3/jobs/{job}").json()["data"]["state"] in GOES_ON
