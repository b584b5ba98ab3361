"""The application: routes, envelope and problems around a job service."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

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
        generate_unique_id_function=_operation,
        dependencies=[Depends(check_query)],
    )
    app.state.services = services
    app.state.stopping = asyncio.Event()
    app.include_router(jobs.router, prefix=PREFIX)
    app.include_router(accounts.router, prefix=PREFIX)
    app.include_router(ledger.router, prefix=PREFIX)
    app.include_router(films.router, prefix=PREFIX)
    app.include_router(videos.router, prefix=PREFIX)
    app.include_router(luigi.router, prefix=PREFIX)
    app.include_router(alias.router)
    app.include_router(access.router, prefix=PREFIX)
    app.include_router(schedules.router, prefix=PREFIX)
    app.include_router(cron.router)
    for router in (clients.router, campaigns.router, assets.router):
        app.include_router(router, prefix=PREFIX)
    app.include_router(inputs.router)
    app.include_router(health.router)
    app.add_middleware(Head)
    app.add_middleware(Repeat, services=services)
    app.add_middleware(Intake, limit=services.request_limit)
    app.add_middleware(Farewell)
    app.add_middleware(Requests)  # around those above
    problem.install(app)
    describe(app)
    return app


def create() -> Application:
    """For `uvicorn genlock.api.app:create --factory`; the home is opened when that server starts."""
    from genlock.api.factory import Application

    return Application(create_app)


def _operation(route: APIRoute) -> str:
    return route.name
