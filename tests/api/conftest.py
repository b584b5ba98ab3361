"""A home served over TCP, where people sign in, and clients of it with tokens of all kinds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from genlock import pipeline, stage
from genlock.access.identity import ANYBODY
from genlock.access.office import Office
from genlock.api.dependency import Services
from genlock.api.oversight import oversee
from genlock.api.server import Server
from genlock.bootstrap import Home, open_home
from genlock.ledger.access.records import Scope
from genlock.owner import Ownership
from genlock.settings import Settings
from hostile import photo, saved


@stage
async def write(text: str) -> str:
    return text.upper()


@pipeline
def note(text: str) -> str:
    """Needs no pictures and costs nothing."""
    return write(text)


NOTE = {"pipeline": "note", "params": {"text": "hello"}}  # an order of it
EVERYTHING = frozenset(Scope) - {Scope.ADMIN}  # what a token of a user can have who is no admin


@dataclass
class Api:
    """A served home. `url` is its address; `client` opens clients of it, which are closed with it."""

    home: Home
    url: str
    stack: AsyncExitStack
    services: Services
    users: set[str] = field(default_factory=set)

    async def token(
        self,
        user: str = "ann",
        scopes: Collection[Scope] = EVERYTHING,
        *,
        admin: bool = False,
        expires_in: timedelta | None = None,
    ) -> str:
        """A new token of a user, who is made if need be."""
        office = Office(self.home.access, ANYBODY)
        if user not in self.users:
            self.users.add(user)
            await office.create_user(user, admin=admin)
        return (await office.create_token(user, scopes=scopes, expires_in=expires_in)).token

    async def client(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """Somebody who asks with this token, or with none."""
        signed = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx2.AsyncClient(
            base_url=self.url, headers={**signed, **headers}, trust_env=False, timeout=60
        )
        return await self.stack.enter_async_context(client)

    async def user(self, name: str = "ann", *scopes: Scope) -> httpx2.AsyncClient:
        """A plain user with these scopes, or with all that a plain user can have."""
        return await self.client(await self.token(name, scopes or EVERYTHING))


@asynccontextmanager
async def listening(services: Services) -> AsyncIterator[str]:
    """The address at which these services answer, on a port of this machine alone."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = Server(services)
    task = asyncio.create_task(server.serve(bound))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.stop()
        await asyncio.wait_for(task, 60)


@asynccontextmanager
async def served(settings: Settings, **options: Any) -> AsyncIterator[Api]:
    """A home that this process owns, opened and served. `options` are those of `open_home`."""
    with Ownership.take(settings, command="genlock serve") or pytest.fail("the home is taken"):
        async with open_home(settings, **options) as home, AsyncExitStack() as stack:
            oversight = await stack.enter_async_context(oversee(home))
            services = replace(Services.of(home), oversight=oversight)
            url = await stack.enter_async_context(listening(services))
            yield Api(home, url, stack, services)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """A home that runs no tasks by itself: what is asked of it stays as it is."""
    async with served(settings, execute=False, more=[note]) as api:
        yield api


@pytest.fixture
async def live(settings: Settings) -> AsyncIterator[Api]:
    """A home that runs its tasks."""
    async with served(settings) as api:
        yield api


@pytest.fixture
async def admin(api: Api) -> httpx2.AsyncClient:
    """A client with a token of an admin."""
    return await api.client(await api.token("boss", frozenset(Scope), admin=True))


@pytest.fixture
async def user(api: Api) -> httpx2.AsyncClient:
    """A client with a token of the plain user `ann`, for all that she may do."""
    return await api.user("ann")


@pytest.fixture
async def other(api: Api) -> httpx2.AsyncClient:
    """A client with a token of the plain user `bob`."""
    return await api.user("bob")


@pytest.fixture
async def stranger(api: Api) -> httpx2.AsyncClient:
    """A client without a token."""
    return await api.client()


@pytest.fixture
async def pictures(user: httpx2.AsyncClient) -> list[str]:
    """The ids of two assets of `ann`, `1.jpg` and `2.jpg`."""
    found = []
    for name in ("1.jpg", "2.jpg"):
        sent = await user.post(
            "/api/v3/assets", files={"files": (name, saved("JPEG", photo(seed=len(found))))}
        )
        found.append(sent.json()["data"]["assets"][0]["id"])
    return found
