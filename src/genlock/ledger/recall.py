"""Rows as this process's last commits left them: the next batch need not read them again.

Only of use where hardly anybody else writes, which is SQLite. That nobody did is asked and not taken on
trust: one number of the database changes with every commit of another connection.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from genlock.ledger.draft import JobDraft, TaskDraft

MOST = 2048  # rows; then it begins anew


class Recall:
    """What is known of jobs by their ids, and of tasks by job and key. Handed from batch to batch."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobDraft] = {}
        self.tasks: dict[tuple[str, str], TaskDraft] = {}
        self._version: int | None = None

    def begin(self, connection: Connection) -> None:
        """A transaction has begun: whatever others have written since is not known."""
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA data_version")
        (version,) = cursor.fetchone() or (None,)
        cursor.close()
        if version != self._version:
            self.forget()
            self._version = version

    def keep(self, jobs: Iterable[JobDraft], tasks: Iterable[TaskDraft]) -> None:
        """These were met in a batch that is committed. What is over, or long, or one of many, is let go."""
        for job in jobs:
            if job.finished:
                self.jobs.pop(job.id, None)
        for task in tasks:
            if task.finished or task.idx >= 0 or task.output is not None or task.kept_output is not None:
                self.tasks.pop((task.job, task.key), None)
        if len(self.jobs) > MOST or len(self.tasks) > MOST:
            self.forget()

    def forget(self) -> None:
        """Know nothing."""
        self.jobs, self.tasks = {}, {}
