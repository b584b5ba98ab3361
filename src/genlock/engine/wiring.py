"""Draws a graph: what happens when a stage or a nested pipeline is placed in a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from genlock.engine import shape
from genlock.engine.graph import Binding, Const, Declared, Node, Ref
from genlock.engine.handle import Handle, holds_handle, kind_of, owner_of, ref_of
from genlock.engine.outline import digest
from genlock.engine.signature import Contract, adapter, constant
from genlock.errors import GraphError

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Drawing:
    """A graph in the making. `placed` is the code behind each node."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: dict[str, Node] = {}
        self.placed: dict[str, Wired[..., Any]] = {}

    def free_name(self, wired: Wired[..., Any]) -> str:
        """`stage`, then `stage-2`, …; `GraphError` if another stage goes by that name."""
        for node in self.nodes.values():
            if node.stage == wired.name and self.placed[node.name] is not wired:
                raise GraphError(
                    f"{self.name} places two different stages named {wired.name!r}: give one another name="
                )
        name, number = wired.name, 1
        while name in self.nodes:
            number += 1
            name = f"{wired.name}-{number}"
        return name

    def binding(self, value: Any, kind: Any, what: str) -> Binding:
        """Where a value comes from, once it is certain that it fits the type; `what` names its place."""
        if not isinstance(value, Handle):
            if holds_handle(value):
                raise GraphError(
                    f"{what} is given a {type(value).__name__} with values in it that are not there yet: "
                    "hand them in as parameters of their own, or gather them in a stage"
                )
            return Const(constant(adapter(kind, what), value, what))
        ref = self.ref(value)
        if not shape.fits(kind_of(value), kind):
            raise GraphError(_misfit(ref, kind_of(value), kind, what))
        return ref

    def ref(self, handle: Handle) -> Ref:
        """The reference behind a handle of this very drawing."""
        if owner_of(handle) is not self:
            raise GraphError(
                f"{ref_of(handle)} belongs to another pipeline: hand it to {self.name} as a parameter"
            )
        return ref_of(handle)


_drawing: ContextVar[Drawing | None] = ContextVar("drawing", default=None)


@contextmanager
def draw(name: str) -> Iterator[Drawing]:
    """While this lasts, calling a stage places it in the drawing."""
    drawing = Drawing(name)
    token = _drawing.set(drawing)
    try:
        yield drawing
    finally:
        _drawing.reset(token)


