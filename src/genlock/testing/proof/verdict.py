"""What is wrong with a job that was killed and went on: judged from the disk and the vendors' book alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genlock.money import Money
from genlock.testing.proof.charge import counted, owed
from genlock.testing.proof.order import Told
from genlock.testing.proof.sight import Doubt, Row, Sight, broken, data_of, place_of
from genlock.testing.simulator.book import Charge

SETTLED_FOR_GOOD = ("key", "handle", "result", "spent", "currency", "number", "revision")


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run came to: by it the others are measured."""

    points: Sequence[str]
    inputs: Mapping[str, str]  # of calls by their places, as the vendors' book knows them
    charges: Mapping[str, int]
    tasks: frozenset[str]
    amount: int
    seconds: float


@dataclass(frozen=True)
class Evidence:
    """What one ordeal left: a sight of the disk after each blow with what had been charged by then, and in
    the end.
    """

    killed: Sequence[tuple[Sight, Sequence[Charge]]]
    after: Sight
    charges: Sequence[Charge]
    told: Told | None
    store: Path
    may_doubt: bool = True

    @property
    def doubts(self) -> Sequence[Doubt]:
        """What people decided, as the ledger has it: whoever decided may have been killed before telling."""
        return self.after.decided


@dataclass
class Verdict:
    """What was found, each in words; `money_off_by` is in millionths."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    charged_twice: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    money: list[str] = field(default_factory=list)
    money_off_by: int = 0
    doubts: int = 0
    needless: list[str] = field(default_factory=list)
    decisions: Mapping[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.complaints

    @property
    def complaints(self) -> list[str]:
        """Everything that was found, the worst first."""
        return [
            *self.charged_twice, *self.money, *self.lost, *self.repeated, *self.damaged, *self.unfinished,
            *self.needless,
        ]  # fmt: skip


def judge(evidence: Evidence, whole: Whole) -> Verdict:
    """Compare what is there with what may be."""
    verdict = Verdict(doubts=evidence.after.doubtful)
    verdict.decisions = Counter(doubt.decision.value for doubt in evidence.doubts)
    if verdict.doubts and not evidence.may_doubt:
        verdict.needless.append(f"{verdict.doubts} doubts, although the vendor can be asked")
    verdict.unfinished += _unfinished(evidence, whole)
    for sight, _ in evidence.killed:
        verdict.lost += _lost(sight, evidence.after)
    verdict.repeated += _repeated(evidence.after)
    verdict.charged_twice += _charged_twice(evidence, whole)
    off = _money_off(evidence, whole)
    verdict.money_off_by = max(map(abs, off.values()), default=0)
    verdict.money += [f"{what} {_more_or_less(micros)}" for what, micros in off.items()]
    verdict.damaged += broken(evidence.store, evidence.after.artifacts())
    return verdict


def _unfinished(evidence: Evidence, whole: Whole) -> Iterator[str]:
    told = evidence.told
    if told is None:
        yield "nobody carried the job to its end"
    elif told.state != "completed":
        yield f"the job is {told.state}: {told.error or 'nobody says why'}"
    elif missing := whole.tasks - set(evidence.after.finished):
        yield f"not done in the end: {', '.join(sorted(missing)[:5])}"
    yield from (
        f"call {row['key']} of {place_of(row)} is still {row['state']}"
        for row in evidence.after.calls.values()
        if row["state"] in ("intended", "accepted", "doubt", "released")
    )


def _lost(before: Sight, after: Sight) -> Iterator[str]:
    """Whatever had been committed when the process died is there in the end."""
    for job, events in before.events.items():
        if after.events.get(job, [])[: len(events)] != events:
            yield f"the history of {job} has changed"
    for note, value in before.notes.items():
        if after.notes.get(note) != value:
            yield f"the note {note} is gone or another one"
    for key, row in before.finished.items():
        now = after.tasks.get(key)
        if now is None or (now["state"], now["output"]) != (row["state"], row["output"]):
            yield f"{key} was {row['state']} and has come to something else"
    for key, row in before.settled.items():
        kept = after.calls.get(key)
        if kept is None or any(kept[name] != row[name] for name in SETTLED_FOR_GOOD):
            yield f"the answer of {place_of(row)} is gone or another one"


def _repeated(after: Sight) -> Iterator[str]:
    """Whatever was finished was not claimed again, and no call was made anew that had an answer."""
    for job, events in after.events.items():
        done: set[str] = set()
        for event in events:
            if event["kind"] == "task.claimed" and event["task"] in done:
                yield f"{job}/{event['task']} was done and was claimed again"
            if event["kind"] in ("task.done", "task.skipped"):
                done.add(event["task"])
    settled: set[str] = set()
    for event in after.all_events():
        key = data_of(event).get("call") if event["kind"].startswith("call.") else None
        if event["kind"] == "call.intended" and key in settled:
            yield f"call {key} had an answer and was made again"
        if event["kind"] == "call.settled" and key is not None:
            settled.add(key)


def _charged_twice(evidence: Evidence, whole: Whole) -> Iterator[str]:
    """The vendors' own count. A second charge that a person accepted, knowing of the doubt, is fair."""
    accepted = Counter(
        whole.inputs.get(doubt.place, doubt.place) for doubt in evidence.doubts if doubt.decision != "adopt"
    )
    places = {asked: place for place, asked in whole.inputs.items()}
    for asked, times in counted(evidence.charges).items():
        allowed = whole.charges.get(asked, 0) + accepted[asked]
        if times > allowed:
            yield f"{places.get(asked, 'what nobody should have asked')} was charged {times} times"


