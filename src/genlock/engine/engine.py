"""The engine: starts jobs, answers questions about them, and tells the executor what it must stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from genlock import trace
from genlock.clock import Clock
from genlock.engine.accounts import Accounts
from genlock.engine.aftercare import Aftercare
from genlock.engine.attempt import Attempts, Limits
from genlock.engine.calls import Calls
from genlock.engine.codec import canonical, load
from genlock.engine.declare import Pipeline
from genlock.engine.executor import Executor, NoExecutor
from genlock.engine.job import Jobs
from genlock.engine.lookup import find_job
from genlock.engine.name import job_id
from genlock.engine.present import present_event, present_graph, present_task
from genlock.engine.snapshot import Snapshots
from genlock.engine.spec import check_same, first_resources, fit_inputs, job_spec
from genlock.engine.task import Task
from genlock.engine.views import EventView, GraphView, JobView, RedoView, TaskView
from genlock.engine.waking import wake_fitting
from genlock.errors import BadInput, Conflict, GraphError, NotFound, StageError
from genlock.ledger.protocol import Ledger, LedgerReader
from genlock.ledger.records import JobCreated, JobFilter, JobSpec, JobState, TaskRef

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

PAGE = 1000  # tasks or events read at a time
PATIENCE = 20.0  # seconds one look for new events waits before it looks again


class Engine:
    """One engine per process, over one ledger. `tools` are what `provided()` hands out, by annotation."""

    def __init__(
        self,
        ledger: Ledger,
        reader: LedgerReader,
        pipelines: Iterable[Pipeline[..., Any]],
        tools: Mapping[Any, object],
        *,
        clock: Clock,
        work: Path,
        limits: Limits | None = None,
        deadline: timedelta | None = timedelta(hours=2),
        rng: random.Random | None = None,
        calls: Calls | None = None,
    ) -> None:
        self.ledger, self.reader, self.clock = ledger, reader, clock
        self.pipelines = {p.name: p for p in pipelines}
        self._check_tools(tools)
        known = {p.name: p for top in self.pipelines.values() for p in (top, *top.pipelines())}
        self.jobs = Jobs(reader, known)
        self._rng = rng or random.Random()
        self._deadline = deadline
        self.attempts = Attempts(
            ledger,
            reader,
            self.jobs,
            tools,
            clock=clock,
            limits=limits or Limits(),
            work=work,
            rng=self._rng,
            calls=calls,
        )
        self._snapshots = Snapshots(reader, self.jobs, self.attempts.values, clock)
        self._executor: Executor = NoExecutor()
        self.aftercare = None if calls is None else Aftercare(calls, reader)
        vendors = None if calls is None else calls.vendors
        self.accounts = Accounts(ledger, reader, clock, find=self._id, ring=self.ring, vendors=vendors)

    def _check_tools(self, tools: Mapping[Any, object]) -> None:
        for pipeline in self.pipelines.values():
            for stage in pipeline.all_stages():
                for name, want in stage.tools.items():
                    if want is not Task and want not in tools:
                        raise GraphError(
                            f"stage {stage.name!r} asks for {name}: {want!r}, which nothing provides here"
                        )

    def attach(self, executor: Executor) -> None:
        """What runs the tasks in this process, if anything does."""
        self._executor = executor

    # -- from Python ---------------------------------------------------------------------------------

    async def run(self, pipeline: Pipeline[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Start a job, wait for its end and answer with its result. `StageError` if it failed."""
        job = await self._start(pipeline, pipeline.encode_inputs(*args, **kwargs))
        return await self.result(pipeline, job)

    async def result(self, pipeline: Pipeline[P, R], job: str) -> R:
        """Wait for a job's end; the result in the pipeline's own type. `StageError` if there is none."""
        try:
            row = await self.reader.ended(job, PATIENCE)
        except NotFound:
            row = await find_job(self.reader, job)
        while not row.state.finished:
            row = await self.reader.ended(row.id, PATIENCE)
        if row.state is not JobState.COMPLETED:
            why = f": {row.error.message}" if row.error else ""
            raise StageError(f"job {row.id} is {row.state}{why}")
        found = await self.attempts.values.result(self.jobs.of(row))
        try:
            value: R = load(pipeline.output, found, f"the result of job {row.id}")
        except BadInput as error:
            another = f"; the job was started by another version of {pipeline.name!r}"
            why = f"{_skipped(await self._snapshots.of(row))}{another if row.graph != pipeline.text else ''}"
            raise StageError(f"{error}{why}") from error
        return value

    # -- the face of JobService ------------------------------------------------------------------------

    async def start(
        self,
        pipeline: str,
        params: Mapping[str, Any],
        *,
        id: str | None = None,
        owner: str = "local",
        dedup: str | None = None,
        deadline: timedelta | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> JobView:
        if pipeline not in self.pipelines:
            raise NotFound(
                f"there is no pipeline {pipeline!r}; there are: {', '.join(sorted(self.pipelines))}"
            )
        found = self.pipelines[pipeline]
        job = await self._start(
            found,
            fit_inputs(found, params),
            id=id,
            owner=owner,
            dedup=dedup,
            deadline=deadline,
            labels=labels,
        )
        return await self.show(job)

    async def _start(
        self,
        pipeline: Pipeline[..., Any],
        inputs: Mapping[str, Any],
        *,
        id: str | None = None,
        owner: str = "local",
        dedup: str | None = None,
        deadline: timedelta | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> str:
        while True:
            spec = job_spec(
                pipeline,
                inputs,
                id=id or job_id(self.clock.now(), self._rng),
                owner=owner,
                dedup=dedup,
                deadline=deadline or self._deadline,
                labels={**trace.label(), **(labels or {})},
            )
            # Shielded: a task that was claimed with its job is begun, whoever gave up waiting.
            created = await asyncio.shield(self._create(spec))
            if id and not created.created and created.id == id:
                check_same(await self.reader.job(id), spec)
            if created.created or id or created.id != spec.id:
                return created.id  # else the id that was drawn is another job's

    async def _create(self, spec: JobSpec) -> JobCreated:
        """Write a job, and begin its first task at once if there is room for it here."""
        taker = self._executor.reserve(first_resources(spec))
        created = None
        try:
            created = await self.ledger.create_job(spec, taker=taker)
            if created.created_at is not None:
                self.jobs.begun(spec, created.created_at)
        finally:
            if taker is not None:
                self._executor.fill(taker, created.claimed if created else ())
        if created.claimed and len(created.ready) == 1:
            self._executor.expect(spec.deadline)
        else:
            self._executor.ring()
        return created

    async def find(self, job: str, *, owner: str | None = None) -> str:
        return (await find_job(self.reader, job, owner)).id

    async def show(self, job: str) -> JobView:
        row = await find_job(self.reader, job)
        view = await self._snapshots.of(row)
        return view.model_copy(update={"cost": await self.accounts.cost_of(row.id)})

    async def list(
        self,
        *,
        states: Collection[JobState] = (),
        pipeline: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobView]:
        where = JobFilter(states=frozenset(states), pipeline=pipeline, owner=owner)
        rows = await self.reader.jobs(where, after=after, limit=limit)
        return await asyncio.gather(*(self._snapshots.of(row) for row in rows))

    async def tasks(self, job: str) -> Sequence[TaskView]:
        row = await find_job(self.reader, job)
        views: list[TaskView] = []
        last: str | None = None
        while page := await self.reader.tasks(row.id, after=last, limit=PAGE):
            views += map(present_task, page)
            last = page[-1].ref.key
        return views

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[EventView]:
        row = await find_job(self.reader, job)
        return [present_event(e) for e in await self.reader.events(row.id, after=after, limit=limit)]

    async def watch(self, job: str, *, after: int = 0) -> AsyncIterator[EventView]:
        found = (await find_job(self.reader, job)).id
        while True:
            page = await self.reader.events(found, after=after, limit=PAGE)
            for event in page:
                after = event.seq
                yield present_event(event)
            if len(page) == PAGE:
                continue
            row = await self.reader.job(found)
            if row.state.finished and row.last_event <= after:
                return
            await self.reader.changed(found, after, PATIENCE)

    async def graph(self, job: str) -> GraphView:
        """Of a job with its states, or of a pipeline by name."""
        if job in self.pipelines:
            graph, states = self.pipelines[job].graph, None
        else:
            row = await find_job(self.reader, job)
            graph = self.jobs.of(row).graph
            view = await self._snapshots.of(row)
            states = {stage.name: str(stage.state) for stage in view.stages}
        return present_graph(graph, states)

    async def cancel(self, job: str, reason: str = "") -> JobView:
        row = await find_job(self.reader, job)
        await asyncio.shield(self._call_off(row.id, reason))
        return await self.show(row.id)

    async def pause(self, job: str, reason: str = "") -> JobView:
        row = await find_job(self.reader, job)
        await self.ledger.pause(row.id, reason)
        return await self.show(row.id)

    async def resume(self, job: str) -> JobView:
        row = await find_job(self.reader, job)
        await self.ledger.resume(row.id)
        self._executor.ring()
        return await self.show(row.id)

    async def retry(self, job: str) -> JobView:
        row = await find_job(self.reader, job)
        await asyncio.shield(self._shift(self.ledger.retry(row.id)))
        return await self.show(row.id)

    async def redo(self, job: str, target: str, *, dry_run: bool = False) -> RedoView:
        row = await find_job(self.reader, job)
        if dry_run:
            plan = await self.reader.plan_redo(row.id, [target])
        else:
            plan = await asyncio.shield(self._shift(self.ledger.redo(row.id, [target])))
        return RedoView(
            job=row.id,
            redone=list(plan.redone),
            maybe=list(plan.maybe),
            kept=list(plan.kept),
            dry_run=dry_run,
        )

    async def forget(self, finished_before: datetime) -> Sequence[str]:
        """Delete jobs that finished before this time; their ids, which are free again."""
        gone = await self.ledger.forget(finished_before)
        for job in gone:
            self.jobs.forget(job)
        return gone

    async def signal(self, job: str, task: str, name: str, value: Any) -> JobView:
        row = await find_job(self.reader, job)
        if not await self.ledger.signal(TaskRef(row.id, task), name, canonical(value)):
            raise Conflict(f"{name!r} of {row.id}/{task} was answered before; the first answer stays")
        self._executor.ring()
        return await self.show(row.id)

    async def wake_fitting(self) -> int:
        """Let tasks go on that wait for code and find it in this program; how many. Asked for once, when
        this program begins: its code stays what it is.
        """
        woken = await wake_fitting(self.ledger, self.reader, self.jobs)
        self._executor.ring()
        return woken

    async def reconsider(self) -> int:
        """Let tasks look again that wait for money, for the settings may allow more by now; how many."""
        woken = await self.ledger.reconsider()
        self._executor.ring()
        return len(woken)

    async def copy_ledger(self) -> str:
        return await self.reader.copy()

    # -- inside ----------------------------------------------------------------------------------------

    async def _id(self, job: str) -> str:
        return (await find_job(self.reader, job)).id

    def ring(self) -> None:
        """Tasks may have become ready by what others wrote."""
        self._executor.ring()
        if self.aftercare is not None:
            self.aftercare.ring()

    async def _call_off(self, job: str, reason: str) -> None:
        """Shielded by its callers: what the ledger took away is stopped here, whoever gave up waiting."""
        await self._executor.stop_tasks(await self.ledger.cancel(job, reason))
        self.ring()

    async def _shift(self, verb: Awaitable[T]) -> T:
        """Do a verb that may take claims away, here and in other jobs around this one. Shielded as well."""
        answer = await verb
        await self._executor.stop_lost()
        self.ring()
        return answer


def _skipped(view: JobView) -> str:
    found = (f"{stage.name} was skipped ({stage.note})" for stage in view.stages if stage.state == "skipped")
    return "".join(f"; {each}" for each in found)
