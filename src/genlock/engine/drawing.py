"""A graph as a picture: an SVG that needs nothing else, and Mermaid for pages that draw it themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from genlock.engine.layout import Layout, Place, arrange

if TYPE_CHECKING:
    from genlock.engine.graph import Graph, Node

INK, FAINT, LINE, CHIP = "#1b2430", "#5b6675", "#9aa5b4", "#eceff3"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
MARGIN, GAP = 24.0, (38.0, 26.0)
NAME, SMALL = 13.0, 10.5  # type sizes
PAD, ROW, CHIPS_AT_MOST = 12.0, 19.0, 190.0
STACK = 4.0  # how far the sheets of a mapped stage lie apart


@dataclass(frozen=True, slots=True)
class Colour:
    """How a box looks in one state."""

    fill: str
    line: str


PLAIN = Colour("#ffffff", "#8b97a8")
PALETTE = {
    "blocked": Colour("#f3f5f7", "#b3bcc8"),
    "ready": Colour("#e3effd", "#5b9ae6"),
    "running": Colour("#fff0c2", "#dd9c00"),
    "spread": Colour("#fff0c2", "#dd9c00"),
    "parked": Colour("#eee5fb", "#9163d3"),
    "done": Colour("#d9f2e1", "#34a05a"),
    "failed": Colour("#fddfdc", "#d63f30"),
    "skipped": Colour("#ffffff", "#c3cad3"),
    "cancelled": Colour("#e9e6e2", "#8d857b"),
}
_RESERVED = frozenset(
    {"end", "graph", "subgraph", "flowchart", "style", "class", "click", "default", "o", "x"}
)
_START, _END = "$start", "$end"


def draw_mermaid(graph: Graph, states: Mapping[str, str] | None = None) -> str:
    """A Mermaid flowchart from left to right, coloured by state."""
    ids = _ids(graph)
    lines = ["flowchart LR", *(f"  {ids[node.name]}{_mermaid_box(node)}" for node in graph.nodes.values())]
    for edge in graph.edges():
        arrow = "-.->" if edge.optional or _is_flag(graph, edge.upstream, edge.downstream) else "-->"
        lines.append(f"  {ids[edge.upstream]} {arrow} {ids[edge.downstream]}")
    return "\n".join([*lines, *_mermaid_classes(ids, states or {})]) + "\n"


def draw_svg(graph: Graph, states: Mapping[str, str] | None = None) -> str:
    """A picture from left to right. Mapped stages are stacks, gated ones dashed, nested pipelines double."""
    cards = {node.name: _card(node, (states or {}).get(node.name)) for node in graph.nodes.values()}
    sizes = {name: card.size for name, card in cards.items()}
    if inputs := ", ".join(_inputs(graph)):
        sizes = {_START: _pill_size(inputs), **sizes}
    sizes[_END] = _pill_size("result")
    arrows = _arrows(graph, _START in sizes)
    gated = {name for name, node in graph.nodes.items() if node.when is not None}
    straight = {arrow: 0.0 if dashed or gated & {*arrow} else 1.0 for arrow, dashed in arrows.items()}
    layout = arrange(sizes, straight, gap=GAP)
    body = list(_edges(layout, arrows))
    body += [part for name, card in cards.items() for part in card.draw(layout.boxes[name])]
    if inputs:
        body += _pill(layout.boxes[_START], inputs)
    body += _pill(layout.boxes[_END], "result")
    return _page(graph.name, layout, body)


@dataclass(frozen=True, slots=True)
class Card:
    """What is written in a node's box: its name, how often, and rows of small tags."""

    node: Node
    state: str | None
    rows: list[list[str]]

    @property
    def title(self) -> str:
        return f"{self.node.name} × n" if self.node.mapped else self.node.name

    @property
    def size(self) -> tuple[float, float]:
        rows = [sum(_chip_width(tag) + 5 for tag in row) - 5 for row in self.rows]
        width = max(
            _text_width(self.title, NAME, bold=True), *rows, _text_width(self.state or "", SMALL) + 14
        )
        height = 2 * PAD + NAME + ROW * (len(self.rows) + (self.state is not None))
        return width + 2 * PAD + self.lift, height + self.lift

    @property
    def lift(self) -> float:
        """How far the sheets of a stack reach beyond the first."""
        return 2 * STACK if self.node.mapped else 0.0

    def draw(self, place: Place) -> Iterator[str]:
        """The box with its text; a mapped node's sheets show behind it, up and to the right."""
        left, top = place.left, place.middle - place.height / 2 + self.lift
        width, height = place.right - place.left - self.lift, place.height - self.lift
        yield f'<g class="node {self.state or "drawn"}" data-node="{self.node.name}">'
        yield f"<title>{self.about}</title>"
        for sheet in (2, 1, 0) if self.node.mapped else (0,):
            yield self._sheet(left + sheet * STACK, top - sheet * STACK, width, height)
        if self.node.nested:
            yield self._sheet(left + 3.5, top + 3.5, width - 7, height - 7, radius=6.5)
        yield from self._text(left + PAD, top + PAD)
        yield "</g>"

    @property
    def about(self) -> str:
        """What a pointer resting on the box is told."""
        parts = [self.title, f"version {self.node.version}", *(tag for row in self.rows for tag in row)]
        return escape(" · ".join(parts + ([self.state] if self.state else [])))

    def _sheet(self, x: float, y: float, width: float, height: float, *, radius: float = 9.0) -> str:
        colour = PALETTE.get(self.state or "", PLAIN)
        dash = ' stroke-dasharray="5 3.5"' if self.node.when is not None else ""
        return (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}" '
            f'fill="{colour.fill}" stroke="{colour.line}" stroke-width="1.4"{dash}/>'
        )

    def _text(self, x: float, y: float) -> Iterator[str]:
        ink = FAINT if self.state in ("skipped", "cancelled") else INK
        times = f'<tspan font-weight="400" fill="{FAINT}"> × n</tspan>' if self.node.mapped else ""
        yield _text(x, y + NAME - 2, NAME, f"{escape(self.node.name)}{times}", ink, weight=600)
        for row in self.rows:
            y += ROW
            at = x
            for tag in row:
                yield from _chip(at, y, tag)
                at += _chip_width(tag) + 5
        if self.state is not None:
            line = PALETTE.get(self.state, PLAIN).line
            yield f'<circle cx="{x + 4:.1f}" cy="{y + ROW + 8:.1f}" r="4" fill="{line}"/>'
            yield _text(x + 14, y + ROW + 11.5, SMALL, escape(self.state), INK)


