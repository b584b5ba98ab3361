"""Where a task's arguments come from: the job's input, constants, and what upstream tasks came to."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from genlock.engine.codec import canonical, canonical_text, dig, encode
from genlock.engine.graph import INPUT, Binding, Const, Node
from genlock.engine.job import Job, Jobs
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import Claim, TaskRef, TaskState

KEPT_IN_MEMORY = 32_000_000  # characters of arguments that the children of maps share
HANDED_OVER = 100_000  # characters of an output at most that goes from task to task without being read
MOST_HANDED = 256
EMPTY = 1_000  # what an opening of a map counts for that has nothing in common


class Argument:
    """A JSON value with its texts, each of which is written once, however many tasks take it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @cached_property
    def text(self) -> str:
        return encode(self.value)

    @cached_property
    def canonical(self) -> str:
        return canonical(self.value)


class Written:
    """An `Argument` that is a text of the ledger, which few look into."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def value(self) -> Any:
        return json.loads(self.text)

    @cached_property
    def canonical(self) -> str:
        return canonical_text(self.text)


Given = Argument | Written
Arguments = dict[str, Given]
Opening = tuple[str, datetime, str, int]  # of a map: job, when that began, node, epoch


class Values:
    """Resolves bindings into JSON values, reading only the rows that are named.

    What the children of a map have in common is read by the first of them. It holds for their epoch: a
    redo of anything upstream takes the claims of the old epoch away before a value can be another one.
    """

    def __init__(self, reader: LedgerReader, jobs: Jobs) -> None:
        self._reader, self._jobs = reader, jobs
        self._handed: OrderedDict[str, tuple[str, str]] = OrderedDict()  # by token: a node and its output
        self._common: OrderedDict[Opening, asyncio.Task[Arguments]] = OrderedDict()
        self._weights: dict[Opening, int] = {}

    async def arguments(self, job: Job, node: Node, claim: Claim) -> Arguments:
        """Every data argument of a task by name; a map has its items alone, each child of it its own one."""
        if claim.task.index is None:
            names = [node.mapped] if node.mapped else node.bindings
            return await self._read(job, node, names, self._taken_over(job, claim))
        mine = Written(claim.item or "null")
        if len(node.bindings) == 1:
            return dict.fromkeys(node.bindings, mine)
        common = await self._shared(job, node, claim.epoch)
        return {name: mine if name == node.mapped else common[name] for name in node.bindings}

    async def _shared(self, job: Job, node: Node, epoch: int) -> Arguments:
        key = (job.id, job.created_at, node.name, epoch)
        if key not in self._common:
            others = [name for name in node.bindings if name != node.mapped]
            self._common[key] = asyncio.create_task(self._read(job, node, others, {}))
            self._common[key].add_done_callback(partial(self._weigh, key))
        self._common.move_to_end(key)
        read = self._common[key]
        return read.result() if read.done() else await asyncio.shield(read)

    def _weigh(self, key: Opening, read: asyncio.Task[Arguments]) -> None:
        """Keep what was read if it could be read, and let go of what was not used for longest."""
        if read.cancelled() or read.exception():
            del self._common[key]
            return
        self._weights[key] = EMPTY + sum(len(each.text) for each in read.result().values())
        while sum(self._weights.values()) > KEPT_IN_MEMORY:
            oldest = next(each for each in self._common if each in self._weights)
            del self._common[oldest], self._weights[oldest]

    def hand_over(self, claim: Claim, done: TaskRef, output: str) -> None:
        """A task was claimed in the commit that wrote this output, which it need not read then."""
        if done.index is None and done.job == claim.task.job and len(output) <= HANDED_OVER:
            self._handed[claim.token] = (done.node, output)
            if len(self._handed) > MOST_HANDED:
                self._handed.popitem(last=False)

    def _taken_over(self, job: Job, claim: Claim) -> dict[str, Written]:
        name, output = self._handed.pop(claim.token, (None, ""))
        if name is None or job.graph.nodes[name].nested:
            return {}
        return {name: Written(output)}

    async def _read(self, job: Job, node: Node, names: Iterable[str], read: dict[str, Written]) -> Arguments:
        return {name: await self._resolve(job, node.bindings[name], read) for name in names}

    async def resolve(self, job: Job, binding: Binding) -> Any:
        """The JSON value a binding stands for."""
        return (await self._resolve(job, binding, {})).value

    async def result(self, job: Job) -> Any:
        """What a completed job came to."""
        return await self.resolve(job, job.graph.result)

    async def _resolve(self, job: Job, binding: Binding, read: dict[str, Written]) -> Given:
        if isinstance(binding, Const):
            return Argument(binding.value)
        if binding.node == INPUT:
            return Argument(dig(job.input, binding.path))
        if binding.node not in read:  # two fields of one output are one read
            read[binding.node] = Written(await self._output(job, job.graph.nodes[binding.node]))
        found = read[binding.node]
        return Argument(dig(found.value, binding.path)) if binding.path else found

    async def _output(self, job: Job, node: Node) -> str:
        """What a node came to; of a map a list, put together from texts that nobody looks into."""
        state, output = await self._reader.output(TaskRef(job.id, node.name))
        if state is TaskState.SKIPPED:
            return "null"
        if not node.mapped:
            return await self._one(state, output, node)
        texts: list[str] = []
        async for page in self._reader.outputs(job.id, node.name):
            texts += [await self._one(*each, node) for each in page] if node.nested else _texts(page)
        return f"[{','.join(texts)}]"

    async def _one(self, state: TaskState, output: str | None, node: Node) -> str:
        (text,) = _texts([(state, output)])
        if not node.nested or text == "null":
            return text
        job = await self._jobs.get(json.loads(text)["$job"])
        return (await self._resolve(job, job.graph.result, {})).text


def _texts(page: Sequence[tuple[TaskState, str | None]]) -> list[str]:
    """Outputs as JSON: null of whatever came to nothing."""
    done = TaskState.DONE
    return ["null" if output is None or state is not done else output for state, output in page]
