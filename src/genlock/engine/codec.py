"""Values to JSON and back: what one stage returns is written down before the next one reads it.

JSON values are the Python objects that `json.loads` makes. Fields go by their Python names, never
by aliases, so that the path of a `Ref` finds them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError

from genlock.errors import BadInput

T = TypeVar("T")

_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_write_sorted = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def dump(adapter: TypeAdapter[T], value: T, what: str = "the value") -> Any:
    """The value as JSON; `BadInput` if it is not of the adapter's type or JSON has no word for it."""
    return json.loads(dump_text(adapter, value, what))


def dump_text(adapter: TypeAdapter[T], value: T, what: str = "the value") -> str:
    """As `dump`, as text.

    Pydantic writes much that it would not read, and writes NaN as null: so what is written is read back.
    """
    try:
        text = adapter.dump_json(value, by_alias=False, round_trip=True, warnings="error").decode()
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise BadInput(f"{what} cannot be written as JSON: {error}") from error
    load_text(adapter, text, what)
    may_be = "null" in text or "NaN" in text or "Infinity" in text
    if may_be and _holds_nan(adapter.dump_python(value)):
        raise BadInput(f"{what} cannot be written as JSON: it has a number that is not finite")
    return text


def load(adapter: TypeAdapter[T], value: Any, what: str = "the value") -> T:
    """The value that this JSON stands for; `BadInput` says where it does not fit."""
    return load_text(adapter, _text(value, what), what)


def load_text(adapter: TypeAdapter[T], text: str, what: str = "the value") -> T:
    """As `load`, of JSON that is text still."""
    try:
        return adapter.validate_json(text, by_alias=False, by_name=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        raise BadInput("; ".join(_sentence(what, each) for each in found[:3]) + more) from error


def encode(value: Any) -> str:
    """JSON as text, in the order it has: what the ledger keeps."""
    return _text(value)


def decode(text: str) -> Any:
    """JSON text as a value; `BadInput` if it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"this is not JSON: {error}") from error


def canonical(value: Any) -> str:
    """JSON as the one text that equal values share: keys sorted, no spaces, no escapes but the needed ones.

    Floats are written with the fewest digits that read back the same.
    """
    return _text(value, sort=True)


def input_hash(stage_name: str, version: int, arguments: Mapping[str, Any]) -> str:
    """SHA-256 of what a task is about to work on: the same hash means the same work."""
    return input_hash_of({name: canonical(value) for name, value in arguments.items()}, stage_name, version)


def input_hash_of(texts: Mapping[str, str], stage_name: str, version: int) -> str:
    """As `input_hash`, of arguments that are canonical texts already."""
    pairs = ",".join([f"{_quoted(name)}:{texts[name]}" for name in sorted(texts)])
    text = f"[{_quoted(stage_name)},{version},{{{pairs}}}]"
    return hashlib.sha256(text.encode()).hexdigest()


def dig(value: Any, path: Sequence[str], what: str = "the value") -> Any:
    """Follow fields into a JSON value. What a skipped stage left is None, and so is all within."""
    for depth, name in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, dict) or name not in value:
            has = f"has only {', '.join(sorted(value))}" if isinstance(value, dict) else "is no object"
            raise BadInput(f"{'.'.join((what, *path[:depth]))} has no field {name!r}: it {has}")
        value = value[name]
    return value


def canonical_text(text: str) -> str:
    """`canonical` of what `encode` has written: the same, unless there are keys to be sorted."""
    return canonical(json.loads(text)) if "{" in text else text


@lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    return canonical(name)


def _text(value: Any, what: str = "this", *, sort: bool = False) -> str:
    try:
        text = _write_sorted(value) if sort else _write(value)
        text.encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} cannot be written as JSON: {error}") from error
    return text


def _holds_nan(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_holds_nan, value.values()))
    return isinstance(value, (list, tuple, set, frozenset)) and any(map(_holds_nan, value))


def _sentence(what: str, error: ErrorDetails) -> str:
    place = what
    for part in error["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    said = error["msg"].removeprefix("Value error, ")  # our own sentence, which needs no such heading
    return f"{place}: {said[:1].lower()}{said[1:]}"