class Wired(Generic[P, R]):
    """What can be placed in a pipeline: a stage, or another pipeline.

    To a type checker a placed stage is a call that returns the value; while the pipeline is drawn it
    is a handle that stands for it.
    """

    name: str
    contract: Contract
    version: int = 1
    queue: str = "default"
    resources: Mapping[str, int] = {}
    nested = False

    @cached_property
    def declared(self) -> Declared:
        """How this is declared, for jobs to keep."""
        contract = self.contract
        types = digest([*contract.kinds.values(), contract.returns])
        return Declared(contract.takes, shape.title(contract.returns), types)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast("R", place(self, args, kwargs))

    @overload
    def map(
        self: Callable[Concatenate[A, Q], S], items: Sequence[A], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> list[S]: ...
    @overload
    def map(self: Callable[[A], S], items: Sequence[A], /, *, need: int) -> list[S | None]: ...
    @overload
    def map(self: Callable[[A, B], S], items: Sequence[A], b: B, /, *, need: int) -> list[S | None]: ...
    @overload
    def map(
        self: Callable[[A, B, C], S], items: Sequence[A], b: B, c: C, /, *, need: int
    ) -> list[S | None]: ...
    @overload
    def map(
        self: Callable[[A, B, C, D], S], items: Sequence[A], b: B, c: C, d: D, /, *, need: int
    ) -> list[S | None]: ...
    def map(self, items: Any, /, *args: Any, **kwargs: Any) -> Any:
        """One task for each item of a list; every other argument is the same for all.

        With `need` the map is done when that many have succeeded and no more can; the others leave None.
        """
        return place(self, (items, *args), kwargs, mapped=True)

    def when(self, flag: bool) -> Gated[P, R]:
        """Place this only if the flag turns out true; else it is skipped and its value is None."""
        return Gated(self, flag)


class Gated(Generic[P, R]):
    """A stage or pipeline behind a flag."""

    def __init__(self, wired: Wired[P, R], flag: object) -> None:
        self._wired, self._flag = wired, flag

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        return cast("R | None", place(self._wired, args, kwargs, when=self._flag))

    @overload
    def map(
        self: Callable[Concatenate[A, Q], S | None], items: Sequence[A], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> list[S] | None: ...
    @overload
    def map(self: Callable[[A], S | None], items: Sequence[A], /, *, need: int) -> list[S | None] | None: ...
    @overload
    def map(
        self: Callable[[A, B], S | None], items: Sequence[A], b: B, /, *, need: int
    ) -> list[S | None] | None: ...
    @overload
    def map(
        self: Callable[[A, B, C], S | None], items: Sequence[A], b: B, c: C, /, *, need: int
    ) -> list[S | None] | None: ...
    @overload
    def map(
        self: Callable[[A, B, C, D], S | None], items: Sequence[A], b: B, c: C, d: D, /, *, need: int
    ) -> list[S | None] | None: ...
    def map(self, items: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As `map` without a gate; None if the flag turns out false."""
        return place(self._wired, (items, *args), kwargs, mapped=True, when=self._flag)


def place(
    wired: Wired[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    mapped: bool = False,
    when: object = None,
) -> Handle:
    """Put a node into the pipeline being drawn and answer with a handle on what it will come to."""
    drawing = _drawing.get()
    if drawing is None:
        raise GraphError(_outside(wired))
    over, need = _mapped(wired, kwargs) if mapped else (None, None)
    node = Node(
        name=drawing.free_name(wired),
        stage=wired.name,
        version=wired.version,
        bindings=_bindings(drawing, wired, args, kwargs, over),
        mapped=over,
        need=need,
        when=None if when is None else drawing.binding(when, bool, f"{wired.name}.when(flag)"),
        optional=frozenset(name for name, kind in wired.contract.kinds.items() if shape.accepts_none(kind)),
        queue=wired.queue,
        resources=dict(wired.resources),
        nested=wired.nested,
    )
    drawing.nodes[node.name], drawing.placed[node.name] = node, wired
    return Handle(Ref(node.name), kind_of_node(wired, node), drawing)


def _bindings(
    drawing: Drawing, wired: Wired[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], over: str | None
) -> dict[str, Binding]:
    contract, found = wired.contract, {}
    for name, value in _arguments(wired, args, kwargs, over).items():
        kind, what = contract.kinds[name], f"{wired.name}({name})"
        if name != over:
            found[name] = drawing.binding(value, kind, what)
        elif isinstance(value, Handle):
            one = shape.item(kind_of(value), str(ref_of(value)))
            if not shape.fits(one, kind):
                raise GraphError(_misfit(drawing.ref(value), one, kind, f"{what} of .map", "an item of "))
            found[name] = drawing.ref(value)
        else:
            found[name] = drawing.binding(value, shape.list_of(kind), f"{what} of .map")
    left = {name: Const(value) for name, value in contract.defaults.items() if name not in found}
    return {name: (found | left)[name] for name in contract.kinds}


def _arguments(
    wired: Wired[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], over: str | None
) -> dict[str, Any]:
    kwargs = {name: value for name, value in kwargs.items() if over is None or name != "need"}
    if tools := [name for name in kwargs if name in wired.contract.tools]:
        raise GraphError(f"{wired.name}({tools[0]}) is provided by the worker: leave it out")
    try:
        return wired.contract.data.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise GraphError(f"{wired.name}: {error}; it takes {wired.contract.takes}") from error


def _mapped(wired: Wired[..., Any], kwargs: Mapping[str, Any]) -> tuple[str, int | None]:
    need = kwargs.get("need")
    if need is not None and (not isinstance(need, int) or isinstance(need, bool) or need < 1):
        raise GraphError(f"{wired.name}.map(need={need!r}): need is a whole number of tasks, at least 1")
    if not wired.contract.kinds:
        raise GraphError(f"{wired.name} takes no data, so there is nothing to map over")
    return next(iter(wired.contract.kinds)), need


def kind_of_node(wired: Wired[..., Any], node: Node) -> Any:
    """The type of what a node comes to, with this code behind it."""
    kind = wired.contract.returns
    if node.mapped:
        kind = shape.list_of(shape.or_none(kind) if node.need else kind)
    return shape.or_none(kind) if node.when is not None else kind


def _outside(wired: Wired[..., Any]) -> str:
    if wired.nested:
        return f"{wired.name} was called outside a @pipeline: `await engine.run({wired.name}, ...)` runs it"
    return f"{wired.name} was called outside a @pipeline: `await {wired.name}.body(...)` runs it by itself"


def _misfit(ref: Ref, have: Any, want: Any, what: str, part: str = "") -> str:
    said = f"{what} takes {shape.title(want)}, but {part}{ref} is {shape.title(have)}"
    rest = [each for each in shape.members(have) if each is not type(None)]
    if rest and len(rest) < len(shape.members(have)) and all(shape.fits(each, want) for each in rest):
        return f"{said}: it is None when it was skipped, so let the parameter accept None"
    return said
