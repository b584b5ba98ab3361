"""Jobs of a home that another process owns: the same service, asked over the owner's socket."""

from __future__ import annotations

import math
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from genlock.api.wire import END, PREFIX, PROBLEM, QUIET, ErrorEnvelope, Problem, error_of
from genlock.client.access import SocketAccess
from genlock.client.accounts import SocketAccounts
from genlock.client.schedules import SocketSchedules
from genlock.client.videos import SocketVideos
from genlock.clock import Clock, SystemClock
from genlock.engine.service import JobService
from genlock.engine.views import EventView, GraphView, JobView, RedoView, TaskView
from genlock.errors import NotFound, OwnerError, OwnerGone
from genlock.ledger.records import JobState
from genlock.owner import owner_of, short_path
from genlock.settings import Settings

T = TypeVar("T")
PATIENCE = 2.0  # seconds for which an owner that holds its home may not answer before it counts as gone
RESTART = 0.5  # seconds for which a home may have no owner, because one is being restarted
PAUSE = 0.05  # seconds between two tries to reach it
SLOW = 30.0  # seconds an answer may take: an owner deep in a big commit still answers in time
COPYING = 3600.0  # seconds that copying a ledger of any size may take

_JOB, _JOBS = TypeAdapter(JobView), TypeAdapter(list[JobView])
_TASKS, _EVENTS = TypeAdapter(list[TaskView]), TypeAdapter(list[EventView])
_PATH = TypeAdapter(str)
_OPEN, _END = object(), object()
_GRAPH, _REDO = TypeAdapter(GraphView), TypeAdapter(RedoView)


