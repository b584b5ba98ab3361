"""The proof itself: trials shared out among lanes, and what they come to."""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from genlock.testing.proof.aim import Aim
from genlock.testing.proof.haste import MACHINE
from genlock.testing.proof.lane import Interrupted, Lane, Lanes
from genlock.testing.proof.order import Subject
from genlock.testing.proof.trial import Bench, Outcome, Trial
from genlock.testing.proof.verdict import Whole

SHARED = Path("/dev/shm")  # noqa: S108 - homes of its own name in it, for their owner's eyes alone
ROOM = 2 << 30  # bytes that must be free there
LOOK = 0.2  # seconds between two looks at whether somebody wants to stop

Hear = Callable[["Proof"], None]


@dataclass
class Proof:
    """One aim, tried on these lanes. `hear` is told whenever something is done; what was found so far is in
    `outcomes`. Homes are removed, but for those in which something was found.
    """

    aim: Aim
    lanes: Lanes
    hear: Hear = lambda _: None
    whole: Whole | None = None
    trials: list[Trial] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def run(self) -> None:
        """Try everything. Ctrl-C ends it with what was found so far (`interrupted`)."""
        began = MACHINE.monotonic()
        work = _Work(self)
        threads = [
            threading.Thread(target=work.carry, args=(lane,), name=lane.folder.name)
            for lane in self.lanes.lanes
        ]
        for thread in threads:
            thread.start()
        try:
            self._collect(work, threads)
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            work.stop(cut=self.interrupted)
            for thread in threads:
                thread.join()
            self.seconds = MACHINE.monotonic() - began
            self._tidy()

    def _collect(self, work: _Work, threads: list[threading.Thread]) -> None:
        while any(thread.is_alive() for thread in threads) or not work.results.empty():
            try:
                result = work.results.get(timeout=LOOK)
            except queue.Empty:
                continue
            if isinstance(result, BaseException):
                raise result
            if isinstance(result, Outcome):
                self.outcomes.append(result)
            self.hear(self)

    def _tidy(self) -> None:
        """Remove all but the folders that were kept."""
        kept = {outcome.kept for outcome in self.outcomes if outcome.kept is not None}
        for lane in self.lanes.lanes:
            for path in (*lane.folder.glob("trial-*"), *lane.folder.glob("whole-*")):
                if path not in kept:
                    shutil.rmtree(path, ignore_errors=True)


class _Work:
    """What the lanes' threads share."""

    def __init__(self, proof: Proof) -> None:
        self._proof = proof
        self.results: queue.SimpleQueue[Outcome | Whole | BaseException] = queue.SimpleQueue()
        self._whole: Future[tuple[Whole, Bench]] = Future()
        self._next: Iterator[Trial] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self, *, cut: bool) -> None:
        """Let every lane end: after what it is at, or now."""
        with self._lock:
            self._stopped = True
        if not self._whole.done():
            self._whole.set_exception(Interrupted("the proof was interrupted"))
        if cut:
            self._proof.lanes.cut()

    def carry(self, lane: Lane) -> None:
        """In a thread of its own: all that one lane has to do."""
        try:
            self._carry(lane)
        except Interrupted:
            pass
        except BaseException as error:  # noqa: BLE001 - raised in the main thread, which collects
            self.results.put(error)

    def _carry(self, lane: Lane) -> None:
        proof = self._proof
        lane.face(proof.aim.stand)
        bench = Bench(lane, proof.aim.subject, proof.aim.stand)
        if lane is proof.lanes.lanes[0]:
            whole = self._measure(bench)
        else:
            whole, other = self._whole.result()
            bench.learn(other)
        while (trial := self._take()) is not None:
            self.results.put(bench.undergo(trial, whole))

    def _measure(self, bench: Bench) -> Whole:
        """What an undisturbed run comes to; one goes before it, so that everything is warm."""
        whole = bench.whole()
        if not self._proof.aim.only:
            whole = bench.whole()
        self._proof.whole = whole
        self._proof.trials = self._proof.aim.trials(whole)
        self._next = iter(self._proof.trials)
        self._whole.set_result((whole, bench))
        self.results.put(whole)
        return whole

    def _take(self) -> Trial | None:
        with self._lock:
            if self._stopped or self._next is None:
                return None
            return next(self._next, None)


def modules_of(subject: Subject) -> list[str]:
    """What lanes are to import for it besides what every proof needs."""
    named = (subject.pipeline, subject.tools or "")
    return list(dict.fromkeys(name.partition(":")[0] for name in named if ":" in name))


def place_for_homes() -> Path:
    """A new folder for the homes of a proof: in memory if there is room, for only processes die here, and no
    machine. Nobody else may look into it.
    """
    roomy = os.access(SHARED, os.W_OK) and shutil.disk_usage(SHARED).free >= ROOM
    return Path(tempfile.mkdtemp(prefix="genlock-prove-", dir=SHARED if roomy else None))
