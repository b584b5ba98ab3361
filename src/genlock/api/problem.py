"""Every error of the application answered as a problem in the envelope."""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from genlock.api.wire import PREFIX, ErrorEnvelope, Fault, Problem, named_problem, problem_of
from genlock.errors import GenlockError

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorEnvelope, "description": description}
    for status, description in {
        400: "The request is not valid HTTP or JSON.",
        401: "No token was sent, or one that is not valid.",
        403: "The token may not do this.",
        404: "There is no such thing.",
        409: "The thing is in a state that does not allow this.",
        413: "More was sent than is taken at once.",
        422: "What was sent cannot be used; nothing was done.",
        429: "Asked more often than is allowed; `Retry-After` says when it works again.",
        500: "Something is wrong on this side.",
        503: "The ledger or its owner is gone for now.",
    }.items()
}


def install(app: FastAPI) -> None:
    """Answer every error of this app as a problem in the envelope."""
    app.add_exception_handler(GenlockError, _genlock)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


CHALLENGE = 'Bearer realm="genlock"'


def answer_of(error: Exception, instance: str) -> JSONResponse:
    """An error as it is answered to a request for `instance`, a path."""
    return answer(problem_of(error, instance))


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem in the envelope, with the headers that go with it."""
    body = ErrorEnvelope(error=problem).model_dump(mode="json", by_alias=True)
    more = dict(headers or {})
    if problem.retry_after is not None:
        more["Retry-After"] = str(max(1, round(problem.retry_after)))
    if problem.status == 401:
        more["WWW-Authenticate"] = CHALLENGE
    return JSONResponse(body, status_code=problem.status, headers=more)


async def _genlock(request: Request, error: Exception) -> JSONResponse:
    return answer_of(error, request.url.path)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return answer_of(error, request.url.path)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = http.HTTPStatus(error.status_code).phrase.title().replace(" ", "").replace("-", "")
    headers = dict(error.headers or {})
    asked = f"{request.method} {request.url.path}"
    detail = f"{asked}: {error.detail}"
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED and (methods := _allowed(request)):
        headers["Allow"] = methods
        detail = f"{asked}: what can be done there is {methods}"
    elif error.status_code == http.HTTPStatus.NOT_FOUND and error.detail == "Not Found":
        detail = f"{asked}: there is nothing at this address; what there is stands in {PREFIX}/openapi.json"
    elif isinstance(error.__cause__, (RecursionError, UnicodeDecodeError)):
        deep = isinstance(error.__cause__, RecursionError)
        detail = (
            f"{asked}: the body {'is nested too deeply' if deep else 'is no text in UTF-8'}, so it is no JSON"
        )
    return answer(named_problem(code, error.status_code, detail, request.url.path), headers)


def _allowed(request: Request) -> str:
    """What this path is declared with, of which one route alone knows a part. A path without names in it
    is meant before one that fits by a name.
    """
    declared: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    verbs = declared.get(request.url.path)
    if verbs is None:
        fitting = (path for path in declared if compile_path(path)[0].match(request.url.path))
        verbs = declared.get(next(fitting, ""), {})
    return ", ".join(sorted({verb.upper() for verb in verbs} | ({"HEAD"} if "get" in verbs else set())))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found, path = error.errors(), request.url.path
    if isinstance(error.body, bytes) and any(e["loc"][0] == "body" for e in found):
        return answer(named_problem("UnsupportedMediaType", 415, _no_json(request), path))
    if broken := next((e for e in found if e["type"] == "json_invalid"), None):
        why = f"the body is no JSON: {broken['ctx']['error']}, at character {broken['loc'][-1] + 1}"
        faults = [Fault(pointer="/body", detail=why)]
        return answer(named_problem("BadInput", 400, why, path, faults=faults))
    faults = [Fault(pointer=_pointer(e["loc"]), detail=str(e["msg"])) for e in found]
    detail = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
    return answer(named_problem("BadInput", 422, detail, path, faults=faults))


def _no_json(request: Request) -> str:
    """Nobody guesses: a page of another site can send text without being asked, but no JSON."""
    sent = request.headers.get("content-type") or "of no type"
    return f"the body is {sent[:100]!r}: send JSON, with the header Content-Type: application/json"


def _pointer(place: tuple[Any, ...]) -> str:
    return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in place)
