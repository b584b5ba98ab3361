"""What never changes about a job, read once: its graph, its input and the code that goes with them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from genlock import trace
from genlock.engine.codec import load_text
from genlock.engine.declare import Pipeline
from genlock.engine.fit import Code, Fit, fits_of
from genlock.engine.graph import Graph, Node
from genlock.errors import BadInput
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import JobRow, JobSpec

KEPT_IN_MEMORY = 1024


@dataclass(frozen=True)
class Plan:
    """A graph that jobs keep, and today's code for it. All jobs of one version of a pipeline share one.

    `pipeline` is None in a program that does not have it: the job can be looked at, and not be run.
    """

    graph: Graph
    pipeline: Pipeline[..., Any] | None

    @cached_property
    def fits(self) -> dict[str, Fit]:
        """What the code is to each node, found out when the first task asks."""
        return fits_of(self.graph, self.pipeline)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was ordered. It keeps the graph it was started with, whatever the code says today."""

    id: str
    created_at: datetime
    plan: Plan
    input: dict[str, Any]
    labels: str = "{}"
    trace: str | None = None  # the `traceparent` of whoever started it

    @property
    def graph(self) -> Graph:
        """The one it was started with."""
        return self.plan.graph

    def fit(self, node: Node) -> Fit:
        """What today's code is to a node."""
        return self.plan.fits[node.name]

    def stage(self, node: Node) -> Code:
        """The code behind a node; `Unfit` if this program has none, or one that does not fit."""
        fit = self.plan.fits[node.name]
        return fit.found(self._named(node)) if fit.code is None or fit.misfit is not None else fit.code

    def read(self, node: Node, texts: Mapping[str, str]) -> dict[str, Any]:
        """Recorded values as what the code takes. `BadInput` if one does not fit its type, and `Unfit` if
        that type is no longer what it was when the job was started.
        """
        code = self.stage(node)
        try:
            return {
                name: load_text(code.inputs[name], text, f"{node.stage}({name})")
                for name, text in texts.items()
            }
        except BadInput as error:
            raise self.fit(node).refused(self._named(node), error) from error

    def _named(self, node: Node) -> str:
        return f"stage {node.name!r} of job {self.id}"


class Jobs:
    """Jobs by id, the most recently used kept in memory."""

    def __init__(self, reader: LedgerReader, pipelines: Mapping[str, Pipeline[..., Any]]) -> None:
        self._reader = reader
        self.pipelines = pipelines
        self._kept: OrderedDict[str, Job] = OrderedDict()
        self._plans: OrderedDict[tuple[str, str], Plan] = OrderedDict()  # by pipeline and graph

    async def get(self, id: str) -> Job:
        """The job of this id; `NotFound` if there is none."""
        return self._known(id) or self.of(await self._reader.job(id))

    def of(self, row: JobRow) -> Job:
        """The job of this row."""
        known = self._known(row.id)
        if known is not None:
            return known
        return self._keep(
            Job(
                row.id,
                row.created_at,
                self._plan(row.pipeline, row.graph),
                json.loads(row.input),
                row.labels,
                trace.parent_in(row.labels),
            )
        )

    def begun(self, spec: JobSpec, created_at: datetime) -> None:
        """A job that was created just now, which nobody has to read then."""
        plan, parent = self._plan(spec.pipeline, spec.graph), trace.parent_in(spec.labels)
        self._keep(Job(spec.id, created_at, plan, json.loads(spec.input), spec.labels, parent))

    def _keep(self, job: Job) -> Job:
        self._kept[job.id] = job
        while len(self._kept) > KEPT_IN_MEMORY:
            self._kept.popitem(last=False)
        return job

    def forget(self, id: str) -> None:
        """A job is no more; another one may come to its id."""
        self._kept.pop(id, None)

    def _plan(self, pipeline: str, text: str) -> Plan:
        key = (pipeline, text)
        if key not in self._plans:
            self._plans[key] = Plan(Graph.from_data(json.loads(text)), self.pipelines.get(pipeline))
        self._plans.move_to_end(key)
        while len(self._plans) > KEPT_IN_MEMORY:
            self._plans.popitem(last=False)
        return self._plans[key]

    def _known(self, id: str) -> Job | None:
        if id in self._kept:
            self._kept.move_to_end(id)
        return self._kept.get(id)
