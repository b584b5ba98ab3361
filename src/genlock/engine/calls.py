"""Paid calls: once, or a person decides. The only module that lets an adapter submit anything.

What holds at every instruction at which the process may die: the intent was committed before the first
byte left, so whoever finds the call `intended` and did not send it itself knows that it may have been
sent. What is done about that follows from the provider's policy (`_recover`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from genlock import trace
from genlock.clock import Clock
from genlock.engine.answer import Keeper, failed, recorded, request_hash, was_fetched
from genlock.engine.purse import Purse, over_budget
from genlock.engine.seat import Asker
from genlock.errors import (
    CallFailed,
    Conflict,
    Doubtful,
    GivenUp,
    InVain,
    NotAccepted,
    NotFound,
    OutOfCredit,
    Parked,
    Permanent,
    Refused,
    Transient,
    Unsupported,
)
from genlock.ledger.payments import Payments, PaymentsReader
from genlock.ledger.records import Claim, TaskRef
from genlock.ledger.spending import CallRow, CallSpec, CallState, Settlement
from genlock.money import Money
from genlock.paid import Accepted, Adapter, Answer, Ask, Broke, Made, Policy, Sending, Working

SEND_WITHIN = 30.0  # seconds from the intent's commit to the request's first byte
BETWEEN_FINDS = timedelta(seconds=5)  # two clean looks into one list prove no more than one if they are one
BUSY = timedelta(seconds=30)  # a freed place wakes who waits for it; this is for one that nobody told of
SLOWEST = timedelta(seconds=60)  # between two looks at a call that has been at work for long
TOP_UP = timedelta(minutes=10)  # between two tries at an account that was empty

Adapters = Callable[[str], Adapter[Any]]


@dataclass(frozen=True)
class Terms:
    """What the settings say about calls. `settle_window` replaces the adapters' own (a proof sets it to
    nothing, to see that it then finds a second charge); `webhook` makes the address for a vendor and key.
    """

    settle_window: timedelta | None = None
    webhook: Callable[[str, str], str | None] = lambda _vendor, _key: None


@dataclass(frozen=True)
class Calls:
    """Makes paid calls for tasks. `adapters` finds an adapter by its name, `vendors` one by whose it is.

    Its memory is when this process first met a call that it did not send.
    """

    ledger: Payments
    reader: PaymentsReader
    keeper: Keeper
    purse: Purse
    adapters: Adapters
    vendors: Adapters
    clock: Clock
    terms: Terms = field(default_factory=Terms)
    _met: dict[str, float] = field(default_factory=dict)
    _sending: dict[asyncio.Task[CallRow | Made], str] = field(default_factory=dict)

    async def call(self, claim: Claim, name: str, ask: Ask, task: Asker) -> Answer:
        """The answer of this call of the task: recorded, or made now. Parks while the provider works.

        What was begun is gone on with as it was asked for, though it could not be asked for today.
        """
        began = self.clock.monotonic()
        begun = await self._begun(claim, name)
        if begun is not None:
            return await self._go_on(claim, begun, ask, task)
        spec = await self._spec(claim, name, ask)
        intent = await self.ledger.intend(claim, spec)
        if intent.over is not None:
            raise over_budget(intent.over, spec)
        if intent.busy or intent.call is None:
            reason = f"waits for a place at {spec.vendor}, which takes {spec.limit} requests at once"
            raise Parked(reason, signal=f"place:{spec.vendor}", until=self.clock.now() + BUSY)
        if intent.fresh:
            async with task.aside():
                return await self._send(intent.call, ask, began)
        return await self._go_on(claim, intent.call, ask, task)

    async def close(self, grace: float) -> None:
        """Let requests that are under way come to an answer: an id that is thrown away is money lost."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=grace)

    def is_sending(self, key: str) -> bool:
        """Whether a request of this call is under way in this process."""
        return key in self._sending.values()

    async def _begun(self, claim: Claim, name: str) -> CallRow | None:
        """The newest call of this name if there is nothing to be intended: it is open, or was answered.

        A look, for a call that is at work is looked at again and again. Whether one that has ended otherwise
        is followed by another, and whether it is this claim that makes it, `intend` decides.
        """
        rows = await self._calls_of(claim.task, claim.revision, name)
        newest = max(rows, key=lambda row: row.number, default=None)
        begun = newest is not None and (newest.state.open or newest.state is CallState.SETTLED)
        return newest if begun else None

    async def _calls_of(self, task: TaskRef, revision: int, name: str) -> list[CallRow]:
        rows = await self.reader.calls_of(task)
        return [row for row in rows if (row.revision, row.name) == (revision, name)]

    async def _spec(self, claim: Claim, name: str, ask: Ask) -> CallSpec:
        adapter, request = ask.adapter, ask.request.model_dump_json()
        return CallSpec(
            name=name,
            adapter=adapter.name,
            vendor=adapter.vendor,
            policy=adapter.policy,
            request=request,
            request_hash=request_hash(request),
            estimate=self._estimate(ask),
            limit=adapter.limit,
            once_cap=self.purse.once_cap,
            budgets=await self.purse.budgets(claim.task.job),
        )

    def _estimate(self, ask: Ask) -> Money:
        ask.adapter.check(ask.request)
        return ask.adapter.estimate(ask.request)

    # -- a call that was intended before ---------------------------------------------------------------

    async def _go_on(self, claim: Claim, row: CallRow, ask: Ask, task: Asker) -> Answer:
        match row.state:
            case CallState.SETTLED:
                await self.ledger.answered(claim, row.key)
                return recorded(row)
            case CallState.ACCEPTED:
                async with task.aside():
                    return await self._look(row, ask, task)
            case CallState.INTENDED:
                async with task.aside():
                    return await self._recover(claim, row, ask, task)
            case CallState.DOUBT:
                raise self._in_doubt(row)
            case CallState.ABANDONED:
                raise given_up(row)
            case CallState.FAILED:
                raise in_vain(await self._calls_of(row.task, row.revision, row.name))
            case _:  # `intend` begins anew after any of these
                raise Conflict(f"call {row.path} is {row.state}, and was not begun anew")

    async def _recover(self, claim: Claim, row: CallRow, ask: Ask, task: Asker) -> Answer:
        """It may have been sent by a process that is gone, or that is only thought to be."""
        adapter = self.adapters(row.adapter)
        began = self.clock.monotonic()
        if adapter.policy in (Policy.IDEMPOTENT, Policy.REPEATABLE):
            return await self._send(await self.ledger.resend(claim, row.key, row.sends), ask, began)
        if adapter.policy is Policy.BLIND:
            reason = "the process ended while the request was under way, and the provider cannot be asked"
            raise self._in_doubt(await self.ledger.doubt(row.key, row.sends, reason, claim=claim))
        handle = await self._found(claim, adapter, row)
        if handle is not None:
            return await self._look(await self.ledger.accept(row.key, row.sends, handle), ask, task)
        row = await self.ledger.absent(claim, row.key, row.sends)
        wait = self.until_certain(adapter, row)
        if wait > 0 or row.absences < 2:
            again = max(timedelta(seconds=wait), BETWEEN_FINDS if self._window(adapter) else timedelta(0))
            raise self._wait_for(row, again, f"asks {row.vendor} whether it has the request")
        if await was_fetched(self.reader, row):
            why = "the provider has fetched the pictures of it, and its list does not have it"
            raise self._in_doubt(await self.ledger.doubt(row.key, row.sends, why, claim=claim))
        return await self._send(await self.ledger.resend(claim, row.key, row.sends), ask, began)

    async def find(self, adapter: Adapter[Any], row: CallRow) -> str | None:
        """The provider's id of it, if it has it. `Transient` if that cannot be told."""
        return await adapter.find(self._message(row), self._request(adapter, row))

    async def _found(self, claim: Claim, adapter: Adapter[Any], row: CallRow) -> str | None:
        try:
            return await self.find(adapter, row)
        except Doubtful as error:
            doubted = await self.ledger.doubt(row.key, row.sends, str(error), claim=claim)
            raise self._in_doubt(doubted) from error
        except Transient as error:
            raise self._wait_for(row, SLOWEST, f"{row.vendor} cannot be asked about it: {error}") from error

    def _window(self, adapter: Adapter[Any]) -> timedelta:
        window = self.terms.settle_window
        return adapter.settle_window + timedelta(seconds=SEND_WITHIN) if window is None else window

    def until_certain(self, adapter: Adapter[Any], row: CallRow) -> float:
        """Seconds until what is not found was not accepted. Measured on a clock that cannot be set, from the
        moment this process met the call: the times in the ledger are those of clocks that can.
        """
        met = self._met.setdefault(f"{row.key}/{row.sends}", self.clock.monotonic())
        return met + self._window(adapter).total_seconds() - self.clock.monotonic()

    # -- sending ---------------------------------------------------------------------------------------

    async def _send(self, row: CallRow, ask: Ask, began: float) -> Answer:
        """Shielded: whoever gives up waiting for the answer, it is recorded."""
        task = asyncio.create_task(self._submit(row, began, patient=ask.patient), name=f"call {row.path}")
        self._sending[task] = row.key
        task.add_done_callback(self._sending.pop)
        try:
            outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_seen)
            raise
        if isinstance(outcome, Made):
            return await self._finish(row, outcome, ask)
        adapter = self.adapters(row.adapter)
        raise self._wait_for(outcome, adapter.poll, f"{row.adapter} is at work on it")

    async def _submit(self, row: CallRow, began: float, *, patient: bool) -> CallRow | Made:
        adapter = self.adapters(row.adapter)
        message = self._message(row, lambda: self.clock.monotonic() - began < SEND_WITHIN)
        try:
            with trace.span("paid call", vendor=row.vendor, adapter=row.adapter, call=row.key):
                outcome = await adapter.submit(message, self._request(adapter, row))
        except OutOfCredit as error:
            await self.ledger.release(row.key, row.sends, str(error))
            if not patient:
                raise
            until = self.clock.now() + TOP_UP
            raise Parked(f"{row.vendor}: {error}", signal=f"call:{row.key}", until=until) from error
        except (NotAccepted, Refused, Unsupported) as error:
            await self.ledger.release(row.key, row.sends, str(error))
            raise
        except Doubtful as error:
            raise await self._unknown(adapter, row, str(error)) from error
        except Exception as error:
            raise await self._unknown(adapter, row, f"{type(error).__name__}: {error}") from error
        if isinstance(outcome, Accepted):
            return await self.ledger.accept(row.key, row.sends, outcome.handle)
        return outcome

    async def _unknown(self, adapter: Adapter[Any], row: CallRow, why: str) -> Parked:
        """Bytes have left and no answer came."""
        if adapter.policy is Policy.BLIND:
            return self._in_doubt(await self.ledger.doubt(row.key, row.sends, why))
        self._met.setdefault(f"{row.key}/{row.sends}", self.clock.monotonic())
        soon = min(timedelta(seconds=2 ** min(row.sends, 6)), SLOWEST)
        return self._wait_for(row, soon, f"no answer to the request ({why}); asks again")

    def _message(self, row: CallRow, in_time: Callable[[], bool] = lambda: True) -> Sending:
        return Sending(row.key, row.sent_at, self.terms.webhook(row.vendor, row.key), in_time)

    def _request(self, adapter: Adapter[Any], row: CallRow) -> Any:
        """As it was recorded: sent again under its key, it has to be the same."""
        return adapter.asks.model_validate_json(row.request)

    # -- an accepted call ------------------------------------------------------------------------------

    async def _look(self, row: CallRow, ask: Ask, task: Asker) -> Answer:
        adapter = self.adapters(row.adapter)
        assert row.handle is not None
        try:
            outcome = await adapter.look(row.handle)
        except Transient as error:
            raise self._wait_for(
                row, self._pace(adapter, row), f"{row.vendor} does not answer: {error}"
            ) from error
        except NotFound as error:
            why = f"the provider knows nothing of {row.handle}: {error}"
            raise self._in_doubt(await self.ledger.doubt(row.key, row.sends, why)) from error
        match outcome:
            case Made():
                return await self._finish(row, outcome, ask)
            case Broke():
                raise await self._broke(row, outcome)
            case Working():
                if outcome.progress is not None:
                    await task.report(outcome.progress, outcome.note or None)
                pause = max(self._pace(adapter, row), outcome.retry_in or timedelta(0))
                raise self._wait_for(row, pause, outcome.note or f"{row.adapter} is at work on it")

    async def _finish(self, row: CallRow, made: Made, ask: Ask) -> Answer:
        """Fetch what was made, look into it, keep it; then the money is counted as spent."""
        adapter = self.adapters(row.adapter)
        try:
            result = await self.keeper.fetch(adapter, row, made, ask.verify)
        except Transient as error:
            raise self._wait_for(
                row, self._pace(adapter, row), f"cannot be downloaded yet: {error}"
            ) from error
        except (NotFound, Permanent) as error:
            reason = f"what {row.adapter} made cannot be used: {error}"
            await self.ledger.settle(row.key, Settlement(False, made.cost, made.cost is None, reason=reason))
            raise CallFailed(reason) from error
        settlement = Settlement(True, made.cost, made.cost is None, result)
        return recorded(await self.ledger.settle(row.key, settlement))

    async def _broke(self, row: CallRow, broke: Broke) -> Exception:
        await self.ledger.settle(row.key, failed(row, broke))
        words = f"{row.adapter} made nothing: {broke.reason}"
        return CallFailed(words) if broke.again else Refused(words)

    # -- waiting ---------------------------------------------------------------------------------------

    def _pace(self, adapter: Adapter[Any], row: CallRow) -> timedelta:
        """The longer it has been at work the longer between two looks; there is no end to looking."""
        age = self.clock.now() - (row.accepted_at or row.sent_at)
        return max(adapter.poll, min(age / 5, SLOWEST))

    def _wait_for(self, row: CallRow, pause: timedelta, reason: str) -> Parked:
        return Parked(reason, signal=f"call:{row.key}", until=self.clock.now() + pause)

    def _in_doubt(self, row: CallRow) -> Parked:
        money = Money(row.reserved, row.currency)
        return Parked(
            f"{row.vendor} may have taken the request, or not ({row.reason}): {money} are in doubt; decide "
            f"with `genlock calls resolve {row.key} adopt ID | resend | give-up`",
            signal=f"call:{row.key}",
        )


def given_up(row: CallRow) -> GivenUp:
    """What a task is told of a call that a person gave up."""
    return GivenUp(f"{row.path} was given up by {row.decided_by}: `genlock jobs retry` makes another call")


def in_vain(rows: Sequence[CallRow]) -> InVain:
    """What a task is told that has paid for what cannot be used, and again: now a person decides."""
    paid = [row for row in rows if row.state is CallState.FAILED and row.spent]
    last = max(paid, key=lambda row: row.number)
    spent = Money(sum(row.spent for row in paid), last.currency)
    return InVain(
        f"{spent} were spent on {len(paid)} tries of {last.task}/{last.name} and nothing of it can be used; "
        f"the last time, {last.reason}. `genlock jobs retry {last.task.job}` buys it once more"
    )


def _seen(task: asyncio.Task[Any]) -> None:
    """Nobody waits for it any more; what it came to is in the ledger."""
    if not task.cancelled():
        task.exception()
