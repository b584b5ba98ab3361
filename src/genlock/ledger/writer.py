"""The one thread that writes: verbs are queued to it and committed together.

Callers wait for the commit, so what they were told is on the disk. While one batch is being
written the next one gathers: the busier the ledger, the more verbs share a commit. The thread also
renews the leases of this process's holders, so a busy event loop cannot lose its claims.

The end of a stage that the last commit gave away has no company: it is written where it is, since handing
it over and being woken again would take half as long as the commit. Only where commits are quick, though,
for nothing else happens on that event loop meanwhile.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from genlock.clock import Clock
from genlock.errors import GenlockError, LedgerError
from genlock.ledger import attempt, claiming, page
from genlock.ledger.batch import Batch
from genlock.ledger.census import Ear
from genlock.ledger.claiming import Wish
from genlock.ledger.database import is_gone, is_shared
from genlock.ledger.page import Success
from genlock.ledger.records import Claim, TaskRef
from genlock.ledger.sweeping import Sweep, go_on
from genlock.ledger.transaction import Occupied, Transactions, explain

MOST_VERBS = 512  # in one transaction
RENEW_EVERY = 3.0  # seconds
NOTHING = ""
QUICK = 0.001  # seconds a commit may take to be worth no hand-over


class Verb:
    """One call that waits to be written.

    `act` is done on a batch. A `wish` instead is a claim, and a `success` what a task came to: those may
    be served together with others. `refs` are the tasks it will look at, read ahead for the whole
    batch. `fenced` verbs show a claim: a claim of somebody else may be served after them. `after` is the
    token of the claim that it follows on: NOTHING follows on a commit that gave none away.
    """

    __slots__ = (
        *("act", "after", "answer", "error", "fenced", "future", "loop", "refs", "success", "sweeps"),
        "wish",
    )

    def __init__(
        self,
        act: Callable[[Batch], Any] | None = None,
        *,
        wish: Wish | None = None,
        success: Success | None = None,
        refs: Sequence[TaskRef] = (),
        fenced: bool = False,
        after: str | None = None,
    ) -> None:
        self.act, self.wish, self.success, self.refs, self.fenced = act, wish, success, refs, fenced
        self.after = success.claim.token if self.is_stage and success else after
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.answer: Any = None
        self.error: BaseException | None = None
        self.sweeps: Sequence[Sweep] = ()  # to be finished before the caller is told

    @property
    def is_stage(self) -> bool:
        """Whether a stage has come to something, and not a child of a map, of which there are many."""
        return self.success is not None and "/" not in self.success.claim.task.key

    def do(self, batch: Batch) -> Any:
        """What it does by itself."""
        if self.success is not None:
            return attempt.succeed(batch, self.success)
        assert self.act is not None
        return self.act(batch)

    def deliver(self) -> None:
        """Tell the caller, who may have gone."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)


