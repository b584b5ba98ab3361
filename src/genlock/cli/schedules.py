"""`genlock schedules`: what starts by itself, when, and what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genlock.cli.inquiry import Json, inquire, plain, print_json, word_of
from genlock.errors import BadInput

if TYPE_CHECKING:
    from genlock.cli.session import Session
    from genlock.schedules.view import FiringView, ScheduleView

MOST = 10_000  # that are listed
Id = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id.")]

app = typer.Typer(
    help="List schedules, and plan, start and pause them.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def default(context: typer.Context) -> None:
    """List schedules, and plan, start and pause them. Without a command: list them."""
    if context.invoked_subcommand is None:
        list_schedules()


@app.command("list")
def list_schedules(
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this user.")] = None,
    json: Json = False,
) -> None:
    """List schedules, the oldest first."""

    async def act(session: Session) -> None:
        found = await session.schedules.list(owner=owner, limit=MOST)
        if json:
            print_json([plain(each) for each in found])
        else:
            _table(found)

    inquire("genlock schedules", act)


@app.command()
def show(
    id: Id,
    limit: Annotated[int, typer.Option(min=1, help="How many of its last runs.")] = 10,
    json: Json = False,
) -> None:
    """Show one schedule, its next runs and what came of the last ones."""

    async def act(session: Session) -> None:
        view = await session.schedules.show(id)
        times = await session.schedules.upcoming(id)
        firings = await session.schedules.firings(id, limit=limit)
        if json:
            more = {
                "upcoming": [at.isoformat() for at in times],
                "firings": [plain(each) for each in firings],
            }
            print_json(plain(view) | more)
        else:
            _page(view, times, firings)

    inquire("genlock schedules show", act)


_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the job; the value is JSON or text."),
]
_Pipeline = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="What it starts: a pipeline, or script:NAME.")
]
_Every = Annotated[str | None, typer.Option(metavar="SPAN", help="How often, such as 5h or 90m.")]
_Cron = Annotated[str | None, typer.Option(metavar="'M H D M W'", help="Or when, by a cron expression.")]
_Zone = Annotated[str, typer.Option(metavar="ZONE", help="Time zone of --cron.")]
_Missed = Annotated[str, typer.Option(help="Runs that nobody could start: skip, once or all.")]
_Overlap = Annotated[str, typer.Option(help="A run while another is at work: skip, queue or allow.")]
_Cap = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="What all its jobs may spend, such as 25.00.")
]
_Patience = Annotated[int, typer.Option(min=0, max=1000, help="Failures in a row that pause it; 0: never.")]


@app.command()
def create(
    pipeline: _Pipeline,
    every: _Every = None,
    cron: _Cron = None,
    zone: _Zone = "UTC",
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id, if you choose it.")] = None,
    set: _Set = None,
    missed: _Missed = "once",
    overlap: _Overlap = "skip",
    cap: _Cap = None,
    patience: _Patience = 5,
    json: Json = False,
) -> None:
    """Plan jobs: what is started, and when. They start while `genlock serve` runs."""
    given: dict[str, Any] = {"missed": missed, "overlap": overlap, "cap": cap, "patience": patience}
    given |= {"name": name or pipeline, "pipeline": pipeline, "every": every, "cron": cron, "zone": zone}
    given["params"] = dict(map(_param, set or ()))

    async def act(session: Session) -> None:
        _tell(await session.schedules.create(_plan(given), id=id), as_json=json)
        _say_who_fires(session)

    inquire("genlock schedules create", act)


@app.command()
def trigger(id: Id, json: Json = False) -> None:
    """Start a run now, whenever the next one is due."""

    async def act(session: Session) -> None:
        fired = await session.schedules.trigger(id)
        if json:
            print_json(plain(fired))
        else:
            print(
                f"{fired.job} started" if fired.job else f"It is {fired.state}: {fired.reason or 'it waits'}"
            )
        if not session.executes:
            print("Nothing is running jobs now. Go on with: genlock resume", file=sys.stderr)

    inquire("genlock schedules trigger", act)


@app.command()
def pause(
    id: Id,
    reason: Annotated[str, typer.Option(help="Why, for those who look at it.")] = "",
    json: Json = False,
) -> None:
    """Let it start nothing until it is resumed."""
    _change("genlock schedules pause", lambda session: session.schedules.pause(id, reason), as_json=json)


@app.command()
def resume(id: Id, json: Json = False) -> None:
    """Let it fire again, from its next due time on."""
    _change("genlock schedules resume", lambda session: session.schedules.resume(id), as_json=json)


@app.command()
def delete(id: Id) -> None:
    """Take it away with its history. Jobs that it started go on."""

    async def act(session: Session) -> None:
        await session.schedules.delete(id)
        print(f"{id} deleted")

    inquire("genlock schedules delete", act)


def _change(command: str, verb: Callable[[Session], Awaitable[ScheduleView]], *, as_json: bool) -> None:
    async def act(session: Session) -> None:
        _tell(await verb(session), as_json=as_json)

    inquire(command, act)


def _plan(given: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from genlock.ledger.schedules.records import Missed, Overlap
    from genlock.schedules.view import Plan

    given["missed"] = word_of(Missed, given["missed"], "policy")
    given["overlap"] = word_of(Overlap, given["overlap"], "policy")
    try:
        return Plan(**given)
    except ValidationError as error:
        faults = "; ".join(
            ": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"]))) for e in error.errors()
        )
        raise BadInput(faults) from None


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadInput(f"{text!r} is no parameter: write NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _say_who_fires(session: Session) -> None:
    if not session.executes:
        print("No server is running now. It fires while one does: genlock serve", file=sys.stderr)


def _tell(view: ScheduleView, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(view))
    else:
        _table([view])


def _table(found: Sequence[ScheduleView]) -> None:
    """One line a schedule."""
    if not found:
        print("No schedules.")
        return
    from rich.text import Text

    from genlock.cli.table import console, table_of

    table = table_of("JOB ID", "NAME", "SCHEDULE", "USER ID", "WORKFLOW ID", "NEXT RUN")
    for view in found:
        table.add_row(
            view.id,
            Text(view.name),
            Text(_when(view)),
            Text(view.owner),
            Text(view.workflow),
            Text(_next(view)),
        )
    console().print(table)


def _page(view: ScheduleView, times: Sequence[datetime], firings: Sequence[FiringView]) -> None:
    from rich.text import Text

    from genlock.cli.table import console, table_of

    page = console()
    page.print(Text.assemble((view.name, "bold"), f" {view.id}  {view.state}"))
    for what, said in _facts(view, times):
        page.print(Text(f"  {what:<9} {said}"), no_wrap=True, overflow="ellipsis")
    if not firings:
        return
    page.print()
    table = table_of("DUE", "KIND", "STATE", "JOB", "WHY")
    for each in firings:
        table.add_row(_local(each.due_at), each.kind, each.state, each.job or "", Text(each.reason or ""))
    page.print(table)


def _facts(view: ScheduleView, times: Sequence[datetime]) -> list[tuple[str, str]]:
    params = f" {json.dumps(view.params, ensure_ascii=False)}" if view.params else ""
    policies = f"missed {view.missed}, overlap {view.overlap}"
    patience = (
        f"paused after {view.patience} failures in a row" if view.patience else "never paused by itself"
    )
    found = [
        ("starts", f"{view.pipeline}{params}"),
        ("when", _when(view)),
        ("owner", view.owner),
        ("policies", f"{policies}, {patience}"),
        ("next", ", ".join(map(_local, times)) if view.next_at else "none: it is paused"),
    ]
    if view.reason:
        found.append(("paused", view.reason))
    if view.cap:
        found.append(("cap", f"{view.cap} for all its jobs"))
    if view.failures:
        found.append(("failures", f"{view.failures} in a row"))
    return found


def _when(view: ScheduleView) -> str:
    return view.schedule if view.kind == "interval" or view.zone == "UTC" else f"{view.schedule} {view.zone}"


def _next(view: ScheduleView) -> str:
    if view.next_at is not None:
        return _local(view.next_at)
    return f"paused: {view.reason}" if view.reason else "paused"


def _local(at: datetime) -> str:
    return f"{at.astimezone(UTC) if at.tzinfo is None else at.astimezone():%Y-%m-%d %H:%M:%S}"
