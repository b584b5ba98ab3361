"""Running again in the in-memory ledger: what a redo touches, and how rows and jobs are opened anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from genlock.errors import Conflict
from genlock.ledger.memory.book import Book
from genlock.ledger.memory.end import call_off
from genlock.ledger.memory.row import Change, Job, Task
from genlock.ledger.records import JobState, Kept, RedoPlan, TaskRef, TaskState

_REDOABLE = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.SKIPPED})
_HAS_RESULT = frozenset({TaskState.DONE, TaskState.SKIPPED})


@dataclass(frozen=True)
class Redo:
    """Which rows run again (`named`), which nodes follow from them (`behind`), and how it is told."""

    named: list[Task]
    behind: list[Task]
    plan: RedoPlan


def plan(book: Book, job: Job, keys: Sequence[str]) -> Redo:
    """What a redo of these keys would do; `Conflict` or `NotFound` if it cannot be done."""
    refuse_cancelled(book, job)
    if not keys:
        raise Conflict(f"job {job.spec.id}: name at least one task to run again")
    named: dict[str, Task] = {}
    for key in keys:
        for task in _targets(book, job, key):
            named[task.ref.key] = task
    behind = _behind(job, named)
    _refuse_unreachable(job, named.values(), behind)
    redone = [task.ref.key for task in job.tasks() if task.ref.key in named]
    maybe = [
        task.ref.key
        for task in job.tasks()
        if task.ref.node in behind and task.ref.key not in named and not task.hides(job)
    ]
    kept = [
        task.ref.key
        for task in job.tasks()
        if task.state in _HAS_RESULT
        and task.ref.key not in named
        and task.ref.node not in behind
        and not task.hides(job)
    ]
    return Redo(
        list(named.values()), list(behind.values()), RedoPlan(tuple(redone), tuple(maybe), tuple(kept))
    )


def refuse_cancelled(book: Book, job: Job) -> None:
    """`Conflict` if the job, or one that it decides something in, is cancelled."""
    if job.state is JobState.CANCELLED:
        raise Conflict(f"job {job.spec.id} is cancelled, for good: start it anew")
    owner = owning(book, job)
    if owner:
        refuse_cancelled(book, book.jobs[owner.ref.job])


def _targets(book: Book, job: Job, key: str) -> list[Task]:
    task = book.task(TaskRef(job.spec.id, key))
    if task.state not in _REDOABLE:
        raise Conflict(
            f"{task.ref} is {task.state}: only a task that is done, failed or skipped can be redone"
        )
    if not (task.is_map and task.opened):
        return [task]
    children = [child for child in job.maps[task.ref.node] if child.state in _REDOABLE]
    return children or [task]


def _behind(job: Job, named: dict[str, Task]) -> dict[str, Task]:
    """Downstream nodes that have begun or finished and must wait again, upstream first."""
    redone = {task.ref.node for task in named.values()}
    found: dict[str, Task] = {}
    for node in _in_order(job):
        task = job.nodes[node]
        ups = list(job.ups(node))
        if not any(up.ref.node in redone or up.ref.node in found for up, _ in ups):
            continue
        if task.state is TaskState.BLOCKED or (task.spec.skipped and node not in redone):
            continue
        stays_skipped = task.state is TaskState.SKIPPED and any(
            up.state is TaskState.SKIPPED and not optional and up.ref.node not in redone | found.keys()
            for up, optional in ups
        )
        if not stays_skipped:
            found[node] = task
    return found


def _in_order(job: Job) -> list[str]:
    order: list[str] = []

    def visit(node: str) -> None:
        if node not in order:
            for up, _ in job.ups(node):
                visit(up.ref.node)
            order.append(node)

    for node in job.nodes:
        visit(node)
    return order


def _refuse_unreachable(job: Job, named: Collection[Task], behind: dict[str, Task]) -> None:
    again = {task.ref.node for task in named} | behind.keys()
    for task in named:
        for up, optional in job.ups(task.ref.node):
            if up.state is TaskState.SKIPPED and not optional and up.ref.node not in again:
                raise Conflict(f"{task.ref} was skipped because {up.ref.node} was: redo {up.ref.node}")


def owning(book: Book, job: Job) -> Task | None:
    """The task that a nested job decides, unless it was run again and has another job now."""
    task = book.task(job.parent) if job.parent else None
    decided = task and task.child_job == job.spec.id
    decides = task and task.state in (TaskState.SPREAD, TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)
    return task if decided and decides else None


def apply(book: Book, job: Job, redo: Redo, change: Change) -> None:
    """Open the named rows and block what follows from them, up through the jobs this one is nested in."""
    for task in redo.named:
        renew(task, keep=False)
    reopen(book, job, change)
    again = {task.ref.node for task in redo.behind}
    for node in redo.behind:
        block(book, job, node, change)
    for task in redo.named:
        if task.ref.node in again:
            task.kept = None
        elif task.ref.index is not None or job.satisfied(task.ref.node):
            book.ready(task, change)
    for node_name in {task.ref.node for task in redo.named if task.ref.index is not None} - again:
        weigh_map(book, job, job.nodes[node_name], change)
    recall(job)


def renew(task: Task, *, keep: bool) -> None:
    """Blocked, under a new revision if anything has come of this one; `keep` remembers a result."""
    if task.attempt or task.state.finished:
        task.history.append((task.revision, task.state, task.output))
        task.revision += 1
        task.notes = {}
    if not keep:
        task.kept = None
    elif task.state is TaskState.DONE and task.input_hash is not None and task.output is not None:
        task.kept = Kept(task.input_hash, task.output)
    task.state, task.attempt, task.tries, task.reclaims = TaskState.BLOCKED, 0, 0, 0
    task.token = task.holder = task.due_at = task.signal = task.parked_for = None
    task.progress = task.progress_note = task.started_at = task.finished_at = None
    task.input_hash = task.output = task.error = task.reason = None
    if not keep:
        task.child_job = None
    if task.is_map:
        task.written, task.opened = 0, False


def block(book: Book, job: Job, node: Task, change: Change) -> None:
    """A node and its children wait again for what is upstream; nested jobs under way are called off."""
    for task in [node, *job.maps[node.ref.node]]:
        nested = book.jobs[task.child_job] if task.child_job else None
        renew(task, keep=True)
        if nested and not nested.state.finished:
            task.child_job = None
            call_off(book, nested, f"{task.ref} runs again", change)
        elif nested and nested.state is not JobState.COMPLETED:
            task.child_job = None
    book.log(job, "task.blocked", node)


def weigh_map(book: Book, job: Job, parent: Task, change: Change) -> None:
    """done|failed -> spread for a map some of whose children run again, if it can still be done."""
    before = parent.state
    children = job.maps[parent.ref.node]
    failed = sum(child.state is TaskState.FAILED for child in children)
    need = len(children) if parent.spec.need is None else parent.spec.need
    if before in (TaskState.DONE, TaskState.FAILED) and len(children) - failed >= need:
        parent.state, parent.finished_at, parent.error = TaskState.SPREAD, None, None
    if before is TaskState.DONE:
        for node in _behind(job, {parent.ref.key: parent}).values():
            block(book, job, node, change)


def reopen(book: Book, job: Job, change: Change) -> None:
    """A finished job runs again, its deadline starts anew, and so for the jobs it is nested in."""
    owner = owning(book, job)
    if owner is None:
        _open_again(book, job)
        return
    parent = book.jobs[owner.ref.job]
    reopen(book, parent, change)
    _open_again(book, job)
    if owner.state in (TaskState.DONE, TaskState.FAILED):
        was_done = owner.state is TaskState.DONE
        owner.state, owner.finished_at, owner.output, owner.error = TaskState.SPREAD, None, None, None
        if owner.ref.index is not None:
            weigh_map(book, parent, parent.nodes[owner.ref.node], change)
        elif was_done:
            for node in _behind(parent, {owner.ref.key: owner}).values():
                block(book, parent, node, change)
        recall(parent)


def _open_again(book: Book, job: Job) -> None:
    if job.deadline is not None:
        job.deadline_at, job.deadline_left = book.clock.now() + job.deadline, None
    if not job.state.finished:
        return
    was_late = job.state is JobState.FAILED and job.failed_task is None
    job.state = JobState.RUNNING if job.started_at else JobState.PENDING
    job.finished_at = None
    if _paused_around(book, job):
        job.state = JobState.PAUSED
    if was_late:
        _open_stopped(book, job)


def _paused_around(book: Book, job: Job) -> bool:
    """Whether the nearest unfinished job around this one is paused: those in between are yet to be opened."""
    if job.parent is None:
        return False
    around = book.jobs[job.parent.job]
    return _paused_around(book, around) if around.state.finished else around.state is JobState.PAUSED


def _open_stopped(book: Book, job: Job) -> None:
    """Nested jobs that stopped with this one, because its deadline had passed, go on with it."""
    for task in job.tasks():
        child = book.jobs[task.child_job] if task.child_job else None
        if child and task.state is TaskState.SPREAD and child.state.finished:
            _open_again(book, child)
            book.restate(child)
    recall(job)


def recall(job: Job) -> None:
    """The job's error is that of the first task that is still failed."""
    failed = next((node for node in job.nodes.values() if node.state is TaskState.FAILED), None)
    job.error = failed.error if failed else None
    job.failed_task = failed.ref.key if failed else None


