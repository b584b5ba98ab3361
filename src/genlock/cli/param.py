"""What an order that does not fit is told in: the words of the command line, not those of the code."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from genlock.cli.option import fields_of, option_of
from genlock.errors import BadInput

if TYPE_CHECKING:
    from genlock.engine.declare import Pipeline

EXTRA = re.compile(r"extra inputs are not permitted", flags=re.IGNORECASE)


def check_numbers(pipeline: Pipeline[..., Any], params: Mapping[str, Any]) -> None:
    """`BadInput` for nan and infinity, which no order can hold."""
    fields = fields_of(pipeline)
    for name, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            said = option_of(name, fields[name]) if name in fields else name
            raise BadInput(f"{said} {value}: that is no number")


def in_options(pipeline: Pipeline[..., Any], error: BadInput) -> BadInput:
    """The same error with each field called as it is on the command line."""
    names, fields = list(pipeline.inputs), fields_of(pipeline)
    if len(names) != 1 or not fields:
        return error

    def said(found: re.Match[str]) -> str:
        name, rest = found["name"], found["rest"]
        if name in fields:
            return f"{option_of(name, fields[name])}:{rest}"
        if EXTRA.search(rest):
            near = get_close_matches(name, fields, 1)
            meant = f": did you mean {near[0]}?" if near else f"; there are: {', '.join(fields)}"
            return EXTRA.sub(f"there is no such parameter{meant}", f"{name}:{rest}")
        return found[0]

    pattern = rf"\b{re.escape(names[0])}\.(?P<name>\w+):(?P<rest>[^;\n]*)"
    return BadInput(re.sub(pattern, said, str(error)))
