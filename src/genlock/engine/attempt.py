"""One try at one task: every executor calls `Attempts.run` and nothing else."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from genlock import trace
from genlock.clock import Clock
from genlock.engine.body import Bodies
from genlock.engine.calls import Calls
from genlock.engine.codec import dump_text, encode, input_hash_of
from genlock.engine.declare import Pipeline, Stage
from genlock.engine.failure import failure_of, kept, sole
from genlock.engine.fit import SIGNAL, Unfit
from genlock.engine.graph import Node
from genlock.engine.job import Job, Jobs
from genlock.engine.retry import RetryDefault, retry_at
from genlock.engine.scratch import Scratch
from genlock.engine.seat import NOWHERE, Seat
from genlock.engine.spec import child_spec
from genlock.engine.task import LedgerTask, Task
from genlock.engine.value import Values
from genlock.errors import ClaimLost, DiskFull, NotFound, Parked, Skip, is_full
from genlock.ledger.protocol import Ledger, LedgerReader
from genlock.ledger.records import Advance, Claim, JobSpec, JobState
from genlock.paid import Metered
from genlock.trace import Place, Tracer

PAGE = 1000  # children of a map written in one transaction
ROOM_MAY_COME = timedelta(minutes=1)  # between two tries on a disk that was full
CODE_MAY_COME, CODE_COMES_SLOWLY = timedelta(minutes=1), timedelta(hours=1)  # between looks; they double


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for stages that name nothing of their own."""

    attempt_timeout: timedelta = timedelta(minutes=30)
    retry: RetryDefault = field(default_factory=RetryDefault)