class Writer:
    """Owns the writing connection. `heard` is told in the thread which jobs a commit has changed or ended."""

    def __init__(self, engine: Engine, clock: Clock, heard: Callable[[Mapping[str, bool]], None]) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._heard = heard
        self._queue: queue.SimpleQueue[list[Verb] | None] = queue.SimpleQueue()
        self._gathering: dict[asyncio.AbstractEventLoop, list[Verb]] = {}
        self._unwritten = 0  # verbs that came before, and are first
        self._left: list[Verb] = []  # taken from the queue, and too many for the batch
        self._leases: dict[str, int] = {}
        self._sweeping: deque[Verb] = deque()
        self._door = threading.Lock()  # nothing is queued behind the end
        self._writing = threading.Lock()  # has the transactions
        self._here = not is_shared(engine)  # nothing is waited for but the disk
        self._given: str | None = None  # the token of all that the last commit gave away, if it was quick
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="genlock-ledger", daemon=True)
        self._thread.start()

    async def submit(self, verb: Verb) -> Any:
        """Do a verb and answer once it is committed.

        What is submitted in one turn of an event loop is queued together: waking the thread for the
        first of many verbs would write that one alone. One that hardly has company is written at once.
        """
        if not self._write_here(verb):
            self._enqueue(verb)
        return await verb.future

    def _write_here(self, verb: Verb) -> bool:
        """Do this verb in the caller's thread, unless others are being written or that may take long."""
        if (
            verb.after is None
            or verb.after != self._given
            or self._unwritten
            or not self._writing.acquire(blocking=False)
        ):
            return False
        try:
            if self._closed:
                return False
            stirred = self._commit([verb], wait=False)
        except Occupied:
            return False
        except Exception as error:  # noqa: BLE001 - the caller is told
            verb.error, stirred = explain(error), {}
        finally:
            self._writing.release()
        verb.deliver()  # such a verb leaves no sweeps
        self._heard(stirred)
        return True

    def _enqueue(self, verb: Verb) -> None:
        with self._door:
            if self._closed:
                raise LedgerError("the ledger is closed")
            self._unwritten += 1
            gathering = self._gathering.get(verb.loop)
            if gathering is not None:
                gathering.append(verb)
            elif verb.is_stage:
                self._queue.put([verb])
            else:
                self._gathering[verb.loop] = [verb]
                verb.loop.call_soon(self._hand_over, verb.loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._door:
            verbs = self._gathering.pop(loop, None)
            if verbs:
                self._queue.put(verbs)

    def close(self) -> None:
        """Commit what is queued and end the thread; blocks until that is done."""
        with self._door:
            if not self._closed:
                self._closed = True
                for verbs in self._gathering.values():
                    self._queue.put(verbs)
                self._gathering.clear()
                self._queue.put(None)
        self._thread.join()
        with self._writing:
            self._transactions.close()

    def listen(self, ear: Ear) -> None:
        """Tell `ear`, in the thread, the events of each commit from now on."""
        self._transactions.ear = ear

    def hold(self, holder: str, lease: timedelta) -> None:
        """Renew this holder's lease from now on; called in the thread."""
        self._leases[holder] = int(lease.total_seconds() * 1_000_000)

    def let_go(self, holder: str) -> None:
        self._leases.pop(holder, None)

    def renew(self, batch: Batch) -> None:
        """Push the leases of this process's holders into the future."""
        for holder, lease in self._leases.items():
            claiming.enlist(batch, holder, batch.now + lease)

    # In the thread

    def _work(self) -> None:
        renewed = self._clock.monotonic()
        while True:
            wait = RENEW_EVERY if self._leases else None
            verbs, last = self._gather(0 if self._sweeping else wait)
            if verbs:
                self._write(verbs)
            if self._sweeping:
                self._sweep()
            while last and self._sweeping:
                self._sweep()
            if last:
                return
            idle = not (verbs or self._sweeping)
            if self._leases and (idle or self._clock.monotonic() - renewed >= RENEW_EVERY):
                renewed = self._clock.monotonic()
                self._renew()

    def _gather(self, timeout: float | None) -> tuple[list[Verb], bool]:
        """Everything queued, at most a batch; waits for the first one. True if nothing will follow."""
        verbs, self._left = self._left, []
        try:
            while len(verbs) < MOST_VERBS:
                more = self._queue.get_nowait() if verbs else self._queue.get(timeout=timeout)
                if more is None:
                    return verbs, True
                verbs += more
        except queue.Empty:
            pass
        verbs, self._left = verbs[:MOST_VERBS], verbs[MOST_VERBS:]
        return verbs, False

    def _renew(self) -> None:
        # The next verb meets the same database and says so; then it is tried again.
        with suppress(Exception), self._writing:
            self._transactions.commit(self.renew)

    def _write(self, verbs: list[Verb]) -> None:
        """One transaction for all; if anything but a refusal happens, one for each."""
        stirred: Mapping[str, bool] = {}
        try:
            with self._writing:
                stirred = self._commit(verbs)
        except Exception as error:  # noqa: BLE001 - every caller is told below what became of its verb
            if len(verbs) > 1 and not is_gone(error):
                for verb in verbs:
                    self._write([verb])
                return
            for verb in verbs:
                verb.error, verb.sweeps = explain(error), ()
        self._sweeping += [verb for verb in verbs if verb.sweeps]
        with self._door:
            self._unwritten -= len(verbs)
        self._deliver([verb for verb in verbs if not verb.sweeps])
        self._heard(stirred)

    def _commit(self, verbs: Sequence[Verb], *, wait: bool = True) -> Mapping[str, bool]:
        began = self._clock.monotonic()
        refs = [ref for verb in verbs for ref in verb.refs]
        stirred = self._transactions.commit(lambda batch: self._run(batch, verbs), refs, wait=wait)
        quick = self._here and self._clock.monotonic() - began < QUICK
        self._given = _given(verbs[0]) if quick and len(verbs) == 1 else None
        return stirred

    def _sweep(self) -> None:
        """One slice of what the eldest of these verbs has left to do; others are served in between."""
        verb = self._sweeping[0]
        more: list[bool] = []
        try:
            with self._writing:
                self._transactions.commit(lambda batch: more.append(go_on(batch, verb.sweeps[0])))
        except Exception as error:  # noqa: BLE001 - the caller is told; `expire` goes on with the sweep
            verb.sweeps, verb.error = (), explain(error)
        if verb.sweeps and not more[-1]:
            verb.sweeps = verb.sweeps[1:]
        if not verb.sweeps:
            self._sweeping.popleft()
            self._deliver([verb])

    def _run(self, batch: Batch, verbs: Sequence[Verb]) -> None:
        wishes: list[Verb] = []
        successes: list[Verb] = []
        for verb in verbs:
            if verb.wish is not None:
                wishes.append(verb)
            elif verb.success is not None:
                successes.append(verb)
            else:
                self._succeed(batch, successes)
                successes = []
                if wishes and not verb.fenced:
                    self._grant(batch, wishes)
                    wishes = []
                self._act(batch, verb)
        self._succeed(batch, successes)
        if wishes:
            self._grant(batch, wishes)

    def _succeed(self, batch: Batch, verbs: list[Verb]) -> None:
        """Those that move nothing but counters by the page, and then the others."""
        batch.turn()
        answers = page.succeed(batch, [verb.success for verb in verbs if verb.success])
        for place, verb in enumerate(verbs):
            if place in answers:
                verb.answer, verb.error, verb.sweeps = answers[place], None, ()
            else:
                self._act(batch, verb)

    def _grant(self, batch: Batch, verbs: list[Verb]) -> None:
        batch.turn()
        wishes = [verb.wish for verb in verbs if verb.wish]
        for verb, claims in zip(verbs, claiming.grant(batch, wishes), strict=True):
            verb.answer, verb.error = claims, None

    def _act(self, batch: Batch, verb: Verb) -> None:
        batch.turn()
        verb.error, verb.sweeps, done = None, (), len(batch.left)
        try:
            verb.answer = verb.do(batch)
            verb.sweeps = [Sweep(job, number) for job, number in batch.left[done:]]
        except LedgerError:
            raise
        except GenlockError as refusal:
            verb.error = refusal

    def _deliver(self, verbs: list[Verb]) -> None:
        """Wake each event loop once for all of its verbs."""
        loops: dict[asyncio.AbstractEventLoop, list[Verb]] = {}
        for verb in verbs:
            loops.setdefault(verb.loop, []).append(verb)
        for loop, theirs in loops.items():
            with suppress(RuntimeError):  # the loop ended while it waited: nobody is left to tell
                loop.call_soon_threadsafe(_deliver_all, theirs)


def _given(verb: Verb) -> str | None:
    """The token of the one claim that this verb has brought; NOTHING if it brought none."""
    claimed: Sequence[Claim] = verb.answer if verb.wish else getattr(verb.answer, "claimed", ())
    if not claimed:
        return NOTHING
    return claimed[0].token if len(claimed) == 1 else None


def _deliver_all(verbs: list[Verb]) -> None:
    for verb in verbs:
        verb.deliver()
