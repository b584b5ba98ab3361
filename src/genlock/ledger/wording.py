"""Texts on their way into a ledger, so that each of them is one that every database takes.

PostgreSQL keeps no NUL, and no database keeps half of a surrogate pair. JSON has escapes for both; what is
said to people is written with them, and a name with them is refused, for it could not be asked for.
"""

from __future__ import annotations

from genlock.errors import BadInput


def plain(text: str) -> str:
    """What is said to people, as text that can be kept."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def plain_or_none(text: str | None) -> str | None:
    """As `plain`, of what may be left unsaid."""
    return None if text is None else plain(text)


def named(text: str, what: str) -> str:
    """A name, as it is. `BadInput` if no database could keep it."""
    if text != plain(text):
        raise BadInput(f"{what} {plain(text)!r} has characters in it that no ledger can keep: write others")
    return text
