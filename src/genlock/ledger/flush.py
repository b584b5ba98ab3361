"""Writing drafts back where they differ from the rows they were read from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import compress
from operator import attrgetter, ne, or_
from typing import Any

from sqlalchemy import Connection

from genlock.errors import LedgerError
from genlock.ledger.draft import JOB_FIELDS, TASK_FIELDS, JobDraft, TaskDraft
from genlock.ledger.statement import Statements

task_values = attrgetter(*TASK_FIELDS)
job_values = attrgetter(*JOB_FIELDS)
_FEW = 4
_STATE, _TOKEN = TASK_FIELDS.index("state"), TASK_FIELDS.index("token")
_LAST_EVENT = JOB_FIELDS.index("last_event")
_Changed = tuple[TaskDraft, tuple[Any, ...]]  # and the values that its row is to have


def flush_tasks(connection: Connection, statements: Statements, tasks: Iterable[TaskDraft]) -> None:
    """UPDATE the rows of these drafts; each must be in the state and under the token it was read with."""
    changed = [(task, now) for task in tasks if (now := task_values(task)) != task.was]
    for differs, some in _written_alike(changed):
        rows = [(*compress(now, differs), task.id, task.was[_STATE], task.was[_TOKEN]) for task, now in some]
        for task, now in some:
            task.was = now
        fields = tuple(compress(TASK_FIELDS, differs))
        names = (*fields, "row_id", "was_state", "was_token")
        touched = statements.write_tasks(fields).run_rows(connection, rows, names)
        if touched != len(rows):
            raise LedgerError(f"{len(rows) - touched} tasks were changed by another writer meanwhile")


def _written_alike(changed: Sequence[_Changed]) -> Iterable[tuple[Sequence[bool], Sequence[_Changed]]]:
    """Drafts that one statement writes: with the same fields; or a few with all that differ in any of
    them, for one statement more costs as much as many fields do.
    """
    found: dict[tuple[bool, ...], list[_Changed]] = defaultdict(list)
    for one in changed:
        found[tuple(map(ne, one[1], one[0].was))].append(one)
    if 1 < len(changed) <= _FEW:
        return [(reduce(_either, found), changed)]
    return found.items()


def _either(one: tuple[bool, ...], other: tuple[bool, ...]) -> tuple[bool, ...]:
    return tuple(map(or_, one, other))


def flush_job(connection: Connection, statements: Statements, job: JobDraft) -> None:
    """UPDATE the row of a job; its last event must be the one it was read with."""
    now, was = job_values(job), job.was
    if now == was:
        return
    differs = tuple(map(ne, now, was))
    fields = tuple(compress(JOB_FIELDS, differs))
    row, names = (*compress(now, differs), job.id, was[_LAST_EVENT]), (*fields, "row_id", "was_event")
    if statements.write_job(fields).run_rows(connection, [row], names) != 1:
        raise LedgerError(f"job {job.id} was changed by another writer meanwhile")
    job.was = now
