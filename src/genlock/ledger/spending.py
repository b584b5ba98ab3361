"""Paid calls as the ledger keeps them: plain frozen values. Amounts are millionths of a currency.

(none) -- intend --> intended           the money is reserved; from here on the request may leave
intended -- accept --> accepted         the provider's id is known
intended -- release --> released        it was not accepted: the money is free again
intended -- doubt --> doubt             nobody knows: a person decides
intended|accepted -- settle --> settled (made) or failed (made nothing)
released -- intend --> intended         the same call, sent once more
accepted -- doubt --> doubt             the provider denies ever having had it
doubt -- resolve adopt --> accepted;  resolve resend --> released;  resolve give up --> abandoned
failed|abandoned -- intend --> (a new call, number n + 1; see `IN_VAIN`)
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from genlock.ledger.records import TaskRef
from genlock.money import Money


class CallState(StrEnum):
    """Where a call stands; the transitions are drawn above."""

    INTENDED = "intended"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    FAILED = "failed"
    RELEASED = "released"
    DOUBT = "doubt"
    ABANDONED = "abandoned"

    @property
    def live(self) -> bool:
        """Whether the provider may be at work on it, so that it takes one of the account's places."""
        return self in (CallState.INTENDED, CallState.ACCEPTED)

    @property
    def open(self) -> bool:
        """Whether its money is still reserved."""
        return self.live or self is CallState.DOUBT


class Decision(StrEnum):
    """What a person makes of a call in doubt."""

    ADOPT = "adopt"  # it ran: this is its id
    RESEND = "resend"  # send it again, and accept that the first may be charged as well
    GIVE_UP = "give-up"  # neither: the task fails, the money counts as spent


@dataclass(frozen=True, slots=True)
class Budget:
    """A scope whose spending is counted, and the cap that holds unless one was set for it (None: none).

    Scopes are words such as `job:ID` (a job with all nested in it), `user:NAME`, `schedule:ID`,
    `day:2026-11-22`.
    """

    scope: str
    cap: Money | None = None


@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call about to be made by a task, under a `name` that is unique in it.

    `adapter` is vendor and model, `vendor` the account; `limit` is how many calls of the account may be
    live at once. `request` is JSON without secrets. `once_cap` is the most one call may cost.
    """

    name: str
    adapter: str
    vendor: str
    policy: str
    request: str
    request_hash: str
    estimate: Money
    limit: int | None = None
    once_cap: Money | None = None
    budgets: Sequence[Budget] = ()


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it stands.

    `key` is what travels to the vendor: 29 characters of [a-z0-9_], the same for all sendings of the call.
    `number` is n of job/task/revision/name#n. `sends` counts intents: accept, release and doubt show it, so
    that a late answer to an earlier sending is told from one to this. `sent_at` is the newest intent's time,
    `absent_at` the last time since then that the provider's list was found not to have it, `absences`
    how often. `reserved`, `spent` and `risk` are millionths of `currency`: `risk` is what sendings may have
    cost that nobody can know of (given up, sent again, charged twice); it is part of `spent`.
    `computed` says that `spent` comes from the price table and not from the vendor. `answers` counts
    attempts after the one that made it which were given its result instead of paying.
    """

    key: str
    task: TaskRef
    revision: int
    name: str
    number: int
    state: CallState
    adapter: str
    vendor: str
    policy: str
    request: str
    request_hash: str
    estimate: int
    reserved: int
    spent: int
    risk: int
    currency: str
    computed: bool
    sends: int
    handle: str | None
    result: str | None
    reason: str | None
    absences: int
    answers: int
    cancel_asked: bool
    intended_at: datetime
    sent_at: datetime
    absent_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    decided_by: str | None
    scopes: Sequence[str] = ()

    @property
    def path(self) -> str:
        """What people read: job/task/revision/name#n."""
        return f"{self.task}/{self.revision}/{self.name}#{self.number}"


IN_VAIN = 2  # calls of one name that cost money and failed: only a person may ask for another as many
CALL, BUDGET, PLACE = "call:", "budget:", "place:"  # how signals begin that are about money
JOB = "job:"  # how the scope of one job's money begins
BOUGHT = (CALL, PLACE)


def is_attended(signal: str | None, due: bool) -> bool:
    """Whether a task that parked for this signal is looked after by itself: a provider is at work for it, or
    will be, and it is looked at when its time comes. Its job is not one that waits for people.
    """
    return due and signal is not None and signal.startswith(BOUGHT)


def call_key(task: TaskRef, revision: int, name: str, number: int) -> str:
    """The key of job/task/revision/name#n. The parts are set apart by what no name has in it."""
    path = "\0".join((task.job, task.key, str(revision), name, str(number)))
    return "gl_" + b32encode(sha256(path.encode()).digest())[:26].decode().lower()


@dataclass(frozen=True, slots=True)
class Over:
    """Why a call was refused before it left: the scope (`call` for the cap of one call) and its figures."""

    scope: str
    cap: int
    spent: int
    reserved: int
    wanted: int
    currency: str
    frozen: str | None = None  # nothing may be spent there until somebody says so, and why


@dataclass(frozen=True, slots=True)
class Intent:
    """What `intend` came to. Exactly one of: `call` is there (`fresh`: the caller, and nobody else, sends it
    now; not fresh: it was sent before, see its state); `over`; or `busy`: the account has no place free.
    """

    call: CallRow | None = None
    fresh: bool = False
    over: Over | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended: `made` with this result (JSON), or not, and why; `cost` None: the estimate."""

    made: bool
    cost: Money | None
    computed: bool
    result: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A report of a provider to our webhook. `id` is the provider's, unique for `vendor`."""

    vendor: str
    id: str
    body: str
    key: str | None = None
    handle: str | None = None


def fetched_id(key: str, sends: int, picture: str = "") -> str:
    """The id of a report of our own: that the vendor has fetched a picture of this request from us."""
    return f"fetched:{key}:{sends}:{picture}"


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A scope as it stands; `cap` None: what the settings say. `frozen` is why nothing may be spent."""

    scope: str
    currency: str
    cap: int | None
    spent: int
    reserved: int
    frozen: str | None = None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; empty means any. `tree` takes in the jobs nested in `job`."""

    job: str | None = None
    tree: bool = False
    task: TaskRef | None = None
    states: frozenset[CallState] = field(default_factory=frozenset)
    vendor: str | None = None
    owner: str | None = None


class By(StrEnum):
    """What costs are grouped by."""

    JOB = "job"
    STAGE = "stage"
    VENDOR = "vendor"
    ADAPTER = "adapter"
    DAY = "day"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Cost:
    """Money of the calls of one group and currency, in millionths.

    `doubt` is the part of `reserved` that is in doubt. `saved_by_resume` is what was settled before a job was
    interrupted (its process died, or it failed and was retried), each call once: starting from the
    beginning would have paid it again. `saved_by_reuse` is what results cost, where they were first made,
    that tasks took over from another job or an earlier revision instead of paying.
    """

    group: str
    currency: str
    calls: int
    spent: int
    reserved: int
    doubt: int
    risk: int
    saved_by_resume: int
    saved_by_reuse: int
