"""`genlock calls`, `costs` and `budgets`: what was paid for, what it cost, and what may be spent."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from genlock.cli.inquiry import Json, inquire, plain, print_json, word_of
from genlock.errors import BadInput

if TYPE_CHECKING:
    from genlock.cli.session import Session
    from genlock.engine.views import BudgetView, CallView

Key = Annotated[str, typer.Argument(metavar="KEY", help="The call's key, or enough letters of its end.")]
Job = Annotated[
    str | None, typer.Option("--job", metavar="ID", help="Only this job and what is nested in it.")
]
Scope = Annotated[
    str, typer.Argument(metavar="SCOPE", help="A job's id, or user:NAME, schedule:ID, day:2026-11-22.")
]

calls_app = typer.Typer(
    help="List paid calls, and decide about those in doubt.",
    rich_markup_mode=None,
    invoke_without_command=True,
)
budgets_app = typer.Typer(
    help="Show what may be spent, and change it.", rich_markup_mode=None, invoke_without_command=True
)


@calls_app.callback()
def default_calls(context: typer.Context) -> None:
    """List paid calls, and decide about those in doubt. Without a command: list them."""
    if context.invoked_subcommand is None:
        list_calls()


@calls_app.command("list")
def list_calls(
    state: Annotated[
        list[str] | None, typer.Option(help="Only calls in this state, such as doubt; may be repeated.")
    ] = None,
    job: Job = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    json: Json = False,
) -> None:
    """List paid calls, newest first."""
    from genlock.ledger.spending import CallState

    states = [word_of(CallState, each, "state") for each in state or ()]

    async def act(session: Session) -> None:
        found = await session.service.accounts.calls(job=job, states=states, limit=limit)
        if json:
            print_json([plain(call) for call in found])
            return
        from genlock.cli.bill import calls_table
        from genlock.clock import SystemClock

        calls_table(found, SystemClock().now())

    inquire("genlock calls", act)


@calls_app.command()
def show(key: Key, json: Json = False) -> None:
    """Show one paid call."""

    async def act(session: Session) -> None:
        _tell(await session.service.accounts.call(key), json=json)

    inquire("genlock calls show", act)


@calls_app.command()
def resolve(
    key: Key,
    decision: Annotated[str, typer.Argument(metavar="adopt|resend|give-up", help="What becomes of it.")],
    provider_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="For adopt: its id at the provider.")
    ] = None,
    json: Json = False,
) -> None:
    """Decide about a call in doubt, of which nobody knows whether the provider took it.

    adopt ID: it ran, under this id of the provider's. resend: send it again, and accept that the first
    may be charged as well. give-up: neither; its task fails, and `genlock jobs retry` makes another call.
    """
    from genlock.ledger.spending import Decision

    chosen = word_of(Decision, decision, "decision")

    async def act(session: Session) -> None:
        accounts = session.service.accounts
        _tell(await accounts.resolve(key, chosen, by=getpass.getuser(), handle=provider_id), json=json)
        if not session.executes:
            print("Nothing is running jobs now. Go on with: genlock resume", file=sys.stderr)

    inquire("genlock calls resolve", act)


def costs(
    job: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One job, by its stages; without it, all jobs.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="job, stage, provider, model, day or owner.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="From this day on, as 2026-11-22.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Up to this day, and with it.")] = None,
    json: Json = False,
) -> None:
    """Show what was spent, what is reserved or in doubt, and what was saved by resuming and by reuse."""
    from genlock.ledger.spending import By

    words = {"job": By.JOB, "stage": By.STAGE, "provider": By.VENDOR, "model": By.ADAPTER, "day": By.DAY}
    words |= {"owner": By.OWNER}
    group = by or ("stage" if job else "job")
    if group not in words:
        raise BadInput(f"costs are not grouped by {group!r}; there are: {', '.join(words)}")
    first, last = _day(since, time.min), _day(until, time.max)

    async def act(session: Session) -> None:
        found = await session.service.accounts.costs(words[group], job=job, since=first, until=last)
        if json:
            print_json([plain(cost) for cost in found])
            return
        from genlock.cli.bill import costs_table

        costs_table(found, group)

    inquire("genlock costs", act)


@budgets_app.callback()
def default_budgets(context: typer.Context) -> None:
    """Show what may be spent, and change it. Without a command: show it."""
    if context.invoked_subcommand is None:
        list_budgets()


@budgets_app.command("list")
def list_budgets(json: Json = False) -> None:
    """Show every budget that was spent from or has a cap."""

    async def act(session: Session) -> None:
        found = await session.service.accounts.budgets()
        if json:
            print_json([plain(budget) for budget in found])
            return
        from genlock.cli.bill import budgets_table

        budgets_table(found)

    inquire("genlock budgets", act)


@budgets_app.command()
def cap(
    scope: Scope,
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT|none", help="As 2.50; none: what the settings say.")
    ],
) -> None:
    """Set what may be spent; tasks that waited for it go on."""
    wanted = None if amount == "none" else amount
    _budget("genlock budgets cap", lambda session: session.service.accounts.set_cap(scope, wanted))


@budgets_app.command()
def thaw(scope: Scope) -> None:
    """Let a job spend again that nobody looked after for long."""
    _budget("genlock budgets thaw", lambda session: session.service.accounts.thaw(scope))


def _budget(command: str, verb: Callable[[Session], Awaitable[BudgetView]]) -> None:
    async def act(session: Session) -> None:
        from genlock.cli.bill import budgets_table

        budgets_table([await verb(session)])
        if not session.executes:
            print("Nothing is running jobs now. Go on with: genlock resume", file=sys.stderr)

    inquire(command, act)


def _tell(call: CallView, *, json: bool) -> None:
    if json:
        print_json(plain(call))
        return
    from genlock.cli.bill import call_page

    call_page(call)


def _day(text: str | None, at: time) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), at, UTC)
    except ValueError:
        raise BadInput(f"{text!r} is no day: write it as 2026-11-22") from None
