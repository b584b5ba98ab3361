"""The kinds of values that settings have, each read from a text and refused in words."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr

from genlock.errors import BadInput
from genlock.failpoint import Order
from genlock.money import Money
from genlock.span import read_span


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        msg = "must be longer than nothing"
        raise ValueError(msg)
    return value


def _seconds(value: Any) -> Any:
    """The environment only has text: a bare number in it means seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _checked(order: str | None) -> str | None:
    """Say at once that it cannot be carried out, not when the process should have died."""
    if order is not None:
        try:
            Order.parse(order)
        except BadInput as error:
            raise ValueError(str(error)) from error
    return order


Span = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_positive)]


def _plain(key: SecretStr) -> SecretStr:
    """A key as it goes into a header. One with a line break in it would be shown in the error about that."""
    bare = key.get_secret_value().strip()
    if not bare.isascii() or not bare.isprintable() or " " in bare:
        msg = "must be printable ASCII without blanks: was a part of another line copied with it?"
        raise ValueError(msg)
    return SecretStr(bare)


def _unguessable(token: SecretStr) -> SecretStr:
    if len(token.get_secret_value()) < 32:
        msg = "must have 32 characters or more, such as those of `openssl rand -hex 32`"
        raise ValueError(msg)
    return token


def _address(url: str) -> str:
    """Scheme, host and perhaps a path; a `/v1` at the end is what most vendors' own libraries are given."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~/-]*)?", url):
        msg = "must be an address as in https://host/path, without a user, a query or a fragment"
        raise ValueError(msg)
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _database(url: str) -> str:
    if not url.startswith(("postgresql://", "postgres://")):
        msg = "must be an address as in postgresql://user@host/name"
        raise ValueError(msg)
    return url


def _amount(value: Any) -> Any:
    """Money as people write it."""
    try:
        return Money.parse(value) if isinstance(value, str) else value
    except BadInput as error:
        raise ValueError(str(error)) from error


Cap = Annotated[Money, BeforeValidator(_amount)]
Key = Annotated[SecretStr, AfterValidator(_plain)]
Address = Annotated[str, AfterValidator(_address)]


def vendor_key(*names: str, what: str) -> Any:
    """A key under the name that its vendor gives it, without our prefix."""
    return Field(default=None, validation_alias=AliasChoices(*names), repr=False, description=what)


def _every(value: Any) -> Any:
    """As people write a span, or that there is to be none."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() in ("off", "none", "never"):
        return None
    try:
        return read_span(value)
    except BadInput as error:
        raise ValueError(f"{error}; or off") from error


Pause = Annotated[timedelta, BeforeValidator(_seconds)]  # which may be no time at all
Failpoint = Annotated[str | None, AfterValidator(_checked)]
Unguessable = Annotated[Key, AfterValidator(_unguessable)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
Every = Annotated[timedelta | None, BeforeValidator(_every)]
