"""`genlock users` and `genlock tokens`: who may use the service, and with which token."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from genlock.cli.inquiry import Json, inquire, plain, print_json, word_of

if TYPE_CHECKING:
    from genlock.access.service import AccessService
    from genlock.access.views import TokenView, UserView
    from genlock.cli.session import Session

MOST = 10_000  # users or tokens that are listed
Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name, such as ann.")]

users_app = typer.Typer(
    help="List who may use the service, and change it.", rich_markup_mode=None, invoke_without_command=True
)
tokens_app = typer.Typer(
    help="List tokens, make them, revoke them.", rich_markup_mode=None, invoke_without_command=True
)


@users_app.callback()
def default_users(context: typer.Context) -> None:
    """List who may use the service, and change it. Without a command: list them."""
    if context.invoked_subcommand is None:
        list_users()


@users_app.command("list")
def list_users(json: Json = False) -> None:
    """List users, by name."""

    async def act(access: AccessService) -> None:
        found = await access.users(limit=MOST)
        if json:
            print_json([plain(user) for user in found])
        else:
            _users_table(found)

    _with_access("genlock users", act)


@users_app.command("create")
def create_user(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="Sees and steers what is everybody's.")] = False,
) -> None:
    """Make a user, who can do nothing before there is a token (`genlock tokens create NAME`)."""
    _change(lambda access: access.create_user(name, admin=admin))


@users_app.command()
def disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let their tokens be valid again.")] = False,
) -> None:
    """Make all tokens of a user worth nothing, at once."""
    _change(lambda access: access.change_user(name, disabled=not undo))


@users_app.command()
def admin(
    name: Name, undo: Annotated[bool, typer.Option("--undo", help="Make them an admin no more.")] = False
) -> None:
    """Make a user an admin. Only tokens with the scope `admin` are used as one."""
    _change(lambda access: access.change_user(name, admin=not undo))


@tokens_app.callback()
def default_tokens(context: typer.Context) -> None:
    """List tokens, make them, revoke them. Without a command: list those that are valid."""
    if context.invoked_subcommand is None:
        list_tokens()


@tokens_app.command("list")
def list_tokens(
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only this user's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    json: Json = False,
) -> None:
    """List tokens, without their secrets, which nobody can show."""

    async def act(access: AccessService) -> None:
        from genlock.clock import SystemClock

        now = SystemClock().now()
        found = await access.tokens(user=user, limit=MOST)
        shown = [token for token in found if everything or _is_valid(token, now)]
        if json:
            print_json([plain(token) for token in shown])
        else:
            _tokens_table(shown, now)

    _with_access("genlock tokens", act)


@tokens_app.command("create")
def create_token(
    user: Annotated[
        str, typer.Argument(metavar="USER", help="Whose token it is: a name of `genlock users`.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="What it is for, such as jobs:read; may be repeated."),
    ] = None,
    label: Annotated[str, typer.Option(help="What it is for, in your words.")] = "",
    expires: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="As 12h or 720h; without it, it is valid until revoked."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a token and print it, which cannot be done again.

    Without --scope it is for everything but administration; with --scope admin for that as well.
    """
    from genlock.cli.option import span
    from genlock.ledger.access.records import Scope

    scopes = {word_of(Scope, each, "scope") for each in scope or ()} or set(Scope) - {Scope.ADMIN}
    expires_in = None if expires is None else span(expires)

    async def act(access: AccessService) -> None:
        made = await access.create_token(user, scopes=scopes, label=label, expires_in=expires_in)
        if json:
            print_json(plain(made))
            return
        print(f"Token {made.id} of {made.user}, for {', '.join(made.scopes)}.", file=sys.stderr)
        print("It is shown only now:", file=sys.stderr)
        print(made.token)

    _with_access("genlock tokens create", act)


@tokens_app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id, which `genlock tokens` lists.")],
) -> None:
    """Make a token worth nothing, at once and for good."""

    async def act(access: AccessService) -> None:
        revoked = await access.revoke_token(token)
        print(f"Token {revoked.id} of {revoked.user} is revoked.")

    _with_access("genlock tokens revoke", act)


def _change(verb: Callable[[AccessService], Awaitable[UserView]]) -> None:
    async def act(access: AccessService) -> None:
        _users_table([await verb(access)])

    _with_access("genlock users", act)


def _with_access(command: str, act: Callable[[AccessService], Awaitable[None]]) -> None:
    async def asking(session: Session) -> None:
        await act(session.access)

    inquire(command, asking)


def _is_valid(token: TokenView, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def _users_table(users: Sequence[UserView]) -> None:
    if not users:
        print("No users. Make one: genlock users create NAME")
        return
    from genlock.cli.table import console, table_of

    table = table_of("NAME", "ROLE", "STATE", "SINCE")
    for user in users:
        state = "disabled" if user.disabled else "active"
        table.add_row(
            user.name, "admin" if user.admin else "user", state, f"{user.created_at.astimezone():%Y-%m-%d}"
        )
    console().print(table)


def _tokens_table(tokens: Sequence[TokenView], now: datetime) -> None:
    if not tokens:
        print("No tokens. Make one: genlock tokens create USER")
        return
    from rich.text import Text

    from genlock.cli.table import console, table_of
    from genlock.cli.word import ago

    table = table_of("ID", "USER", "LABEL", "SCOPES", "USED", "STATE")
    for token in tokens:
        scopes = " ".join(token.scopes)
        used = ago(token.used_at, now) if token.used_at else "never"
        table.add_row(token.id, token.user, Text(token.label), scopes, used, _state(token, now))
    console().print(table)


def _state(token: TokenView, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is None:
        return "valid"
    return "expired" if token.expires_at <= now else f"until {token.expires_at.astimezone():%Y-%m-%d %H:%M}"
