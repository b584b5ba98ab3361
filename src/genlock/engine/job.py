"""What never changes about a job, read once: its graph, its input and the code that goes with them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genlock.engine.declare import Pipeline, Stage
from genlock.engine.graph import Graph, Node
from genlock.errors import NotFound
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import JobRow

KEPT_IN_MEMORY = 1024


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was ordered. `graph` is the one it was started with, whatever the code says today.

    `pipeline` is None in a program that does not have it: the job can be looked at, and not be run.
    """

    id: str
    created_at: datetime
    pipeline: Pipeline[..., Any] | None
    graph: Graph
    input: dict[str, Any]

    def stage(self, node: Node) -> Stage[..., Any] | Pipeline[..., Any]:
        """The code behind a node. `NotFound` if this program has none, or one that takes something else."""
        if self.pipeline is None:
            raise NotFound(f"this program has no pipeline {self.graph.name!r}: {_WHAT_TO_DO}")
        placed = self.pipeline.stages.get(node.name)
        if placed is None or placed.name != node.stage or placed.nested != node.nested:
            raise NotFound(f"{self.graph.name} has no stage {node.name!r} any more: {_WHAT_TO_DO}")
        now, then = ", ".join(sorted(placed.inputs)), ", ".join(sorted(node.bindings))
        if now != then:
            raise NotFound(f"{node.name} takes ({now}) now and took ({then}) then: {_WHAT_TO_DO}")
        return placed


_WHAT_TO_DO = "run this job with the version it was started with, or cancel it and start it anew"


class Jobs:
    """Jobs by id, the most recently used kept in memory."""

    def __init__(self, reader: LedgerReader, pipelines: Mapping[str, Pipeline[..., Any]]) -> None:
        self._reader = reader
        self.pipelines = pipelines
        self._kept: OrderedDict[str, Job] = OrderedDict()

    async def get(self, id: str) -> Job:
        """The job of this id; `NotFound` if there is none."""
        return self._known(id) or self.of(await self._reader.job(id))

    def of(self, row: JobRow) -> Job:
        """The job of this row."""
        known = self._known(row.id)
        if known is not None:
            return known
        graph = Graph.from_data(json.loads(row.graph))
        code = self.pipelines.get(row.pipeline)
        job = Job(row.id, row.created_at, code, graph, json.loads(row.input))
        self._kept[row.id] = job
        while len(self._kept) > KEPT_IN_MEMORY:
            self._kept.popitem(last=False)
        return job

    def forget(self, id: str) -> None:
        """A job is no more; another one may come to its id."""
        self._kept.pop(id, None)

    def _known(self, id: str) -> Job | None:
        if id in self._kept:
            self._kept.move_to_end(id)
        return self._kept.get(id)
