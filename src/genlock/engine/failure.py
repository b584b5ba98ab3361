"""What an attempt that raised has come to: one signal, or one record that fits into a row."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from genlock.errors import ClaimLost, Parked, Skip
from genlock.ledger.records import Failure

MESSAGE = 4_000  # characters of a message that are kept
TRACE = 32_000
SIGNALS = (ClaimLost, Parked, Skip)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, and in the groups in it; an error that is no group is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def sole(error: BaseException) -> BaseException:
    """What a group raised by a `TaskGroup` stands for: its only failure, else its first signal, else itself.

    A claim that is lost outweighs everything: nothing can be written any more.
    """
    found = list(leaves(error))
    lost = [each for each in found if isinstance(each, ClaimLost)]
    failures = [each for each in found if not isinstance(each, SIGNALS)]
    if lost or not failures:
        return min(lost or found, key=lambda each: SIGNALS.index(_signal(each)))
    return failures[0] if len(failures) == 1 else error


def _signal(error: BaseException) -> type[BaseException]:
    return next(kind for kind in SIGNALS if isinstance(error, kind))


def failure_of(error: BaseException) -> Failure:
    """The record of an error. However long its words are, and whatever is in them, they can be kept."""
    said = "; ".join(_said(each) for each in leaves(error) if not isinstance(each, SIGNALS))
    trace = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, kept(said, MESSAGE), kept(trace, TRACE))


def kept(text: str, most: int = MESSAGE) -> str:
    """A text that any database takes: valid Unicode, without NUL, its middle left out if it is long."""
    text = text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
    if len(text) <= most:
        return text
    left_out = f" … {len(text) - most} characters left out … "
    return text[: most // 2] + left_out + text[-most // 2 :]


def _said(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - an error that cannot be printed has failed all the same
        return f"{type(error).__name__}, which cannot be printed"