def _card(node: Node, state: str | None) -> Card:
    tags = ["pipeline"] if node.nested else []
    tags += [f"when {getattr(node.when, 'value', node.when)}"] if node.when is not None else []
    tags += [f"need {node.need}"] if node.need is not None else []
    tags += [name if count == 1 else f"{name} × {count}" for name, count in sorted(node.resources.items())]
    tags += [f"queue {node.queue}"] if node.queue != "default" else []
    rows: list[list[str]] = []
    for tag in tags:
        if rows and sum(_chip_width(each) + 5 for each in [*rows[-1], tag]) <= CHIPS_AT_MOST:
            rows[-1].append(tag)
        else:
            rows.append([tag])
    return Card(node, state, rows)


def _inputs(graph: Graph) -> list[str]:
    bindings = (b for node in graph.nodes.values() for b in (*node.bindings.values(), node.when))
    refs = (b for b in (*bindings, graph.result) if getattr(b, "node", None) == "$input")
    return list(dict.fromkeys(str(ref).partition(".")[0] for ref in refs))


def _arrows(graph: Graph, start: bool) -> dict[tuple[str, str], bool]:
    """Edges, and whether each is dashed. The input leads only to where the work begins."""
    first = [name for name, node in graph.nodes.items() if not node.upstreams()] if start else []
    arrows = {(_START, name): False for name in first}
    for edge in graph.edges():
        dashed = edge.optional or _is_flag(graph, edge.upstream, edge.downstream)
        arrows[edge.upstream, edge.downstream] = dashed
    if (end := getattr(graph.result, "node", None)) in graph.nodes:
        arrows[str(end), _END] = False
    return arrows