class Attempts:
    """Runs claimed tasks. Holds no state of its own: a lost process is a lost attempt and nothing more."""

    def __init__(
        self,
        ledger: Ledger,
        reader: LedgerReader,
        jobs: Jobs,
        tools: Mapping[Any, object],
        *,
        clock: Clock,
        limits: Limits,
        work: Path,
        rng: random.Random,
        calls: Calls | None = None,
    ) -> None:
        self._ledger, self._reader, self._jobs = ledger, reader, jobs
        self._tools, self._clock, self._limits, self._rng = tools, clock, limits, rng
        self._work, self._calls = work, calls
        self.values = Values(reader, jobs)
        self.bodies = Bodies()
        self.tracer: Tracer | None = None  # of those who watch over this process

    async def run(self, claim: Claim, seat: Seat = NOWHERE) -> Advance:
        """Run a claimed task and write what came of it. A claim lost on the way ends quietly.

        `seat` is what the caller has for it: it lends the resources to others while a provider is asked.
        """
        task = claim.task
        place = trace.enter(Place(job=task.job, task=task.key, attempt=claim.attempt, tracer=self.tracer))
        try:
            return await self._outcome(claim, seat)
        except ClaimLost:
            return Advance()
        finally:
            trace.leave(place)

    async def _outcome(self, claim: Claim, seat: Seat) -> Advance:
        try:
            job = await self._jobs.get(claim.task.job)
            told = {"job": job.id, "task": claim.task.key, "attempt": claim.attempt}
            with trace.span("task", parent=job.trace, **told):
                return await self._advance(job, job.graph.nodes[claim.task.node], claim, seat)
        except BaseException as error:  # noqa: BLE001 - whatever a body raises is an outcome, and is recorded
            return await self._raised(claim, error)

    async def _raised(self, claim: Claim, error: BaseException) -> Advance:
        """What came of a body that ended with an error, a signal, or a group of them."""
        match sole(error):
            case ClaimLost() | asyncio.CancelledError() | KeyboardInterrupt() as ours:
                raise ours
            case Skip() as signal:
                return await self._ledger.skip(claim, kept(str(signal)))
            case Unfit() as signal:
                return await self._await_code(claim, signal)
            case Parked() as signal:
                return await self._park(claim, signal)
            case failure if isinstance(failure, DiskFull) or is_full(failure):
                return await self._park(claim, self._until_room(failure))
            case failure:
                return await self._fail(claim, failure)

    async def _advance(self, job: Job, node: Node, claim: Claim, seat: Seat) -> Advance:
        if node.when is not None and not await self.values.resolve(job, node.when):
            return await self._ledger.skip(claim, "its condition is false")
        stage = job.stage(node)
        arguments = await self.values.arguments(job, node, claim)
        if node.mapped and claim.task.index is None:
            return await self._spread(claim, arguments[node.mapped].value)
        texts = {name: argument.canonical for name, argument in arguments.items()}
        hashed = input_hash_of(texts, node.stage, stage.version)
        if claim.kept is not None and claim.kept.input_hash == hashed:
            return await self._succeed(claim, claim.kept.output, hashed, seat, kept=True)
        if isinstance(stage, Pipeline):
            inputs = {name: argument.value for name, argument in arguments.items()}
            if job.fit(node).change is not None:  # else they fit as they did when the job was started
                job.read(node, {name: argument.text for name, argument in arguments.items()})
                inputs = stage.accept_inputs(inputs)  # fields that are new since have their defaults
            return await self._ledger.nest(claim, await self._child(stage, claim, inputs))
        share = (
            stage.reuse and claim.revision == 1
        )  # another take is asked for because this one did not please
        shared = await self._reader.shared(hashed) if share else None
        if shared is not None:
            return await self._succeed(claim, shared, hashed, seat, kept=True)
        values = job.read(node, {name: argument.text for name, argument in arguments.items()})
        output = await self._body(stage, claim, values, seat)
        return await self._succeed(claim, output, hashed, seat, share=share)

    async def _child(self, pipeline: Pipeline[..., Any], claim: Claim, inputs: Mapping[str, Any]) -> JobSpec:
        """A nested job that was cancelled is so for good: a retry of its task makes another one."""
        around = await self._jobs.get(claim.task.job)
        spec = child_spec(pipeline, claim, inputs, json.loads(around.labels))
        if claim.attempt > 1:
            with suppress(NotFound):
                before = await self._reader.job(spec.id)
                if before.state is JobState.CANCELLED:
                    return replace(spec, id=f"{spec.id}-a{claim.attempt}")
        return spec

    async def _body(self, stage: Stage[..., Any], claim: Claim, values: dict[str, Any], seat: Seat) -> str:
        scratch = Scratch(self._work, claim)
        if stage.tools:
            task = self._task(claim, scratch, seat)
            values |= {name: self._tool(want, task) for name, want in stage.tools.items()}
        try:
            limit = stage.timeout or self._limits.attempt_timeout
            result = await self.bodies.run(stage.body(**values), limit, claim.task)
        finally:
            if scratch.made:
                await scratch.clear()
        return dump_text(stage.output, result, f"what {stage.name} returned")

    def _task(self, claim: Claim, scratch: Scratch, seat: Seat) -> LedgerTask:
        folder = scratch.folder
        return LedgerTask(claim, self._ledger, self._reader, self._clock, folder, self._calls, seat)

    def _tool(self, want: Any, task: LedgerTask) -> object:
        """What a stage asks for; of what costs money a face that pays through this task."""
        tool = task if want is Task else self._tools[want]
        return tool.meter(task) if isinstance(tool, Metered) else tool

    async def _succeed(
        self,
        claim: Claim,
        output: str,
        hashed: str,
        seat: Seat,
        *,
        kept: bool = False,
        share: bool = False,
    ) -> Advance:
        then = seat.next()
        advance = await self._ledger.succeed(
            claim,
            output,
            input_hash=hashed,
            kept=kept,
            share=share,
            claim_next=then.limit,
            resources=then.resources,
        )
        for claimed in advance.claimed:
            self.values.hand_over(claimed, claim.task, output)
        return advance

    async def _spread(self, claim: Claim, items: list[Any] | None) -> Advance:
        """A page a transaction; what an interrupted attempt has written already is not written again."""
        found = items or []
        start = claim.children
        while True:
            page = [encode(item) for item in found[start : start + PAGE]]
            last = start + PAGE >= len(found)
            advance = await self._ledger.spread(claim, page, offset=start, last=last)
            if last:
                return advance
            start += PAGE

    async def _park(self, claim: Claim, signal: Parked) -> Advance:
        if not signal.reason and signal.until is not None:  # a snooze: nothing to tell people
            await self._ledger.snooze(claim, signal.until)
            return Advance()
        reason = kept(signal.reason)
        return await self._ledger.park(claim, reason, signal=signal.signal, until=signal.until)

    def _until_room(self, error: BaseException) -> Parked:
        """A full disk is nothing that the task did wrong, and trying again at once would not help."""
        reason = f"the disk is full: {error}; goes on when there is room"
        return Parked(reason, until=self._clock.now() + ROOM_MAY_COME)

    async def _await_code(self, claim: Claim, signal: Unfit) -> Advance:
        """Park until a program with code that fits begins, and look from time to time: it may run already."""
        until = self._clock.now() + min(CODE_MAY_COME * 2 ** min(claim.attempt - 1, 16), CODE_COMES_SLOWLY)
        name = f"{SIGNAL}{claim.attempt}"  # a name of its own: the first value of a name stays
        return await self._ledger.park(claim, kept(signal.reason), signal=name, until=until)

    async def _fail(self, claim: Claim, error: BaseException) -> Advance:
        job = await self._jobs.get(claim.task.job)
        stage = job.fit(job.graph.nodes[claim.task.node]).code
        again = retry_at(
            error,
            stage.retry if isinstance(stage, Stage) else None,
            self._limits.retry,
            tries=claim.tries + 1,
            now=self._clock.now(),
            rng=self._rng,
        )
        return await self._ledger.fail(claim, failure_of(error), retry_at=again)
