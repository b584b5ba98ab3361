"""A graph as a picture: Mermaid for pages that draw it themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genlock.engine.graph import Graph, Node

INK = "#1b2430"


@dataclass(frozen=True, slots=True)
class Colour:
    """How a box looks in one state."""

    fill: str
    line: str


PALETTE = {
    "blocked": Colour("#f4f5f7", "#b8c0cc"),
    "ready": Colour("#e3effd", "#6aa5e8"),
    "running": Colour("#fff1cc", "#e0a100"),
    "spread": Colour("#fff1cc", "#e0a100"),
    "parked": Colour("#efe6fb", "#9a6dd7"),
    "done": Colour("#dcf3e3", "#3fa663"),
    "failed": Colour("#fde0de", "#d9483b"),
    "skipped": Colour("#fafafa", "#c9ced6"),
    "cancelled": Colour("#e6e3df", "#8d857b"),
}
_RESERVED = frozenset(
    {"end", "graph", "subgraph", "flowchart", "style", "class", "click", "default", "o", "x"}
)


def draw_mermaid(graph: Graph, states: Mapping[str, str] | None = None) -> str:
    """A flowchart from left to right, coloured by state."""
    ids = _ids(graph)
    lines = ["flowchart LR", *(f"  {ids[node.name]}{_box(node)}" for node in graph.nodes.values())]
    for edge in graph.edges():
        arrow = "-.->" if edge.optional or _is_flag(graph, edge.upstream, edge.downstream) else "-->"
        lines.append(f"  {ids[edge.upstream]} {arrow} {ids[edge.downstream]}")
    return "\n".join([*lines, *_classes(ids, states or {})]) + "\n"


def _classes(ids: Mapping[str, str], states: Mapping[str, str]) -> list[str]:
    used = sorted({states[name] for name in ids if states.get(name) in PALETTE})
    lines = [f"  classDef {s} fill:{PALETTE[s].fill},stroke:{PALETTE[s].line},color:{INK}" for s in used]
    return lines + [f"  class {ids[name]} {states[name]}" for name in ids if states.get(name) in PALETTE]


def _is_flag(graph: Graph, upstream: str, downstream: str) -> bool:
    when = graph.nodes[downstream].when
    return getattr(when, "node", None) == upstream


def _box(node: Node) -> str:
    label = f"{node.name} × n" if node.mapped else node.name
    return f'[["{label}"]]' if node.nested else f'["{label}"]'


def _ids(graph: Graph) -> dict[str, str]:
    ids: dict[str, str] = {}
    for name in graph.nodes:
        free = re.sub(r"\W", "_", name, flags=re.ASCII)
        while free.lower() in _RESERVED or free in ids.values():
            free += "_"
        ids[name] = free
    return ids
