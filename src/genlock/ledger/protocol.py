"""The two faces of a ledger: `Ledger` writes, `LedgerReader` looks.

Each writing verb is one atomic change. It checks job, task, state and token in its WHERE clause
(no row matched: `ClaimLost`), appends at least one event to the job, takes the time from the Clock
the ledger was opened with, and keeps the job's own state in step (running, waiting, completed,
failed), up through the parents of nested jobs, in the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from genlock.ledger.payments import Payments, PaymentsReader
from genlock.ledger.records import (
    Advance,
    Claim,
    Event,
    Failure,
    JobCreated,
    JobFilter,
    JobRow,
    JobSpec,
    NodeCount,
    Outlook,
    RedoPlan,
    Taker,
    TaskRef,
    TaskRow,
    TaskState,
)


class Ledger(Payments, Protocol):
    """The writing verbs. All raise `LedgerError` if the database is gone."""

    async def create_job(self, spec: JobSpec, *, taker: Taker | None = None) -> JobCreated:
        """Write a job with all its tasks, those without upstreams ready.

        An id or a dedup key that exists already answers with that job and changes nothing. The first of
        its tasks that is ready and asks for the taker's resources is claimed in the same commit.
        """
        ...

    async def enlist(self, holder: str, lease: timedelta) -> None:
        """Say that this process lives; the ledger renews the lease by itself until `retire`."""
        ...

    async def retire(self, holder: str) -> Sequence[TaskRef]:
        """This process stops: whatever it still holds is ready again, at no cost in tries or reclaims."""
        ...

    async def claim(
        self,
        holder: str,
        *,
        tasks: Sequence[TaskRef] | None = None,
        limit: int = 1,
        resources: Collection[str] | None = None,
        queues: Collection[str] | None = None,
    ) -> Sequence[Claim]:
        """Take ready, due tasks of claimable jobs: these, or else the longest-ready of any job, and before
        them those that come back from a provider.

        `resources` and `queues` narrow to rows with one of these values. A task that is not to
        be had (any more) is left out of the answer: being late is no error. ready -> running.
        """
        ...

    async def extend(self, claim: Claim, *, progress: float | None = None, note: str | None = None) -> None:
        """Record progress (0..1) and a word of it. `ClaimLost` tells a body that it was cancelled."""
        ...

    async def save(self, claim: Claim, name: str, value: str) -> str:
        """Keep a note of the task (JSON); the first value of a name stays and is the answer."""
        ...

    async def succeed(
        self,
        claim: Claim,
        output: str,
        *,
        input_hash: str | None = None,
        kept: bool = False,
        share: bool = False,
        claim_next: int = 0,
        resources: Collection[str] | None = None,
    ) -> Advance:
        """running -> done. Frees what waited for it, gathers a map whose last child this is, and
        completes the job whose last task this is. `kept` marks an output taken over instead of made;
        `share` lets other jobs have it for the same `input_hash`. Up to `claim_next` of the tasks *this*
        made ready are claimed by the same holder in the same commit (only those whose `resources` value
        is listed, when given).
        """
        ...

    async def spread(self, claim: Claim, page: Sequence[str], *, offset: int, last: bool) -> Advance:
        """Write children offset, offset+1, … of a mapped task, one JSON item each.

        Pages come in order and are resumable (`Claim.children`); children of all pages become ready
        with the last one: running -> spread. No children at all: running -> done. Fewer children than
        `NodeSpec.need`: running -> failed (`TooFew`), and none of them becomes ready. After a redo,
        rows that exist get the new item and a new revision (their old result as `kept`); rows
        beyond the new count go.
        """
        ...

    async def nest(self, claim: Claim, spec: JobSpec) -> Advance:
        """Create a child job whose completion completes this task: running -> spread.

        The task's output is then `{"$job": id}`. A child that fails or is cancelled fails the task.
        """
        ...

    async def park(
        self, claim: Claim, reason: str, *, signal: str | None = None, until: datetime | None = None
    ) -> Advance:
        """running -> parked, until the named signal comes or the time passes. If that signal is there
        already the task is ready again at once. Uses up no tries.

        For the signals of `Payments` it looks in the same transaction whether what the task was refused by
        `intend` is to be had by now, or something was said of the call since: nobody sleeps through that.
        """
        ...

    async def snooze(self, claim: Claim, until: datetime) -> None:
        """running -> ready, due later. Uses up no tries."""
        ...

    async def fail(self, claim: Claim, failure: Failure, *, retry_at: datetime | None) -> Advance:
        """running -> ready (due later, one try used up) or, with no `retry_at`, running -> failed.

        Independent branches go on. When nothing of the job can go on any more the job is failed.
        """
        ...

    async def skip(self, claim: Claim, reason: str) -> Advance:
        """running -> skipped. Downstream tasks behind an edge that is not optional are skipped too."""
        ...

    async def cancel(self, job: str, reason: str = "") -> Sequence[TaskRef]:
        """Whatever is unfinished in the job and in its nested jobs -> cancelled, for good.

        Answers with the tasks that were running. `Conflict` if the job is completed or failed; a
        job that is cancelled already answers with nothing. A nested job fails its parent's task.
        """
        ...

    async def retry(self, job: str) -> Sequence[TaskRef]:
        """Failed tasks of the job and its nested jobs -> ready with fresh tries; the deadline starts anew.

        Answers with all that can be claimed in the jobs it touched. `Conflict` if the job is cancelled
        or completed, or if there is nothing to retry.
        """
        ...

    async def redo(self, job: str, keys: Sequence[str]) -> RedoPlan:
        """Run these finished tasks again although they are done: old results are kept as revisions,
        the named tasks are ready (a mapped node: all its children), everything downstream is blocked
        again with its old result as `kept`. Downstream tasks that run now lose their claim.

        `Conflict` if the job is cancelled or a named task is not done, failed or skipped;
        `NotFound` for a key that is not there.
        """
        ...

    async def pause(self, job: str, reason: str = "") -> None:
        """Nothing new is claimed in the job and its nested jobs; running tasks finish.

        `Conflict` if finished; pausing again changes nothing.
        """
        ...

    async def resume(self, job: str) -> Sequence[TaskRef]:
        """Undo `pause`; answers with what is ready. `Conflict` if it is not paused."""
        ...

    async def signal(self, task: TaskRef, name: str, value: str) -> bool:
        """Keep a signal (JSON) for a task and wake it if it is parked for that name: parked -> ready.

        The first value of a name stays. Answers whether this call was the first. A signal for a
        task that is finished is a `Conflict`.
        """
        ...

    async def reclaim(
        self, *, survivor: str | None = None, gone: str | None = None, limit: int = 5
    ) -> Sequence[TaskRef]:
        """running -> ready for tasks whose holder's lease has expired, or who is known to be `gone`; with
        `survivor`, for every task not held by it (on SQLite the new owner knows that all others are dead).

        Uses up no tries; a task reclaimed more than `limit` times fails (a poison task).
        """
        ...

    async def expire(self) -> Sequence[TaskRef]:
        """Wake parked tasks that are due, and fail jobs past their deadline (tasks stay as they are,
        running ones lose their claim and are ready: `retry` goes on from there). Answers with the tasks
        woken and those that lost their claim, which their holder has to stop.
        """
        ...

    async def set_deadline(self, job: str, deadline: timedelta | None) -> None:
        """Give an unfinished job this long from now."""
        ...

    async def forget(self, finished_before: datetime) -> Sequence[str]:
        """Delete jobs that finished before this time, with those nested in them and all their rows. Jobs
        with an open call in them stay, for what it comes to has to be written somewhere.

        Answers with their ids. What they shared is shared no more.
        """
        ...

    async def close(self) -> None:
        """Commit what is queued and let go of the database."""
        ...


class LedgerReader(PaymentsReader, Protocol):
    """Looking changes nothing. Rows are as of the last commit before the call."""

    async def job(self, job: str) -> JobRow:
        """`NotFound` if there is none."""
        ...

    async def jobs(
        self, where: JobFilter = JobFilter(), *, after: str | None = None, limit: int = 100
    ) -> Sequence[JobRow]:
        """Newest first; `after` is the last id of the page before, and `BadInput` if that job is gone."""
        ...

    async def task(self, ref: TaskRef) -> TaskRow:
        """`NotFound` if there is none."""
        ...

    async def tasks(
        self,
        job: str,
        *,
        node: str | None = None,
        states: Collection[TaskState] | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[TaskRow]:
        """In graph order, children of a map behind their parent by index; `after` is a key."""
        ...

    async def nodes(self, job: str) -> Sequence[TaskRow]:
        """The node-level rows of a job, one a stage, in graph order."""
        ...

    async def counts(self, job: str) -> Sequence[NodeCount]: ...

    async def output(self, ref: TaskRef) -> tuple[TaskState, str | None]:
        """State and output JSON of one task, without the rest of its row."""
        ...

    def outputs(self, job: str, node: str) -> AsyncIterator[Sequence[tuple[TaskState, str | None]]]:
        """State and output of a map's children in the order of their indexes, a page at a time."""
        ...

    async def notes(self, ref: TaskRef) -> dict[str, str]:
        """Notes and signals of the task's present revision. A signal's name begins with "signal:"."""
        ...

    async def revisions(self, ref: TaskRef) -> Sequence[tuple[int, TaskState, str | None]]:
        """Earlier revisions of a task: number, state and output."""
        ...

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]: ...

    async def changed(self, job: str, after: int, timeout: float) -> bool:
        """Wait until the job has an event beyond `after`, at most `timeout` seconds."""
        ...

    async def ended(self, job: str, timeout: float) -> JobRow:
        """Wait until the job has ended, at most `timeout` seconds; the job as it stands then."""
        ...

    async def ready_count(self) -> int:
        """How many tasks could be claimed this instant."""
        ...

    async def held(self, holder: str) -> Mapping[TaskRef, tuple[int, int]]:
        """What a process is said to run: each task's revision and attempt."""
        ...

    async def outlook(self) -> Outlook:
        """What waits to be claimed, and when more of it comes due."""
        ...

    async def awaiting(self, prefix: str) -> Sequence[tuple[TaskRef, str]]:
        """Tasks that are parked for a signal whose name begins so, and that name."""
        ...

    async def children(self, job: str) -> Sequence[JobRow]:
        """Jobs nested directly in this one."""
        ...

    async def plan_redo(self, job: str, keys: Sequence[str]) -> RedoPlan:
        """What `Ledger.redo` would do, with the same errors, without doing it."""
        ...

    async def shared(self, input_hash: str) -> str | None:
        """A result that a job shared for these inputs."""
        ...

    async def copy(self) -> str:
        """The path of a consistent copy of the whole ledger, made beside it; whoever asked takes it away.

        `Unsupported` for a ledger that is no file of this machine.
        """
        ...

    def texts(self, *, unless_finished_before: datetime | None = None) -> AsyncIterator[str]:
        """Every JSON text that jobs hold: inputs, outputs, notes, revisions; without those that `forget`
        would delete for this time. `genlock clean` looks through them for the artifacts still reached.
        """
        ...
