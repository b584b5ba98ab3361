"""Budgets: what may be spent, was spent, and is reserved, a row for each scope.

All of this is done with all money locked, so what was read stays true until it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from genlock.errors import BadInput
from genlock.ledger import schema
from genlock.ledger.batch import Batch
from genlock.ledger.spending import BudgetRow, CallSpec, Over
from genlock.money import Money

_budget = schema.budget.c
_FIELDS = ("scope", "currency", "cap", "spent", "reserved", "frozen")


@dataclass(slots=True, eq=False)
class BudgetDraft:
    """One scope; `known` says that it has a row."""

    scope: str
    currency: str
    cap: int | None = None
    spent: int = 0
    reserved: int = 0
    frozen: str | None = None
    known: bool = True

    @property
    def untouched(self) -> bool:
        """Whether its currency means nothing yet."""
        return self.cap is None and not self.spent and not self.reserved

    def has(self, wanted: int, otherwise: int | None) -> bool:
        """Whether so much may be spent on top; `otherwise` is the cap where it has none of its own."""
        cap = otherwise if self.cap is None else self.cap
        return cap is None or self.spent + self.reserved + wanted <= cap

    def row(self) -> BudgetRow:
        return BudgetRow(self.scope, self.currency, self.cap, self.spent, self.reserved, self.frozen)


def read_budgets(batch: Batch, scopes: Iterable[str]) -> dict[str, BudgetDraft]:
    """Budgets by scope, in the order of scopes; those without a row as they would be."""
    wanted = sorted(set(scopes))
    if not wanted:
        return {}
    size = 1 << (len(wanted) - 1).bit_length()  # few statements, whatever the number of scopes
    statement = batch.statements.named(
        ("budgets", size),
        lambda: select(*(_budget[name] for name in _FIELDS)).where(
            _budget.scope.in_([bindparam(f"scope_{place}") for place in range(size)])
        ),
    )
    values = {f"scope_{place}": wanted[min(place, len(wanted) - 1)] for place in range(size)}
    rows = {row[0]: BudgetDraft(*row) for row in statement.rows(batch.connection, **values)}
    return {scope: rows.get(scope) or BudgetDraft(scope, "USD", known=False) for scope in wanted}


def find_over(batch: Batch, spec: CallSpec) -> tuple[Over | None, dict[str, BudgetDraft]]:
    """The first scope that has not enough left for a call, and all its budgets. `BadInput` if one of
    them is kept in another currency.
    """
    wanted, currency = spec.estimate.micros, spec.estimate.currency
    caps = caps_of(spec)
    if spec.once_cap is not None and wanted > spec.once_cap.micros:
        return Over("call", spec.once_cap.micros, 0, 0, wanted, currency), {}
    found = read_budgets(batch, caps)
    for budget in found.values():
        agree(budget, currency)
    for scope, budget in found.items():
        if budget.frozen is not None or not budget.has(wanted, caps[scope]):
            cap = caps[scope] if budget.cap is None else budget.cap
            over = Over(scope, cap or 0, budget.spent, budget.reserved, wanted, currency, budget.frozen)
            return over, found
    return None, found


def caps_of(spec: CallSpec) -> dict[str, int | None]:
    """The cap of each scope of a call, the lowest if one is named twice. `BadInput` for mixed currencies."""
    currency, caps = spec.estimate.currency, dict[str, int | None]()
    for cap in (spec.once_cap, *(budget.cap for budget in spec.budgets)):
        if cap is not None and cap.currency != currency:
            raise BadInput(
                f"{spec.adapter} is priced in {currency}, and a cap for it is {cap}: give it in one"
            )
    for scope, cap in ((budget.scope, budget.cap) for budget in spec.budgets):
        known = caps.get(scope)
        micros = None if cap is None else cap.micros
        caps[scope] = known if micros is None else micros if known is None else min(known, micros)
    return caps


def agree(budget: BudgetDraft, currency: str) -> None:
    """Use this currency for a budget that has none yet; `BadInput` if it has another one."""
    if budget.currency == currency:
        return
    if not budget.untouched:
        raise BadInput(
            f"{budget.scope} is counted in {budget.currency} and cannot take {currency}: "
            "use another scope, or a provider that is priced alike"
        )
    budget.currency = currency


def save(batch: Batch, budget: BudgetDraft) -> None:
    """Write everything but what calls move."""
    values = {"currency": budget.currency, "cap": budget.cap, "frozen": budget.frozen}
    if budget.known:
        batch.connection.execute(update(schema.budget).where(_budget.scope == budget.scope).values(**values))
        return
    batch.connection.execute(
        insert(schema.budget).values(
            scope=budget.scope, spent=budget.spent, reserved=budget.reserved, **values
        )
    )
    budget.known = True


def shift(batch: Batch, scopes: Iterable[str], *, reserved: int = 0, spent: int = 0) -> None:
    """Add to what these budgets have reserved and spent."""
    statement = batch.statements.named(
        "shift budgets",
        lambda: (
            update(schema.budget)
            .where(_budget.scope == bindparam("row_scope"))
            .values(
                reserved=_budget.reserved + bindparam("by_reserved"),
                spent=_budget.spent + bindparam("by_spent"),
            )
        ),
    )
    rows = [(reserved, spent, scope) for scope in scopes]
    if rows:
        statement.run_rows(batch.connection, rows, ("by_reserved", "by_spent", "row_scope"))


def open_all(batch: Batch, budgets: Mapping[str, BudgetDraft], currency: str) -> None:
    """Give a row to those that have none, and a currency to those that had none."""
    for budget in budgets.values():
        if not budget.known or budget.untouched:
            agree(budget, currency)
            save(batch, budget)


def set_cap(batch: Batch, scope: str, cap: Money | None) -> BudgetDraft:
    """Write the scope's own cap. `BadInput` if it is counted in another currency."""
    batch.lock_money()
    budget = read_budgets(batch, [scope])[scope]
    budget.cap = None  # its currency goes with it
    if cap is not None:
        agree(budget, cap.currency)
        budget.cap = cap.micros
    save(batch, budget)
    return budget


def set_frozen(batch: Batch, scope: str, reason: str | None) -> BudgetDraft:
    """Freeze a scope for this reason, or thaw it."""
    batch.lock_money()
    budget = read_budgets(batch, [scope])[scope]
    budget.frozen = reason
    save(batch, budget)
    return budget
