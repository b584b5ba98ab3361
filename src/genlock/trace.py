"""Where this code is at work: for which request, job, task and attempt. Log lines and spans say so.

A place belongs to the context of what is done there and goes wherever that goes, into threads and the tasks
of an event loop too; nobody hands it on. A `Tracer`, if there is one, draws a span for each piece of
work. Which spans belong together is told by one text, the `traceparent` of W3C, which requests bring and
jobs keep among their labels: so one trace shows a request, the job it started, and that job's tasks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import Any, NamedTuple, Protocol

LABEL = "traceparent"  # of a job that belongs to a trace
_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Span(Protocol):
    """A piece of work that has begun; `traceparent` is what its parts are told."""

    @property
    def traceparent(self) -> str: ...

    def end(self, error: BaseException | None, fields: Mapping[str, Any]) -> None:
        """It is over, and what it came to."""
        ...


class Tracer(Protocol):
    """What draws spans."""

    def begin(self, name: str, parent: str | None, fields: Mapping[str, Any]) -> Span:
        """A span begins now, within the one that `parent` tells of, if any."""
        ...


class Place(NamedTuple):
    """What this code is at work for. `parent`: the span around it."""

    request: str | None = None
    job: str | None = None
    task: str | None = None
    attempt: int | None = None
    parent: str | None = None
    tracer: Tracer | None = None


_NOWHERE = Place()
_place: ContextVar[Place] = ContextVar("genlock_place", default=_NOWHERE)


def enter(place: Place) -> Token[Place]:
    """From here on this is the place; nothing of the one before holds. End it with `leave`."""
    return _place.set(place)


def leave(token: Token[Place]) -> None:
    """Back to the place before."""
    _place.reset(token)


def here() -> Place:
    """The place of the code that asks."""
    return _place.get()


def fields() -> dict[str, Any]:
    """What a log line says of its place."""
    place = _place.get()
    told = {"request": place.request, "job": place.job, "task": place.task, "attempt": place.attempt}
    told["trace"] = place.parent.split("-")[1] if place.parent else None
    return {name: value for name, value in told.items() if value is not None}


def span(name: str, /, *, parent: str | None = None, **fields: Any) -> AbstractContextManager[dict[str, Any]]:
    """A span over the `with`, if spans are drawn here. What is put into the answer is told at its end.

    `parent`: within that one, wherever this code is called from.
    """
    place = _place.get()
    if place.tracer is not None:
        return _drawn(place, place.tracer, name, parent or place.parent, fields)
    return _within(place, parent) if parent else nullcontext({})


@contextmanager
def _within(place: Place, parent: str) -> Iterator[dict[str, Any]]:
    token = _place.set(place._replace(parent=parent))
    try:
        yield {}
    finally:
        _place.reset(token)


@contextmanager
def _drawn(
    place: Place, tracer: Tracer, name: str, parent: str | None, fields: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    drawn, found = tracer.begin(name, parent, fields), dict[str, Any]()
    token = _place.set(place._replace(parent=drawn.traceparent))
    try:
        yield found
    except BaseException as error:
        drawn.end(error, found)
        raise
    else:
        drawn.end(None, found)
    finally:
        _place.reset(token)


def parent_of(header: str | None) -> str | None:
    """A `traceparent` as it came from outside, or None if it is none."""
    return header if header and _PARENT.fullmatch(header) else None


def label() -> dict[str, str]:
    """The labels by which a job that is started here belongs to this trace."""
    parent = _place.get().parent
    return {LABEL: parent} if parent else {}


def parent_in(labels: str) -> str | None:
    """The trace that a job with these labels (JSON) belongs to."""
    if LABEL not in labels:
        return None
    found = json.loads(labels).get(LABEL)
    return parent_of(found) if isinstance(found, str) else None
