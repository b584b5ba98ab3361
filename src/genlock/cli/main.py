"""`genlock`: the commands, and how errors end a process.

Exit codes: 0 it worked · 1 the job failed · 2 bad usage or input · 3 not found, or not possible in
this state · 4 trouble with the home, its owner, ledger or store · 70 a fault in genlock itself · 130
interrupted (143: terminated).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genlock import errors
from genlock.cli import (
    backup,
    check,
    clean,
    doctor,
    graph,
    jobs,
    money,
    people,
    prove,
    resume,
    run,
    schedules,
    serve,
    videos,
)
from genlock.errors import GenlockError

FAULT = 70  # what sysexits.h calls an internal software error
EXIT_CODES: tuple[tuple[type[GenlockError], int], ...] = (
    (errors.BadInput, 2),
    (errors.GraphError, 2),
    (errors.NotFound, 3),
    (errors.Conflict, 3),
    (errors.OwnerError, 4),
    (errors.LedgerError, 4),
    (errors.StoreError, 4),
    (errors.BackupError, 4),
    (GenlockError, 1),
)

ORDER = (
    "run",
    "resume",
    "jobs",
    "costs",
    "calls",
    "budgets",
    "videos",
    "schedules",
    "serve",
    "users",
    "tokens",
    "graph",
    "check",
    "prove",
    "clean",
    "backup",
    "restore",
    "doctor",
)


class Commands(TyperGroup):
    """Lists the commands as people meet them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return sorted(self.commands, key=ORDER.index)


app = typer.Typer(
    cls=Commands,
    name="genlock",
    help="Runs AI video pipelines so that nothing finished is redone and nothing is paid for twice.",
    epilog="Exit codes: 0 ok, 1 job failed, 2 bad usage or input, 3 not found or not possible now, "
    "4 trouble with the home, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,  # help in boxes would take a quarter of a second to import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(run.app, name="run")
app.command("resume")(resume.resume)
app.add_typer(jobs.app, name="jobs")
app.command("costs")(money.costs)
app.add_typer(money.calls_app, name="calls")
app.add_typer(money.budgets_app, name="budgets")
app.add_typer(videos.app, name="videos")
app.add_typer(schedules.app, name="schedules")
app.command("serve")(serve.serve)
app.add_typer(people.users_app, name="users")
app.add_typer(people.tokens_app, name="tokens")
app.command("graph")(graph.graph)
app.command("check")(check.check)
app.command("prove")(prove.prove)
app.command("doctor")(doctor.doctor)
app.command("clean")(clean.clean)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"genlock {version('genlock')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Runs AI video pipelines so that nothing finished is redone and nothing is paid for twice."""


def main() -> None:
    """The entry point: run the command, and say what went wrong in one sentence."""
    try:
        app()
    except GenlockError as error:
        sys.exit(complain(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `genlock jobs | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:  # noqa: BLE001 - the last place where it can be said in words
        sys.exit(complain(error))


def complain(error: Exception) -> int:
    """Say on stderr what went wrong; the exit code for it."""
    debugging = _debugging()
    if debugging:
        traceback.print_exception(error)
    if isinstance(error, GenlockError):
        print(f"genlock: {error}", file=sys.stderr)
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    more = "" if debugging else "; GENLOCK_LOG_LEVEL=debug shows where"
    print(f"genlock: a fault of its own: {type(error).__name__}: {error}{more}", file=sys.stderr)
    return FAULT


def _debugging() -> bool:
    from genlock.settings import load_settings

    try:
        return load_settings().log_level.lower() == "debug"
    except errors.BadInput:  # that the settings do not fit may be the very error
        return False
