"""The application: routes, envelope and problems around a job service."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from genlock.api import accounts, jobs, ledger, problem
from genlock.api.dependency import Services
from genlock.api.wire import PREFIX, Envelope, Wire, wrapped


class Health(Wire):
    """That the owner answers, and who it is."""

    status: str = "ok"
    version: str
    pid: int


health = APIRouter(tags=["health"])


@health.get("/health", response_model=Envelope[Health], responses={500: problem.RESPONSES[500]})
async def show_health() -> Envelope[Health]:
    """That this server answers."""
    return wrapped(Health(version=version("genlock"), pid=os.getpid()))


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
    )
    app.state.services = services
    app.state.stopping = asyncio.Event()
    app.include_router(jobs.router, prefix=PREFIX)
    app.include_router(accounts.router, prefix=PREFIX)
    app.include_router(ledger.router, prefix=PREFIX)
    app.include_router(health)
    problem.install(app)
    return app


def _operation(route: APIRoute) -> str:
    return route.name
