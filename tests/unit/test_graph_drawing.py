"""The graph as a picture: nothing overlaps, nothing leaves its box, every state has its colour."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from genlock.engine.drawing import PALETTE
from genlock.engine.graph import INPUT, Const, Graph, Node, Ref
from genlock.engine.layout import arrange
from genlock.ledger.records import TaskState

SVG = "{http://www.w3.org/2000/svg}"


def campaign() -> Graph:
    order = Ref(INPUT, ("order",))
    nodes = [
        Node("asset_collection", "asset_collection", bindings={"order": order}),
        Node("plan_film", "plan_film", bindings={"assets": Ref("asset_collection"), "order": order}),
        Node(
            "video_generation",
            "video_generation",
            bindings={"shot": Ref("plan_film", ("shots",))},
            mapped="shot",
            need=2,
            queue="a-queue-with-a-long-name",
            resources={"cpu": 1, "gpu": 2, "network": 1, "memory": 12},
        ),
        Node(
            "audio_generation",
            "audio_generation",
            bindings={"plan": Ref("plan_film")},
            when=Ref(INPUT, ("order", "with_audio")),
        ),
        Node("end", "short", bindings={"clips": Ref("video_generation")}, nested=True, when=Const(True)),
        Node(
            "merge",
            "merge",
            bindings={"cut": Ref("end"), "music": Ref("audio_generation"), "plan": Ref("plan_film")},
            optional=frozenset({"music"}),
        ),
    ]
    return Graph("campaign", {node.name: node for node in nodes}, Ref("merge"))


def test_mermaid_says_the_same_as_the_graph() -> None:
    assert campaign().mermaid({"plan_film": "done", "merge": "blocked", "end": "no state"}) == (
        "flowchart LR\n"
        '  asset_collection["asset_collection"]\n'
        '  plan_film["plan_film"]\n'
        '  video_generation["video_generation × n"]\n'
        '  audio_generation["audio_generation"]\n'
        '  end_[["end"]]\n'
        '  merge["merge"]\n'
        "  asset_collection --> plan_film\n"
        "  plan_film --> video_generation\n"
        "  plan_film --> audio_generation\n"
        "  video_generation --> end_\n"
        "  end_ --> merge\n"
        "  audio_generation -.-> merge\n"
        "  plan_film --> merge\n"
        "  classDef blocked fill:#f3f5f7,stroke:#b3bcc8,color:#1b2430\n"
        "  classDef done fill:#d9f2e1,stroke:#34a05a,color:#1b2430\n"
        "  class plan_film done\n"
        "  class merge blocked\n"
    )


def test_names_that_mermaid_would_mistake_stay_apart() -> None:
    names = ["a-2", "a_2", "a.2", "END", "graph"]
    text = Graph("g", {name: Node(name, name) for name in names}, Ref("a-2")).mermaid()
    ids = re.findall(r"^  (\w+)\[", text, re.MULTILINE)
    assert len(set(ids)) == len(names)
    assert not {each.lower() for each in ids} & {"end", "graph"}


@pytest.mark.parametrize("state", [None, *TaskState])
def test_the_svg_is_whole_and_needs_nothing_else(state: TaskState | None) -> None:
    graph = campaign()
    text = graph.svg(None if state is None else dict.fromkeys(graph.nodes, state))
    root = ET.fromstring(text)
    boxes = {each.get("data-node"): each for each in root.iter(f"{SVG}g") if each.get("data-node")}
    assert boxes.keys() == graph.nodes.keys()
    assert "href" not in text
    assert "url(" not in text
    assert "<style" not in text
    if state is not None:
        assert all(PALETTE[state].fill in ET.tostring(box, "unicode") for box in boxes.values())
        assert all(f">{state}</" in ET.tostring(box, "unicode") for box in boxes.values())


def test_mapped_stages_are_stacks_gates_dashed_and_pipelines_double() -> None:
    root = ET.fromstring(campaign().svg())
    sheets = {
        group.get("data-node"): [rect for rect in group.iter(f"{SVG}rect") if rect.get("stroke")]
        for group in root.iter(f"{SVG}g")
        if group.get("data-node")
    }
    assert {name: len(found) for name, found in sheets.items() if len(found) > 1} == {
        "video_generation": 3,
        "end": 2,
    }
    dashed = {name for name, found in sheets.items() if any(rect.get("stroke-dasharray") for rect in found)}
    assert dashed == {"audio_generation", "end"}


def test_no_text_leaves_its_box() -> None:
    """Measured with the font that Pillow carries."""
    graph = campaign()
    root = ET.fromstring(graph.svg(dict.fromkeys(graph.nodes, "cancelled")))
    for group in (each for each in root.iter(f"{SVG}g") if each.get("data-node")):
        rects = [rect for rect in group.iter(f"{SVG}rect") if rect.get("stroke")]
        right = min(float(rect.get("x", 0)) + float(rect.get("width", 0)) for rect in rects)
        bottom = min(float(rect.get("y", 0)) + float(rect.get("height", 0)) for rect in rects)
        for text in group.iter(f"{SVG}text"):
            font = ImageFont.load_default(float(text.get("font-size", 0)))
            width = font.getlength("".join(text.itertext()))
            start = float(text.get("x", 0)) - (width / 2 if text.get("text-anchor") == "middle" else 0)
            assert start + width <= right
            assert float(text.get("y", 0)) < bottom - 3


def test_what_people_wrote_is_escaped() -> None:
    graph = Graph("g", {"a": Node("a", "a", when=Const("<b>&"))}, Ref("a"))
    assert "<b>" not in graph.svg()
    ET.fromstring(graph.svg())


@st.composite
def pictures(draw: st.DrawFn) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, str], float]]:
    names = [f"n{i}" for i in range(draw(st.integers(1, 9)))]
    size = st.tuples(st.floats(20, 200), st.floats(20, 90))
    pairs = list(combinations(names, 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return {name: draw(size) for name in names}, {pair: draw(st.sampled_from([0.0, 1.0])) for pair in chosen}


@given(pictures())
@settings(max_examples=60, deadline=None)
def test_boxes_and_lanes_never_overlap_and_arrows_lead_to_the_right(
    picture: tuple[dict[str, tuple[float, float]], dict[tuple[str, str], float]],
) -> None:
    sizes, arrows = picture
    layout = arrange(sizes, arrows, gap=(40, 20))
    lanes = {lane for route in layout.routes.values() for lane in route}
    for one, other in combinations([*layout.boxes.values(), *lanes], 2):
        if one.left < other.right and other.left < one.right:
            assert abs(one.middle - other.middle) >= (one.height + other.height) / 2 + 19
    for (up, down), route in layout.routes.items():
        stops = [layout.boxes[up], *route, layout.boxes[down]]
        assert all(a.right + 40 <= b.left + 1e-9 for a, b in pairwise(stops))
    assert all(box.middle - box.height / 2 >= -1 for box in layout.boxes.values())
    assert max(box.right for box in layout.boxes.values()) == layout.width


def test_a_chain_is_drawn_straight_whatever_hangs_on_it() -> None:
    sizes = dict.fromkeys(["a", "b", "side", "c", "d"], (80.0, 40.0))
    firm = [("a", "b"), ("b", "c"), ("c", "d")]
    arrows = dict.fromkeys(firm, 1.0) | {("a", "side"): 0.0, ("side", "d"): 0.0, ("a", "d"): 1.0}
    boxes = arrange(sizes, arrows, gap=(40, 20)).boxes
    assert len({boxes[name].middle for name in "abcd"}) == 1


def test_crossing_edges_are_untangled() -> None:
    sizes = dict.fromkeys(["a", "b", "x", "y"], (80.0, 40.0))
    boxes = arrange(sizes, {("a", "y"): 1.0, ("b", "x"): 1.0}, gap=(40, 20)).boxes
    assert (boxes["a"].middle < boxes["b"].middle) is (boxes["y"].middle < boxes["x"].middle)


def test_a_graph_of_two_hundred_stages_is_drawn_while_a_person_waits() -> None:
    names = [f"stage_{i}" for i in range(200)]
    nodes = {
        name: Node(name, name, bindings={f"p{j}": Ref(names[j]) for j in range(max(0, i - 3), i)})
        for i, name in enumerate(names)
    }
    assert Graph("wide", nodes, Ref(names[-1])).svg().count("<rect") > 200
