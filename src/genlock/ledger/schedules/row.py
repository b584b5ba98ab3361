"""Rows of schedules and firings as records, and the other way round."""

from __future__ import annotations

from typing import Any

from genlock.ledger.moment import from_micros, from_micros_or_none
from genlock.ledger.records import JobState
from genlock.ledger.schedules.records import (
    FiringKind,
    FiringRow,
    FiringState,
    Kind,
    Missed,
    Overlap,
    ScheduleRow,
    ScheduleSpec,
    ScheduleState,
)
from genlock.ledger.wording import named, plain, plain_or_none

DELETED = "its job was deleted before what came of it was seen"


def spec_values(spec: ScheduleSpec) -> dict[str, Any]:
    """The columns of what a schedule does and when."""
    return {
        "id": named(spec.id, "the id"),
        "name": plain(spec.name),
        "owner": named(spec.owner, "the owner"),
        "workflow": plain(spec.workflow),
        "pipeline": named(spec.pipeline, "the pipeline"),
        "params": spec.params,
        "kind": spec.kind.value,
        "expression": plain(spec.expression),
        "zone": plain(spec.zone),
        "missed": spec.missed.value,
        "overlap": spec.overlap.value,
        "cap": plain_or_none(spec.cap),
        "patience": spec.patience,
    }


def schedule_row(row: Any) -> ScheduleRow:
    """A row of the schedule table as a record."""
    spec = ScheduleSpec(
        id=row.id,
        name=row.name,
        owner=row.owner,
        workflow=row.workflow,
        pipeline=row.pipeline,
        params=row.params,
        kind=Kind(row.kind),
        expression=row.expression,
        zone=row.zone,
        missed=Missed(row.missed),
        overlap=Overlap(row.overlap),
        cap=row.cap,
        patience=row.patience,
    )
    return ScheduleRow(
        spec=spec,
        state=ScheduleState(row.state),
        reason=row.reason,
        failures=row.failures,
        anchor_at=from_micros(row.anchor_at),
        next_at=from_micros_or_none(row.next_at),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
    )


def firing_row(row: Any) -> FiringRow:
    """A row of the firing table as a record."""
    return FiringRow(
        schedule=row.schedule,
        due_at=from_micros(row.due_at),
        kind=FiringKind(row.kind),
        state=FiringState(row.state),
        job=row.job,
        reason=row.reason,
        fired_at=from_micros(row.fired_at),
        ended_at=from_micros_or_none(row.ended_at),
    )


def outcome_of(job_state: str | None, error: str | None) -> tuple[FiringState, str | None]:
    """What came of a firing whose job ended in this state, and why; None: the job is there no more."""
    match None if job_state is None else JobState(job_state):
        case None:
            return FiringState.CANCELLED, DELETED
        case JobState.COMPLETED:
            return FiringState.SUCCEEDED, None
        case JobState.CANCELLED:
            return FiringState.CANCELLED, "its job was cancelled"
        case _:
            return FiringState.FAILED, error
