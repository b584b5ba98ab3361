"""What is done to one home: processes carry its job one after the other, and die where they are told to."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from genlock.ledger.spending import Decision
from genlock.testing.proof.lane import HUNG, PATIENCE, Lane
from genlock.testing.proof.order import HELD, TOLD, Order, Subject, Told
from genlock.testing.proof.sight import DATABASE, Sight
from genlock.testing.simulator import Charge

KILLED = -signal.SIGKILL
BROKEN = 70  # the code of a process that ended with an error


@dataclass
class Ordeal:
    """One job of `subject` in a home in `folder`; its ledger is at `url` if it is not a file in the home.

    `killed` is what was to be seen after each blow, with what had been charged by then; `recovered` how
    many milliseconds those who went on took.
    """

    lane: Lane
    folder: Path
    subject: Subject
    decide: Decision = Decision.RESEND
    inputs: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    killed: list[tuple[Sight, Sequence[Charge]]] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.url is None:
            home = self.folder / "home"
            home.mkdir(mode=0o700)
            shutil.copyfile(self.lane.ledger, home / DATABASE)

    def order(self, point: str | None) -> Order:
        """For a process that dies at this point; None: nowhere."""
        settings = dict(self.lane.settings)
        return Order(
            home=self.folder / "home",
            folder=self.folder,
            subject=self.subject,
            settings=settings if self.url is None else {**settings, "database_url": self.url},
            start=self.lane.now(),
            speed=self.lane.speed,
            failpoint=point,
            decide=self.decide,
            book=self.lane.book,
            inputs=dict(self.inputs),
            renderer=self.lane.renderer,
            server=None if self.url is None else self.lane.keeper.pid,
        )

    def run(self, first: Order, *, kill_after: float | None, again: Sequence[str], rivals: bool) -> None:
        """Let one process after another carry the job, until one is not killed."""
        codes = self.lane.run(first, kill_after=kill_after)
        for point in (*again, None):
            if KILLED not in codes:
                break
            self.killed.append((self.sight(), self.lane.charges()))
            first.told.unlink(missing_ok=True)
            order = self.order(point)
            rival = order.model_copy(update={"failpoint": None, "wait_for_home": True})
            codes = self.lane.run(*((order, rival) if rivals else (order,)))
            told = self.told()
            if told is not None and told.recovery_ms is not None:
                self.recovered.append(told.recovery_ms)
            if rivals and KILLED in codes and 0 in codes:
                break  # the one was killed, and the other went on
        if self.url is not None and BROKEN in codes:  # nobody can open a home whose database is away
            codes = self.lane.run(self.order(None))
        self._note(first, codes)

    def _note(self, order: Order, codes: Sequence[int]) -> None:
        """A process that neither came to its end nor was killed has something wrong with it."""
        if strange := [code for code in codes if code not in (0, HELD, KILLED)]:
            why = f"a process ended with {strange[0]}: its log says more"
            if HUNG in strange:
                why = f"a process was still at work after {PATIENCE:.0f} s"
            order.told.write_text(Told(state="not over", error=why).model_dump_json())
        if order.seen.exists():
            seen = json.loads(order.seen.read_text(encoding="utf-8"))
            self.killed.append((Sight(**seen["sight"]), [Charge(**each) for each in seen["charges"]]))

    def sight(self) -> Sight:
        """What is in the ledger now."""
        if self.url is not None:
            return self.lane.keeper.when_up(partial(Sight.of_server, self.url))
        return Sight.of(self.folder / "home", self.folder / "seen")

    @property
    def reached(self) -> bool:
        """Whether a blow fell."""
        told = self.told()
        return bool(self.killed) or (told is not None and told.struck)

    def told(self) -> Told | None:
        """What the last process told in the end."""
        path = self.folder / TOLD
        return Told.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None
