"""What routes are handed: the services they speak to, and the word that the server is stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from genlock.api.channel import Channels
from genlock.engine.service import JobService
from genlock.errors import NotFound

if TYPE_CHECKING:
    from genlock.access.access import Access, Target
    from genlock.access.identity import Identity
    from genlock.api.oversight import Oversight
    from genlock.bootstrap import Home
    from genlock.engine.declare import Pipeline
    from genlock.library.library import Library
    from genlock.pipelines.quote import Quotes
    from genlock.pipelines.video import Videos
    from genlock.schedules.service import ScheduleService
    from genlock.store.artifact import Store


@dataclass(frozen=True, kw_only=True)
class Services:
    """What an application is made around. `trusted`: whoever reaches it is the admin `local`, as on the
    socket of a home, which nobody else can open; otherwise they sign in, and `access` knows them.
    """

    jobs: JobService
    access: Access | None = None
    furnish: Callable[[], Library] | None = None  # loaded when somebody asks for the library
    oversight: Oversight | None = None
    channels: Channels = None  # type: ignore[assignment]  # of `jobs`, unless they are shared
    videos: Videos | None = None
    quotes: Quotes | None = None
    store: Store | None = None
    plan: Callable[[], ScheduleService] | None = None  # loaded when somebody asks for schedules
    pipelines: Mapping[str, Pipeline[..., Any]] = field(default_factory=dict)
    recalled: dict[str, Any] = field(default_factory=dict)  # what `answer` looked up, by jobs
    trusted: bool = False
    request_limit: int = 64 << 20  # bytes of a request that brings no pictures

    def __post_init__(self) -> None:
        if self.channels is None:
            object.__setattr__(self, "channels", Channels(self.jobs, self.access))

    @property
    def library(self) -> Library | None:
        """Clients, campaigns and assets, where there are any."""
        return None if self.furnish is None else self.furnish()

    def stop(self) -> None:
        """No more work here: event streams end, and their readers come again elsewhere."""
        self.channels.stop()
        if self.oversight is not None:
            self.oversight.readiness.stopping = True

    @classmethod
    def of(cls, home: Home, *, trusted: bool = False) -> Services:
        """All that an open home offers."""
        return cls(
            jobs=home.engine,
            access=home.access,
            furnish=lambda: home.library,
            videos=home.videos,
            quotes=home.quotes,
            store=home.store,
            plan=lambda: home.schedules,
            pipelines=home.engine.pipelines,
            trusted=trusted,
            request_limit=(64 if trusted else home.settings.request_mb) << 20,
        )

    def doing(
        self, who: Identity, action: str, target: Target, *, trying: bool = False, **data: Any
    ) -> AbstractAsyncContextManager[None]:
        """See `Access.doing`; with `trying` nothing is done, and nothing written."""
        if self.access is None or trying:
            return nullcontext()
        return self.access.doing(who, action, target, **data)

    async def record(self, who: Identity, action: str, target: str, **data: Any) -> None:
        """Write into the audit that somebody did something to something, such as `job:ID`."""
        if self.access is not None:
            await self.access.record(who, action, target, **data)


async def services_of(request: Request) -> Services:
    """All services of this application."""
    services: Services = request.app.state.services
    return services


async def service_of(request: Request) -> JobService:
    """The service of jobs."""
    services: Services = request.app.state.services
    return services.jobs


async def stopping_of(request: Request) -> asyncio.Event:
    """Set when the server stops: streams then end, and their readers come again elsewhere."""
    stopping: asyncio.Event = request.app.state.stopping
    return stopping


Given = Annotated[Services, Depends(services_of)]
Service = Annotated[JobService, Depends(service_of)]
Stopping = Annotated[asyncio.Event, Depends(stopping_of)]


async def library_of(request: Request) -> Library:
    """The library of clients, campaigns and assets."""
    services: Services = request.app.state.services
    if services.library is None:
        raise NotFound("there is no library here")
    return services.library


async def schedules_of(request: Request) -> ScheduleService:
    """The service of schedules."""
    services: Services = request.app.state.services
    if services.plan is None:
        raise NotFound("there are no schedules here")
    return services.plan()
