"""What a value looks like before there is one: the fields of its type, its items, and where it fits.

Where a type says too little to decide (Any, a type variable, a construct not known here) the answer
is yes: the type checker is the judge of fine points, and the value itself is validated in the job.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel, RootModel

from genlock.errors import GraphError

_NONE = type(None)
_WRAPPERS = (
    Annotated,
    typing.Required,
    typing.NotRequired,
    typing.Final,
    typing_extensions.ReadOnly,
    typing_extensions.Required,
    typing_extensions.NotRequired,
)


def bare(kind: Any) -> Any:
    """The type itself, without annotations, aliases and new names."""
    while True:
        if kind is None:
            return _NONE
        if get_origin(kind) in _WRAPPERS:
            kind = get_args(kind)[0]
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif hasattr(get_origin(kind) or kind, "__value__"):  # `type X = …`, with or without parameters
            kind = (get_origin(kind) or kind).__value__
        else:
            return kind


def members(kind: Any) -> tuple[Any, ...]:
    """The types a union allows; a type that is no union alone."""
    kind = bare(kind)
    if get_origin(kind) not in (Union, types.UnionType):
        return (kind,)
    return tuple(dict.fromkeys(each for arg in get_args(kind) for each in members(arg)))


def accepts_none(kind: Any) -> bool:
    """Whether None is a value of this type."""
    return any(each in (_NONE, Any, object) for each in members(kind))


def or_none(kind: Any) -> Any:
    """The same type, but None as well."""
    return Union[kind, None]  # noqa: UP007 - built at run time, from anything that is an annotation


def list_of(kind: Any) -> Any:
    """A list of this type."""
    return list.__class_getitem__(kind)


def item(kind: Any, what: str) -> Any:
    """The type of one item of a list; `GraphError` if it is no list."""
    kind = bare(kind)
    if kind is Any:
        return Any
    origin, args = get_origin(kind) or kind, get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Sequence) and not issubclass(origin, (str, bytes)):
        return _union([each for each in args if each is not Ellipsis])
    if accepts_none(kind):
        raise GraphError(f"{what} cannot be mapped over: it is {title(kind)} and may be None")
    raise GraphError(f"{what} cannot be mapped over: it is {title(kind)}, not a list")


def attribute(kind: Any, name: str, what: str) -> Any:
    """The type of a field taken with a dot; None stays None. `GraphError` says why it cannot be taken."""
    return _of_each(kind, lambda each: _attribute(each, name, what))


def key(kind: Any, name: object, what: str) -> Any:
    """The type of a TypedDict's key; `GraphError` for anything else in square brackets."""
    return _of_each(kind, lambda each: _key(each, name, what))


def title(kind: Any) -> str:
    """The type as a person would write it."""
    if len(several := members(kind)) > 1:
        return " | ".join(title(each) for each in several)
    kind = bare(kind)
    if kind is _NONE:
        return "None"
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin and args:
        return f"{title(origin)}[{', '.join('...' if each is Ellipsis else title(each) for each in args)}]"
    return str(getattr(kind, "__name__", kind))


def fits(have: Any, want: Any) -> bool:
    """Whether a value of one type may be handed to a parameter of another."""
    offered, taken = members(have), members(want)
    if any(_says_nothing(each) for each in (*offered, *taken)):
        return True
    return all(any(_fits_one(one, other) for other in taken) for one in offered)


def _says_nothing(kind: Any) -> bool:
    return kind is Any or kind is object or isinstance(kind, (typing.TypeVar, str, typing.ForwardRef))


def _fits_one(have: Any, want: Any) -> bool:
    if get_origin(have) is Literal:
        if get_origin(want) is Literal:
            return set(get_args(have)) <= set(get_args(want))
        return all(_fits_one(type(value), want) for value in get_args(have))
    if get_origin(want) is Literal:
        return False
    source, target = get_origin(have) or have, get_origin(want) or want
    if not (isinstance(source, type) and isinstance(target, type)):
        return True
    if typing_extensions.is_typeddict(source) or typing_extensions.is_typeddict(target):
        return _fits_dict(source, target)
    if source is str and target is not str and issubclass(target, Sequence):
        return False
    if target is Sequence and source is str:  # Python calls a text a sequence of texts; JSON does not
        return False
    return _is_a(source, target) and _arguments_fit(have, want)


