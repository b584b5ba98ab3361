"""Where a task's arguments come from: the job's input, constants, and what upstream tasks came to."""

from __future__ import annotations

import json
from typing import Any

from genlock.engine.codec import dig
from genlock.engine.graph import INPUT, Binding, Const, Node
from genlock.engine.job import Job, Jobs
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import Claim, TaskRef, TaskState


class Values:
    """Resolves bindings into JSON values, reading only the rows that are named."""

    def __init__(self, reader: LedgerReader, jobs: Jobs) -> None:
        self._reader, self._jobs = reader, jobs

    async def arguments(self, job: Job, node: Node, claim: Claim) -> dict[str, Any]:
        """Every data argument of a task by name; a child of a map has its own item."""
        found = {}
        read: dict[str, Any] = {}
        for name, binding in node.bindings.items():
            if name == node.mapped and claim.task.index is not None:
                found[name] = json.loads(claim.item or "null")
            else:
                found[name] = await self._resolve(job, binding, read)
        return found

    async def resolve(self, job: Job, binding: Binding) -> Any:
        """The JSON value a binding stands for."""
        return await self._resolve(job, binding, {})

    async def result(self, job: Job) -> Any:
        """What a completed job came to."""
        return await self.resolve(job, job.graph.result)

    async def _resolve(self, job: Job, binding: Binding, read: dict[str, Any]) -> Any:
        if isinstance(binding, Const):
            return binding.value
        if binding.node == INPUT:
            return dig(job.input, binding.path)
        if binding.node not in read:  # two fields of one output are one read
            read[binding.node] = await self._output(job, job.graph.nodes[binding.node])
        return dig(read[binding.node], binding.path)

    async def _output(self, job: Job, node: Node) -> Any:
        state, output = await self._reader.output(TaskRef(job.id, node.name))
        if state is TaskState.SKIPPED:
            return None
        if node.mapped:
            return [await self._one(s, o, node) async for s, o in self._reader.outputs(job.id, node.name)]
        return await self._one(state, output, node)

    async def _one(self, state: TaskState, output: str | None, node: Node) -> Any:
        if state is not TaskState.DONE or output is None:
            return None
        value = json.loads(output)
        if node.nested:
            return await self.result(await self._jobs.get(value["$job"]))
        return value
