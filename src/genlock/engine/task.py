"""What a stage body may know and do about the task it is."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter

from genlock.clock import Clock
from genlock.engine.calls import Calls
from genlock.engine.codec import dump, encode, load
from genlock.engine.failure import kept
from genlock.engine.fit import Unfit
from genlock.engine.seat import NOWHERE, Seat
from genlock.errors import BadInput, DuplicateName, EventTimeout, Parked, Unsupported
from genlock.ledger.protocol import Ledger, LedgerReader
from genlock.ledger.records import Claim
from genlock.paid import Answer, Ask

T = TypeVar("T")

REPORT_EVERY = 0.25  # seconds between two progress rows of one task
NOTE = 500  # characters of a note that are kept


class Task(Protocol):
    """The face of the running task, injected for a parameter `task: Task = provided()`.

    Names given to `once`, `call` and `event` are unique within the task (`DuplicateName`).
    """

    @property
    def key(self) -> str:
        """`job/stage` or `job/stage/index`: the same over attempts, different for every task there is."""
        ...

    @property
    def index(self) -> int | None:
        """Which child of a map this is, from 0; None if the stage is not mapped."""
        ...

    @property
    def attempt(self) -> int:
        """How often this revision has been claimed, from 1."""
        ...

    @property
    def revision(self) -> int:
        """1, and one more for each redo: another take for stages that can give one."""
        ...

    @property
    def workdir(self) -> Path:
        """A folder for this attempt's scratch files, gone when the attempt has ended."""
        ...

    async def once(self, name: str, act: Callable[[], Awaitable[T]], of: type[T] | None = None) -> T:
        """Do this and keep what it came to; a later attempt gets that instead of doing it again.

        At least once until saved: a crash between act and save runs `act` again, so never spend money
        inside. The value goes through JSON; name its type in `of` to get it back as more than JSON.
        """
        ...

    async def call(self, name: str, ask: Ask) -> Answer:
        """Ask a provider for something that costs money, once: a later attempt gets the recorded answer.

        Holds no worker while the provider works, or a person decides about a request nobody knows the
        fate of. `CallFailed` if it made nothing (another try is another paid call), `Refused` if it will
        not. Stage bodies rarely use this: the models that `provided()` hands out do it for them.
        """
        ...

    async def report(self, progress: float, note: str | None = None) -> None:
        """Show how far the task is, 0..1. Cheap: call it as often as you like."""
        ...

    async def event(
        self, name: str, *, timeout: timedelta | None = None, lifts_deadline: bool = False
    ) -> Any:
        """Wait for a signal of this name, holding no worker. `EventTimeout` when nobody answers in time.

        With `lifts_deadline` the job has no deadline any more from here on: people take longer than machines.
        """
        ...

    async def snooze(self, until: datetime) -> None:
        """Go on no sooner than this, holding no worker; the body then runs from its first line."""
        ...


class LedgerTask:
    """A task whose notes are kept in the ledger."""

    def __init__(
        self,
        claim: Claim,
        ledger: Ledger,
        reader: LedgerReader,
        clock: Clock,
        workdir: Callable[[], Path],
        calls: Calls | None = None,
        seat: Seat = NOWHERE,
    ) -> None:
        self._claim, self._ledger, self._reader, self._clock = claim, ledger, reader, clock
        self._workdir, self._calls, self._seat = workdir, calls, seat
        self._names: set[str] = set()
        self._notes: dict[str, str] | None = None
        self._reported = float("-inf")

    @property
    def key(self) -> str:
        return str(self._claim.task)

    @property
    def index(self) -> int | None:
        return self._claim.task.index

    @property
    def attempt(self) -> int:
        return self._claim.attempt

    @property
    def revision(self) -> int:
        return self._claim.revision

    @property
    def workdir(self) -> Path:
        return self._workdir()

    async def once(self, name: str, act: Callable[[], Awaitable[T]], of: type[T] | None = None) -> T:
        adapter: TypeAdapter[Any] = TypeAdapter(of if of is not None else Any)
        kept = await self._kept(f"once:{name}")
        if kept is None:
            value = encode(dump(adapter, await act(), f"what {name!r} came to"))
            kept = await self._ledger.save(self._claim, f"once:{name}", value)
        try:
            value_back: T = load(adapter, json.loads(kept), f"what {name!r} of {self.key} came to")
        except BadInput as error:  # it could be read when it was written, so the type is another one now
            raise Unfit(f"{error}; it was kept by another version of this stage") from error
        return value_back

    async def call(self, name: str, ask: Ask) -> Answer:
        if self._calls is None:
            raise Unsupported(f"{self.key} wants to buy something, and this engine was given no providers")
        self._use(f"call:{name}")
        return await self._calls.call(self._claim, name, ask, self)

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """See `Asker`. A body that goes on has its resources again; one that ends need not wait for them."""
        self._seat.lend()
        try:
            yield
        except Exception:
            await self._seat.regain()
            raise
        await self._seat.regain()

    async def report(self, progress: float, note: str | None = None) -> None:
        if not math.isfinite(progress):
            raise BadInput(f"{self.key} reports {progress} as its progress: that is no number from 0 to 1")
        now = self._clock.monotonic()
        if now - self._reported >= REPORT_EVERY:
            self._reported = now
            words = None if note is None else kept(note, NOTE)
            await self._ledger.extend(self._claim, progress=min(max(progress, 0.0), 1.0), note=words)

    async def event(
        self, name: str, *, timeout: timedelta | None = None, lifts_deadline: bool = False
    ) -> Any:
        signal = await self._kept(f"signal:{name}")
        if signal is not None:
            return json.loads(signal)
        if lifts_deadline:
            await self._lift_deadline()
        until = await self._event_deadline(name, timeout)
        if until is not None and self._clock.now() >= until:
            raise EventTimeout(
                f"{self.key} waited for {name!r} until {until:%Y-%m-%d %H:%M:%S} UTC: no answer"
            )
        raise Parked(f"waits for {name}", signal=name, until=until)

    async def snooze(self, until: datetime) -> None:
        if self._clock.now() < until:
            raise Parked("", until=until)

    async def _lift_deadline(self) -> None:
        """Of the job that people started: those nested in it have none of their own."""
        job = await self._reader.job(self._claim.task.job)
        while job.parent is not None:
            job = await self._reader.job(job.parent.job)
        if job.deadline is not None:
            await self._ledger.set_deadline(job.id, None)

    async def _event_deadline(self, name: str, timeout: timedelta | None) -> datetime | None:
        """The first attempt's deadline holds: waking up for another reason does not start it anew."""
        if timeout is None:
            return None
        mine = json.dumps((self._clock.now() + timeout).isoformat())
        kept = await self._ledger.save(self._claim, f"event:{name}", mine)
        return datetime.fromisoformat(json.loads(kept))

    def _use(self, name: str) -> None:
        if name in self._names:
            raise DuplicateName(
                f"{self.key} uses the name {name.partition(':')[2]!r} twice: a name keeps one value, so give "
                "every once, call and event of a task its own"
            )
        self._names.add(name)

    async def _kept(self, name: str) -> str | None:
        self._use(name)
        if self._notes is None:
            self._notes = await self._reader.notes(self._claim.task)
        return self._notes.get(name)
