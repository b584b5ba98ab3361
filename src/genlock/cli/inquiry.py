"""What commands that look at a home have in common: the asking, words for states, answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from genlock.errors import BadInput

if TYPE_CHECKING:
    from pydantic import BaseModel

    from genlock.cli.session import Session

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def inquire(command: str, act: Callable[[Session], Awaitable[T]]) -> T:
    """Do `act` with whoever owns the home, as the settings have it; no job is run for it."""
    from genlock.cli.session import ask
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)
    return ask(settings, command, act)


def word_of(kind: type[Word], typed: str, called: str) -> Word:
    """The one of these words that was typed, in capitals or not; `BadInput` with all of them if none."""
    try:
        return kind(typed.lower())
    except ValueError:
        raise BadInput(f"there is no {called} {typed!r}; there are: {', '.join(kind)}") from None


def plain(view: BaseModel) -> dict[str, Any]:
    """A view as the API would write it."""
    return view.model_dump(mode="json", by_alias=True)


def print_json(value: Any) -> None:
    """An answer for programs, that people can read."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
