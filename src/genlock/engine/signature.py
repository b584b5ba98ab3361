"""Reads the signature of a stage or a pipeline: data by position, tools by keyword, types for all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from types import FrameType
from typing import Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter

from genlock.engine.codec import dump, load
from genlock.engine.shape import title
from genlock.errors import BadInput, GraphError


class Provided:
    """The default of a parameter that the worker fills in."""

    def __repr__(self) -> str:
        return "provided()"


PROVIDED = Provided()
_RESERVED = frozenset({"need"})  # an option of .map()


@dataclass(frozen=True, slots=True)
class Contract:
    """What goes in and what comes out.

    `signature` is the function's; `data` has its data parameters alone. `kinds` and `inputs` are
    their types and adapters, `defaults` the JSON of those that may be left out. `tools` maps
    keyword-only parameters to the annotation by which the worker finds what to hand in.
    """

    subject: str
    signature: inspect.Signature
    data: inspect.Signature
    kinds: dict[str, Any]
    inputs: dict[str, TypeAdapter[Any]]
    defaults: dict[str, Any]
    tools: dict[str, Any]
    returns: Any
    output: TypeAdapter[Any]

    @property
    def takes(self) -> str:
        """The data parameters as a person would write them."""
        said = (
            f"{name}: {title(kind)}{' = …' if name in self.defaults else ''}"
            for name, kind in self.kinds.items()
        )
        return f"({', '.join(said)})"


def read(function: Callable[..., Any], subject: str) -> Contract:
    """The contract of a function; `GraphError` names the parameter that cannot be."""
    signature, hints = inspect.signature(function), _hints(function, subject)
    data, tools = [], {}
    for parameter in signature.parameters.values():
        _check(parameter, hints, subject)
        if parameter.default is PROVIDED:
            tools[parameter.name] = hints[parameter.name]
        else:
            data.append(parameter)
    if "return" not in hints:
        raise GraphError(f"{subject} does not say what it returns: write `-> Type` behind its parameters")
    inputs = {each.name: adapter(hints[each.name], f"{subject}: {each.name}") for each in data}
    return Contract(
        subject=subject,
        signature=signature,
        data=signature.replace(parameters=data),
        kinds={each.name: hints[each.name] for each in data},
        inputs=inputs,
        defaults={e.name: _default(e, inputs, subject) for e in data if e.default is not Parameter.empty},
        tools=tools,
        returns=hints["return"],
        output=adapter(hints["return"], f"{subject}: the result"),
    )


def adapter(kind: Any, what: str) -> TypeAdapter[Any]:
    """Pydantic's reader and writer of a type; `GraphError` if the type has no JSON."""
    try:
        return TypeAdapter(kind)
    except PydanticUserError as error:
        raise GraphError(
            f"{what} is {title(kind)}, which cannot be written as JSON ({error.message.splitlines()[0]}): "
            "use pydantic models, dataclasses, lists of them, or JSON scalars; "
            f"a tool is `*, name: {title(kind)} = provided()`"
        ) from error


def constant(adapter: TypeAdapter[Any], value: Any, what: str) -> Any:
    """The JSON of a value fixed in the declaration; `GraphError` if it does not fit."""
    try:
        return dump(adapter, load(adapter, dump(adapter, value, what), what), what)
    except BadInput as error:
        raise GraphError(str(error)) from error


def _default(parameter: Parameter, inputs: dict[str, TypeAdapter[Any]], subject: str) -> Any:
    return constant(inputs[parameter.name], parameter.default, f"{subject}: the default of {parameter.name}")


def _check(parameter: Parameter, hints: dict[str, Any], subject: str) -> None:
    name, provided = parameter.name, parameter.default is PROVIDED
    if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is Parameter.VAR_POSITIONAL else "**"
        raise GraphError(
            f"{subject} takes {stars}{name}: name each parameter, so that the graph can say what it gets"
        )
    if name not in hints:
        raise GraphError(f"{subject}: the parameter {name} has no type: write `{name}: Type`")
    if parameter.kind is Parameter.POSITIONAL_ONLY:
        raise GraphError(
            f"{subject}: {name} is positional-only, but values are handed in by name: remove the `/`"
        )
    if provided and parameter.kind is not Parameter.KEYWORD_ONLY:
        raise GraphError(
            f"{subject}: {name} is provided(), so it goes behind a `*`: data by position, tools by keyword"
        )
    if not provided and parameter.kind is Parameter.KEYWORD_ONLY:
        raise GraphError(
            f"{subject}: {name} is keyword-only but not provided(): a tool is `{name}: Type = provided()`, "
            "data goes before the `*`"
        )
    if name in _RESERVED:
        raise GraphError(f"{subject}: no parameter may be called {name!r}, which is an option of .map()")


def _hints(function: Callable[..., Any], subject: str) -> dict[str, Any]:
    """The annotations, also those written as text and those that name what a function around it defines."""
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:
        around = _names_around(function)
    try:
        return get_type_hints(function, localns=around, include_extras=True)
    except NameError as error:
        raise GraphError(
            f"{subject}: its annotations name {error.name!r}, which is not there when the program runs: "
            "import it outside `if TYPE_CHECKING`, above the declaration"
        ) from error


def _names_around(function: Callable[..., Any]) -> dict[str, Any]:
    """The local names of the functions of the same module that are declaring this one right now."""
    found: dict[str, Any] = {}
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - inspect.currentframe is the same call
    while frame is not None:
        if frame.f_globals is function.__globals__:
            found = {**frame.f_locals, **found}
        frame = frame.f_back
    return found
