"""Holding and letting go of a job's tasks, in slices when they are many.

`held` on a task says that its job lets nothing be claimed, so that the index of what is ready leaves it
out. It follows from the job's state alone, and the job's state is what counts: whoever claims looks at
both. So the state changes at once, for all to see, and the rows may follow in several transactions,
between which other verbs are served. `unswept` on the job names the change whose rows are not all
brought in line yet; a later change has another name, and the sweep of the earlier one leaves off.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Update, select, tuple_, update

from genlock.ledger import schema
from genlock.ledger.batch import Batch
from genlock.ledger.draft import PARKED, READY, JobDraft

SLICE = 4000  # rows in one transaction; a quarter of that on PostgreSQL, where each costs four times as much

_task = schema.task.c
_place = tuple_(_task.position, _task.idx)


@dataclass
class Sweep:
    """What is left to do for one change of a job's state: all rows behind `place`, in graph order."""

    job: str
    number: int
    place: tuple[int, int] = (-1, -1)


def hold(batch: Batch, job: JobDraft) -> None:
    """Show the tasks of a job whether it lets them be claimed."""
    rows = sum(node.written for node in batch.nodes(job.id).values())
    if rows <= SLICE:
        job.unswept = 0
        batch.sweep(job.id, _in_line(job))
    else:
        job.unswept = secrets.randbits(62) + 1
        batch.left.append((job.id, job.unswept))


def go_on(batch: Batch, sweep: Sweep) -> bool:
    """Bring the next slice in line; answers whether there is more."""
    found = batch.find_job(sweep.job)
    if found is None or found.unswept != sweep.number:
        return False
    rest = select(_task.position, _task.idx).where(_task.job == sweep.job, _place > tuple_(*sweep.place))
    size = max(1, SLICE // 4) if batch.statements.shared else SLICE
    end = batch.select(rest.order_by(_task.position, _task.idx).offset(size - 1).limit(1))
    window = _in_line(found).where(_place > tuple_(*sweep.place))
    if not end:
        batch.sweep(sweep.job, window)
        found.unswept = 0
        return False
    last = (end[0].position, end[0].idx)
    batch.sweep(sweep.job, window.where(_place <= tuple_(*last)))
    sweep.place = last
    return True


def _in_line(job: JobDraft) -> Update:
    held = int(not job.claimable)
    ours = (_task.job == job.id, _task.state.in_((READY, PARKED)), _task.held != held)
    return update(schema.task).where(*ours).values(held=held)


def take_up(batch: Batch) -> None:
    """Go on with what a process that is gone has left in between."""
    job = schema.job.c
    found = select(job.id, job.unswept).where(schema.IS_UNSWEPT)
    batch.left += [(row.id, row.unswept) for row in batch.select(found)]
