"""What is said of jobs: lengths of time, sizes, and what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from genlock.errors import Rejected
from genlock.ledger.records import JobState, TaskState
from genlock.money import Money

if TYPE_CHECKING:
    from genlock.engine.views import CostView, ErrorView, JobView, TaskView

SHOWN = 5  # failed tasks that are named one by one


def length(span: timedelta) -> str:
    """`0.4 s`, `42 s`, `3:07`, `1:02:03`."""
    seconds = span.total_seconds()
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(then: datetime, now: datetime) -> str:
    """`12 s ago`, `5 min ago`, `3 h ago`, `4 days ago`."""
    seconds = max(0, int((now - then).total_seconds()))
    for size, word in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (size < 86400 and seconds >= size):
            return f"{seconds // size} {word} ago"
    return f"{seconds} s ago"


def size(count: float) -> str:
    """`812 bytes`, `3.4 MB`."""
    if count < 1000:
        return f"{int(count)} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000 or unit == "GB":
            return f"{count:.1f} {unit}"
    raise AssertionError(count)


def briefly(text: str, most: int = 200) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def money(cost: CostView) -> str:
    """`$3.50 spent, $0.50 reserved, $0.50 in doubt; saved $1.00 by resuming`."""
    parts = [f"{cost.spent} spent"]
    busy = cost.micros["reserved"] - cost.micros["doubt"]
    if busy:
        parts.append(f"{Money(busy, cost.currency)} reserved")
    if cost.micros["doubt"]:
        parts.append(f"{cost.doubt} in doubt")
    saved = [
        f"{amount} by {how}"
        for amount, how, is_some in (
            (cost.saved_by_resume, "resuming", cost.micros["saved_by_resume"]),
            (cost.saved_by_reuse, "reuse", cost.micros["saved_by_reuse"]),
        )
        if is_some
    ]
    return ", ".join(parts) + (f"; saved {', '.join(saved)}" if saved else "")


def told(error: ErrorView) -> list[str]:
    """What an error says: a line each where several pictures are named, else one that may be cut."""
    if error.kind == "BadPicture":
        return [briefly(line, 400) for line in error.message.splitlines()]
    return [briefly(error.message, 400)]


def folded(line: str, width: int | None) -> str:
    """A line in as many as a terminal of this width needs, the others further in; as it is without one."""
    if width is None or len(line) <= width:
        return line
    margin = len(line) - len(line.lstrip())
    return textwrap.fill(
        line.lstrip(),
        width,
        initial_indent=" " * margin,
        subsequent_indent=" " * (margin + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def next_steps(job: JobView, tasks: Sequence[TaskView]) -> Iterator[str]:
    """What failed, why, and what can be done about it."""
    if job.state is JobState.WAITING:
        yield f"It waits. See for what: genlock jobs show {job.id}"
    if job.state is not JobState.FAILED:
        return
    failed = [task for task in tasks if task.state is TaskState.FAILED and task.error]
    for task in failed[:SHOWN]:
        assert task.error is not None
        tries = f" after {task.tries} tries" if task.tries > 1 else ""
        first, *rest = told(task.error)
        yield f"  {task.key} failed{tries}: {first}"
        yield from (f"    {line}" for line in rest)
    if len(failed) > SHOWN:
        yield f"  and {len(failed) - SHOWN} more: genlock jobs show {job.id}"
    if not failed and job.error is not None:
        yield from (f"  {line}" for line in told(job.error))
    films = [
        task.child_job or job.id for task in failed if task.error and task.error.kind == Rejected.__name__
    ]
    if films:
        yield "It was rejected, and a retry would only say so again. What was made is kept."
        yield f"Have a clip made anew, and the film waits again: genlock videos redo {films[0]} CLIP"
        yield f"Or run any stage again: genlock jobs redo {films[0]} STAGE"
    if len(films) < len(failed) or not failed:
        yield f"What is done is kept. Try the rest again: genlock jobs retry {job.id}"