def _money_off(evidence: Evidence, whole: Whole) -> dict[str, int]:
    """Where the ledger's sums are not what the vendors charged, or what its own rows come to: by how much."""
    off: dict[str, int] = {}
    for sight, charges in evidence.killed:
        if sight.recorded < owed(charges):
            off["of what was charged when it died, the ledger had"] = sight.recorded - owed(charges)
    end = evidence.after.recorded - _idle(evidence, whole) - owed(evidence.charges)
    if end:
        off["of what was charged or is at risk, the ledger has"] = end
    for scope, difference in _budgets_off(evidence.after):
        off[f"of what its calls come to, the budget {scope} has"] = difference
    return off


def _idle(evidence: Evidence, whole: Whole) -> int:
    """What the ledger has for requests that a person gave up or sent again, and that were never charged for.

    Told by the book in the end: a vendor that is slow may charge for a request after somebody has decided.
    """
    charged = counted(evidence.charges)
    more = Counter({asked: times - whole.charges.get(asked, 0) for asked, times in charged.items()})
    idle = 0
    for doubt in evidence.doubts:
        asked = whole.inputs.get(doubt.place, doubt.place)
        if doubt.decision == "adopt":
            continue
        if more[asked] > 0:
            more[asked] -= 1
        else:
            idle += doubt.amount
    return idle


def _more_or_less(micros: int) -> str:
    return f"{Money(abs(micros))} {'more' if micros > 0 else 'less'}"


def _budgets_off(sight: Sight) -> Iterator[tuple[str, int]]:
    for scope, row in sight.budgets.items():
        calls = [call for call in sight.calls.values() if scope in json.loads(call["scopes"])]
        difference = row["spent"] + row["reserved"] - _sum(calls)
        if difference:
            yield scope, difference


def _sum(calls: Iterable[Row]) -> int:
    return sum(call["spent"] + call["reserved"] for call in calls)


def measure(points: Sequence[str], sight: Sight, charges: Sequence[Charge], seconds: float) -> Whole:
    """An undisturbed run, as that by which others are measured."""
    by_id = {charge.id: charge for charge in charges}
    inputs = {
        place_of(row): by_id[row["handle"]].input for row in sight.calls.values() if row["handle"] in by_id
    }
    return Whole(
        points=points,
        inputs=inputs,
        charges=counted(charges),
        tasks=frozenset(sight.tasks),
        amount=owed(charges),
        seconds=seconds,
    )
