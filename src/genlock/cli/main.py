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
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genlock import errors
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

# Every command in the order in which people meet them: where it is, a function or a group of them. One is
# loaded when it is asked for, as all of them take longer than most that they do.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "run": "run.app",
        "resume": "resume.resume",
        "jobs": "jobs.app",
        "costs": "money.costs",
        "calls": "money.calls_app",
        "budgets": "money.budgets_app",
        "videos": "videos.app",
        "schedules": "schedules.app",
        "serve": "serve.serve",
        "users": "people.users_app",
        "tokens": "people.tokens_app",
        "graph": "graph.graph",
        "check": "check.check",
        "prove": "prove.prove",
        "clean": "clean.clean",
        "backup": "backup.backup",
        "restore": "backup.restore",
        "doctor": "doctor.doctor",
    }
)


class Commands(TyperGroup):
    """Makes commands as they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _command(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named; of a name that is none, typer says which it is like, of those it has."""
        if args and args[0] not in COMMANDS:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def _command(name: str) -> Any:
    module, _, what = COMMANDS[name].partition(".")
    found = getattr(import_module(f"genlock.cli.{module}"), what)
    alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return typer.main.get_group(alone).commands[name]


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
