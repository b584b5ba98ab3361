"""One trial: a job begins, the blow falls, others go on, and what is left is judged."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from genlock.errors import BadInput, GenlockError
from genlock.ledger.spending import Decision
from genlock.paid import Policy
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing.proof.haste import MACHINE
from genlock.testing.proof.lane import HUNG, PATIENCE, Lane
from genlock.testing.proof.order import HELD, Blow, Doubt, Order, Subject, Told
from genlock.testing.proof.sight import Sight
from genlock.testing.proof.stand import Stand
from genlock.testing.proof.verdict import Evidence, Verdict, Whole, judge, measure
from genlock.testing.simulator import Charge

KILLED = -signal.SIGKILL
FILM = "video/mp4"
_POINT = r"[a-z]+:\d+:(?:before|after)"
BLOWS: dict[str | None, Blow] = {"lose": "lose", "back": "back", "ahead": "ahead"}
TRIAL = re.compile(
    rf"(?:(rivals|lose|back|ahead)@)?(?:after:([\d.]+)|({_POINT}))((?:\+{_POINT})*)(?:,(adopt|resend|give-up))?"
)
DECISIONS = (Decision.ADOPT, Decision.RESEND, Decision.GIVE_UP)


@dataclass(frozen=True)
class Trial:
    """What is done to one job.

    The blow falls at `point`, or after `kill_after` seconds of the machine's time from outside. `again` are
    the points at which those die who go on; `rivals` says that two go on at once. `decide` is what a person
    says of every call in doubt.
    """

    point: str | None = None
    blow: Blow = "die"
    kill_after: float | None = None
    again: Sequence[str] = ()
    rivals: bool = False
    decide: Decision = Decision.RESEND

    def __str__(self) -> str:
        """How people ask for it again: `commit:5:after+commit:2:before,resend`, `lose@send:1:before`."""
        what = f"after:{self.kill_after:.4f}" if self.kill_after is not None else str(self.point)
        how = "rivals" if self.rivals else self.blow
        return f"{'' if how == 'die' else f'{how}@'}{'+'.join((what, *self.again))},{self.decide}"

    @classmethod
    def parse(cls, text: str) -> Trial:
        """From what `str` makes of it. `BadInput` if it is something else."""
        found = TRIAL.fullmatch(text.strip())
        if found is None:
            raise BadInput(
                f"{text!r} is no trial: write it as the proof named it, as in commit:5:after,resend"
            )
        how, after, point, again, decide = found.groups()
        return cls(
            point=point,
            blow=BLOWS.get(how, "die"),
            kill_after=None if after is None else float(after),
            again=tuple(filter(None, again.split("+"))),
            rivals=how == "rivals",
            decide=Decision(decide or "resend"),
        )


@dataclass(frozen=True)
class Outcome:
    """What came of a trial. `reached` is whether the blow fell: this run may have had fewer commits than the
    first. `kept` is the folder of a trial that went wrong.
    """

    trial: Trial
    verdict: Verdict
    kills: int
    reached: bool
    recovery_ms: Sequence[float]
    seconds: float
    kept: Path | None = None


@dataclass
class Bench:
    """Where trials of one subject are made. `store` is that of an undisturbed run, `rendered` what in it may
    be used again: names, and the artifacts bound to them as JSON.
    """

    lane: Lane
    subject: Subject
    stand: Stand
    store: Path = Path()
    rendered: Sequence[tuple[str, str]] = ()
    inputs: dict[str, str] = field(default_factory=dict)

    def whole(self) -> Whole:
        """An undisturbed run: its points, calls and charges. `Crooked` if it does not complete."""
        folder = self.lane.fresh("whole")
        points = folder / "points.txt"
        began = MACHINE.monotonic()
        self.lane.begin()
        code = self.lane.run(self._order(folder, f"list:{points}"))[0]
        seconds = MACHINE.monotonic() - began
        told = self._told(folder)
        if code != 0 or told is None or told.state != "completed":
            raise Crooked(folder, code, told)
        sight = Sight.of(folder / "home", folder / "seen")
        self._keep(folder / "home" / "store", sight.bought())
        listed = points.read_text(encoding="utf-8").split()
        whole = measure(listed, sight, self.lane.charges(), seconds)
        self.inputs = dict(whole.inputs)
        return whole

    def _keep(self, store: Path, bought: Collection[str]) -> None:
        self.store = store
        self.rendered = [
            (name, text)
            for name, text in LocalStore(store).names()
            if (made := Artifact.model_validate_json(text)).media_type == FILM and made.sha256 not in bought
        ]

    def learn(self, other: Bench) -> None:
        """Take over what an undisturbed run at another bench came to."""
        self.store, self.rendered, self.inputs = other.store, other.rendered, dict(other.inputs)

    def undergo(self, trial: Trial, whole: Whole) -> Outcome:
        """Do it, and judge what is left. The home is removed unless something is wrong with it."""
        folder = self.lane.fresh("trial")
        began = MACHINE.monotonic()
        self._prefill(folder / "home" / "store")
        self.lane.begin()
        killed, recovered, reached = self._blows(folder, trial)
        told = self._told(folder)
        evidence = Evidence(
            killed=killed,
            after=Sight.of(folder / "home", folder / "seen"),
            charges=self.lane.charges(),
            told=told,
            doubts=self._doubts(folder),
            store=folder / "home" / "store",
            may_doubt=self.stand.policy is Policy.BLIND,
        )
        verdict = judge(evidence, whole)
        kept = None if verdict.good else folder
        if verdict.good:
            shutil.rmtree(folder, ignore_errors=True)
        seconds = MACHINE.monotonic() - began
        return Outcome(trial, verdict, len(killed), reached, recovered, seconds, kept)

    def _blows(
        self, folder: Path, trial: Trial
    ) -> tuple[list[tuple[Sight, Sequence[Charge]]], list[float], bool]:
        """Let one process after another carry the job, until one is not killed."""
        killed: list[tuple[Sight, Sequence[Charge]]] = []
        recovered: list[float] = []
        first = self._order(folder, trial.point, trial)
        codes = self.lane.run(first, kill_after=trial.kill_after)
        for point in (*trial.again, None):
            if KILLED not in codes:
                break
            killed.append((Sight.of(folder / "home", folder / "seen"), self.lane.charges()))
            (folder / "told.json").unlink(missing_ok=True)
            order = replace_point(self._order(folder, None, trial), point)
            rival = order.model_copy(update={"failpoint": None, "wait_for_home": True})
            codes = self.lane.run(*((order, rival) if trial.rivals else (order,)))
            told = self._told(folder)
            if told is not None and told.recovery_ms is not None:
                recovered.append(told.recovery_ms)
            if trial.rivals and KILLED in codes and 0 in codes:
                break  # the one was killed, and the other went on
        told = self._told(folder)
        if strange := [code for code in codes if code not in (0, HELD, KILLED)]:
            why = f"a process ended with {strange[0]}: its log says more"
            if HUNG in strange:
                why = f"a process was still at work after {PATIENCE:.0f} s"
            (folder / "told.json").write_text(Told(state="not over", error=why).model_dump_json())
        return killed, recovered, bool(killed) or (told is not None and told.struck)

    def _order(self, folder: Path, point: str | None, trial: Trial | None = None) -> Order:
        return Order(
            home=folder / "home",
            folder=folder,
            subject=self.subject,
            settings=dict(self.lane.settings),
            start=self.lane.now(),
            speed=self.lane.speed,
            failpoint=point,
            blow=trial.blow if trial and point else "die",
            decide=trial.decide if trial else Decision.RESEND,
            book=self.lane.book,
            inputs=self.inputs,
            renderer=self.lane.renderer,
        )

    def _told(self, folder: Path) -> Told | None:
        path = folder / "told.json"
        return Told.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None

    def _doubts(self, folder: Path) -> list[Doubt]:
        path = folder / "doubts.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [Doubt.model_validate_json(line) for line in lines]

    def _prefill(self, to: Path) -> None:
        """Give a home what was rendered before: what is proved here is the ledger and the calls, not x264.

        Nothing that was bought, nor what says that it was.
        """
        store = LocalStore(to)
        for name, text in self.rendered:
            artifact = Artifact.model_validate_json(text)
            source = self.store / "objects" / artifact.sha256[:2] / artifact.sha256
            place = to / "objects" / artifact.sha256[:2] / artifact.sha256
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.link(source, place)
            store.give_name(name, text)


class Crooked(GenlockError):
    """The pipeline does not complete even undisturbed: there is nothing to prove."""

    def __init__(self, folder: Path, code: int, told: Told | None) -> None:
        log = folder / "log.txt"
        said = log.read_text(errors="replace").strip()[-2000:] if log.exists() else ""
        if told is not None:
            super().__init__(f"undisturbed, the job is {told.state}: {told.error or 'nobody says why'}")
        elif code == HUNG:
            super().__init__(f"undisturbed, the job did not end; it said:\n{said}")
        else:
            super().__init__(f"undisturbed, the process ended with {code}; it said:\n{said}")


def replace_point(order: Order, point: str | None) -> Order:
    """The same order, to die at this point."""
    return order.model_copy(update={"failpoint": point, "blow": "die"})
