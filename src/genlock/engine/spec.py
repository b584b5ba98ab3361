"""From a pipeline and its inputs to the rows of a job."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from genlock import trace
from genlock.engine.codec import canonical, dig
from genlock.engine.declare import Pipeline
from genlock.engine.graph import INPUT, Binding, Const, Node, Ref, resources_text
from genlock.errors import Conflict
from genlock.ledger.records import Claim, EdgeSpec, JobRow, JobSpec, NodeSpec

_ENDING = re.compile(r"-([ra]?\d+)$")  # of a node's name, which must not read as an index or a take


def job_spec(
    pipeline: Pipeline[..., Any],
    inputs: Mapping[str, Any],
    *,
    id: str,
    owner: str = "local",
    dedup: str | None = None,
    deadline: timedelta | None = None,
    labels: Mapping[str, Any] | None = None,
) -> JobSpec:
    """The rows of a new job. `inputs` are JSON values that fit the pipeline already."""
    nodes, edges = _drawn(pipeline)
    return JobSpec(
        id=id,
        pipeline=pipeline.name,
        graph=pipeline.text,
        input=canonical(dict(inputs)),
        nodes=[
            replace(spec, skipped=True) if _false_already(node.when, inputs) else spec for node, spec in nodes
        ],
        edges=edges,
        owner=owner,
        dedup=dedup,
        deadline=deadline,
        labels=canonical(dict(labels or {})),
    )


def first_resources(spec: JobSpec) -> list[str]:
    """What the tasks ask for that wait for nothing."""
    waiting = {edge.downstream for edge in spec.edges}
    return [node.resources for node in spec.nodes if node.name not in waiting and not node.skipped]


def child_spec(
    pipeline: Pipeline[..., Any], claim: Claim, inputs: Mapping[str, Any], labels: Mapping[str, Any]
) -> JobSpec:
    """A nested job; its id follows from its parent's task, so nesting twice makes one job. It has the labels
    of the job around it. What the parent's graph did not know of yet has its default.
    """
    place = _ENDING.sub(r"~\1", claim.task.node)
    index = "" if claim.task.index is None else f"-{claim.task.index}"
    take = f"-r{claim.revision}" if claim.revision > 1 else ""
    name = f"{claim.task.job}.{place}{index}{take}"
    return job_spec(pipeline, {**pipeline.defaults, **inputs}, id=name, labels={**labels, **trace.label()})


def check_same(row: JobRow, spec: JobSpec) -> None:
    """`Conflict` if the job that has this id already is to make something else."""
    if row.owner != spec.owner:
        why = "of another owner"
    elif row.pipeline != spec.pipeline:
        why = f"of pipeline {row.pipeline}"
    elif names := list(_differing(json.loads(row.input), json.loads(spec.input))):
        why = f"whose order has another {' and another '.join(names)}"
    else:
        return
    raise Conflict(f"there is a job {row.id!r} already, {why}: leave the id out, or choose another one")


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Names of what was asked for otherwise. What an older version did not ask for yet tells nothing."""
    for name, value in old.items():
        asked = new.get(name)
        if isinstance(value, dict) and isinstance(asked, dict):
            yield from _differing(value, asked)
        elif value != asked:
            yield name


_Drawn = tuple[Sequence[tuple[Node, NodeSpec]], Sequence[EdgeSpec]]
_known: WeakKeyDictionary[Pipeline[..., Any], _Drawn] = WeakKeyDictionary()


def _drawn(pipeline: Pipeline[..., Any]) -> _Drawn:
    """What is the same in all jobs of a pipeline, made for the first of them."""
    if pipeline not in _known:
        graph = pipeline.graph
        edges = tuple(EdgeSpec(e.upstream, e.downstream, e.optional) for e in graph.edges())
        _known[pipeline] = tuple((node, _node(node)) for node in graph.nodes.values()), edges
    return _known[pipeline]


def _node(node: Node) -> NodeSpec:
    return NodeSpec(
        name=node.name,
        mapped=node.mapped is not None,
        need=node.need,
        queue=node.queue,
        resources=resources_text(node.resources),
    )


def _false_already(when: Binding | None, inputs: Mapping[str, Any]) -> bool:
    """A condition that only looks at the order is known before anything runs."""
    if isinstance(when, Const):
        return not when.value
    if isinstance(when, Ref) and when.node == INPUT:
        return not dig(dict(inputs), when.path)
    return False


def fit_inputs(pipeline: Pipeline[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Params as the pipeline's inputs in JSON. A pipeline with one input takes that one's fields directly.

    `BadInput` names every field that does not fit.
    """
    names = list(pipeline.inputs)
    direct = len(names) == 1 and set(params) != set(names)
    return pipeline.accept_inputs({names[0]: dict(params)} if direct else params)
