"""What never changes about a job, read once: its graph, its input and the code that goes with them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genlock.engine.declare import Pipeline, Stage
from genlock.engine.graph import Graph, Node
from genlock.errors import NotFound, Permanent
from genlock.ledger.protocol import LedgerReader

KEPT_IN_MEMORY = 1024


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was ordered. `graph` is the one it was started with, whatever the code says today."""

    id: str
    pipeline: Pipeline[..., Any]
    graph: Graph
    input: dict[str, Any]

    def stage(self, node: Node) -> Stage[..., Any] | Pipeline[..., Any]:
        """The code behind a node. `Permanent` if this version of the program has none."""
        placed = self.pipeline.stages.get(node.name)
        if placed is None:
            raise Permanent(
                f"{self.pipeline.name} has no stage {node.name!r} any more: run this job with the version of "
                "the pipeline it was started with, or start it anew"
            )
        return placed


class Jobs:
    """Jobs by id, the most recently used kept in memory."""

    def __init__(self, reader: LedgerReader, pipelines: Mapping[str, Pipeline[..., Any]]) -> None:
        self._reader = reader
        self.pipelines = pipelines
        self._kept: OrderedDict[str, Job] = OrderedDict()

    def pipeline(self, name: str) -> Pipeline[..., Any]:
        """The pipeline of this name; `NotFound` lists those there are."""
        if name not in self.pipelines:
            raise NotFound(f"there is no pipeline {name!r}; there are: {', '.join(sorted(self.pipelines))}")
        return self.pipelines[name]

    async def get(self, id: str) -> Job:
        """The job of this id; `NotFound` if there is none."""
        if id in self._kept:
            self._kept.move_to_end(id)
            return self._kept[id]
        row = await self._reader.job(id)
        job = Job(
            row.id, self.pipeline(row.pipeline), Graph.from_data(json.loads(row.graph)), json.loads(row.input)
        )
        self._kept[id] = job
        while len(self._kept) > KEPT_IN_MEMORY:
            self._kept.popitem(last=False)
        return job
