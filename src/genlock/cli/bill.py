"""Calls, costs and budgets as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from genlock.cli.word import ago, briefly
from genlock.ledger.spending import CallState
from genlock.money import Money

if TYPE_CHECKING:
    from genlock.engine.views import BudgetView, CallView, CostView

NONE = "–"
COLOURS = {
    CallState.SETTLED: "green",
    CallState.DOUBT: "bold magenta",
    CallState.FAILED: "red",
    CallState.ABANDONED: "red",
    CallState.ACCEPTED: "cyan",
    CallState.INTENDED: "yellow",
}


def calls_table(calls: Sequence[CallView], now: datetime) -> None:
    """A line a call; those in doubt say what to do about them."""
    if not calls:
        print("No paid calls.")
        return
    from rich.text import Text

    from genlock.cli.table import console, table_of

    table = table_of("KEY", "JOB / TASK", "STATE", "MODEL", "COST", "SENT")
    for call in calls:
        state = Text(call.state, style=COLOURS.get(call.state, ""))
        place = f"{call.job}/{call.task}" + (f" #{call.number}" if call.number > 1 else "")
        table.add_row(_short(call.key), place, state, call.adapter, _cost(call), ago(call.sent_at, now))
    console().print(table)
    doubts = [call for call in calls if call.state is CallState.DOUBT]
    for call in doubts:
        print(f"\n{_short(call.key)} is in doubt: {briefly(call.reason or '', 300)}")
    if doubts:
        key = _short(doubts[0].key)
        print(f"\nDecide: genlock calls resolve {key} adopt ID  (it ran, under this id at the provider)")
        print(f"        genlock calls resolve {key} resend    (again; the first may be charged as well)")
        print(f"        genlock calls resolve {key} give-up   (the task fails)")


def call_page(call: CallView) -> None:
    """All that is known of a call."""
    rows = {
        "key": call.key,
        "for": f"{call.job}/{call.task}, {call.name} #{call.number}",
        "state": f"{call.state}" + (f" ({call.reason})" if call.reason else ""),
        "model": f"{call.adapter} ({call.policy})",
        "id there": call.provider_id or NONE,
        "estimate": call.estimate,
        "spent": call.spent + (" (by the price table)" if call.computed else ""),
        "reserved": call.reserved,
        "sent": f"{call.sent_at:%Y-%m-%d %H:%M:%S} UTC" + (f", {call.sends} times" if call.sends > 1 else ""),
    }
    if call.decided_by:
        rows["decided by"] = call.decided_by
    for name, value in rows.items():
        print(f"{name:<10}  {value}")


def costs_table(costs: Sequence[CostView], group: str) -> None:
    """A line a group, and their sum."""
    if not costs:
        print("Nothing was spent.")
        return
    from genlock.cli.table import console, table_of

    columns = ("spent", "reserved", "doubt", "saved_by_resume", "saved_by_reuse")
    table = table_of(group.upper(), "CALLS", *map(_title, columns))
    for column in table.columns[1:]:
        column.justify = "right"
    if len(costs) > 1:
        table.show_footer, table.footer_style = True, "bold"
        sums = ["all", str(sum(cost.calls for cost in costs)), *(_sum(costs, name) for name in columns)]
        for column, total in zip(table.columns, sums, strict=True):
            column.footer = total
    for cost in costs:
        amounts = [getattr(cost, name) if cost.micros[name] else NONE for name in columns]
        table.add_row(cost.group or NONE, str(cost.calls), *amounts)
    console().print(table)


def budgets_table(budgets: Sequence[BudgetView]) -> None:
    """A line a scope."""
    if not budgets:
        print("No budgets: nothing was spent, and no cap was set.")
        return
    from genlock.cli.table import console, table_of

    table = table_of("SCOPE", "CAP", "SPENT", "RESERVED", "")
    for budget in budgets:
        cap = budget.cap or "by settings"
        table.add_row(budget.scope, cap, budget.spent, budget.reserved, budget.frozen or "")
    console().print(table)


def _cost(call: CallView) -> str:
    if call.state in (CallState.INTENDED, CallState.ACCEPTED):
        return f"{call.reserved} reserved"
    return f"{call.reserved} in doubt" if call.state is CallState.DOUBT else call.spent


def _sum(costs: Sequence[CostView], name: str) -> str:
    """One sum a currency."""
    sums: dict[str, int] = {}
    for cost in costs:
        sums[cost.currency] = sums.get(cost.currency, 0) + cost.micros[name]
    return " + ".join(str(Money(amount, currency)) for currency, amount in sums.items() if amount) or NONE


def _title(name: str) -> str:
    return {"saved_by_resume": "SAVED: RESUME", "saved_by_reuse": "REUSE", "doubt": "IN DOUBT"}.get(
        name, name.upper()
    )


def _short(key: str) -> str:
    """Enough of its end to name it."""
    return key[-8:]
