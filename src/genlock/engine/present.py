"""From rows to what people are shown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genlock.engine.graph import Graph
from genlock.engine.views import ErrorView, EventView, GraphView, JobView, StageView, TaskView
from genlock.ledger.records import Event, Failure, JobRow, NodeCount, TaskRow, TaskState

ENDED = (TaskState.DONE, TaskState.SKIPPED)


def present_job(
    row: JobRow,
    graph: Graph,
    nodes: Mapping[str, TaskRow],
    counts: Iterable[NodeCount],
    running: Sequence[TaskRow],
    result: Any,
) -> JobView:
    """`nodes` are the node-level rows by name, `running` the tasks that run now (a page of them)."""
    by_node: dict[str, dict[TaskState, int]] = defaultdict(dict)
    for count in counts:
        by_node[count.node][count.state] = count.count
    stages = [present_stage(nodes[name], by_node[name], running) for name in graph.nodes]
    ended = [s for s in stages if s.state in ENDED]
    now = next((s.name for s in stages if s.state not in ENDED), None)
    total = sum(s.total for s in stages)
    return JobView(
        id=row.id,
        pipeline=row.pipeline,
        state=row.state,
        stage=now,
        stages=stages,
        completed_stages=len(ended),
        total_stages=len(stages),
        progress=sum(s.progress * s.total for s in stages) / total if total else 1.0,
        owner=row.owner,
        executor=row.executor,
        parent=str(row.parent) if row.parent else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        deadline_at=row.deadline_at,
        error=present_error(row.error, row.failed_task),
        labels=json.loads(row.labels),
        result=result,
        last_event=row.last_event,
    )


def present_stage(node: TaskRow, counts: Mapping[TaskState, int], running: Sequence[TaskRow]) -> StageView:
    """A stage stands where its own row stands; a map's numbers are its children's."""
    if not node.mapped or node.children == 0:
        counts = {node.state: 1}
    total = sum(counts.values())
    active = [row for row in running if row.ref.node == node.ref.node]
    ended = sum(counts.get(state, 0) for state in ENDED)
    part = sum(row.progress or 0.0 for row in active)
    return StageView(
        name=node.ref.node,
        mapped=node.mapped,
        state=TaskState.RUNNING if node.state is TaskState.SPREAD and active else node.state,
        total=total,
        counts=dict(counts),
        progress=1.0 if node.state in ENDED else min(1.0, (ended + part) / total),
        note=next((row.progress_note for row in active if row.progress_note), None)
        or (node.parked_for if node.state is TaskState.PARKED else node.reason),
    )


def present_task(row: TaskRow, *, output: bool = True) -> TaskView:
    """A task with its output, if wanted, as JSON."""
    return TaskView(
        key=row.ref.key,
        stage=row.ref.node,
        state=row.state,
        attempt=row.attempt,
        tries=row.tries,
        reclaims=row.reclaims,
        revision=row.revision,
        progress=row.progress,
        note=row.progress_note,
        waits_for=row.parked_for,
        due_at=row.due_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        holder=row.holder,
        error=present_error(row.error, row.ref.key),
        reason=row.reason,
        child_job=row.child_job,
        output=json.loads(row.output) if output and row.output else None,
    )


def present_event(event: Event) -> EventView:
    """An event with its data as JSON."""
    return EventView(
        job=event.job,
        seq=event.seq,
        at=event.at,
        kind=event.kind,
        task=event.task,
        data=json.loads(event.data),
    )


def present_graph(graph: Graph, states: Mapping[str, str] | None) -> GraphView:
    """A graph as data and drawn; `states` (task state by node name) colours it."""
    data = graph.to_data()
    return GraphView(
        pipeline=graph.name,
        nodes=data["nodes"],
        result=data["result"],
        declared=data.get("declared", {}),
        edges=[
            {"upstream": e.upstream, "downstream": e.downstream, "optional": e.optional}
            for e in graph.edges()
        ],
        mermaid=graph.mermaid(states),
        svg=graph.svg(states),
    )


def present_error(failure: Failure | None, task: str | None) -> ErrorView | None:
    """Without the trace: that is for logs, not for people."""
    return ErrorView(kind=failure.kind, message=failure.message, task=task) if failure else None
