"""Declare a pipeline: stages are typed async functions, a pipeline is a function that wires them.

The wiring runs once, when it is declared, with handles in place of values. What is kept is the graph
it drew; the stages' bodies are kept beside it and are plain functions still.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property, update_wrapper
from typing import Any, ParamSpec, TypeVar, cast, overload

from pydantic import TypeAdapter

from genlock.engine.codec import dump, encode, load
from genlock.engine.graph import INPUT, Graph, Ref
from genlock.engine.handle import Handle
from genlock.engine.signature import PROVIDED, Contract, read
from genlock.engine.wiring import Drawing, Wired, draw
from genlock.errors import BadInput, GraphError, Transient

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


def provided() -> Any:
    """Default of a keyword-only parameter that the worker fills in, found by its annotation."""
    return PROVIDED


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)


def seconds(count: float) -> timedelta:
    """So many seconds."""
    return timedelta(seconds=count)


@dataclass(frozen=True, slots=True)
class Retry:
    """How a stage is tried again: `attempts` in all, for errors of `on` alone.

    The wait before attempt n + 1 is drawn evenly from zero to `base`·2ⁿ⁻¹, at most `cap`.
    """

    attempts: int = 4
    on: type[BaseException] | tuple[type[BaseException], ...] = Transient
    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        if not _whole(self.attempts):
            raise GraphError(
                f"Retry(attempts={self.attempts!r}): a stage is tried at least once; 1 means no retry"
            )
        for kind in self.on if isinstance(self.on, tuple) else (self.on,):
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise GraphError(f"Retry(on={kind!r}): name an error class, or a tuple of them")
        for name in ("base", "cap"):
            value = getattr(self, name)
            if not isinstance(value, timedelta) or value < timedelta(0):
                raise GraphError(f"Retry({name}={value!r}): write a duration, as in {name}=seconds(10)")


class Stage(Wired[P, R]):
    """A typed async function that can be placed in a pipeline. `body` is that function.

    `timeout` and `retry` are None where the settings decide.
    """

    def __init__(
        self,
        body: Callable[P, Coroutine[Any, Any, R]],
        *,
        name: str | None = None,
        version: int = 1,
        resources: Mapping[str, int] | None = None,
        queue: str = "default",
        timeout: timedelta | None = None,
        retry: Retry | None = None,
        reuse: bool = False,
    ) -> None:
        self.name = _name(body, name, "stage")
        if not inspect.iscoroutinefunction(body):
            rest = " without `yield`" if inspect.isasyncgenfunction(body) else ""
            raise GraphError(f"stage {self.name} is no async function: write `async def`{rest}")
        self.body = body
        self.version, self.queue, self.timeout = version, queue, timeout
        self.resources: Mapping[str, int] = {} if resources is None else resources
        self.retry, self.reuse = retry, reuse
        _check_options(self)
        self.resources = dict(self.resources)
        self.contract: Contract = read(body, f"stage {self.name}")
        update_wrapper(self, body)

    @property
    def signature(self) -> inspect.Signature:
        """The body's, tools included."""
        return self.contract.signature

    @property
    def inputs(self) -> dict[str, TypeAdapter[Any]]:
        """Data parameters, the mapped one by its item."""
        return self.contract.inputs

    @property
    def tools(self) -> dict[str, Any]:
        """Parameters the worker fills in, with the annotation to find each by."""
        return self.contract.tools

    @property
    def output(self) -> TypeAdapter[Any]:
        """What one task returns."""
        return self.contract.output

    def __repr__(self) -> str:
        return f"<stage {self.name}>"


