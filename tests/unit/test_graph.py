"""The graph as data: round trip, edges, and what they say about skipped upstreams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.engine.graph import INPUT, Binding, Const, Edge, Graph, Node, Ref, resources_text
from genlock.errors import GraphError

NAMES = st.sampled_from(["plan", "clip", "clip-2", "music", "cut", "store"])
JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = draw(st.lists(NAMES, unique=True, min_size=1))
    nodes: dict[str, Node] = {}
    for name in names:
        path = st.lists(st.sampled_from("abc"), max_size=2).map(tuple)
        sources = st.sampled_from([INPUT, *nodes])
        binding: st.SearchStrategy[Binding] = st.builds(Const, JSON) | st.builds(Ref, sources, path)
        bindings = draw(st.dictionaries(st.sampled_from("xyz"), binding, max_size=3))
        nodes[name] = Node(
            name=name,
            stage=name.partition("-")[0],
            version=draw(st.integers(1, 9)),
            bindings=bindings,
            mapped=draw(st.none() | st.sampled_from(sorted(bindings))) if bindings else None,
            need=draw(st.none() | st.integers(1, 5)),
            when=draw(st.none() | binding),
            optional=frozenset(draw(st.sets(st.sampled_from("xyz")))),
            queue=draw(st.sampled_from(["default", "gpu"])),
            resources=draw(st.dictionaries(st.sampled_from(["cpu", "gpu"]), st.integers(1, 4))),
            nested=draw(st.booleans()),
        )
    return Graph("film", nodes, Ref(draw(st.sampled_from(names)), ("uri",)))


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_a_graph_comes_back_equal_through_json_text(graph: Graph) -> None:
    text = json.dumps(graph.to_data(), allow_nan=False)
    assert Graph.from_data(json.loads(text)) == graph
    assert list(Graph.from_data(json.loads(text)).nodes) == list(graph.nodes)


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_edges_lead_from_earlier_to_later_nodes_each_once(graph: Graph) -> None:
    order = list(graph.nodes)
    pairs = [(edge.upstream, edge.downstream) for edge in graph.edges()]
    assert len(pairs) == len(set(pairs))
    assert all(order.index(up) < order.index(down) for up, down in pairs)


def node(**options: Any) -> Node:
    return Node(name="cut", stage="cut", **options)


def edges(down: Node) -> list[Edge]:
    ups = {name: Node(name=name, stage=name) for name in ("plan", "clip", "music")}
    return Graph("film", {**ups, "cut": down}, Ref("cut")).edges()


PLAN, MUSIC = Ref("plan"), Ref("music", ("tempo",))


@pytest.mark.parametrize(
    ("down", "optional"),
    [
        (node(bindings={"a": MUSIC}), False),
        (node(bindings={"a": MUSIC}, optional=frozenset("a")), True),
        (node(bindings={"a": MUSIC, "b": MUSIC}, optional=frozenset("a")), False),
        (node(bindings={"a": MUSIC, "b": MUSIC}, optional=frozenset("ab")), True),
        (node(bindings={"a": MUSIC}, optional=frozenset("a"), when=Ref("music", ("wanted",))), False),
        (node(bindings={"a": Const(1)}, when=MUSIC), False),
        (node(bindings={"a": MUSIC}, optional=frozenset("a"), mapped="a"), False),
        (node(bindings={"a": MUSIC, "b": PLAN}, optional=frozenset("a")), True),
    ],
)
def test_an_edge_is_optional_only_if_all_it_feeds_can_do_without(down: Node, optional: bool) -> None:
    assert next(edge for edge in edges(down) if edge.upstream == "music").optional is optional


def test_the_input_and_constants_are_no_upstreams() -> None:
    assert edges(node(bindings={"a": Ref(INPUT, ("order",)), "b": Const(3)}, when=Const(True))) == []


def test_a_reference_reads_as_it_was_written() -> None:
    assert str(Ref(INPUT, ("order", "style"))) == "order.style"
    assert str(Ref("plan_film", ("shots",))) == "plan_film.shots"


@pytest.mark.parametrize(
    ("resources", "text"), [({}, ""), ({"gpu": 2, "cpu": 1}, "cpu=1,gpu=2"), ({"cpu": 1}, "cpu=1")]
)
def test_resources_have_one_spelling(resources: Mapping[str, int], text: str) -> None:
    assert resources_text(resources) == text


def data(**changes: Any) -> dict[str, Any]:
    graph = Graph("film", {"plan": Node("plan", "plan"), "cut": node(bindings={"a": PLAN})}, Ref("cut"))
    return {**graph.to_data(), **changes}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nodes": [{}]}, "this is not the data of a graph: KeyError('name')"),
        ({"nodes": 3}, "this is not the data of a graph"),
        ({"result": {"ref": []}}, "this is not the data of a graph"),
        ({"result": {"ref": ["store"]}}, "film: the result comes from store, which is not in the graph"),
        ({"nodes": data()["nodes"][::-1]}, "film: cut takes from plan, which is not placed before it"),
        ({"nodes": data()["nodes"] + data()["nodes"][:1]}, "film: two nodes are named plan"),
    ],
)
def test_data_that_is_no_graph_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(GraphError) as caught:
        Graph.from_data(data(**changes))
    assert str(caught.value).startswith(says)
