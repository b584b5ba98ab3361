"""Jobs and tasks as tables: cut to the width of a terminal, whole where there is none."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genlock.cli.film import film_lines, left_out_lines
from genlock.cli.word import ago, briefly, folded, length, money, told
from genlock.ledger.library.verdict import GATE
from genlock.ledger.records import JobState, TaskState

if TYPE_CHECKING:
    from genlock.engine.views import JobView, StageView, TaskView

ASKS = "`genlock "  # in the reason of a task that waits for a person to give a command
SHOWN = 3  # such tasks that are named one by one
SIGNAL = "waits for "  # how `waits_for` begins for a task that waits for a signal, before its name
LONG = ("", "error", "waits", "without")  # facts that are worth more lines than one
WIDE = 400  # columns of a table that nobody's terminal has to hold
COLOUR = {
    JobState.RUNNING: "cyan",
    JobState.COMPLETED: "green",
    JobState.FAILED: "bold red",
    JobState.CANCELLED: "red",
    JobState.WAITING: "yellow",
    JobState.PAUSED: "yellow",
    TaskState.RUNNING: "cyan",
    TaskState.SPREAD: "cyan",
    TaskState.DONE: "green",
    TaskState.FAILED: "bold red",
    TaskState.PARKED: "yellow",
}


def jobs_table(jobs: Sequence[JobView], now: datetime) -> None:
    """One line a job."""
    if not jobs:
        print("No jobs.")
        return
    table = table_of("ID", "PIPELINE", "STATE", "STAGE", "DONE", "STARTED", "TOOK")
    for job in jobs:
        stage = "" if job.state is JobState.COMPLETED else job.stage or ""
        table.add_row(
            job.id,
            Text(job.pipeline),
            _coloured(job.state),
            Text(stage),
            f"{job.completed_stages}/{job.total_stages}",
            ago(job.created_at, now),
            _took(job.started_at, job.finished_at, now),
        )
    console().print(table)


def job_page(job: JobView, tasks: Sequence[TaskView], now: datetime, place: str | None = None) -> None:
    """Everything about one job."""
    page = console()
    page.print(Text.assemble((job.pipeline, "bold"), " ", job.id, "  ", _coloured(job.state)))
    width = page.width if page.is_terminal else None
    for name, value in _facts(job, tasks, now, place):
        page.print(
            Text(folded(f"  {name:<9} {value}", width if name in LONG else None)),
            no_wrap=True,
            overflow="ellipsis",
        )
    page.print()
    table = table_of("STAGE", "STATE", "DONE", "NOTE")
    for stage in job.stages:
        table.add_row(Text(stage.name), _coloured(stage.state), _done(stage), Text(stage.note or ""))
    page.print(table)
    if told := [task for task in tasks if task.attempt or task.state is TaskState.PARKED]:
        page.print()
        page.print(_tasks(told, now))


def _facts(
    job: JobView, tasks: Sequence[TaskView], now: datetime, place: str | None
) -> Iterator[tuple[str, str]]:
    yield "created", f"{job.created_at.astimezone():%Y-%m-%d %H:%M:%S} ({ago(job.created_at, now)})"
    if job.started_at:
        yield "took", _took(job.started_at, job.finished_at, now)
    if job.deadline_at and not job.state.finished:
        yield "deadline", f"{job.deadline_at.astimezone():%Y-%m-%d %H:%M:%S}"
    yield "progress", f"{job.progress:.0%}, {job.completed_stages} of {job.total_stages} stages"
    if job.cost and job.cost.calls:
        yield "money", money(job.cost)
    if job.error:
        where = f" in {job.error.task}" if job.error.task else ""
        first, *rest = told(job.error)
        yield "error", f"{job.error.kind}{where}: {first}"
        yield from (("", line) for line in rest)
    yield from _waits(job, tasks)
    yield from film_lines(job.result, place)
    if job.result is None:
        for task in tasks:
            yield from left_out_lines(task.output)


def _waits(job: JobView, tasks: Sequence[TaskView]) -> Iterator[tuple[str, str]]:
    """What somebody has to do before it goes on."""
    for waits in dict.fromkeys(task.waits_for for task in tasks if _waits_for_code(task)):
        yield "waits", f"for {waits}"
    for task in tasks:
        if task.state is TaskState.PARKED and (task.waits_for or "").startswith(SIGNAL):
            name = shlex.quote((task.waits_for or "").removeprefix(SIGNAL))
            if task.key == GATE:
                yield "waits", f"for a person: genlock videos approve {job.id}, or reject {job.id} REASON"
                continue
            yield "waits", f"{task.key}: genlock jobs signal {job.id} {shlex.quote(task.key)} {name} [VALUE]"
    asked = [task for task in tasks if task.state is TaskState.PARKED and ASKS in (task.waits_for or "")]
    for task in asked[:SHOWN]:
        yield "waits", f"{task.key}: {task.waits_for}"
    if len(asked) > SHOWN:
        yield "waits", f"and {len(asked) - SHOWN} more: genlock calls --state doubt"


def _tasks(tasks: Sequence[TaskView], now: datetime) -> Table:
    table = table_of("TASK", "STATE", "ATTEMPT", "TOOK", "WHY")
    for task in tasks:
        table.add_row(
            Text(task.key),
            _coloured(task.state),
            str(task.attempt),
            _took(task.started_at, task.finished_at, now),
            Text(_why(task)),
        )
    return table


def _why(task: TaskView) -> str:
    if _waits_for_code(task):
        return "waits for code that fits, see above"
    if task.state is TaskState.PARKED:
        return task.waits_for or "waits"
    if task.child_job and not task.state.finished:
        return f"nested: genlock jobs show {task.child_job}"
    if task.error and task.state is not TaskState.DONE:
        return f"{task.error.kind}: {briefly(task.error.message, 300)}"
    return task.reason or (task.note or "" if task.state is TaskState.RUNNING else "")


def _waits_for_code(task: TaskView) -> bool:
    from genlock.engine.views import FITTING

    return task.state is TaskState.PARKED and (task.waits_for or "").startswith(FITTING)


def _took(began: datetime | None, ended: datetime | None, now: datetime) -> str:
    return length((ended or now) - began) if began else ""


def _done(stage: StageView) -> str:
    done = stage.counts.get(TaskState.DONE, 0)
    return f"{done}/{stage.total}" if stage.mapped and stage.state is not TaskState.BLOCKED else ""


def _coloured(state: JobState | TaskState) -> Text:
    return Text(str(state), style=COLOUR.get(state, "dim" if state != "done" else ""))


def table_of(*columns: str) -> Table:
    """A table with these heads, cut to the width of where it goes."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    return table


def console() -> Console:
    """Where tables go: as wide as the terminal, or as wide as they are where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDE, soft_wrap=False)
