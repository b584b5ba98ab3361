"""What routes are handed: the service they speak to, and the word that the server is stopping."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from genlock.engine.service import JobService


async def service_of(request: Request) -> JobService:
    """The service that this application was made around."""
    service: JobService = request.app.state.service
    return service


async def stopping_of(request: Request) -> asyncio.Event:
    """Set when the server stops: streams then end, and their readers come again elsewhere."""
    stopping: asyncio.Event = request.app.state.stopping
    return stopping


Service = Annotated[JobService, Depends(service_of)]
Stopping = Annotated[asyncio.Event, Depends(stopping_of)]
