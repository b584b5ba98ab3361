"""The schedules of a home that another process owns, asked for over its socket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from genlock.client.accounts import Ask
from genlock.schedules.service import ScheduleService
from genlock.schedules.view import FiringView, Plan, PlanChange, ScheduleView

PAGE = 200  # asked for at a time

_SCHEDULE, _SCHEDULES = TypeAdapter(ScheduleView), TypeAdapter(list[ScheduleView])
_FIRING, _FIRINGS = TypeAdapter(FiringView), TypeAdapter(list[FiringView])
_TIMES, _NOTHING = TypeAdapter(list[datetime]), TypeAdapter(type(None))


class SocketSchedules(ScheduleService):
    """`ScheduleService` over the socket. Errors are those the owner raised."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def create(self, plan: Plan, *, owner: str = "local", id: str | None = None) -> ScheduleView:
        body = {**_body(plan), "owner": owner, "id": id}
        return await self._ask(_SCHEDULE, "POST", "/schedules", body=body)

    async def show(self, id: str) -> ScheduleView:
        return await self._ask(_SCHEDULE, "GET", _at(id))

    async def list(
        self, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[ScheduleView]:
        found: list[ScheduleView] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            query = _said(owner=owner, after=after, limit=size)
            page = await self._ask(_SCHEDULES, "GET", "/schedules", query=query)
            found += page
            if len(page) < size:
                break
            after = page[-1].id
        return found

    async def change(self, id: str, changes: PlanChange) -> ScheduleView:
        body = changes.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return await self._ask(_SCHEDULE, "PATCH", _at(id), body=body, again=True)

    async def replace(self, id: str, plan: Plan) -> ScheduleView:
        return await self._ask(_SCHEDULE, "PUT", _at(id), body=_body(plan), again=True)

    async def delete(self, id: str) -> None:
        await self._ask(_NOTHING, "DELETE", _at(id))

    async def pause(self, id: str, reason: str = "") -> ScheduleView:
        return await self._ask(_SCHEDULE, "POST", _at(id, "pause"), body={"reason": reason}, again=True)

    async def resume(self, id: str) -> ScheduleView:
        return await self._ask(_SCHEDULE, "POST", _at(id, "resume"), again=True)

    async def trigger(self, id: str) -> FiringView:
        return await self._ask(_FIRING, "POST", _at(id, "trigger"))

    async def firings(
        self, id: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[FiringView]:
        found: list[FiringView] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            query = _said(after=None if after is None else after.isoformat(), limit=size)
            page = await self._ask(_FIRINGS, "GET", _at(id, "firings"), query=query)
            found += page
            if len(page) < size:
                break
            after = page[-1].due_at
        return found

    async def upcoming(self, id: str, *, count: int = 5) -> Sequence[datetime]:
        return await self._ask(_TIMES, "GET", _at(id, "upcoming"), query={"count": count})


def _at(id: str, *more: str) -> str:
    return "/".join(["/schedules", quote(id, safe=""), *more])


def _body(plan: Plan) -> dict[str, Any]:
    return plan.model_dump(mode="json", by_alias=True)


def _said(**query: Any) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
