"""How tasks and jobs of the in-memory ledger are ended from outside: taken back, called off, or too late."""

from __future__ import annotations

from genlock.ledger.memory.book import Book
from genlock.ledger.memory.row import Change, Job, Task
from genlock.ledger.records import Failure, JobState, TaskRef, TaskState


def take_back(book: Book, task: Task, limit: int, change: Change) -> None:
    """running -> ready, for its process is gone; or failed if that happens all the time."""
    job = book.job(task.ref.job)
    task.reclaims += 1
    book.log(job, "task.reclaimed", task, reclaims=task.reclaims)
    if task.reclaims <= limit:
        book.ready(task, change)
        return
    task.error = Failure("Poison", f"its process died {task.reclaims} times while it ran")
    book.log_failed(job, task)
    book.finish(task, TaskState.FAILED, change)
    book.settle(job, change)


def call_off(book: Book, job: Job, reason: str, change: Change) -> list[TaskRef]:
    """Whatever is unfinished in this job and those nested in it -> cancelled; answers what was running."""
    running: list[TaskRef] = []
    unfinished = [one for one in book.tree(job) if not one.state.finished]
    for one in unfinished:
        for task in one.tasks():
            if task.state is TaskState.RUNNING:
                running.append(task.ref)
            if not task.state.finished:
                task.state, task.finished_at = TaskState.CANCELLED, book.clock.now()
                task.token = task.holder = task.due_at = task.signal = task.parked_for = None
    for one in reversed(unfinished):
        book.close(one, JobState.CANCELLED, change, reason=reason)
        book.tell_owner(one, change)
    return running


def pass_deadline(book: Book, job: Job, change: Change) -> list[TaskRef]:
    """The job and those nested in it -> failed; their tasks stay, running ones are let go: the answer."""
    freed: list[TaskRef] = []
    at = job.deadline_at.isoformat() if job.deadline_at else ""
    unfinished = [one for one in book.tree(job) if not one.state.finished]
    for one in unfinished:
        book.log(one, "job.deadline", at=at, passed=True)
        one.error = Failure("DeadlinePassed", f"job {job.spec.id} was not finished by its deadline, {at}")
        one.failed_task = None
        one.state = JobState.FAILED
        for task in one.tasks():
            if task.state is TaskState.RUNNING:
                book.log(one, "task.released", task)
                book.ready(task, change)
                freed.append(task.ref)
    for one in reversed(unfinished):
        book.close(one, JobState.FAILED, change)
    book.tell_owner(job, change)
    return freed
