"""Whether the code of today fits the graph that a job was started with, and in words where it does not.

A job keeps its graph. A stage whose code is there, takes what the graph hands it and gives what the graph
reads goes on, whatever its body does now. Any other waits, and says what has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import typing_extensions

from genlock.engine import shape
from genlock.engine.declare import Pipeline, Stage
from genlock.engine.graph import Binding, Declared, Graph, Node, Ref
from genlock.engine.views import FITTING
from genlock.engine.wiring import kind_of_node
from genlock.errors import BadInput, GraphError, Parked

Code = Stage[..., Any] | Pipeline[..., Any]
SIGNAL = "code:"  # what a task waits for until code that fits is there; its attempt's number follows


class Unfit(Parked):
    """The code of today cannot do this task: it waits for code that can."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{FITTING}{why}. Deploy a version that fits and it goes on by itself, or cancel it")


@dataclass(frozen=True, slots=True)
class Fit:
    """What today's code is to one node of a kept graph.

    `code` runs it; None if there is none. `misfit` says why it must not run. `change` tells how it is
    declared today, if otherwise than then: what was written then has to be read with care.
    """

    code: Code | None
    misfit: str | None = None
    change: str | None = None

    def found(self, what: str) -> Code:
        """The code that runs `what`; `Unfit` if there is none that could."""
        if self.code is None or self.misfit is not None:
            raise Unfit(f"{what} {self.misfit}")
        return self.code

    def refused(self, what: str, error: BadInput) -> BaseException:
        """What it means that a recorded value cannot be read: it is the value's fault or the change's."""
        return error if self.change is None else Unfit(f"{what} {self.change}: {error}")


def fits_of(graph: Graph, pipeline: Pipeline[..., Any] | None) -> dict[str, Fit]:
    """What a pipeline's code of today is to each node of a graph that was kept."""
    if pipeline is None:
        gone = f"belongs to pipeline {graph.name!r}, and this program has no pipeline {graph.name!r}"
        return {name: Fit(None, gone) for name in graph.nodes}
    codes = {placed.name: placed for placed in pipeline.stages.values()}
    found = {name: _fit(graph, node, pipeline, codes) for name, node in graph.nodes.items()}
    for name, fit in found.items():
        if fit.misfit is None and fit.code is not None:
            why = next(_unreadable(graph, graph.nodes[name], fit.code, codes), None)
            if why is not None:
                found[name] = Fit(fit.code, f"{_changed(graph, graph.nodes[name], fit.code)}: {why}")
    return found


def _fit(graph: Graph, node: Node, pipeline: Pipeline[..., Any], codes: dict[str, Code]) -> Fit:
    code = codes.get(node.stage)
    if code is None:
        then = _then(graph, node)
        there = f"{graph.name} has {', '.join(codes)}"
        near = get_close_matches(node.stage, codes, 1)
        hint = f", of which {near[0]!r} may be its new name" if near else ""
        return Fit(None, f"was declared as {then} and is gone: {there}{hint}")
    why = next(_missing(node, code, pipeline), None)
    if why is not None:
        return Fit(code, f"{_changed(graph, node, code)}: {why}")
    as_before = graph.declared.get(node.stage) == code.declared
    return Fit(code, change=None if as_before else _changed(graph, node, code))


def _missing(node: Node, code: Code, pipeline: Pipeline[..., Any]) -> Iterator[str]:
    """What the code asks for that the graph does not hand it, and the other way round."""
    if code.nested != node.nested:
        was, now = ("a nested pipeline", "a stage") if node.nested else ("a stage", "a nested pipeline")
        yield f"it was {was} and is {now}"
    placed = [each for each in pipeline.graph.nodes.values() if each.stage == node.stage]
    if not any(bool(each.mapped) == bool(node.mapped) for each in placed):
        yield (
            "it ran once for each item and runs once now"
            if node.mapped
            else ("it ran once and runs once for each item now")
        )
    kinds, defaults = code.contract.kinds, code.contract.defaults
    if new := [name for name in kinds if name not in node.bindings and name not in defaults]:
        yield f"{_named(new)} no value in this job"
    if gone := [name for name in node.bindings if name not in kinds]:
        yield f"{_named(gone)} a value in this job that is not taken any more"


def _unreadable(graph: Graph, node: Node, code: Code, codes: dict[str, Code]) -> Iterator[str]:
    """What the graph reads of a node's result, and would not find in what the code gives now."""
    given = kind_of_node(code, node)
    for reader in graph.nodes.values():
        taker = codes.get(reader.stage)
        kinds = taker.contract.kinds if taker is not None else {}
        for name, binding in reader.bindings.items():
            want = shape.list_of(kinds[name]) if name in kinds and name == reader.mapped else kinds.get(name)
            yield from _misread(binding, node, given, want, f"{reader.name}({name})")
        if reader.when is not None:
            yield from _misread(reader.when, node, given, bool, f"the condition of {reader.name}")
    yield from _misread(graph.result, node, given, None, f"the result of {graph.name}")


def _misread(binding: Binding, node: Node, given: Any, want: Any, reader: str) -> Iterator[str]:
    """`want` None: whatever it is will do."""
    if not isinstance(binding, Ref) or binding.node != node.name:
        return
    try:
        for depth, name in enumerate(binding.path):
            given = _field(given, name, str(Ref(node.name, binding.path[:depth])))
    except GraphError as error:
        yield f"{reader} reads {binding}, and {error}"
        return
    if want is not None and not shape.fits(given, want):
        yield f"{reader} takes {shape.title(want)}, and {binding} is {shape.title(given)}"


def _field(kind: Any, name: str, what: str) -> Any:
    """The type of a field by the name that its JSON has."""
    rest = [each for each in shape.members(kind) if each is not type(None)]
    if rest and shape.is_root(kind):
        return _field(shape.attribute(kind, "root", what), name, what)
    if rest and all(typing_extensions.is_typeddict(each) for each in rest):
        return shape.key(kind, name, what)
    return shape.attribute(kind, name, what)


def _changed(graph: Graph, node: Node, code: Code) -> str:
    then, now = _then(graph, node), _said(node.stage, code.declared)
    if then == now:
        return f"is declared as {now} as before, but its types have changed"
    return f"was declared as {then} and is now {now}"


def _then(graph: Graph, node: Node) -> str:
    declared = graph.declared.get(node.stage)
    return _said(node.stage, declared) if declared else f"{node.stage}({', '.join(node.bindings)})"


def _said(stage: str, declared: Declared) -> str:
    return f"{stage}{declared.takes} -> {declared.returns}"


def _named(names: list[str]) -> str:
    said = ", ".join(map(repr, names))
    return f"{said} has" if len(names) == 1 else f"{said} have"
