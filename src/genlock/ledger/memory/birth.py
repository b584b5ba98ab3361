"""How jobs and the children of maps come into the in-memory ledger."""

from __future__ import annotations

from collections.abc import Sequence

from genlock.errors import Conflict
from genlock.ledger.memory.book import Book
from genlock.ledger.memory.row import Change, Job, Task
from genlock.ledger.records import Failure, JobSpec, JobState, TaskRef, TaskState


def bear(book: Book, spec: JobSpec, parent: TaskRef | None, change: Change) -> Job:
    """Write a job and its tasks; the caller settles it."""
    now = book.clock.now()
    job = Job(spec, parent, now, now, deadline=spec.deadline)
    if spec.deadline is not None:
        job.deadline_at = now + spec.deadline
    if parent and book.job(parent.job).state is JobState.PAUSED:
        job.state = JobState.PAUSED
    book.jobs[spec.id] = job
    for node in spec.nodes:
        job.nodes[node.name] = Task(TaskRef(spec.id, node.name), node)
    for edge in spec.edges:
        pair = (edge.upstream, edge.downstream)
        job.edges[pair] = edge.optional and job.edges.get(pair, True)
    book.log(job, "job.created", pipeline=spec.pipeline, parent=str(parent) if parent else None)
    pinned = [task for task in job.nodes.values() if task.spec.skipped]
    for task in pinned:
        task.state = TaskState.SKIPPED  # all of them before any is followed up
    for task in pinned:
        task.reason = "its condition is false"
        book.log(job, "task.skipped", task, reason=task.reason)
        book.finish(task, TaskState.SKIPPED, change)
    for task in job.nodes.values():
        if task.state is TaskState.BLOCKED and job.satisfied(task.ref.node):
            book.ready(task, change)
    return job


def spread_page(book: Book, task: Task, page: Sequence[str], offset: int, last: bool, change: Change) -> None:
    """Write one page of a map's children; the last one lets them go."""
    job = book.job(task.ref.job)
    if not task.is_map:
        raise Conflict(f"{task.ref} is not mapped and cannot be spread")
    if offset != task.written:
        raise Conflict(f"{task.ref} has {task.written} children so far: page {offset} does not follow")
    children = job.maps[task.ref.node]
    for index, item in enumerate(page, start=offset):
        if index == len(children):
            children.append(Task(task.ref.child(index), task.spec))
        children[index].item = item
    task.written += len(page)
    book.log(job, "task.spread", task, children=task.written, last=last)
    if last:
        del children[task.written :]
        _open(book, job, task, change)
        book.settle(job, change)


def _open(book: Book, job: Job, task: Task, change: Change) -> None:
    children = job.maps[task.ref.node]
    if (task.spec.need or 0) > len(children):
        task.error = Failure(
            "TooFew", f"{task.spec.need} must succeed and there are {len(children)} children"
        )
        book.log_failed(job, task)
        book.finish(task, TaskState.FAILED, change)
        return
    task.opened = True
    if not children:
        book.log(job, "task.done", task)
        book.finish(task, TaskState.DONE, change)
        return
    task.state, task.token, task.holder = TaskState.SPREAD, None, None
    for child in children:
        book.ready(child, change)
