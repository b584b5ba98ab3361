"""A handle stands for a value that exists only once a job has come to it.

While a pipeline is drawn its function is called with handles. All that can be done with one is to
hand it on or to take a field of it; every other use is an error that says what to do instead. Only
`is` asks no object: `x is None` is always false here, and the type checker is the one to warn of it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from genlock.engine import shape
from genlock.engine.graph import Ref
from genlock.errors import GraphError

_UNKNOWN = "{0} has no value while the pipeline is drawn, so "
_DECIDE = "Use stage.when(flag)(...), or decide inside a stage"
_LOOP = "Use stage.map({0}, ...) to run once for each item, or go through it inside a stage"
_COMPUTE = "Do it inside a stage, which gets the value"


def _refuse_class(self: Handle) -> NoReturn:
    raise GraphError(f"{_UNKNOWN}its type cannot be tested. {_DECIDE}".format(ref_of(self)))


class Handle:
    """One value of the pipeline being drawn. `owner` is the drawing it belongs to."""

    __slots__ = ("_kind", "_owner", "_ref")
    __class__ = property(_refuse_class)  # what isinstance and match ask for

    def __init__(self, ref: Ref, kind: Any, owner: object) -> None:
        object.__setattr__(self, "_ref", ref)
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_owner", owner)

    def __getattr__(self, name: str) -> Handle:
        if name.startswith("__"):  # what Python itself asks of objects; answered as by any object
            raise AttributeError(name)
        ref, kind = ref_of(self), kind_of(self)
        found = shape.attribute(kind, name, str(ref))
        path = ref.path if shape.is_root(kind) else (*ref.path, name)
        return Handle(Ref(ref.node, path), found, owner_of(self))

    def __getitem__(self, key: object) -> Handle:
        ref = ref_of(self)
        found = shape.key(kind_of(self), key, str(ref))
        return Handle(Ref(ref.node, (*ref.path, str(key))), found, owner_of(self))

    def __repr__(self) -> str:
        return f"<{ref_of(self)}: {shape.title(kind_of(self))}, known once a job runs>"


def ref_of(handle: Handle) -> Ref:
    """Where the value will come from."""
    ref: Ref = object.__getattribute__(handle, "_ref")
    return ref


def kind_of(handle: Handle) -> Any:
    """The declared type of the value."""
    return object.__getattribute__(handle, "_kind")


def owner_of(handle: Handle) -> object:
    """The drawing in which the value may be used."""
    return object.__getattribute__(handle, "_owner")


def holds_handle(value: object) -> bool:
    """Whether a handle hides within a list, tuple, set or dict."""
    if isinstance(value, Handle):
        return True
    if isinstance(value, dict):
        return any(holds_handle(each) for each in value.values())
    return isinstance(value, (list, tuple, set, frozenset)) and any(holds_handle(each) for each in value)


def _trap(operators: str, why: str, advice: str) -> None:
    """Make these operators of a handle raise. `why` goes on from "…, so"."""
    for operator in operators.split():

        def refuse(self: Handle, *_: object, **__: object) -> NoReturn:
            raise GraphError(f"{_UNKNOWN}{why}. {advice}".format(ref_of(self)))

        refuse.__name__ = f"__{operator}__"
        setattr(Handle, refuse.__name__, refuse)


_trap("bool", "it cannot decide an `if`, `and`, `or` or `not`", _DECIDE)
_trap("eq ne lt le gt ge", "it cannot be compared", _DECIDE)
_trap("contains", "`in` cannot look into it", _DECIDE)
_trap("hash", "it cannot be a key of a dict or an item of a set", _DECIDE)
_trap("iter next reversed aiter anext", "it cannot be looped over or unpacked", _LOOP)
_trap("len length_hint", "its length cannot be asked", _LOOP)
_trap("str format bytes fspath", "it cannot become text", _COMPUTE)
_trap("int float complex index round trunc floor ceil", "it is no number", _COMPUTE)
_trap("neg pos abs invert", "it cannot be computed with", _COMPUTE)
_trap("add sub mul matmul truediv floordiv mod divmod pow", "it cannot be computed with", _COMPUTE)
_trap("radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow", "it cannot be computed with", _COMPUTE)
_trap("iadd isub imul imatmul itruediv ifloordiv imod ipow", "it cannot be computed with", _COMPUTE)
_trap("lshift rshift and xor or", "it cannot be computed with", _COMPUTE)
_trap("rlshift rrshift rand rxor ror ilshift irshift iand ixor ior", "it cannot be computed with", _COMPUTE)
_trap("call", "it cannot be called: only fields can be taken", _COMPUTE)
_trap("setattr delattr setitem delitem", "it cannot be changed", _COMPUTE)
_trap("enter exit aenter aexit", "`with` cannot enter it", _COMPUTE)
_trap("await", "it cannot be awaited: pipelines call stages without `await`", _COMPUTE)
_trap("copy deepcopy reduce_ex", "it cannot be copied", _COMPUTE)
