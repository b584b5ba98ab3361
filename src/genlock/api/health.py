"""The routes of those who run the service: is it alive, can it work, and its figures."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from genlock.api import problem
from genlock.api.caller import Scope, identify, shown
from genlock.api.dependency import Given
from genlock.api.wire import Envelope, Wire, named_problem, wrapped
from genlock.errors import Forbidden, NotFound

router = APIRouter(tags=["health"])
TEXT = "text/plain; version=0.0.4; charset=utf-8"
VERSION = version("genlock")
EXAMPLE = "genlock_tasks_ready 3.0\n"
NONE = "this process counts nothing: only `genlock serve` does"


class Health(Wire):
    """That the owner answers, and who it is."""

    status: str = Field(default="ok", examples=["ok"])
    version: str = Field(examples=["0.2.0"])
    pid: int = Field(examples=[4711])


class Look(Wire):
    """What was found of one thing that is needed."""

    ok: bool = Field(examples=[True])
    found: str = Field(description="in words", examples=["37.5% free"])


class Ready(Wire):
    """Whether work can be done here, and why not. Each look is a few seconds old at most."""

    ready: bool = Field(examples=[True])
    checks: dict[str, Look] = Field(examples=[{"ledger": {"ok": True, "found": "answers"}}])


@router.get(
    "/health",
    summary="Is it alive",
    response_model=Envelope[Health],
    responses={500: problem.RESPONSES[500]},
)
async def show_health() -> Envelope[Health]:
    """That this server answers, whatever it could do."""
    return wrapped(Health(version=VERSION, pid=os.getpid()))


@router.get(
    "/ready",
    summary="Can it work",
    response_model=Envelope[Ready],
    responses={500: problem.RESPONSES[500], 503: problem.RESPONSES[503]},
)
async def show_ready(request: Request, services: Given) -> Any:
    """Whether work can be done here: the ledger answers, there is room on the disk, the encoders start. A 503
    says what is wrong. Looks are kept for seconds, so asking often costs nothing.
    """
    if services.oversight is None:
        return wrapped(Ready(ready=True, checks={}))
    found = await services.oversight.readiness.findings()
    checks = {name: Look(ok=each.ok, found=each.found) for name, each in found.items()}
    if all(each.ok for each in found.values()):
        return wrapped(Ready(ready=True, checks=checks))
    wrong = "; ".join(f"{name}: {each.found}" for name, each in found.items() if not each.ok)
    return problem.answer(named_problem("NotReady", 503, wrong, request.url.path))


@router.get(
    "/metrics",
    summary="Its figures",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "genlock_tasks_ready 3.0\n"}}
        },
        **{status: problem.RESPONSES[status] for status in (401, 403, 404, 500, 503)},
    },
    openapi_extra={"security": [{"bearer": []}, {"key": []}]},
)
async def show_metrics(request: Request, services: Given) -> Response:
    """Figures for Prometheus. Whoever asks shows a token with the scope `admin`, or `GENLOCK_METRICS_TOKEN`;
    on the socket of the home nobody has to.
    """
    if services.oversight is None:
        raise NotFound(NONE)
    if not services.oversight.may_read(shown(request)):
        caller = await identify(request, services)
        if not caller.may(Scope.ADMIN):
            raise Forbidden(f"this needs the scope `{Scope.ADMIN}`, or the token GENLOCK_METRICS_TOKEN")
    return Response(await services.oversight.metrics.text(), media_type=TEXT)
