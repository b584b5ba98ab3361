"""What is to be proved, and the trials that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from genlock.testing.proof.order import Subject
from genlock.testing.proof.stand import Stand
from genlock.testing.proof.trial import DECISIONS, Trial
from genlock.testing.proof.verdict import Whole

SCENARIOS = ("kill", "again", "rivals", "lease", "clock", "restart")
SOME = 24  # trials of each scenario that does not try every point, unless `sample` says how many
EARLY = 40  # points within which those who go on die again


@dataclass(frozen=True)
class Aim:
    """One proof: this subject at this stand.

    `sample` is how many points of each scenario are tried, evenly spread over commits and requests; None: all
    points of `kill`, and some of the others. `random` kills come at moments drawn with `seed`. `only` are
    trials by name, and nothing else. `words` are those of the command that chose the subject.
    """

    subject: Subject
    stand: Stand
    scenarios: Sequence[str] = ("kill",)
    sample: int | None = None
    random: int = 0
    seed: int = 0
    only: Sequence[Trial] = ()
    words: Sequence[str] = ()

    def trials(self, whole: Whole) -> list[Trial]:
        """All of them, in the order in which they are tried."""
        if self.only:
            return list(self.only)
        dice = Random(self.seed)
        found = [trial for name in self.scenarios for trial in self._scenario(name, whole, dice)]
        found += [Trial(kill_after=round(dice.uniform(0, whole.seconds), 4)) for _ in range(self.random)]
        return list(_decided(found))

    def _scenario(self, name: str, whole: Whole, dice: Random) -> Iterator[Trial]:
        wanted = self.sample if name == "kill" else self.sample or SOME
        for number, point in enumerate(spread(whole.points, wanted)):
            again = dice.choices(whole.points[:EARLY], k=2)
            match name:
                case "kill":
                    yield Trial(point)
                case "again":
                    yield Trial(point, again=again)
                case "rivals":
                    yield Trial(point, again=again[:1], rivals=True)
                case "lease":
                    yield Trial(point, blow="lose")
                case "restart":
                    yield Trial(point, blow="restart")
                case _:
                    yield Trial(point, blow="back" if number % 2 else "ahead")


def _decided(trials: Sequence[Trial]) -> Iterator[Trial]:
    """The decisions in turn, for each kind of moment by itself: what may come in doubt is not every third."""
    turns: Counter[str] = Counter()
    for trial in trials:
        kind, _, rest = (trial.point or "").partition(":")
        moment = f"{kind} {rest.partition(':')[2]}"
        yield replace(trial, decide=DECISIONS[turns[moment] % len(DECISIONS)])
        turns[moment] += 1


def spread(points: Sequence[str], count: int | None) -> list[str]:
    """So many of them, evenly spread; half of them requests, if there are as many. None: all."""
    if count is None or count >= len(points):
        return list(points)
    sends = [point for point in points if not point.startswith("commit:")]
    commits = [point for point in points if point.startswith("commit:")]
    half = min(len(sends), (count + 1) // 2)
    chosen = {*_evenly(sends, half), *_evenly(commits, count - half)}
    return [point for point in points if point in chosen]


def _evenly(points: Sequence[str], count: int) -> list[str]:
    """From the middle of each of so many equal parts."""
    return [points[(2 * number + 1) * len(points) // (2 * count)] for number in range(count)]
