"""Who may do what: every route of the application, asked by everybody there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.conftest import NOTE, Api, listening
from api.world import V3, World
from genlock.api.app import create_app
from genlock.ledger.access.records import Scope

OPEN, SIGNED_IN = "open", "signed in"


@dataclass(frozen=True)
class Rule:
    """A route, and what it takes to be let in: a scope, to be signed in, or nothing.

    `own`: its path names a thing, which is not there for others.
    """

    method: str
    path: str
    needs: str
    body: Any = None

    @property
    def own(self) -> bool:
        return "{" in self.path and self.needs not in (Scope.ADMIN, OPEN)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def rules(needs: str, text: str, **bodies: Any) -> Iterator[Rule]:
    """`GET POST /path` lines; a body by the last word of its path that is no placeholder."""
    for line in text.strip().splitlines():
        *methods, path = line.split()
        last = [part for part in path.split("/") if part and "{" not in part][-1].replace("-", "_")
        yield from (Rule(method, path, needs, bodies.get(last)) for method in methods)


HOURLY = {"name": "Hourly", "pipeline": "note", "params": {"text": "x"}, "every": "1h"}
TABLE = [
    *rules(
        OPEN,
        """
        GET /health
        GET /ready
        POST /api/v3/hooks/{vendor}
        GET /inputs/{key}/{name}
        """,
    ),
    *rules(
        SIGNED_IN,
        """
        GET /api/v3/me
        GET /api/v3/tokens
        DELETE /api/v3/tokens/{id}
        """,
    ),
    *rules(
        Scope.ADMIN,
        """
        GET POST /api/v3/users
        PATCH /api/v3/users/{name}
        POST /api/v3/tokens
        GET /api/v3/audit
        GET /metrics
        POST /api/v3/ledger/copy
        """,
        users={"name": "new"},
        tokens={"user": "ann", "scopes": ["jobs:read"]},
    ),
    *rules(
        Scope.JOBS_READ,
        """
        GET /api/v3/jobs
        GET /api/v3/jobs/{job}
        GET /api/v3/jobs/{job}/tasks
        GET /api/v3/jobs/{job}/graph
        GET /api/v3/jobs/{job}/events
        GET /api/v3/jobs/{job}/costs
        GET /api/v3/jobs/{job}/sub-jobs
        GET /api/v3/jobs/{job}/artifacts
        GET /api/v3/jobs/{job}/artifacts/{sha256}
        GET /api/v3/calls
        GET /api/v3/calls/{key}
        GET /api/v3/costs
        GET /api/v3/budgets
        GET /api/v3/videos
        GET /api/v3/videos/{video}
        GET /api/v3/videos/{video}/data
        GET /api/v3/videos/{video}/poster
        GET /api/v3/videos/{video}/sheet
        GET /api/v3/luigi/jobs
        GET /api/v3/luigi/jobs/{job}
        GET /api/jobs
        GET /api/jobs/{job}
        GET /api/trends
        GET /api/analysis
        GET /api/scripts
        GET /api/videos
        GET /api/videos/{video}
        """,
    ),
    *rules(
        Scope.JOBS_WRITE,
        """
        POST /api/v3/jobs
        POST /api/v3/jobs/dry-run
        POST /api/v3/jobs/from-image-pairs
        POST /api/v3/jobs/from-property-photos
        POST /api/v3/jobs/{job}/cancel
        POST /api/v3/jobs/{job}/pause
        POST /api/v3/jobs/{job}/resume
        POST /api/v3/jobs/{job}/retry
        POST /api/v3/jobs/{job}/rerun
        POST /api/v3/jobs/{job}/tasks/{task}/signal
        POST /api/v3/luigi/jobs
        POST /api/v3/luigi/jobs/{job}/cancel
        POST /api/v3/luigi/jobs/{job}/retry
        POST /api/generate
        POST /api/jobs/{job}/retry
        """,
        jobs=NOTE,
        dry_run=NOTE,
        rerun={"stage": "write", "dryRun": True},
        signal={"name": "go", "value": 1},
    ),
    *rules(
        Scope.MONEY_WRITE,
        """
        POST /api/v3/calls/{key}/resolve
        PUT /api/v3/budgets/{scope}
        POST /api/v3/budgets/{scope}/thaw
        """,
        resolve={"decision": "give-up"},
        budgets={"cap": "2.50"},
    ),
    *rules(
        Scope.VIDEOS_REVIEW,
        """
        POST /api/v3/videos/{video}/approve
        POST /api/v3/videos/{video}/reject
        POST /api/v3/videos/{video}/redo-clip
        """,
        approve={"revision": 1},
        reject={"revision": 1, "reason": "dark"},
        redo_clip={"revision": 1, "clip": 1, "dryRun": True},
    ),
    *rules(
        Scope.VIDEOS_REVIEW,
        """
        POST /api/videos/{video}/approve
        POST /api/videos/{video}/reject
        POST /videos/{video}/approve
        POST /videos/{video}/reject
        """,
        reject={"reason": "dark"},
    ),
    *rules(
        Scope.LIBRARY_READ,
        """
        GET /api/v3/clients
        GET /api/v3/clients/{id}
        GET /api/v3/campaigns
        GET /api/v3/campaigns/{id}
        GET /api/v3/assets
        GET /api/v3/assets/{id}
        GET /api/v3/assets/{id}/data
        GET /api/v3/assets/{id}/thumbnail
        """,
    ),
    *rules(
        Scope.LIBRARY_WRITE,
        """
        POST /api/v3/clients
        PUT DELETE /api/v3/clients/{id}
        POST /api/v3/campaigns
        PUT DELETE /api/v3/campaigns/{id}
        POST /api/v3/assets
        POST /api/v3/assets/from-url
        POST /api/v3/assets/from-urls
        PUT DELETE /api/v3/assets/{id}
        """,
        clients={"name": "Acme"},
        campaigns={"name": "Spring"},
        assets={"name": "a.jpg"},
        from_url={"url": "http://127.0.0.1/a.jpg"},
        from_urls={"urls": ["http://127.0.0.1/a.jpg"]},
    ),
    *rules(
        Scope.SCHEDULES_READ,
        """
        GET /api/v3/schedules
        GET /api/v3/schedules/{id}
        GET /api/v3/schedules/{id}/firings
        GET /api/v3/schedules/{id}/upcoming
        GET /api/cron/jobs
        GET /api/cron/jobs/all
        GET /api/cron/jobs/{id}
        """,
    ),
    *rules(
        Scope.SCHEDULES_WRITE,
        """
        POST /api/v3/schedules
        PUT PATCH DELETE /api/v3/schedules/{id}
        POST /api/v3/schedules/{id}/trigger
        POST /api/v3/schedules/{id}/pause
        POST /api/v3/schedules/{id}/resume
        POST /api/cron/jobs/cron
        POST /api/cron/jobs/interval
        DELETE /api/cron/jobs/{id}
        POST /api/cron/jobs/{id}/trigger
        POST /api/cron/jobs/{id}/pause
        POST /api/cron/jobs/{id}/resume
        """,
        schedules=HOURLY,
    ),
]
ADMINS_ONLY = {"/api/cron/jobs/all"}  # of those that need another scope
NO_CLIPS = "/api/v3/videos/{video}/redo-clip"  # of which the films here have none


def closed() -> Iterator[Rule]:
    return (rule for rule in TABLE if rule.needs != OPEN)


async def ask(client: httpx2.AsyncClient, rule: Rule, path: str | None = None) -> httpx2.Response:
    place = path or rule.path.replace("{task}", "write")
    return await client.request(rule.method, place, json=rule.body)


@pytest.fixture
def told(api: Api) -> dict[str, Any]:
    """What OpenAPI says of each path."""
    paths: dict[str, Any] = create_app(api.services).openapi()["paths"]
    return paths


@pytest.fixture
async def world(api: Api, user: httpx2.AsyncClient, tmp_path: Path) -> World:
    """Things of `ann`."""
    return World(api, user, "ann", tmp_path)


def test_every_route_is_in_the_table_once(told: dict[str, Any]) -> None:
    routes = {f"{method.upper()} {path}" for path, methods in told.items() for method in methods}
    listed = sorted(map(str, TABLE))
    assert (routes - set(listed), set(listed) - routes) == (set(), set()), (
        "missing here, and not there any more"
    )
    assert len(listed) == len(set(listed))


def test_openapi_says_where_one_has_to_sign_in(told: dict[str, Any]) -> None:
    for rule in TABLE:
        operation = told[rule.path][rule.method.lower()]
        assert bool(operation.get("security")) is (rule.needs != OPEN), rule
        if rule.needs != OPEN:
            assert {"401", "403"} <= set(operation["responses"]), rule


async def test_strangers_are_told_to_sign_in_whatever_they_ask(stranger: httpx2.AsyncClient) -> None:
    for rule in closed():
        answer = await ask(stranger, rule)
        assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer"), rule


async def test_a_token_without_the_scope_is_refused_before_anything_is_looked_for(api: Any) -> None:
    tokens = {
        scope: await api.client(await api.token("ann", set(Scope) - {scope, Scope.ADMIN})) for scope in Scope
    }
    for rule in closed():
        if rule.needs == SIGNED_IN:
            continue
        answer = await ask(tokens[Scope(rule.needs)], rule)
        assert answer.status_code == 403, rule
        assert "scope" in answer.json()["error"]["detail"], rule


async def test_a_token_with_only_that_scope_reaches_what_is_its_users(api: Any, world: World) -> None:
    tokens = {
        scope: await api.client(await api.token("ann", {scope}))
        for scope in Scope
        if scope is not Scope.ADMIN
    }
    tokens[SIGNED_IN] = tokens[Scope.JOBS_READ]
    for rule in closed():
        if rule.needs == Scope.ADMIN or rule.path in ADMINS_ONLY:
            continue
        answer = await ask(tokens[rule.needs], rule, await world.path(rule.path))
        assert answer.status_code not in (401, 403, 405), (str(rule), answer.text)
        if rule.own and rule.path != NO_CLIPS:
            assert answer.status_code != 404, (str(rule), answer.text)


async def test_what_is_somebody_elses_is_answered_like_what_is_not_there(
    other: httpx2.AsyncClient, world: World
) -> None:
    for rule in closed():
        if not rule.own:
            continue
        theirs = await world.path(rule.path)
        nothing = "/".join(
            part if part == wild else ("0" * 64 if wild == "{sha256}" else _none(wild))
            for part, wild in zip(theirs.split("/"), rule.path.split("/"), strict=True)
        )
        answer, none = await ask(other, rule, theirs), await ask(other, rule, nothing)
        assert (answer.status_code, none.status_code) == (404, 404), (str(rule), answer.text, none.text)
        assert _shape(answer, theirs) == _shape(none, nothing), rule


async def test_admins_and_the_socket_reach_everything(
    api: Any, admin: httpx2.AsyncClient, world: World
) -> None:
    async with listening(replace(api.services, trusted=True)) as url:
        local = await api.stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False))
        for client in (admin, local):
            for rule in closed():
                path = await world.path(rule.path.replace("{name}", "ann"))
                answer = await ask(client, rule, path)
                assert answer.status_code not in (401, 403, 405), (str(rule), answer.text)
                assert answer.status_code != 404 or rule.path == NO_CLIPS, (str(rule), answer.text)


async def test_what_is_open_to_all_asks_nobody_to_sign_in(stranger: httpx2.AsyncClient) -> None:
    for rule in TABLE:
        if rule.needs == OPEN:
            assert (await ask(stranger, rule)).status_code not in (401, 403), rule


async def test_lists_show_ones_own_things_and_admins_those_of_everybody(
    admin: httpx2.AsyncClient, user: httpx2.AsyncClient, other: httpx2.AsyncClient, world: World
) -> None:
    for kind in ("jobs", "clients", "campaigns", "assets", "schedules", "calls", "videos"):
        path = {"calls": "{key}", "jobs": "{job}", "videos": "{video}"}.get(kind, "{id}")
        await world.path(f"{V3}/{kind}/{path}")
        mine, theirs, all_of_them = [
            (await client.get(f"{V3}/{kind}")).json()["data"] for client in (user, other, admin)
        ]
        assert theirs == [], kind
        assert mine, kind
        assert mine == all_of_them, kind
        assert (await admin.get(f"{V3}/{kind}?owner=bob")).json()["data"] == [], kind


def _none(wild: str) -> str:
    return {"{scope}": "job:none", "{task}": "write"}.get(wild, "none")


def _shape(answer: httpx2.Response, path: str) -> Any:
    """An answer without what was asked for."""
    if not answer.content:
        return None
    text = answer.text.replace(path, "")
    for part in sorted(path.split("/"), key=len, reverse=True):
        if len(part) > 3 and part not in ("jobs", "data"):
            text = text.replace(part, "*").replace(part.removeprefix("job:"), "*")
    return text
