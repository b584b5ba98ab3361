"""What can be asked of genlock about jobs: the engine answers itself, a client asks over the socket.

The command line, the API and the tests speak to this face, so a command does the same whether this
process owns the home or another one does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from genlock.engine.views import (
    BudgetView,
    CallView,
    CostView,
    EventView,
    GraphView,
    JobView,
    RedoView,
    TaskView,
)
from genlock.ledger.records import JobState
from genlock.ledger.spending import By, CallState, Decision


class AccountService(Protocol):
    """What can be asked about money, and decided. A job's id may be abbreviated, a call's key too."""

    async def calls(
        self,
        *,
        job: str | None = None,
        states: Collection[CallState] = (),
        vendor: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[CallView]:
        """Newest first; those of a job with all that is nested in it. Only those of jobs of `owner`, if one
        is named; here and below.
        """
        ...

    async def call(self, key: str, *, owner: str | None = None) -> CallView: ...

    async def resolve(self, key: str, decision: Decision, *, by: str, handle: str | None = None) -> CallView:
        """Decide about a call in doubt; `Conflict` if it is not, `BadInput` for adopt without a handle."""
        ...

    async def costs(
        self,
        by: By,
        *,
        job: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[CostView]: ...

    async def budgets(self, scopes: Collection[str] = ()) -> Sequence[BudgetView]:
        """These, or else all there are."""
        ...

    async def set_cap(self, scope: str, cap: str | None) -> BudgetView:
        """What may be spent in a scope from now on, as `$2.50`; None: what the settings say."""
        ...

    async def thaw(self, scope: str) -> BudgetView:
        """Let a scope that was frozen be spent from again."""
        ...

    async def deliver(self, vendor: str, headers: Mapping[str, str], body: bytes, key: str | None) -> bool:
        """Take a provider's report to our webhook; whether it is a new one. `Refused` if it is not signed."""
        ...


class JobService(Protocol):
    """Every method raises `NotFound` for an id nobody has; a unique beginning or end of one will do."""

    @property
    def accounts(self) -> AccountService:
        """The part of it that is about money."""
        ...

    async def start(
        self,
        pipeline: str,
        params: Mapping[str, Any],
        *,
        id: str | None = None,
        owner: str = "local",
        dedup: str | None = None,
        deadline: timedelta | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> JobView:
        """Commit a job. `params` are the pipeline's inputs by name, as JSON values; `BadInput` says what
        does not fit, before anything is written. The job runs by itself from then on.

        The job that has this `id` already is answered if it is of the same order, else `Conflict`.
        """
        ...

    async def find(self, job: str, *, owner: str | None = None) -> str:
        """The whole id of a job. Jobs of others than `owner`, if one is named, do not exist."""
        ...

    async def show(self, job: str) -> JobView: ...

    async def list(
        self,
        *,
        states: Collection[JobState] = (),
        pipeline: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobView]:
        """Newest first."""
        ...

    async def tasks(self, job: str) -> Sequence[TaskView]: ...

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Sequence[EventView]: ...

    def watch(self, job: str, *, after: int = 0) -> AsyncIterator[EventView]:
        """Events from `after` on as they happen; ends after the job's last event once it has finished."""
        ...

    async def graph(self, job: str) -> GraphView: ...

    async def cancel(self, job: str, reason: str = "") -> JobView: ...

    async def pause(self, job: str, reason: str = "") -> JobView: ...

    async def resume(self, job: str) -> JobView: ...

    async def retry(self, job: str) -> JobView: ...

    async def redo(self, job: str, target: str, *, dry_run: bool = False) -> RedoView:
        """Run a stage (`cut`) or one of its tasks (`cut/3`) again, and what follows from it."""
        ...

    async def copy_ledger(self) -> str:
        """The path of a copy of the whole ledger as of now, for a backup; whoever asks takes it away."""
        ...

    async def signal(self, job: str, task: str, name: str, value: Any) -> JobView: ...
