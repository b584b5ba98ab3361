"""Rows of the tables as the values that readers are given."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from genlock.ledger.moment import from_micros, from_micros_or_none
from genlock.ledger.records import Failure, JobRow, JobState, TaskRef, TaskRow, TaskState


def _failure(row: Any) -> Failure | None:
    if row.error_kind is None:
        return None
    return Failure(row.error_kind, row.error_message or "", row.error_trace or "")


def job_row(row: Any) -> JobRow:
    """A row of the job table as a record."""
    return JobRow(
        id=row.id,
        pipeline=row.pipeline,
        state=JobState(row.state),
        graph=row.graph,
        input=row.input,
        labels=row.labels,
        owner=row.owner,
        executor=row.executor,
        parent=TaskRef(row.parent_job, row.parent_key) if row.parent_job else None,
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
        started_at=from_micros_or_none(row.started_at),
        finished_at=from_micros_or_none(row.finished_at),
        deadline=None if row.deadline is None else timedelta(microseconds=row.deadline),
        deadline_at=from_micros_or_none(row.deadline_at),
        error=_failure(row),
        failed_task=row.failed_task,
        last_event=row.last_event,
    )


def task_row(row: Any) -> TaskRow:
    """A row of the task table as a record."""
    return TaskRow(
        ref=TaskRef(row.job, row.key),
        state=TaskState(row.state),
        attempt=row.attempt,
        tries=row.tries,
        reclaims=row.reclaims,
        revision=row.revision,
        queue=row.queue,
        resources=row.resources,
        holder=row.holder,
        due_at=from_micros_or_none(row.due_at),
        parked_for=row.parked_for,
        progress=row.progress,
        progress_note=row.progress_note,
        started_at=from_micros_or_none(row.started_at),
        finished_at=from_micros_or_none(row.finished_at),
        input_hash=row.input_hash,
        output=row.output,
        error=_failure(row),
        reason=row.reason,
        mapped=bool(row.mapped and row.idx < 0),
        need=row.need,
        children=row.written,
        child_job=row.child_job,
    )