def _edges(layout: Layout, arrows: Mapping[tuple[str, str], bool]) -> Iterator[str]:
    for (up, down), dashed in arrows.items():
        stops = [layout.boxes[up], *layout.routes[up, down], layout.boxes[down]]
        path = f"M{stops[0].right:.1f},{stops[0].middle:.1f}"
        for here, there in pairwise(stops):
            last = there is stops[-1]
            x, half = there.left - (6 if last else 0), (there.left - here.right) / 2
            path += f"C{here.right + half:.1f},{here.middle:.1f} {x - half:.1f},{there.middle:.1f} "
            path += f"{x:.1f},{there.middle:.1f}" + ("" if last else f"H{there.right:.1f}")
        x, y = stops[-1].left, stops[-1].middle
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        yield f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"{dash}/>'
        yield f'<path d="M{x - 7:.1f},{y - 4:.1f}L{x:.1f},{y:.1f}L{x - 7:.1f},{y + 4:.1f}Z" fill="{LINE}"/>'


def _page(name: str, layout: Layout, body: list[str]) -> str:
    head = 30.0
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN + head
    title = escape(name)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="Stages of {title}" '
            f'font-family="{FONT}">',
            '<rect width="100%" height="100%" rx="12" fill="#fcfcfd"/>',
            _text(MARGIN, MARGIN + 6, 14, title, INK, weight=700),
            f'<g transform="translate({MARGIN:.0f},{MARGIN + head:.0f})">',
            *body,
            "</g>",
            "</svg>\n",
        ]
    )


def _pill_size(text: str) -> tuple[float, float]:
    return _text_width(text, SMALL) + 22, 24.0


def _pill(place: Place, text: str) -> list[str]:
    top, width = place.middle - place.height / 2, place.right - place.left
    return [
        f'<rect x="{place.left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{place.height:.1f}" '
        f'rx="{place.height / 2:.0f}" fill="{INK}"/>',
        _text(place.left + width / 2, place.middle + 3.8, SMALL, escape(text), "#ffffff", anchor="middle"),
    ]


def _chip(x: float, y: float, text: str) -> Iterator[str]:
    width = _chip_width(text)
    yield f'<rect x="{x:.1f}" y="{y + 1:.1f}" width="{width:.1f}" height="15" rx="4.5" fill="{CHIP}"/>'
    yield _text(x + width / 2, y + 12, SMALL, escape(text), FAINT, anchor="middle")


def _chip_width(text: str) -> float:
    return _text_width(text, SMALL) + 12


def _text(
    x: float, y: float, size: float, content: str, fill: str, *, weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{fill}">{content}</text>'
    )


def _text_width(text: str, size: float, *, bold: bool = False) -> float:
    """At most this wide in DejaVu Sans, the widest of the fonts named, so that no text leaves its box."""
    return sum(map(_letter_width, text)) * size * (1.14 if bold else 1.0)


def _letter_width(letter: str) -> float:
    for letters, width in (("ijlI,. '", 0.33), ("frt-/:;|!()[]", 0.42), ("mwMW@%OQ×=+", 1.0)):
        if letter in letters:
            return width
    return 0.78 if letter.isupper() else 0.64


def _is_flag(graph: Graph, upstream: str, downstream: str) -> bool:
    return getattr(graph.nodes[downstream].when, "node", None) == upstream


def _mermaid_box(node: Node) -> str:
    label = f"{node.name} × n" if node.mapped else node.name
    return f'[["{label}"]]' if node.nested else f'["{label}"]'


def _mermaid_classes(ids: Mapping[str, str], states: Mapping[str, str]) -> list[str]:
    used = sorted({states[name] for name in ids if states.get(name) in PALETTE})
    lines = [f"  classDef {s} fill:{PALETTE[s].fill},stroke:{PALETTE[s].line},color:{INK}" for s in used]
    return lines + [f"  class {ids[name]} {states[name]}" for name in ids if states.get(name) in PALETTE]


def _ids(graph: Graph) -> dict[str, str]:
    ids: dict[str, str] = {}
    for name in graph.nodes:
        free = re.sub(r"\W", "_", name, flags=re.ASCII)
        while free.lower() in _RESERVED or free in ids.values():
            free += "_"
        ids[name] = free
    return ids
