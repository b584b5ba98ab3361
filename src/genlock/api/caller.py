"""Who is asking: every route says which scope it needs, and is handed the caller.

@router.get("/things")
async def list_things(caller: Annotated[Caller, allow(Scope.LIBRARY_READ)]) -> …
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from genlock.access.identity import ANYBODY
from genlock.access.identity import Identity as Caller
from genlock.access.rate import refuse
from genlock.api.dependency import Given, Services
from genlock.errors import Forbidden, GenlockError, TooMany, Unauthorized
from genlock.ledger.access.records import Scope

__all__ = ["Caller", "Scope", "SignedIn", "allow", "identify"]

NOBODY = "this needs a token, as `Authorization: Bearer gl_…` or `X-API-Key: gl_…`; see docs/tokens.md"

# What OpenAPI says about signing in; they take nothing themselves.
_bearer = HTTPBearer(scheme_name="bearer", description="a token as `gl_…`", auto_error=False)
_key = APIKeyHeader(name="X-API-Key", scheme_name="key", description="the same token", auto_error=False)


async def identify(request: Request, services: Services) -> Caller:
    """Who sends a request, found out once for each. `Unauthorized` without a token that is valid, `TooMany`
    if it was used too often.
    """
    found: Caller | GenlockError | None = getattr(request.state, "caller", None)
    if found is None:
        try:
            found = await _identify(request, services)
        except (Unauthorized, TooMany) as error:
            found = error
        request.state.caller = found
    if isinstance(found, GenlockError):
        raise found
    return found


async def _identify(request: Request, services: Services) -> Caller:
    if services.trusted:
        return ANYBODY
    text = shown(request)
    if text is None or services.access is None:
        raise Unauthorized(NOBODY)
    address = request.client.host if request.client else ""
    found = await services.access.identify(text, address)
    quota = request.state.quota = services.access.take(found)
    if quota is not None and quota.wait:
        raise refuse(quota, "this token")
    return found


def shown(request: Request) -> str | None:
    """The token in a request's headers."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and text.strip():
        return text.strip()
    return request.headers.get("x-api-key") or None


async def _caller(
    request: Request, services: Given, _1: Annotated[Any, Depends(_bearer)], _2: Annotated[Any, Depends(_key)]
) -> Caller:
    return await identify(request, services)


SignedIn = Annotated[Caller, Depends(_caller)]


def allow(scope: Scope) -> Any:
    """What makes a parameter the caller, who may do this; else the answer is 401 or 403."""
    return Depends(_checks[scope])


def _check(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    async def check(caller: SignedIn) -> Caller:
        if not caller.may(scope):
            raise Forbidden(f"this needs the scope `{scope}`, which this token has not")
        return caller

    check.scope = scope  # type: ignore[attr-defined]  # told to who looks at a route's dependencies
    return check


_checks = {scope: _check(scope) for scope in Scope}
