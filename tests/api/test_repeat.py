"""Requests with an Idempotency-Key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, File, HTTPException, Request, UploadFile
from sqlalchemy import Connection, update
from starlette.requests import ClientDisconnect

from api.conftest import NOTE, note, served
from disk import contents
from genlock.api.dependency import Services
from genlock.api.repeat import Repeat
from genlock.api.wire import PREFIX
from genlock.ledger.access.schema import answer
from genlock.settings import Settings

JOBS = f"{PREFIX}/jobs"


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


async def count(client: httpx2.AsyncClient) -> int:
    return len((await client.get(JOBS)).json()["data"])


@asynccontextmanager
async def around(app: FastAPI, api: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application of two lines, with the middleware around it."""
    app.state.services = services = Services(jobs=api.home.engine, access=api.home.access, trusted=True)
    app.add_middleware(Repeat, services=services)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://genlock") as client:
        yield client


async def test_the_same_request_again_is_answered_alike_and_done_once(admin: Any) -> None:
    first = await admin.post(f"{PREFIX}/users", json={"name": "zoe"}, headers=key("a key"))
    again = await admin.post(f"{PREFIX}/users", json={"name": "zoe"}, headers=key("a key"))
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]


async def test_the_key_with_another_body_is_refused(admin: Any) -> None:
    await admin.post(f"{PREFIX}/users", json={"name": "zoe"}, headers=key("k"))
    other = await admin.post(f"{PREFIX}/users", json={"name": "yan"}, headers=key("k"))
    assert other.status_code == 409
    assert "another request" in other.json()["error"]["detail"]
    assert (await admin.post(f"{PREFIX}/users", json={"name": "yan"}, headers=key("l"))).status_code == 201


async def test_a_refusal_is_given_again_as_it_was(admin: Any) -> None:
    for replayed in (None, "true"):
        answer = await admin.post(f"{PREFIX}/users", json={"name": "No!"}, headers=key("k"))
        assert answer.status_code == 422
        assert answer.headers.get("idempotency-replayed") == replayed


async def test_openapi_says_it_of_every_post(api: Any) -> None:
    told = (await (await api.client()).get(f"{PREFIX}/openapi.json")).json()["paths"]
    posts = {path: methods["post"] for path, methods in told.items() if "post" in methods}
    without = [
        path
        for path, operation in posts.items()
        if [each["name"] for each in operation.get("parameters", [])].count("Idempotency-Key") != 1
    ]
    assert without == [f"{PREFIX}/hooks/{{vendor}}"]


async def test_a_key_belongs_to_one_user_and_one_route(user: Any, other: Any) -> None:
    asked = [
        (client, path)
        for client in (user, other)
        for path in (f"{JOBS}/none/cancel", "/api/jobs/none/retry", "/api/jobs/none/retry?x=1")
    ]
    for client, path in asked:
        answer = await client.post(path, headers=key("k"))
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (404, None), path


@pytest.mark.parametrize("name", ["", "x" * 256, "é", "a\tb"])
async def test_a_key_is_printable_and_not_too_long(admin: Any, name: str) -> None:
    headers = {b"Idempotency-Key": name.encode("latin-1")}
    answer = await admin.post(f"{PREFIX}/users", json={"name": "zoe"}, headers=headers)
    assert answer.status_code == 422
    assert "printable ASCII" in answer.json()["error"]["detail"]
    longest = await admin.post(f"{PREFIX}/users", json={"name": "zoe"}, headers=key("x" * 255))
    assert longest.status_code == 201


async def test_who_may_not_do_it_keeps_nothing_and_may_try_again(api: Any, user: Any) -> None:
    for _ in range(2):
        answer = await user.post(f"{PREFIX}/users", json={"name": "zoe"}, headers=key("k"))
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (403, None)
    stranger = await api.client()
    assert (await stranger.post(f"{PREFIX}/users", json={}, headers=key("k"))).status_code == 401


async def test_a_request_that_is_being_answered_is_not_begun_twice(api: Any) -> None:
    app, begun, go, done = FastAPI(), asyncio.Event(), asyncio.Event(), []

    @app.post("/slow")
    async def slow() -> str:
        done.append(1)
        begun.set()
        await go.wait()
        return "done"

    async with around(app, api) as client:
        first = asyncio.create_task(client.post("/slow", headers=key("k")))
        await begun.wait()
        meanwhile = await client.post("/slow", headers=key("k"))
        assert (meanwhile.status_code, meanwhile.headers["retry-after"]) == (409, "1")
        assert meanwhile.json()["error"]["code"] == "Underway"
        go.set()
        assert (await first).json() == "done"
        assert (await client.post("/slow", headers=key("k"))).headers["idempotency-replayed"] == "true"
    assert done == [1]


