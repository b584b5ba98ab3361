"""Money in the in-memory ledger: calls, budgets, reports, and who waits for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from genlock.errors import BadInput, Conflict, NotFound
from genlock.ledger.memory.book import Book
from genlock.ledger.memory.row import Change, Job, Task
from genlock.ledger.records import TaskRef, TaskState
from genlock.ledger.spending import (
    BUDGET,
    JOB,
    BudgetRow,
    CallFilter,
    CallRow,
    CallSpec,
    CallState,
    Delivery,
    Over,
)


@dataclass(frozen=True)
class Refusal:
    """What a task was refused last: how much it wanted, and how much there was at most."""

    awaited: str
    wanted: int
    most: int | None


@dataclass
class Till:
    """Rows of money. `rung` are calls of which something was said that nobody was woken for; `makers` the
    tokens of who sent them, or was given their result last.
    """

    book: Book
    calls: dict[str, CallRow] = field(default_factory=dict)
    budgets: dict[str, BudgetRow] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], tuple[Delivery, datetime]] = field(default_factory=dict)
    refusals: dict[TaskRef, Refusal] = field(default_factory=dict)
    rung: set[str] = field(default_factory=set)
    makers: dict[str, str] = field(default_factory=dict)

    def call(self, key: str) -> CallRow:
        """The call; `NotFound` if there is none."""
        if key not in self.calls:
            raise NotFound(f"there is no call {key!r}")
        return self.calls[key]

    def change(self, call: CallRow, **values: Any) -> CallRow:
        """Keep the call with these values."""
        self.calls[call.key] = changed = replace(call, **values)
        return changed

    def expect(self, key: str, sends: int, *states: CallState) -> CallRow:
        """The call, if it stands so and was not sent again since."""
        call = self.call(key)
        if call.state not in states or call.sends != sends:
            raise Conflict(f"call {call.path} is {call.state} and was sent {call.sends} times")
        return call

    def live(self, vendor: str) -> int:
        """How many places of the account are taken."""
        return sum(call.vendor == vendor and call.state.live for call in self.calls.values())

    def log(self, call: CallRow, kind: str, /, **data: Any) -> None:
        named = {"call": call.key, "name": call.name, "number": call.number}
        self.book.tell(self.book.jobs[call.task.job], kind, call.task.key, **named, **data)

    def task(self, call: CallRow) -> Task | None:
        """The task of a call, which may be gone."""
        try:
            return self.book.task(call.task)
        except NotFound:
            return None

    def fitting(self, where: CallFilter) -> list[CallRow]:
        """The calls that a filter asks for."""
        return [
            call
            for call in self.calls.values()
            if self.fits_job(where, call.task)
            and (not where.states or call.state in where.states)
            and where.vendor in (None, call.vendor)
        ]

    def fits_job(self, where: CallFilter, task: TaskRef) -> bool:
        """Whether a filter takes in this task."""
        return where.task in (None, task) and self.takes_in(where, task.job)

    def takes_in(self, where: CallFilter, job: str) -> bool:
        """Whether a filter takes in any task of this job."""
        around = self._around(job) if where.tree else [job]
        of_job = where.job is None or where.job in around
        return of_job and where.owner in (None, self.book.jobs[job].spec.owner)

    def _around(self, job: str) -> list[str]:
        """The job and those it is nested in."""
        found = self.book.job(job)
        return [job, *(self._around(found.parent.job) if found.parent else ())]

    def root(self, job: str) -> str:
        return self._around(job)[-1]

    # Budgets

    def budget(self, scope: str) -> BudgetRow:
        """The scope as it stands, or would if it had a row."""
        return self.budgets.get(scope) or BudgetRow(scope, "USD", None, 0, 0)

    def agreed(self, scope: str, currency: str) -> BudgetRow:
        """The budget, in this currency. `BadInput` if it is counted in another one."""
        found = self.budget(scope)
        if found.currency != currency and (found.cap is not None or found.spent or found.reserved):
            raise BadInput(f"{scope} is counted in {found.currency} and cannot take {currency}")
        return replace(found, currency=currency)

    def shift(self, scopes: Iterable[str], *, reserved: int = 0, spent: int = 0) -> None:
        """Add to what these budgets have reserved and spent."""
        for scope in scopes:
            found = self.budgets[scope]
            self.budgets[scope] = replace(
                found, reserved=found.reserved + reserved, spent=found.spent + spent
            )

    def over(self, spec: CallSpec, caps: Mapping[str, int | None]) -> Over | None:
        """The first scope that has not enough left."""
        wanted, currency = spec.estimate.micros, spec.estimate.currency
        if spec.once_cap is not None and wanted > spec.once_cap.micros:
            return Over("call", spec.once_cap.micros, 0, 0, wanted, currency)
        found = None
        for scope in sorted(caps):
            budget = self.agreed(scope, currency)
            cap = caps[scope] if budget.cap is None else budget.cap
            short = cap is not None and budget.spent + budget.reserved + wanted > cap
            if found is None and (short or budget.frozen is not None):
                sums = (budget.spent, budget.reserved, wanted)
                found = Over(scope, cap or 0, *sums, currency, budget.frozen)
        return found

    def log_budget(self, scope: str, kind: str, /, **data: Any) -> None:
        """Add an event to each job that a budget concerns."""
        waiting = {task.ref.job for task in self.waiting(f"{BUDGET}{scope}")}
        for job in sorted(waiting | ({scope.removeprefix(JOB)} & self.book.jobs.keys())):
            self.book.tell(self.book.jobs[job], kind, None, scope=scope, **data)

    # Who waits

    def waiting(self, signal: str) -> list[Task]:
        """Who is parked for it, the longest-parked first."""
        return [task for task in self.parked(signal) if task.signal == signal]

    def parked(self, prefix: str) -> list[Task]:
        """Who is parked for something that begins so, the longest-parked first."""
        found = [
            task
            for job in self.book.jobs.values()
            for task in job.tasks()
            if task.state is TaskState.PARKED and (task.signal or "").startswith(prefix)
        ]
        now = self.book.clock.now()
        return sorted(found, key=lambda task: task.started_at or now)

    def wake(self, task: Task) -> None:
        """parked -> ready."""
        job, change = self.book.job(task.ref.job), Change()
        self.book.log(job, "task.woken", task)
        self.book.ready(task, change)
        self.book.settle(job, change)

    def wake_for_money(self, scopes: Iterable[str]) -> None:
        """Wake all who would find enough in these budgets now."""
        for scope in sorted(scopes):
            for task in self.waiting(f"budget:{scope}") if self.budget(scope).frozen is None else ():
                refusal = self.refusals.get(task.ref)
                if refusal is None or refusal.awaited != task.signal or self.can_pay(scope, refusal):
                    self.wake(task)

    def can_pay(self, scope: str, refusal: Refusal) -> bool:
        """Whether what was refused is there now."""
        budget = self.budget(scope)
        cap = refusal.most if budget.cap is None else budget.cap
        return cap is None or budget.spent + budget.reserved + refusal.wanted <= cap

    def wake_for_place(self, vendor: str) -> None:
        """Wake one whose job goes on, and those whose jobs are paused: they look again later."""
        tasks = self.waiting(f"place:{vendor}")
        free = [task for task in tasks if self._goes_on(task)]
        for task in [task for task in tasks if not self._goes_on(task)] + free[:1]:
            self.wake(task)

    def _goes_on(self, task: Task) -> bool:
        job: Job = self.book.jobs[task.ref.job]
        return job.state.claimable

    def tell(self, call: CallRow) -> None:
        """Something was said of the call: wake its task, or let it hear of it when it parks."""
        if not self.wake_for_call(call):
            self.rung.add(call.key)

    def wake_for_call(self, call: CallRow) -> bool:
        """Wake the task if it is parked for this call; whether it was."""
        task = self.task(call)
        if task is None or task.state is not TaskState.PARKED or task.signal != f"call:{call.key}":
            return False
        self.rung.discard(call.key)
        self.wake(task)
        return True

    def has_come(self, task: Task, signal: str) -> bool:
        """Whether what the task is about to wait for is there already."""
        word, _, name = signal.partition(":")
        if word == "call":
            known = self.calls.get(name)
            heard = name in self.rung and known is not None and known.task == task.ref
            self.rung -= {name} if heard else set()
            return heard
        refusal = self.refusals.get(task.ref)
        if refusal is None or refusal.awaited != signal:
            return False
        if word == "place":
            return refusal.most is None or self.live(name) < refusal.most
        return self.budget(name).frozen is None and self.can_pay(name, refusal)

    # Forgetting

    def unpaid(self) -> set[str]:
        """Jobs with open calls, and those that they are nested in."""
        found = set()
        for call in self.calls.values():
            job = self.book.jobs.get(call.task.job) if call.state.open else None
            while job is not None:
                found.add(job.spec.id)
                job = self.book.jobs.get(job.parent.job) if job.parent else None
        return found

    def forget(self, gone: Iterable[str], before: datetime) -> None:
        """Drop what belongs to these jobs, and old reports about no call that is known."""
        jobs = set(gone)
        self.calls = {key: call for key, call in self.calls.items() if call.task.job not in jobs}
        self.refusals = {ref: one for ref, one in self.refusals.items() if ref.job not in jobs}
        self.rung &= self.calls.keys()
        known = {name for call in self.calls.values() for name in (call.key, call.handle)} - {None}
        self.deliveries = {
            name: (one, at)
            for name, (one, at) in self.deliveries.items()
            if at >= before or not jobs or known & {one.key, one.handle}
        }
