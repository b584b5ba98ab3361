"""A proof in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from genlock.testing.proof.proof import Proof
from genlock.testing.proof.trial import Outcome

MICRO = 1_000_000
WRONG = ("lost", "charged_twice", "repeated", "unfinished", "damaged", "needless")
SUMMED = ("points", "trials", "kills", "missed", *WRONG, "doubts", "seconds")


@dataclass(frozen=True)
class Finding:
    """A trial that went wrong: what was found, and how it is made again."""

    trial: str
    complaints: Sequence[str]
    home: str | None
    command: str


@dataclass(frozen=True)
class Tally:
    """What the trials of a proof, or of several, came to.

    `points` is how many there are in an undisturbed run, `missed` how many blows fell nowhere because a run
    ended before. The next seven are to be 0, `needless` are doubts where the vendor could have been asked.
    `money_off_by` is in millionths.
    """

    points: int
    trials: int
    kills: int
    missed: int
    lost: int
    charged_twice: int
    repeated: int
    unfinished: int
    damaged: int
    needless: int
    money_off_by: int
    doubts: int
    decisions: dict[str, int]
    recovery_ms: Sequence[float]
    seconds: float
    interrupted: bool

    @property
    def good(self) -> bool:
        """Whether nothing was found, and all was tried."""
        wrong = any(getattr(self, name) for name in WRONG)
        return not wrong and not self.money_off_by and not self.interrupted

    @classmethod
    def of(cls, proof: Proof) -> Tally:
        """Of what was tried so far."""
        outcomes = proof.outcomes

        def count(name: str) -> int:
            return sum(len(getattr(outcome.verdict, name)) for outcome in outcomes)

        return cls(
            points=len(proof.whole.points) if proof.whole else 0,
            trials=len(outcomes),
            kills=sum(outcome.kills for outcome in outcomes),
            missed=sum(not outcome.reached for outcome in outcomes),
            **{name: count(name) for name in WRONG},
            money_off_by=max((outcome.verdict.money_off_by for outcome in outcomes), default=0),
            doubts=sum(outcome.verdict.doubts for outcome in outcomes),
            decisions=_decisions(outcomes),
            recovery_ms=[each for outcome in outcomes for each in outcome.recovery_ms],
            seconds=proof.seconds,
            interrupted=proof.interrupted,
        )

    def __add__(self, other: Tally) -> Tally:
        summed = {name: getattr(self, name) + getattr(other, name) for name in SUMMED}
        return Tally(
            **summed,
            money_off_by=max(self.money_off_by, other.money_off_by),
            decisions=dict(Counter(self.decisions) + Counter(other.decisions)),
            recovery_ms=[*self.recovery_ms, *other.recovery_ms],
            interrupted=self.interrupted or other.interrupted,
        )

    def figures(self) -> dict[str, Any]:
        """As JSON; money in whole units."""
        return {
            "points": self.points,
            "trials": self.trials,
            "kills": self.kills,
            "missed": self.missed,
            "lost": self.lost,
            "charged_twice": self.charged_twice,
            "repeated": self.repeated,
            "unfinished": self.unfinished,
            "damaged": self.damaged,
            "needless_doubts": self.needless,
            "money_off_by": self.money_off_by / MICRO,
            "doubts": self.doubts,
            "resolved": self.decisions,
            "recovery_ms": percentiles(self.recovery_ms),
            "seconds": round(self.seconds, 1),
            "interrupted": self.interrupted,
        }


def findings(proof: Proof, command: str) -> list[Finding]:
    """The trials that went wrong; `command` is the proof's own, to which a single trial is added."""
    return [
        Finding(
            trial=str(outcome.trial),
            complaints=outcome.verdict.complaints,
            home=str(outcome.kept) if outcome.kept else None,
            command=f"{command} --only {outcome.trial}",
        )
        for outcome in proof.outcomes
        if not outcome.verdict.good
    ]


def percentiles(values: Sequence[float]) -> dict[str, Any]:
    """Median, 99th percentile and greatest, in tenths; None where there is no value."""
    if not values:
        return {"p50": None, "p99": None, "max": None, "of": 0}
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    named = {"p50": cuts[49], "p99": cuts[98], "max": max(values)}
    return {**{name: round(value, 1) for name, value in named.items()}, "of": len(values)}


def _decisions(outcomes: Iterable[Outcome]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for outcome in outcomes:
        found.update(outcome.verdict.decisions)
    return dict(found)
