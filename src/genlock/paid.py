"""The contract of a paid call: what the engine asks of a provider's adapter, and what it is told.

It stands below both, for neither may know the other. The order of events, whatever the vendor:

    estimate, check                     nothing has left yet
    intent committed, money reserved    by the engine, in the ledger
    submit ──► Accepted                 the vendor's id is committed before anything else is done with it
           ├─► Made                     the vendor answered with the result at once
           ├─► Refused, NotAccepted     raised: nothing was accepted, the money is free again
           └─► Doubtful                 raised: bytes have left, and nobody knows what became of them
    look ──► Working | Made | Broke     as often as it takes; a network error here means nothing
    find ──► handle | None              after a doubt or a crash: is it there under our key?
    cancel                              asked for; what `look` says afterwards is what happened
    download                            of every file of a `Made`, at once: vendors delete them

`Refused`, `NotAccepted`, `Doubtful`, `OutOfCredit` and `Unsupported` are in `genlock.errors`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from genlock.money import Money
from genlock.store.artifact import Artifact

T = TypeVar("T")
Face_co = TypeVar("Face_co", covariant=True)
RequestT_contra = TypeVar("RequestT_contra", contravariant=True)

SETTLE_WINDOW = timedelta(seconds=120)  # a request's time-out and the lag of a vendor's list, together


def always() -> bool:
    """It is never too late."""
    return True


class Policy(StrEnum):
    """What can be done about a request nobody knows the fate of."""

    IDEMPOTENT = "idempotent"  # sent again under the same key it is the same request
    FINDABLE = "findable"  # the vendor can be asked whether it has a request with our key
    BLIND = "blind"  # neither: a person decides
    REPEATABLE = "repeatable"  # so cheap that it is sent again; the first may have been charged


@dataclass(frozen=True, slots=True)
class Sending:
    """One request on its way. `key` is our own name for it, 29 characters of [a-z0-9_]: it travels
    wherever the vendor will echo it. `since` is when the intent was committed, by the ledger's clock.
    `webhook` is where the vendor may report to (it carries the key already); None: nowhere. `in_time` is
    asked right before the request's first byte leaves: False means that too long has passed since the
    intent (a slow upload, a process that was stopped), and the adapter raises `NotAccepted` instead.
    """

    key: str
    since: datetime
    webhook: str | None = None
    in_time: Callable[[], bool] = always


@dataclass(frozen=True, slots=True)
class Remote:
    """A file the vendor has made: at `url`, or here already as `data`. `media_type` is what it has to be."""

    name: str
    media_type: str
    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a secret: never kept


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor has it, under this id of its own, by which `look` and `cancel` work in any process."""

    handle: str


@dataclass(frozen=True, slots=True)
class Working:
    """Not finished. `retry_in` is how soon the vendor wants to be asked again, if it said."""

    progress: float | None = None
    note: str = ""
    retry_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """Finished. `facts` is JSON to keep beside the files (texts, word times, the seed that was used).

    `cost` is the vendor's own figure; None: it says none, and the price table counts.
    """

    files: Sequence[Remote] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    cost: Money | None = None


@dataclass(frozen=True, slots=True)
class Broke:
    """The vendor accepted it and made nothing. `cost` as for `Made`; None: failures are free of charge.

    `again` says whether asking again may help (its machine failed) or not (it refused the content);
    `cancelled` that it ended because somebody asked it to.
    """

    reason: str
    cost: Money | None = None
    again: bool = True
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What a vendor reported to our webhook: the report's own id (the same when it is sent again), and
    the handle of the request it is about.
    """

    id: str
    handle: str | None = None


class Adapter(Protocol[RequestT_contra]):
    """One vendor's way of doing one kind of thing. Holds no state that a crash could lose."""

    @property
    def name(self) -> str:
        """Vendor and model, as in settings: `replicate:google/veo-3.1`."""
        ...

    @property
    def vendor(self) -> str:
        """Whose account it is: requests at once are counted by it, costs are shown by it."""
        ...

    @property
    def asks(self) -> type[BaseModel]:
        """The class of its requests, by which a recorded one is read back."""
        ...

    @property
    def policy(self) -> Policy: ...

    @property
    def settle_window(self) -> timedelta:
        """How long after its last byte a request that is not found was certainly not accepted."""
        ...

    @property
    def limit(self) -> int | None:
        """How many requests the account may have at work at once; None: no limit known."""
        ...

    @property
    def poll(self) -> timedelta:
        """How long after acceptance the first look is worth while; later ones are farther apart."""
        ...

    def check(self, request: RequestT_contra) -> None:
        """Whether the vendor can do this. `Unsupported` if not, which names what it can do."""
        ...

    def estimate(self, request: RequestT_contra) -> Money:
        """The most it will cost, by the price table. `Unsupported` if the table has no price for it."""
        ...

    async def submit(self, sending: Sending, request: RequestT_contra) -> Accepted | Made:
        """Send it, once: an adapter never repeats a request by itself."""
        ...

    async def look(self, handle: str) -> Working | Made | Broke:
        """How it is going. `Transient` if the vendor cannot be reached; `NotFound` if it knows no such id."""
        ...

    async def find(self, sending: Sending, request: RequestT_contra) -> str | None:
        """The handle of the request with this key; None: the vendor's list is whole and it is not in it.

        `Transient` if the list cannot be read to its end, which proves nothing.
        """
        ...

    async def cancel(self, handle: str) -> None:
        """Ask the vendor to stop; it may have finished meanwhile. `Unsupported` if it cannot be asked."""
        ...

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Read a report to our webhook. `Refused` if its signature is missing, wrong or too old;
        `Unsupported` if the vendor sends none.
        """
        ...

    async def download(self, remote: Remote, to: Path) -> None:
        """Fetch a file that has a URL. `Transient` while it may still work, `NotFound` once it is gone."""
        ...


class Verify(Protocol):
    """Looks into a downloaded file: `Permanent` if it is not what was asked for, else facts to keep."""

    async def __call__(self, path: Path, media_type: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Ask:
    """One paid call as a metered face puts it to `task.call`: who is asked what.

    `request` is a pydantic model of data and artifact references: it is kept in the ledger, so it holds
    no secret. `verify` looks into each file that comes back. `patient` waits for credit while the account
    is empty; otherwise that is raised as `OutOfCredit`, for there is another provider to ask.
    """

    adapter: Adapter[Any]
    request: Any
    verify: Verify | None = None
    patient: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a paid call came to: its files, kept in the store; its facts; what it cost; which adapter made it,
    for it may have been another one when the call was first made.
    """

    files: Sequence[Artifact]
    facts: Mapping[str, Any]
    cost: Money
    adapter: str = ""


class Caller(Protocol):
    """What makes a paid call once: the running task."""

    async def call(self, name: str, ask: Ask) -> Answer:
        """The answer recorded under this name, or else the call is made; see `genlock.engine.task.Task`."""
        ...

    async def once(self, name: str, act: Callable[[], Awaitable[T]], of: type[T] | None = None) -> T:
        """What `act` came to, kept under this name; if `act` raises, nothing is kept."""
        ...


@runtime_checkable
class Metered(Protocol[Face_co]):
    """A tool that costs money: a stage is never handed it, but a face of it that pays through its task."""

    def meter(self, caller: Caller) -> Face_co:
        """The face for one attempt at one task."""
        ...