async def test_an_upload_is_the_same_whatever_stands_between_its_parts(api: Any) -> None:
    app, sizes = FastAPI(), []

    @app.post("/upload")
    async def upload(file: Annotated[UploadFile, File()]) -> int:
        sizes.append(len(await file.read()))
        return sizes[-1]

    async with around(app, api) as client:
        data = bytes(range(256)) * 3000
        answers = [await client.post("/upload", files={"file": data}, headers=key("k")) for _ in range(2)]
        assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
        assert answers[0].request.headers["content-type"] != answers[1].request.headers["content-type"]
        changed = await client.post("/upload", files={"file": data[:-1] + b"!"}, headers=key("k"))
        assert changed.status_code == 409
    assert sizes == [len(data)]


async def test_a_fault_is_not_kept(api: Any) -> None:
    app, tries = FastAPI(), []

    @app.post("/faulty")
    async def faulty() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("once")
        return "done"

    async with around(app, api) as client:
        assert (await client.post("/faulty", headers=key("k"))).status_code == 500
        assert (await client.post("/faulty", headers=key("k"))).json() == "done"


async def test_an_upload_that_broke_off_may_be_sent_again(api: Any) -> None:
    """A sender that hung up is answered as well, and nobody hears it: that is not what is kept."""
    app, sizes = FastAPI(), []

    @app.post("/upload")
    async def upload(request: Request) -> int:
        size = 0
        try:
            async for piece in request.stream():
                size += len(piece)
        except ClientDisconnect:
            raise HTTPException(400, "the sender hung up") from None
        sizes.append(size)
        return size

    async with around(app, api) as client:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/upload",
            "query_string": b"",
            "headers": [(b"idempotency-key", b"k")],
            "app": app,
        }
        pieces = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
        said: list[Any] = []

        async def receive() -> Any:
            return pieces.pop(0)

        async def send(message: Any) -> None:
            said.append(message)

        await app(scope, receive, send)
        assert said[0]["status"] == 400
        whole = await client.post("/upload", content=b"the whole", headers=key("k"))
        assert (whole.status_code, whole.headers.get("idempotency-replayed")) == (200, None)
    assert sizes == [9]


async def test_what_a_killed_process_was_answering_is_asked_anew_and_makes_no_second_job(
    settings: Settings,
) -> None:
    """It had started the job, and was gone before it could say so."""
    async with served(settings, execute=False, more=[note]) as api:
        token = await api.token("boss", admin=True)
        boss = await api.client(token)
        first = await boss.post(JOBS, json=NOTE, headers=key("k"))
        await api.home.access.ledger._ledger.change(_unanswered)
        assert (await boss.post(JOBS, json=NOTE, headers=key("k"))).status_code == 409
    async with served(settings, execute=False, more=[note]) as api:
        boss = await api.client(token)
        again = await boss.post(JOBS, json=NOTE, headers=key("k"))
        assert (again.status_code, again.headers.get("idempotency-replayed")) == (202, None)
        assert again.json()["data"]["id"] == first.json()["data"]["id"]
        assert await count(boss) == 1


async def test_a_token_is_made_once_and_kept_nowhere(api: Any, admin: Any) -> None:
    await api.token("ann")
    wanted = {"user": "ann", "scopes": ["jobs:read"]}
    made, again = [
        await admin.post(f"{PREFIX}/tokens", json=wanted, headers=key("a token")) for _ in range(2)
    ]
    assert (made.status_code, again.status_code) == (201, 409)
    assert again.headers["idempotency-replayed"] == "true"
    told = made.json()["data"]
    assert f"token {told['id']} was made" in again.json()["error"]["detail"]
    tokens = (await admin.get(f"{PREFIX}/tokens?user=ann")).json()["data"]
    assert [each["id"] for each in tokens].count(told["id"]) == 1
    assert len(tokens) == 2, "that of the test, and this one"
    secret = told["token"].rpartition("_")[2].encode()
    assert [path.name for path, text in contents(api.home.settings.home) if secret in text] == []


def _unanswered(connection: Connection, now: int) -> None:
    """As it was the moment before the answer was kept."""
    values = {"status": None, "headers": None, "body": None, "until": now + 30_000_000}
    assert connection.execute(update(answer).values(values)).rowcount == 1
