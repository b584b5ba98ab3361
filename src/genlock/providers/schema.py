"""JSON schemas as strict answers want them: nothing left out, nothing added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genlock.errors import Unsupported

_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_TABLES = ("properties", "$defs", "definitions")
_DROPPED = ("default", "title")  # only `description` tells a model anything; defaults contradict `required`


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with every property of every object required and no other allowed. `Unsupported` for an
    object with free keys, which no strict answer can have.
    """
    made = {name: value for name, value in schema.items() if name not in _DROPPED}
    if isinstance(made.get("additionalProperties"), Mapping) or (
        made.get("type") == "object" and "properties" not in made
    ):
        raise Unsupported("a strict answer has no objects with free keys: use a list of pairs instead")
    for name in _TABLES:
        if isinstance(made.get(name), Mapping):
            made[name] = {key: strict(value) for key, value in made[name].items()}
    for name in _LISTS:
        if isinstance(made.get(name), list):
            made[name] = [strict(each) for each in made[name]]
    if isinstance(made.get("items"), Mapping):
        made["items"] = strict(made["items"])
    if isinstance(made.get("properties"), Mapping):
        made |= {"required": list(made["properties"]), "additionalProperties": False}
    return made
