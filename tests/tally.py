"""What must be true of money in any ledger between two commits, counted anew from calls and history alone.

Each call's events are played again, along the diagram in ARCHITECTURE.md: they must lead to the state and the
amounts that its row has, and the rows of calls must add up to what the budgets have.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Query = Callable[[str], list[Row]]

LIVE = {"intended", "accepted"}
OPEN = LIVE | {"doubt"}
# From which states an event may come, and to which it leads (None: it stays).
MOVES: dict[str, tuple[set[str], str | None]] = {
    "intended": ({"", "released"}, "intended"),
    "resent": ({"intended"}, "intended"),
    "absent": ({"intended"}, None),
    "accepted": ({"intended", "doubt", "abandoned"}, "accepted"),
    "settled": (LIVE, "settled"),
    "failed": (LIVE, "failed"),
    "released": ({"intended"}, "released"),
    "doubt": (LIVE, "doubt"),
    "resolved": ({"doubt"}, ""),
    "twice": ({"accepted", "settled", "failed", "released", "abandoned"}, None),
    "answered": ({"settled"}, None),
    "cancel_asked": (LIVE, None),
    "delivered": ({*OPEN, "settled", "failed", "released", "abandoned"}, None),
}
DECIDED = {"adopt": "accepted", "resend": "released", "give-up": "abandoned"}


def faults_of_money(query: Query) -> list[str]:
    """Everything that is wrong with calls and budgets; `query` answers a SELECT with its rows by column."""
    return list(Tally(query).audit())


@dataclass
class Sums:
    """The amounts of one call."""

    sends: int = 0
    reserved: int = 0
    spent: int = 0
    risk: int = 0

    def play(self, name: str, event: Row) -> None:
        """Change them by one event."""
        self.sends += name in ("intended", "resent")
        if name == "intended":
            self.reserved = event["estimate"]
        elif name in ("settled", "failed"):
            self.spent, self.reserved = self.spent + event["spent"], 0
        elif name == "released":
            self.reserved = 0
        elif name == "twice":
            self.spent, self.risk = self.spent + event["spent"], self.risk + event["spent"]
        elif name == "resolved" and event["decision"] != "adopt":
            self.spent, self.risk = self.spent + self.reserved, self.risk + self.reserved
            self.reserved = 0


class Tally:
    """All calls and budgets of a ledger."""

    def __init__(self, query: Query) -> None:
        self.calls = {row["key"]: row for row in query("SELECT * FROM call")}
        self.budgets = {row["scope"]: row for row in query("SELECT * FROM budget")}
        self.events: dict[str, list[Row]] = defaultdict(list)
        self.failures: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in query("SELECT job, seq, task, kind, data FROM event ORDER BY job, seq"):
            data = json.loads(row["data"])
            if row["kind"].startswith("call."):
                self.events[data["call"]].append(row | data)
            elif row["kind"] == "task.failed" and data["final"]:
                self.failures[row["job"], row["task"]].append(row["seq"])

    def audit(self) -> Iterator[str]:
        for call in self.calls.values():
            for fault in (*self._played(call), *self._order(call)):
                yield f"call {call['key']} ({call['state']}): {fault}"
        for budget in self.budgets.values():
            for column in ("reserved", "spent"):
                counted = sum(
                    call[column]
                    for call in self.calls.values()
                    if budget["scope"] in json.loads(call["scopes"])
                )
                if budget[column] != counted:
                    yield f"{budget['scope']}: {column} is {budget[column]} and counted {counted}"

    def _played(self, call: Row) -> Iterator[str]:
        state, sums = "", Sums()
        for event in self.events[call["key"]]:
            name = event["kind"].removeprefix("call.")
            before, after = MOVES[name]
            if state not in before:
                yield f"{name} when it was {state or 'not there'}"
            sums.play(name, event)
            after = DECIDED[event["decision"]] if name == "resolved" else after
            state = state if after is None or state == "abandoned" else after
        told = {"state": state, **vars(sums)}
        if wrong := {name: (call[name], told[name]) for name in told if call[name] != told[name]}:
            yield f"its row and its history disagree: {wrong}"
        if (call["state"] in OPEN) != (call["ended_at"] is None):
            yield "its end does not fit its state"

    def _order(self, call: Row) -> Iterator[str]:
        """Another one is made only of what has failed, or of what was given up and retried since."""
        path = ("job", "task", "revision", "name")
        next_one = next(
            (
                one
                for one in self.calls.values()
                if one["number"] == call["number"] + 1 and all(one[name] == call[name] for name in path)
            ),
            None,
        )
        if next_one is None:
            return
        if call["state"] not in ("failed", "abandoned"):
            yield "there is another one after it"
        began = self.events[next_one["key"]][0]["seq"]
        if call["state"] == "abandoned":
            given_up = [e["seq"] for e in self.events[call["key"]] if e["kind"] == "call.resolved"][-1]
            if not any(given_up < seq < began for seq in self.failures[call["job"], call["task"]]):
                yield "nobody has asked for the one after it"
