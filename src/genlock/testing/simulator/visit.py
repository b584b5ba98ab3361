"""One request at a vendor's: where it leads, what it says, and how it may be turned away."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from genlock.testing.simulator.book import Receipt
from genlock.testing.simulator.fault import Do, Fault
from genlock.testing.simulator.wire import Reply, Request

if TYPE_CHECKING:
    from genlock.testing.simulator.world import World


class Trouble(StrEnum):
    """Why a vendor does not do what was asked; each has words of its own for them."""

    BUSY = "busy"
    NO_CREDIT = "no_credit"
    DENIED = "denied"
    BAD_INPUT = "bad_input"
    NOT_FOUND = "not_found"
    CENSORED = "censored"
    BROKEN = "broken"


class Objection(Exception):
    """Ends a request with one of the vendor's own refusals."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble, self.message = trouble, message


@dataclass(slots=True)
class Visit:
    """One request on its way through a vendor."""

    world: World
    request: Request
    receipt: Receipt
    params: Mapping[str, str]
    body: Any
    faults: tuple[Fault, ...] = ()
    now: float = 0.0

    def told(self, do: Do) -> Fault | None:
        """The fault that says to do this at this request, if there is one."""
        return next((fault for fault in self.faults if fault.do is do), None)

    def text(self, name: str, default: str | None = None) -> str:
        """A field of the body that has to be text. `Objection` if it is missing or not."""
        value = self.field(name, default)
        if not isinstance(value, str) or not value:
            raise Objection(Trouble.BAD_INPUT, f"{name} is required and has to be text")
        return value

    def field(self, name: str, default: Any = None) -> Any:
        """A field of the body, which has to be an object."""
        if not isinstance(self.body, Mapping):
            raise Objection(Trouble.BAD_INPUT, "the body has to be a JSON object")
        value = self.body.get(name)
        return default if value is None else value


Handler = Callable[[Any, Visit], Awaitable[Reply]]
HandlerT = TypeVar("HandlerT", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a pattern of paths, and under which names faults know it."""

    method: str
    pattern: re.Pattern[str]
    names: frozenset[str]
    name: str
    handler: str


def route(method: str, path: str, *names: str) -> Callable[[HandlerT], HandlerT]:
    """A route of a vendor. In `path`, `{id}` stands for one part and `{rest:}` for several; the first name is
    its kind (`create`, `get`, `list`, `cancel`…), the last its own.
    """
    escaped = re.sub(r"\{(\w+):\}", r"(?P<\1>.+)", path)
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", escaped))

    def mark(handler: HandlerT) -> HandlerT:
        found = [*getattr(handler, "_routes", ()), (method, pattern, frozenset(names), names[-1])]
        handler._routes = found  # type: ignore[attr-defined]  # noqa: SLF001
        return handler

    return mark


def parse(body: bytes) -> Any:
    """A body as JSON; None if it is none."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
