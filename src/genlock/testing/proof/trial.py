"""One trial: a job begins, the blow falls, others go on, and what is left is judged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from genlock.errors import BadInput, GenlockError
from genlock.ledger.spending import Decision
from genlock.paid import Policy
from genlock.testing.proof.haste import MACHINE
from genlock.testing.proof.lane import HUNG, Lane
from genlock.testing.proof.ordeal import Ordeal
from genlock.testing.proof.order import Blow, Subject, Told
from genlock.testing.proof.stand import Stand
from genlock.testing.proof.verdict import Evidence, Verdict, Whole, judge, measure

_POINT = r"[a-z]+:\d+:(?:before|after)"
BLOWS: dict[str | None, Blow] = {"lose": "lose", "back": "back", "ahead": "ahead", "restart": "restart"}
TRIAL = re.compile(
    rf"(?:(rivals|lose|back|ahead|restart)@)?(?:after:([\d.]+)|({_POINT}))((?:\+{_POINT})*)(?:,(adopt|resend|give-up))?"
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
    """Where trials of one subject are made. `inputs` are those of its calls by their places, as the vendors'
    book knows them.
    """

    lane: Lane
    subject: Subject
    stand: Stand
    inputs: dict[str, str] = field(default_factory=dict)

    def whole(self) -> Whole:
        """An undisturbed run: its points, calls and charges. `Crooked` if it does not complete."""
        folder = self.lane.fresh("whole")
        points = folder / "points.txt"
        ordeal = Ordeal(self.lane, folder, self.subject)
        began = MACHINE.monotonic()
        self.lane.begin()
        code = self.lane.run(ordeal.order(f"list:{points}"))[0]
        seconds = MACHINE.monotonic() - began
        told = ordeal.told()
        if code != 0 or told is None or told.state != "completed":
            raise Crooked(folder, code, told)
        listed = points.read_text(encoding="utf-8").split()
        whole = measure(listed, ordeal.sight(), self.lane.charges(), seconds)
        self.inputs = dict(whole.inputs)
        return whole

    def learn(self, other: Bench) -> None:
        """Take over what an undisturbed run at another bench came to."""
        self.inputs = dict(other.inputs)

    def undergo(self, trial: Trial, whole: Whole) -> Outcome:
        """Do it, and judge what is left. The home is removed unless something is wrong with it."""
        folder = self.lane.fresh("trial")
        began = MACHINE.monotonic()
        restarts = trial.blow == "restart"
        with self.lane.keeper.lend() if restarts else nullcontext() as url:
            ordeal = Ordeal(self.lane, folder, self.subject, trial.decide, self.inputs, url)
            self.lane.begin()
            first = ordeal.order(trial.point).model_copy(update={"blow": trial.blow})
            ordeal.run(first, kill_after=trial.kill_after, again=trial.again, rivals=trial.rivals)
            verdict, reached = judge(self._evidence(ordeal), whole), ordeal.reached
            verdict.unfinished += [
                f"the proof's own {name} ended with {code}: this says nothing of the pipeline"
                for name, code in self.lane.lost().items()
            ]
        kept = None if verdict.good else folder
        if verdict.good:
            shutil.rmtree(folder, ignore_errors=True)
        seconds = MACHINE.monotonic() - began
        return Outcome(trial, verdict, len(ordeal.killed), reached, ordeal.recovered, seconds, kept)

    def _evidence(self, ordeal: Ordeal) -> Evidence:
        return Evidence(
            killed=ordeal.killed,
            after=ordeal.sight(),
            charges=self.lane.charges(),
            told=ordeal.told(),
            store=ordeal.folder / "home" / "store",
            may_doubt=self.stand.policy is Policy.BLIND,
        )


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