class Pipeline(Wired[P, R]):
    """A declared graph of stages. `stages` is the code behind each node, by the node's name."""

    nested = True

    def __init__(self, wiring: Callable[P, R], *, name: str | None = None) -> None:
        self.name = _name(wiring, name, "pipeline")
        subject = f"pipeline {self.name}"
        if inspect.iscoroutinefunction(wiring) or inspect.isgeneratorfunction(wiring):
            raise GraphError(
                f"{subject} only wires stages and never runs: write `def`, without async or yield"
            )
        self.contract: Contract = read(wiring, subject)
        if self.contract.tools:
            raise GraphError(
                f"{subject}: {next(iter(self.contract.tools))} is provided(), but only stages use tools"
            )
        with draw(self.name) as drawing:
            self.graph = _finish(drawing, _call(wiring, self.contract, drawing), self.contract)
        self.stages = cast("dict[str, Stage[..., Any] | Pipeline[..., Any]]", drawing.placed)
        update_wrapper(self, wiring)

    @cached_property
    def text(self) -> str:
        """The graph as a job keeps it: JSON, with how its stages are declared now."""
        declared = {placed.name: placed.declared for placed in self.stages.values()}
        return encode(replace(self.graph, declared=declared).to_data())

    @property
    def signature(self) -> inspect.Signature:
        """The wiring's."""
        return self.contract.signature

    @property
    def inputs(self) -> dict[str, TypeAdapter[Any]]:
        """What a job of this pipeline is given."""
        return self.contract.inputs

    @property
    def defaults(self) -> dict[str, Any]:
        """The JSON of inputs that may be left out."""
        return self.contract.defaults

    @property
    def output(self) -> TypeAdapter[Any]:
        """What a job of this pipeline comes to."""
        return self.contract.output

    def encode_inputs(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """A job's input as JSON, from Python values; `BadInput` if one does not fit."""
        try:
            bound = self.contract.data.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise BadInput(f"{self.name}: {error}; it takes {self.contract.takes}") from error
        found = {
            name: dump(self.inputs[name], value, f"{self.name}({name})") for name, value in bound.items()
        }
        return self.accept_inputs(found)

    def accept_inputs(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A job's input as JSON, from JSON: checked, with defaults; `BadInput` says what does not fit."""
        if strangers := [name for name in params if name not in self.inputs]:
            raise BadInput(
                f"{self.name} has no input {strangers[0]!r}{_hint(strangers[0], list(self.inputs))}"
            )
        given = {**self.defaults, **params}
        if missing := [name for name in self.inputs if name not in given]:
            raise BadInput(f"{self.name} needs {', '.join(missing)}")
        return {
            name: dump(each, load(each, given[name], name), f"{self.name}({name})")
            for name, each in self.inputs.items()
        }

    def pipelines(self) -> Iterator[Pipeline[..., Any]]:
        """The pipelines nested in this one, at any depth, each once."""
        seen: dict[int, Pipeline[..., Any]] = {}
        for placed in self.stages.values():
            if isinstance(placed, Pipeline):
                seen |= {id(each): each for each in (placed, *placed.pipelines())}
        yield from seen.values()

    def all_stages(self) -> Iterator[Stage[..., Any]]:
        """The stages of this pipeline and of those nested in it, each once."""
        pipelines: tuple[Pipeline[..., Any], ...] = (self, *self.pipelines())
        found = (placed for each in pipelines for placed in each.stages.values())
        yield from {id(placed): placed for placed in found if isinstance(placed, Stage)}.values()

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"


@overload
def stage(body: Callable[P, Coroutine[Any, Any, R]], /) -> Stage[P, R]: ...
@overload
def stage(
    *,
    name: str | None = None,
    version: int = 1,
    resources: Mapping[str, int] | None = None,
    queue: str = "default",
    timeout: timedelta | None = None,
    retry: Retry | None = None,
    reuse: bool = False,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Stage[P, R]]: ...
def stage(body: Any = None, /, **options: Any) -> Any:
    """Make an async function a stage.

    `name` is the function's unless given; raise `version` when old results must not be used again;
    `resources` are local units one attempt occupies, such as `{"cpu": 1}`; `queue` names the workers
    that may take it; `timeout` ends an attempt; `reuse` shares results between jobs by their inputs.
    """
    _known_options(options, ("name", "version", "resources", "queue", "timeout", "retry", "reuse"), "@stage")
    return Stage(body) if body is not None else lambda function: Stage(function, **options)


@overload
def pipeline(wiring: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(*, name: str | None = None) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(wiring: Any = None, /, **options: Any) -> Any:
    """Draw a pipeline: the function runs once, now, with handles, and returns the handle of its result."""
    _known_options(options, ("name",), "@pipeline")
    return Pipeline(wiring) if wiring is not None else lambda function: Pipeline(function, **options)


def _call(wiring: Callable[..., object], contract: Contract, drawing: Drawing) -> object:
    """Run the wiring on handles. A few things of Python's own look at types without asking the handle."""
    try:
        return wiring(*(Handle(Ref(INPUT, (name,)), kind, drawing) for name, kind in contract.kinds.items()))
    except (TypeError, ValueError) as error:
        if Handle.__name__ not in str(error):
            raise
        raise GraphError(
            f"{contract.subject} uses a value that is not there yet: do it inside a stage, which gets "
            f"the value ({error})"
        ) from error


def _finish(drawing: Drawing, result: object, contract: Contract) -> Graph:
    if not isinstance(result, Handle):
        raise GraphError(
            f"{contract.subject} returns {type(result).__name__}, not the result of a stage: return what "
            "one of its stages returned; to return several values, gather them in a stage"
        )
    if not drawing.nodes:
        raise GraphError(f"{contract.subject} places no stage, so there is nothing to run")
    binding = drawing.binding(result, contract.returns, f"the result of {contract.subject}")
    return Graph(drawing.name, drawing.nodes, binding)


def _name(function: object, name: object, what: str) -> str:
    if not callable(function):
        raise GraphError(f"@{what} goes before a function, not before {function!r}")
    found = getattr(function, "__name__", "") if name is None else name
    if not (isinstance(found, str) and _NAME.fullmatch(found)):
        raise GraphError(
            f"{found!r} cannot name a {what}: begin with a letter, then letters, digits and _ . - only"
        )
    return found


def _known_options(options: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    for name in options:
        if name not in known:
            raise GraphError(f"{what} has no option {name!r}{_hint(name, known)}")


def _hint(name: str, known: tuple[str, ...] | list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(known) or 'none'}"


def _check_options(stage: Stage[..., Any]) -> None:
    def demand(holds: bool, option: str, advice: str) -> None:
        if not holds:
            raise GraphError(f"stage {stage.name}: {option}={getattr(stage, option)!r}: {advice}")

    demand(_whole(stage.version), "version", "write a whole number, at least 1")
    demand(
        isinstance(stage.queue, str) and bool(_NAME.fullmatch(stage.queue)),
        "queue",
        "write the name of a queue",
    )
    timed = stage.timeout is None or (isinstance(stage.timeout, timedelta) and stage.timeout > timedelta(0))
    demand(timed, "timeout", "write a duration, as in timeout=minutes(30)")
    demand(stage.retry is None or isinstance(stage.retry, Retry), "retry", "write Retry(attempts=…)")
    demand(isinstance(stage.reuse, bool), "reuse", "write True or False")
    named = isinstance(stage.resources, Mapping) and all(
        isinstance(each, str) and _NAME.fullmatch(each) for each in stage.resources
    )
    counted = named and all(_whole(count) for count in stage.resources.values())
    demand(counted, "resources", 'write names and whole numbers, as in {"cpu": 1}')


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
