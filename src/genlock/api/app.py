"""The application: routes, envelope and problems around a job service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from genlock.api import (
    access,
    accounts,
    alias,
    assets,
    campaigns,
    clients,
    cron,
    films,
    health,
    inputs,
    jobs,
    ledger,
    luigi,
    problem,
    schedules,
    videos,
)
from genlock.api.dependency import Services
from genlock.api.document import describe
from genlock.api.farewell import Farewell
from genlock.api.head import Head
from genlock.api.intake import Intake
from genlock.api.page import check_query
from genlock.api.repeat import Repeat
from genlock.api.request import Requests
from genlock.api.wire import PREFIX

if TYPE_CHECKING:
    from genlock.api.factory import Application


def create_app(services: Services) -> FastAPI:
    """The API over these services. Set `app.state.stopping` to end its event streams before a shutdown."""
    app = FastAPI(
        title="genlock",
        version=version("genlock"),
        description="Runs AI video pipelines so that nothing finished is redone.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        routes=list(_routes()),
    )
    app.state.services = services
    app.state.stopping = asyncio.Event()
    app.add_middleware(Head)
    app.add_middleware(Repeat, services=services)
    app.add_middleware(Intake, limit=services.request_limit)
    app.add_middleware(Farewell)
    app.add_middleware(Requests)  # around those above
    problem.install(app)
    describe(app)
    return app


@cache
def _routes() -> Sequence[BaseRoute]:
    """All of them. What they take and answer is worked out at the first request, in a third of a second, and
    shared by all applications, of which a home in service has two. Their services come with each request.
    """
    router = APIRouter(generate_unique_id_function=_operation, dependencies=[Depends(check_query)])
    for part in (jobs, accounts, ledger, films, videos, luigi):
        router.include_router(part.router, prefix=PREFIX)
    router.include_router(alias.router)
    for part in (access, schedules):
        router.include_router(part.router, prefix=PREFIX)
    router.include_router(cron.router)
    for part in (clients, campaigns, assets):
        router.include_router(part.router, prefix=PREFIX)
    router.include_router(inputs.router)
    router.include_router(health.router)
    return tuple(router.routes)


def create() -> Application:
    """For `uvicorn genlock.api.app:create --factory`; the home is opened when that server starts."""
    from genlock.api.factory import Application

    return Application(create_app)


def _operation(route: APIRoute) -> str:
    return route.name
