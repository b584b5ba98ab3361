"""What goes over the wire: every answer is `{data, error, meta}`, every error a problem that keeps its name.

Knows no web framework: clients import it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from genlock import errors
from genlock.errors import GenlockError

T = TypeVar("T")
PREFIX = "/api/v3"
END, PROBLEM = "end", "problem"  # names of events that are no events of a job
QUIET = 15.0  # seconds without an event after which a comment shows that the line is alive

# The first class of an error's ancestry that is listed gives the status.
STATUS: Mapping[type[BaseException], int] = {
    errors.TooLarge: 413,
    errors.BadInput: 422,
    errors.GraphError: 422,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.TooMany: 429,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.OwnerError: 503,
    errors.LedgerError: 503,
    errors.Transient: 503,
    errors.Unsupported: 422,
    errors.DiskFull: 507,
    GenlockError: 500,
}
UNEXPECTED = "genlock met an error it does not know; its log has the trace"


def _as_written(value: Any) -> Any:
    """A bare number would be read as seconds since 1970, which nobody says it is."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        msg = "is to be a date and a time, as in 2026-11-22T09:30:00Z"
        raise ValueError(msg)
    return value


When = Annotated[AwareDatetime, BeforeValidator(_as_written)]


class Wire(BaseModel):
    """Camel case on the wire, snake case in Python."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Body(Wire):
    """What is sent here: a field nobody knows is refused, so a misspelt one is not lost. So are `NaN` and
    `Infinity`, which are no JSON.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Meta(Wire):
    """What is said about an answer. `next` is the `after` of the page behind this one."""

    next: str | None = Field(default=None, description="pass as `after` for the next page; null on the last")


class Fault(Wire):
    """One field that does not fit; `pointer` is a JSON pointer into the request."""

    pointer: str
    detail: str


class Problem(Wire):
    """What went wrong, with the fields of RFC 9457. `code` is the name of genlock's error class."""

    type: str = Field(description="a URN that names the kind of problem")
    title: str = Field(description="the kind of problem in words")
    status: int = Field(ge=400, le=599, description="the HTTP status")
    detail: str = Field(description="what happened this time, to what, and what to do")
    instance: str = Field(description="the path that was asked for")
    code: str
    retry_after: float | None = Field(default=None, description="seconds after which it may work")
    errors: list[Fault] = Field(default=[], description="the fields that do not fit")


class Envelope(Wire, Generic[T]):
    """An answer that worked."""

    data: T
    error: None = None
    meta: Meta = Meta()


class ErrorEnvelope(Wire):
    """An answer that did not work."""

    data: None = None
    error: Problem
    meta: Meta = Meta()


def path_of(*parts: str) -> str:
    """The path of a thing below `/api/v3`, whatever characters its names are made of."""
    return "/".join([PREFIX, *(quote(part, safe="") for part in parts)])


def wrapped(data: T, *, next: str | None = None) -> Envelope[Any]:
    """Data in its envelope."""
    return Envelope[Any](data=data, meta=Meta(next=next))


def problem_of(error: BaseException, instance: str) -> Problem:
    """An error as it goes over the wire."""
    if not isinstance(error, GenlockError):
        return named_problem("InternalError", 500, UNEXPECTED, instance)
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    later = getattr(error, "retry_after", None)
    seconds = later.total_seconds() if isinstance(later, timedelta) else None
    return named_problem(type(error).__name__, status, str(error), instance, retry_after=seconds)


def error_of(problem: Problem) -> GenlockError:
    """The error that a problem was made from, as far as it is known here."""
    kind = getattr(errors, problem.code, None)
    if not (isinstance(kind, type) and issubclass(kind, GenlockError)):
        return GenlockError(problem.detail)
    if (
        issubclass(kind, (errors.Transient, errors.TooMany, errors.Underway))
        and problem.retry_after is not None
    ):
        return kind(problem.detail, retry_after=timedelta(seconds=problem.retry_after))
    return kind(problem.detail)


def named_problem(
    code: str,
    status: int,
    detail: str,
    instance: str,
    *,
    retry_after: float | None = None,
    faults: list[Fault] | None = None,
) -> Problem:
    """A problem called after its code, such as `NotFound`."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", code)
    return Problem(
        type=f"urn:genlock:problem:{words.lower().replace(' ', '-')}",
        title=words.capitalize(),
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        retry_after=retry_after,
        errors=faults or [],
    )
