"""A job's history as server-sent events: resumable by Last-Event-ID, ended by an `end` event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from genlock.api.wire import END, PROBLEM, QUIET, problem_of
from genlock.engine.views import EventView
from genlock.errors import BadInput, GenlockError


def last_seen(header: str | None) -> int | None:
    """The number in a Last-Event-ID header."""
    if header is None or header == "":
        return None
    if not (header.isascii() and header.isdigit()):
        raise BadInput(f"Last-Event-ID is the number of an event, not {header!r}")
    return int(header)


async def event_stream(
    events: AsyncIterator[EventView], stopping: asyncio.Event, instance: str, *, quiet: float = QUIET
) -> AsyncGenerator[bytes]:
    """Events on the wire until the job has finished (`end`) or this server stops (no `end`: come again)."""
    halt: asyncio.Task[Any] = asyncio.ensure_future(stopping.wait())
    upcoming: asyncio.Task[EventView | None] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(_next(events))
            await asyncio.wait((upcoming, halt), timeout=quiet, return_when=asyncio.FIRST_COMPLETED)
            if upcoming.done():
                event, upcoming = upcoming.result(), None
                yield _line(event)
                if event is None:
                    return
            elif halt.done():
                return
            else:
                yield KEEPALIVE_COMMENT
    except GenlockError as error:
        problem = problem_of(error, instance)
        yield format_sse_event(event=PROBLEM, data_str=problem.model_dump_json(by_alias=True))
    finally:
        await _ended(halt, upcoming)
        await _closed(events)


def _line(event: EventView | None) -> bytes:
    if event is None:
        return format_sse_event(event=END, data_str="{}")
    return format_sse_event(
        event=event.kind, id=str(event.seq), data_str=event.model_dump_json(by_alias=True)
    )


async def _next(events: AsyncIterator[EventView]) -> EventView | None:
    return await anext(events, None)


async def _ended(*tasks: asyncio.Task[Any] | None) -> None:
    for task in tasks:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, GenlockError):
                await task


async def _closed(events: AsyncIterator[EventView]) -> None:
    if isinstance(events, AsyncGenerator):
        await events.aclose()