class SocketClient(JobService):
    """A `JobService` over `GENLOCK_HOME/genlock.sock`. Use as `async with`.

    Errors are those the owner raised, with the same message. An owner that cannot be reached is
    tried again for `patience` seconds; then `OwnerGone`. What may be asked twice is asked again;
    a change whose answer got lost is not, except `start`, which carries a key of its own.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, patience: float = PATIENCE) -> None:
        self._settings, self._clock, self._patience = settings, clock or SystemClock(), patience
        self._path = short_path(settings.socket)
        self._http: httpx2.AsyncClient | None = None
        self._accounts = SocketAccounts(self._ask)
        self.schedules = SocketSchedules(self._ask)
        self.videos = SocketVideos(self._ask)
        self.access = SocketAccess(self._ask)  # users and tokens

    @property
    def accounts(self) -> SocketAccounts:
        return self._accounts

    async def __aenter__(self) -> Self:
        transport = httpx2.AsyncHTTPTransport(uds=self._path.__enter__(), trust_env=False)
        timeout = httpx2.Timeout(SLOW, connect=SLOW)
        self._http = httpx2.AsyncClient(
            transport=transport, base_url="http://genlock", timeout=timeout, trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
            self._path.__exit__(None, None, None)

    async def ready(self) -> bool:
        """Whether the owner answers right now."""
        try:
            answer = await self._client().get("/health", timeout=5.0)
        except httpx2.TransportError:
            return False
        return answer.is_success

    async def start(
        self,
        pipeline: str,
        params: Mapping[str, Any],
        *,
        id: str | None = None,
        owner: str = "local",
        dedup: str | None = None,
        deadline: timedelta | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> JobView:
        body = {
            "pipeline": pipeline,
            "params": dict(params),
            "id": id,
            "owner": owner,
            "dedup": dedup or f"once:{uuid.uuid4()}",  # asked twice, started once
            "deadline": None if deadline is None else deadline.total_seconds(),
            "labels": dict(labels or {}),
        }
        return await self._ask(_JOB, "POST", "/jobs", body=body, again=True)

    async def find(self, job: str, *, owner: str | None = None) -> str:
        found = await self.show(job)
        if owner not in (None, found.owner):
            raise NotFound(f"there is no job {job!r}; `genlock jobs` lists them")
        return found.id

    async def show(self, job: str) -> JobView:
        return await self._ask(_JOB, "GET", _at(job))

    async def list(
        self,
        *,
        states: Collection[JobState] = (),
        pipeline: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobView]:
        named = {"pipeline": pipeline, "owner": owner, "after": after}
        found: Sequence[JobView] = []
        while len(found) < limit:
            query = {k: v for k, v in named.items() if v is not None}
            size = min(200, limit - len(found))
            page = await self._ask(_JOBS, "GET", "/jobs", query={**query, "status": [*states], "limit": size})
            found = [*found, *page]
            if len(page) < size:
                break
            named["after"] = page[-1].id
        return found

    async def tasks(self, job: str) -> Sequence[TaskView]:
        return await self._ask(_TASKS, "GET", _at(job, "tasks"))

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[EventView]:
        query = {"after": after, "limit": min(limit, 1000)}
        return await self._ask(_EVENTS, "GET", _at(job, "events"), query=query)

    async def watch(self, job: str, *, after: int = 0) -> AsyncIterator[EventView]:
        """Events as they happen; a broken line is taken up again behind the last event seen."""
        seen, away_since = after, math.inf
        while True:
            try:
                async for event in self._stream(job, seen):
                    if event is _END:
                        return
                    if isinstance(event, EventView) and event.seq > seen:
                        seen = event.seq
                        yield event
                    away_since = math.inf
            except httpx2.TransportError as error:
                away_since = min(away_since, self._clock.monotonic())
                await self._pause_or_give_up(away_since, error)
            else:
                await self._clock.sleep(PAUSE)  # the owner ended the stream because it stops

    async def graph(self, job: str) -> GraphView:
        return await self._ask(_GRAPH, "GET", _at(job, "graph"))

    async def cancel(self, job: str, reason: str = "") -> JobView:
        return await self._ask(_JOB, "POST", _at(job, "cancel"), body={"reason": reason}, again=True)

    async def pause(self, job: str, reason: str = "") -> JobView:
        return await self._ask(_JOB, "POST", _at(job, "pause"), body={"reason": reason})

    async def resume(self, job: str) -> JobView:
        return await self._ask(_JOB, "POST", _at(job, "resume"))

    async def retry(self, job: str) -> JobView:
        return await self._ask(_JOB, "POST", _at(job, "retry"))

    async def redo(self, job: str, target: str, *, dry_run: bool = False) -> RedoView:
        body = {"task" if "/" in target else "stage": target, "dryRun": dry_run}
        return await self._ask(_REDO, "POST", _at(job, "rerun"), body=body)

    async def signal(self, job: str, task: str, name: str, value: Any) -> JobView:
        body = {"name": name, "value": value}
        return await self._ask(_JOB, "POST", _at(job, "tasks", task, "signal"), body=body, again=True)

    async def copy_ledger(self) -> str:
        return await self._ask(_PATH, "POST", "/ledger/copy", slow=COPYING)

    async def _stream(self, job: str, seen: int) -> AsyncIterator[EventView | object]:
        """What one connection brings: `_OPEN` once it stands, events, `_END` if the job has finished."""
        headers = {"Last-Event-ID": str(seen)}
        timeout = httpx2.Timeout(SLOW, read=2 * QUIET)
        path = PREFIX + _at(job, "events")
        async with self._client().sse(path, headers=headers, timeout=timeout) as source:
            if not source.response.is_success:
                raise error_of(_problem(source.response, await source.response.aread()))
            yield _OPEN
            async for line in source:
                if line.event == END:
                    yield _END
                    return
                if line.event == PROBLEM:
                    raise error_of(Problem.model_validate_json(line.data))
                yield EventView.model_validate_json(line.data)

    async def _ask(
        self,
        shape: TypeAdapter[T],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        again: bool = False,
        slow: float = SLOW,
    ) -> T:
        """One question, answered in `shape` within `slow` seconds. With `again` a change may be asked for
        twice.
        """
        since = self._clock.monotonic()
        while True:
            try:
                answer = await self._client().request(
                    method, PREFIX + path, params=query, json=body, timeout=slow
                )
                break
            except httpx2.TransportError as error:
                asked = not isinstance(error, httpx2.ConnectError)
                if asked and method != "GET" and not again:
                    raise OwnerGone(
                        f"{self._who()} did not answer: look with `genlock jobs show` whether it was done"
                    ) from error
                await self._pause_or_give_up(since, error)
        if not answer.is_success:
            raise error_of(_problem(answer, answer.content))
        return _read(shape, answer)

    async def _pause_or_give_up(self, since: float, error: Exception) -> None:
        owned = owner_of(self._settings) is not None
        if self._clock.monotonic() - since >= (self._patience if owned else min(self._patience, RESTART)):
            raise OwnerGone(f"{self._who()} does not answer on {self._settings.socket}") from error
        await self._clock.sleep(PAUSE)

    def _who(self) -> str:
        owner, home = owner_of(self._settings), self._settings.home
        return f"{owner}, which owns {home}," if owner else f"the owner of {home}"

    def _client(self) -> httpx2.AsyncClient:
        assert self._http is not None, "use SocketClient as `async with`"
        return self._http


def _at(job: str, *more: str) -> str:
    return "/".join(["/jobs", quote(job, safe=""), *(quote(step) for step in more)])


def _problem(answer: httpx2.Response, body: bytes) -> Problem:
    try:
        return ErrorEnvelope.model_validate_json(body).error
    except ValidationError as error:
        raise OwnerError(
            f"the owner of the home answered {answer.status_code} in words of another version: restart it"
        ) from error


def _read(shape: TypeAdapter[T], answer: httpx2.Response) -> T:
    try:
        return shape.validate_python(None if answer.status_code == 204 else answer.json()["data"])
    except (ValueError, KeyError) as error:
        raise OwnerError("the owner of the home answered in words of another version: restart it") from error
