"""The money of a home that another process owns, asked for over its socket."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from genlock.engine.service import AccountService
from genlock.engine.views import BudgetView, CallView, CostView
from genlock.errors import Unsupported
from genlock.ledger.spending import By, CallState, Decision

T = TypeVar("T")
PAGE = 200  # calls asked for at a time

_CALL, _CALLS = TypeAdapter(CallView), TypeAdapter(list[CallView])
_COSTS = TypeAdapter(list[CostView])
_BUDGET, _BUDGETS = TypeAdapter(BudgetView), TypeAdapter(list[BudgetView])


class Ask(Protocol):
    """One question to the owner; see `SocketClient`."""

    async def __call__(
        self,
        shape: TypeAdapter[T],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        again: bool = False,
    ) -> T: ...


class SocketAccounts(AccountService):
    """`AccountService` over the socket. Errors are those the owner raised."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def calls(
        self,
        *,
        job: str | None = None,
        states: Collection[CallState] = (),
        vendor: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[CallView]:
        found: list[CallView] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            query = _said(job=job, vendor=vendor, owner=owner, after=after, state=[*states], limit=size)
            page = await self._ask(_CALLS, "GET", "/calls", query=query)
            found += page
            if len(page) < size:
                break
            after = page[-1].key
        return found

    async def call(self, key: str, *, owner: str | None = None) -> CallView:
        path = f"/calls/{quote(key, safe='')}"
        return await self._ask(_CALL, "GET", path, query=_said(owner=owner))

    async def resolve(self, key: str, decision: Decision, *, by: str, handle: str | None = None) -> CallView:
        body = {"decision": decision, "by": by, "providerId": handle}
        return await self._ask(_CALL, "POST", f"/calls/{quote(key, safe='')}/resolve", body=body)

    async def costs(
        self,
        by: By,
        *,
        job: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[CostView]:
        query = _said(by=by, job=job, owner=owner, since=_iso(since), until=_iso(until))
        return await self._ask(_COSTS, "GET", "/costs", query=query)

    async def budgets(self, scopes: Collection[str] = ()) -> Sequence[BudgetView]:
        return await self._ask(_BUDGETS, "GET", "/budgets", query=_said(scope=[*scopes]))

    async def set_cap(self, scope: str, cap: str | None) -> BudgetView:
        path = f"/budgets/{quote(scope, safe='')}"
        return await self._ask(_BUDGET, "PUT", path, body={"cap": cap}, again=True)

    async def thaw(self, scope: str) -> BudgetView:
        return await self._ask(_BUDGET, "POST", f"/budgets/{quote(scope, safe='')}/thaw", again=True)

    async def deliver(self, vendor: str, headers: Mapping[str, str], body: bytes, key: str | None) -> bool:
        del vendor, headers, body, key
        raise Unsupported("providers report to the process that owns the home, not to its clients")


def _said(**query: Any) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, [])}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
