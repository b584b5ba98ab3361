"""A job service of plain lists: API, client and command line are tested without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from genlock.engine.service import JobService
from genlock.engine.views import ErrorView, EventView, GraphView, JobView, RedoView, StageView, TaskView
from genlock.errors import BadInput, Conflict, NotFound
from genlock.ledger.records import JobState, TaskState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stage(name: str, state: TaskState, total: int = 1, done: int = 0, **more: Any) -> StageView:
    counts = {TaskState.DONE: done, TaskState.READY: total - done}
    return StageView(
        name=name,
        mapped=total > 1,
        state=state,
        total=total,
        counts={k: v for k, v in counts.items() if v},
        progress=done / total,
        **more,
    )


class FakeService(JobService):
    def __init__(self) -> None:
        self.jobs: dict[str, JobView] = {}
        self.history: dict[str, list[EventView]] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.dedups: dict[str, str] = {}
        self.changed = asyncio.Event()
        self.fault: Exception | None = None

    def add(self, id: str, state: JobState = JobState.RUNNING, **more: Any) -> JobView:
        fields: dict[str, Any] = {
            "pipeline": "campaign",
            "stage": "video_generation",
            "stages": [
                stage("collect", TaskState.DONE, 1, 1),
                stage("video_generation", TaskState.SPREAD, 4, 1, note="clip 2"),
                stage("store_film", TaskState.BLOCKED),
            ],
            "completed_stages": 1,
            "total_stages": 3,
            "progress": 0.4,
            "owner": "local",
            "executor": "embedded",
            "created_at": NOON,
            "updated_at": NOON,
            "started_at": NOON,
            "finished_at": None,
            "deadline_at": None,
            "error": None,
            "labels": {"some_key": 1},
            "last_event": 0,
        }
        self.jobs[id] = JobView(id=id, state=state, **(fields | more))
        self.history.setdefault(id, [])
        return self.jobs[id]

    def tell(self, job: str, kind: str, task: str | None = None, **data: Any) -> None:
        events = self.history[job]
        events.append(EventView(job=job, seq=len(events) + 1, at=NOON, kind=kind, task=task, data=data))
        self.set(job, last_event=len(events))

    def set(self, job: str, **fields: Any) -> JobView:
        self.jobs[job] = self.jobs[job].model_copy(update=fields)
        self.changed.set()
        self.changed = asyncio.Event()
        return self.jobs[job]

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
        self.asked.append(("start", pipeline, dict(params), id, owner, dedup, deadline, dict(labels or {})))
        if pipeline != "campaign":
            raise NotFound(f"there is no pipeline {pipeline!r}")
        if params.get("num_pairs", 1) < 1:
            raise BadInput("num_pairs must be at least 1")
        known = self.dedups.get(dedup or "")
        if known:
            return self.jobs[known]
        job = self.add(id or f"job{len(self.jobs)}", JobState.PENDING)
        self.dedups[dedup or ""] = job.id
        return job

    async def find(self, job: str, *, owner: str | None = None) -> str:
        found = await self.show(job)
        if owner not in (None, found.owner):
            raise NotFound(f"there is no job {job!r}")
        return found.id

    async def show(self, job: str) -> JobView:
        if self.fault:
            raise self.fault
        fitting = [known for known in self.jobs if known.startswith(job)]
        if len(fitting) != 1:
            raise NotFound(f"there is no job {job!r}")
        return self.jobs[fitting[0]]

    async def list(
        self,
        *,
        states: Collection[JobState] = (),
        pipeline: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobView]:
        found = sorted(self.jobs.values(), key=lambda job: job.id, reverse=True)
        return [
            job
            for job in found
            if (not states or job.state in states)
            and pipeline in (None, job.pipeline)
            and owner in (None, job.owner)
            and (after is None or job.id < after)
        ][:limit]

    async def tasks(self, job: str) -> Sequence[TaskView]:
        found = await self.show(job)
        blank: dict[str, Any] = dict.fromkeys(
            ("progress", "note", "waits_for", "due_at", "started_at", "finished_at", "holder", "reason")
        )
        error = ErrorView(kind="RenderCrashed", message="the process died", task="video_generation/1")
        return [
            TaskView(
                key=key,
                stage=key.partition("/")[0],
                state=state,
                attempt=1,
                tries=0,
                reclaims=0,
                revision=1,
                error=error if state is TaskState.FAILED else None,
                **blank,
            )
            for key, state in (
                ("collect", TaskState.DONE),
                ("video_generation/0", TaskState.DONE),
                ("video_generation/1", TaskState.FAILED),
            )
            if found
        ]

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[EventView]:
        return self.history[(await self.show(job)).id][after : after + limit]

    async def watch(self, job: str, *, after: int = 0) -> AsyncIterator[EventView]:
        found = (await self.show(job)).id
        while True:
            changed = self.changed
            for event in self.history[found][after:]:
                after = event.seq
                yield event
            if self.fault:
                raise self.fault
            if self.jobs[found].state.finished:
                return
            await changed.wait()

    async def graph(self, job: str) -> GraphView:
        await self.show(job)
        return GraphView(
            pipeline="campaign", nodes=[{"name": "collect"}], edges=[], mermaid="graph TD", svg="<svg/>"
        )

    async def cancel(self, job: str, reason: str = "") -> JobView:
        found = await self.show(job)
        if found.state is JobState.COMPLETED:
            raise Conflict(f"job {found.id} is completed")
        self.asked.append(("cancel", found.id, reason))
        return self.set(found.id, state=JobState.CANCELLED)

    async def pause(self, job: str, reason: str = "") -> JobView:
        return self.set((await self.show(job)).id, state=JobState.PAUSED)

    async def resume(self, job: str) -> JobView:
        return self.set((await self.show(job)).id, state=JobState.RUNNING)

    async def retry(self, job: str) -> JobView:
        return self.set((await self.show(job)).id, state=JobState.RUNNING, error=None)

    async def redo(self, job: str, target: str, *, dry_run: bool = False) -> RedoView:
        found = await self.show(job)
        return RedoView(
            job=found.id, redone=[target], maybe=["store_film"], kept=["collect"], dry_run=dry_run
        )

    async def copy_ledger(self) -> str:
        return "home/ledger.db.copy-1"

    async def signal(self, job: str, task: str, name: str, value: Any) -> JobView:
        self.asked.append(("signal", job, task, name, value))
        return await self.show(job)


@pytest.fixture
def service() -> FakeService:
    return FakeService()