def _is_a(source: type, target: type) -> bool:
    if target is float and issubclass(source, int):
        return True
    try:
        return issubclass(source, target)
    except TypeError:  # a protocol that cannot be asked
        return True


def _fits_dict(source: type, target: type) -> bool:
    if not typing_extensions.is_typeddict(target):
        return issubclass(dict, target)
    if not typing_extensions.is_typeddict(source):
        return False
    have, want = get_type_hints(source), get_type_hints(target)
    return all(name in have and fits(have[name], want[name]) for name in want)


def _arguments_fit(have: Any, want: Any) -> bool:
    given, wanted = get_args(have), get_args(want)
    if not given or not wanted:
        return True
    if Ellipsis in (*given, *wanted) or len(given) != len(wanted):
        if get_origin(have) is tuple and get_origin(want) is tuple and Ellipsis not in wanted:
            return Ellipsis not in given and len(given) == len(wanted)
        return fits(
            _union([g for g in given if g is not Ellipsis]), _union([w for w in wanted if w is not Ellipsis])
        )
    return all(fits(one, other) for one, other in zip(given, wanted, strict=True))


def _union(kinds: list[Any]) -> Any:
    return Union[tuple(kinds)] if kinds else Any  # noqa: UP007 - as above


def _of_each(kind: Any, take: typing.Callable[[Any], Any]) -> Any:
    found = [each if each in (_NONE, Any) else take(each) for each in members(kind)]
    return _union(found)


def _attribute(kind: Any, name: str, what: str) -> Any:
    owner = get_origin(kind) or kind
    if typing_extensions.is_typeddict(owner):
        raise GraphError(f"{what} is a TypedDict: write {what}[{name!r}]")
    fields = _fields(kind, what)
    if name in fields:
        return fields[name]
    if hasattr(owner, name):
        raise GraphError(
            f"{what}.{name} is not a field of {title(kind)}, and only fields can be taken while the pipeline "
            f"is drawn: make {name} a field, or use it inside a stage"
        )
    raise GraphError(f"{what} has no field {name!r}{_hint(name, fields, title(kind))}")


def _key(kind: Any, name: object, what: str) -> Any:
    if not typing_extensions.is_typeddict(kind):
        raise GraphError(
            f"{what}[{name!r}] cannot be looked up: {what} has no value while the pipeline is drawn. Use "
            ".map(...) to run a stage once for each item, or take it apart inside a stage"
        )
    fields = get_type_hints(kind, include_extras=True)
    if name not in fields:
        raise GraphError(f"{what} has no key {name!r}{_hint(str(name), fields, title(kind))}")
    if _may_be_missing(kind, str(name), fields[str(name)]):
        raise GraphError(f"{what}[{name!r}] may be missing from {title(kind)}: take it inside a stage")
    return fields[str(name)]


def _may_be_missing(kind: Any, name: str, field: Any) -> bool:
    if get_origin(field) in (typing.Required, typing_extensions.Required):
        return False
    skippable = get_origin(field) in (typing.NotRequired, typing_extensions.NotRequired)
    return skippable or name not in kind.__required_keys__


def _fields(kind: Any, what: str) -> dict[str, Any]:
    owner = get_origin(kind) or kind
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        if owner.__pydantic_decorators__.model_serializers:
            raise GraphError(
                f"{what}: {title(kind)} writes itself in its own way, so no field can be taken from it"
            )
        return {name: field.annotation for name, field in owner.model_fields.items() if not field.exclude}
    if isinstance(owner, type) and dataclasses.is_dataclass(owner):
        hints = get_type_hints(owner, include_extras=True)
        bound = dict(zip(getattr(owner, "__parameters__", ()), get_args(kind), strict=False))
        return {
            each.name: bound.get(hints[each.name], hints[each.name]) for each in dataclasses.fields(owner)
        }
    return {}


def is_root(kind: Any) -> bool:
    """Whether this is a pydantic root model, whose JSON is that of its only field."""
    owners = [get_origin(each) or each for each in members(kind) if each is not _NONE]
    return all(isinstance(owner, type) and issubclass(owner, RootModel) for owner in owners)


def _hint(name: str, fields: typing.Iterable[str], owner: str) -> str:
    known = list(fields)
    if near := get_close_matches(name, known, 1):
        return f": did you mean {near[0]!r}?"
    return f": {owner} has {', '.join(known)}" if known else f": {owner} has no fields to take"
