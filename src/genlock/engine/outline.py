"""What a type is made of, in one text: two programs whose texts are equal read the same JSON."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel

from genlock.engine.shape import bare, members, title

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def digest(kinds: Iterable[Any]) -> str:
    """A short hash of these types with all that is in them: fields, limits, and the names of validators.

    What a validator does is not in it, so a type may change without a change of its digest; not the
    other way round.
    """
    known: list[Any] = []
    text = "\n".join(_outline(kind, known) for kind in kinds)
    return hashlib.sha256(_ADDRESS.sub("", text).encode(errors="backslashreplace")).hexdigest()[:16]


def _outline(kind: Any, known: list[Any]) -> str:
    """A type in words; one that was met before, as the trees of their own kind do, by its name alone."""
    if get_origin(kind) is Annotated:
        inner, *limits = get_args(kind)
        return f"{_outline(inner, known)}{limits!r}"
    if len(several := members(kind)) > 1:
        return " | ".join(_outline(each, known) for each in several)
    kind = bare(kind)
    if any(kind is each for each in known):
        return title(kind)
    fields = _fields(kind)
    if fields is not None:
        known.append(kind)
        said = (f"{name}: {_outline(each, known)}{rest}" for name, each, rest in fields)
        return f"{title(kind)}{{{', '.join(said)}}}"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"{title(kind)}{[each.value for each in kind]!r}"
    inside = [_outline(each, known) for each in get_args(kind) if get_origin(each) or isinstance(each, type)]
    return f"{title(kind)}({', '.join(inside)})" if inside else title(kind)


def _fields(kind: Any) -> Iterator[tuple[str, Any, str]] | None:
    """Name, type and the rest of each field; None if the type has none."""
    owner = get_origin(kind) or kind
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        return _of_model(owner)
    if isinstance(owner, type) and dataclasses.is_dataclass(owner):
        needed = {each.name: _is_needed(each) for each in dataclasses.fields(owner)}
        return _of_hints(owner, needed)
    if typing_extensions.is_typeddict(owner):
        return _of_hints(owner, {name: name in owner.__required_keys__ for name in owner.__annotations__})
    if isinstance(owner, type) and issubclass(owner, tuple) and hasattr(owner, "_fields"):
        defaults = getattr(owner, "_field_defaults", {})
        return _of_hints(owner, {name: name not in defaults for name in owner._fields})
    return None


def _of_model(model: type[BaseModel]) -> Iterator[tuple[str, Any, str]]:
    for name, field in model.model_fields.items():
        yield name, field.annotation, f" {field.metadata!r}{'' if field.is_required() else ' = …'}"
    marks = model.__pydantic_decorators__
    for name in sorted([*marks.validators, *marks.field_validators, *marks.root_validators]):
        yield name, Any, " validates"
    for name in sorted([*marks.model_validators, *marks.model_serializers, *marks.field_serializers]):
        yield name, Any, " validates or writes"
    extra = model.model_config.get("extra")
    if extra is not None:
        yield "extra", Any, f" {extra}"


def _of_hints(owner: Any, needed: Mapping[str, bool]) -> Iterator[tuple[str, Any, str]]:
    try:
        hints = get_type_hints(owner, include_extras=True)
    except NameError:  # it names what only the function around it knows
        hints = {}
    for name, must in needed.items():
        yield name, hints.get(name, Any), "" if must else " = …"


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