def settle_up(book: Book, job: Job, change: Change) -> None:
    """Bring a job and those it is nested in into step, from the inside out."""
    book.settle(job, change)
    if job.parent:
        settle_up(book, book.jobs[job.parent.job], change)


def revive(book: Book, job: Job, jobs: list[Job], change: Change) -> int:
    """Failed tasks of the job and its nested jobs -> ready with fresh tries; the answer is how many."""
    if job.state in (JobState.CANCELLED, JobState.COMPLETED):
        return 0
    beyond_tasks = job.state is JobState.FAILED and not any(
        node.state is TaskState.FAILED for node in job.nodes.values()
    )
    revived = [task for task in job.tasks() if _revive_task(book, job, task, jobs, change)]
    if not revived and not beyond_tasks:
        return 0
    jobs.append(job)
    book.log(job, "job.retried", tasks=len(revived))
    _open_again(book, job)
    for task in revived:
        if task.state is TaskState.BLOCKED:
            book.ready(task, change)
    for node in {task.ref.node for task in revived if task.ref.index is not None}:
        weigh_map(book, job, job.nodes[node], change)
    recall(job)
    book.restate(job)
    return len(revived) + beyond_tasks


def _revive_task(book: Book, job: Job, task: Task, jobs: list[Job], change: Change) -> bool:
    if task.ref.index is not None and job.nodes[task.ref.node].state is TaskState.DONE:
        return False
    nested = book.jobs[task.child_job] if task.child_job else None
    if (
        nested
        and nested.state not in (JobState.CANCELLED, JobState.COMPLETED)
        and task.state in (TaskState.SPREAD, TaskState.FAILED)
    ):
        if not revive(book, nested, jobs, change):
            return False
        task.state, task.finished_at, task.error = TaskState.SPREAD, None, None
        return True
    if task.state is not TaskState.FAILED or (task.is_map and task.opened):
        return False
    task.state, task.finished_at, task.error = TaskState.BLOCKED, None, None
    task.tries = task.reclaims = 0
    task.child_job = None
    return True
