"""A pipeline as data: which stages there are, and where each of their values comes from.

A graph holds no code. It is written into the job when the job is created and read back by every
process that works on it, so a job keeps the shape it was started with, whatever is deployed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from genlock.engine.drawing import draw_mermaid, draw_svg
from genlock.errors import GraphError

INPUT = "$input"


@dataclass(frozen=True, slots=True)
class Ref:
    """A value of a job: a node's output, or its input, and the fields to follow into its JSON.

    For `INPUT` the first part of the path is the parameter's name.
    """

    node: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join(self.path if self.node == INPUT else (self.node, *self.path))


@dataclass(frozen=True, slots=True)
class Const:
    """A value fixed when the pipeline was declared, as JSON."""

    value: Any


Binding = Ref | Const


@dataclass(frozen=True, slots=True)
class Declared:
    """How a stage was declared: its parameters and its result in words, and a digest of their types."""

    takes: str
    returns: str
    types: str


@dataclass(frozen=True, slots=True)
class Node:
    """A stage, or a nested pipeline, at its place in a graph.

    `name` is unique in the graph: the stage's own, then `name-2`, `name-3`. `mapped` names the
    parameter that takes one item of its list a task; `need` is how many of these must succeed
    (None: all). `optional` names the parameters that can do with None.
    """

    name: str
    stage: str
    version: int = 1
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    mapped: str | None = None
    need: int | None = None
    when: Binding | None = None
    optional: frozenset[str] = frozenset()
    queue: str = "default"
    resources: Mapping[str, int] = field(default_factory=dict)
    nested: bool = False

    def upstreams(self) -> list[str]:
        """Nodes whose values this one takes, each once, in the order of its parameters."""
        bindings = [*self.bindings.values(), self.when]
        return list(dict.fromkeys(b.node for b in bindings if isinstance(b, Ref) and b.node != INPUT))

    def can_do_without(self, upstream: str) -> bool:
        """Whether this node still runs, with None, when that upstream was skipped."""
        if isinstance(self.when, Ref) and self.when.node == upstream:
            return False
        fed = [p for p, b in self.bindings.items() if isinstance(b, Ref) and b.node == upstream]
        return all(p in self.optional and p != self.mapped for p in fed)


@dataclass(frozen=True, slots=True)
class Edge:
    """`downstream` takes a value of `upstream`; `optional` if it runs without when that is skipped."""

    upstream: str
    downstream: str
    optional: bool


@dataclass(slots=True)
class Graph:
    """Nodes by name, in an order in which each comes after what it takes from, and the result.

    In a job, `declared` tells how its stages were declared when it was started, by the stage's name;
    a stage may be missing from it.
    """

    name: str
    nodes: dict[str, Node]
    result: Binding
    declared: Mapping[str, Declared] = field(default_factory=dict)

    def edges(self) -> list[Edge]:
        return [
            Edge(up, node.name, node.can_do_without(up))
            for node in self.nodes.values()
            for up in node.upstreams()
        ]

    def to_data(self) -> dict[str, Any]:
        """JSON that `from_data` turns into an equal graph."""
        data: dict[str, Any] = {
            "name": self.name,
            "nodes": [_node_data(node) for node in self.nodes.values()],
            "result": _binding_data(self.result),
        }
        if self.declared:
            data["declared"] = {name: asdict(each) for name, each in self.declared.items()}
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Graph:
        """`GraphError` if the data is not a graph, or refers to a node that comes later or not at all."""
        try:
            nodes = [_node(each) for each in data["nodes"]]
            declared = {name: Declared(**each) for name, each in data.get("declared", {}).items()}
            result = _binding(data["result"])
            graph = cls(data["name"], {node.name: node for node in nodes}, result, declared)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise GraphError(f"this is not the data of a graph: {error!r}") from error
        if len(graph.nodes) < len(nodes):
            names = [node.name for node in nodes]
            twice = next(name for name in names if names.count(name) > 1)
            raise GraphError(f"{graph.name}: two nodes are named {twice}")
        graph._check()
        return graph

    def mermaid(self, states: Mapping[str, str] | None = None) -> str:
        """The graph as a Mermaid flowchart; `states` (task state by node name) colours it."""
        return draw_mermaid(self, states)

    def svg(self, states: Mapping[str, str] | None = None) -> str:
        """The graph as one self-contained SVG picture; `states` (task state by node name) colours it."""
        return draw_svg(self, states)

    def _check(self) -> None:
        known: set[str] = set()
        for node in self.nodes.values():
            if strangers := [up for up in node.upstreams() if up not in known]:
                raise GraphError(
                    f"{self.name}: {node.name} takes from {strangers[0]}, which is not placed before it"
                )
            known.add(node.name)
        if isinstance(self.result, Ref) and self.result.node not in {*known, INPUT}:
            raise GraphError(
                f"{self.name}: the result comes from {self.result.node}, which is not in the graph"
            )


def resources_text(resources: Mapping[str, int]) -> str:
    """Resources in the one spelling that the ledger claims by: "cpu=1,gpu=2", "" for none."""
    return ",".join(f"{name}={resources[name]}" for name in sorted(resources))


def _node_data(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "stage": node.stage,
        "version": node.version,
        "bindings": {name: _binding_data(binding) for name, binding in node.bindings.items()},
        "mapped": node.mapped,
        "need": node.need,
        "when": None if node.when is None else _binding_data(node.when),
        "optional": sorted(node.optional),
        "queue": node.queue,
        "resources": dict(node.resources),
        "nested": node.nested,
    }


def _node(data: Mapping[str, Any]) -> Node:
    return Node(
        name=data["name"],
        stage=data["stage"],
        version=data["version"],
        bindings={name: _binding(each) for name, each in data["bindings"].items()},
        mapped=data["mapped"],
        need=data["need"],
        when=None if data["when"] is None else _binding(data["when"]),
        optional=frozenset(data["optional"]),
        queue=data["queue"],
        resources=dict(data["resources"]),
        nested=data["nested"],
    )


def _binding_data(binding: Binding) -> dict[str, Any]:
    if isinstance(binding, Const):
        return {"const": binding.value}
    return {"ref": [binding.node, *binding.path]}


def _binding(data: Mapping[str, Any]) -> Binding:
    if "const" in data:
        return Const(data["const"])
    return Ref(data["ref"][0], tuple(data["ref"][1:]))
