"""Requests by the vendor's names, and what is found in its answers, whatever their shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def named(ours: Mapping[str, Any], names: Mapping[str, str], formats: Mapping[str, str]) -> dict[str, Any]:
    """Our fields under the vendor's names; what it has no name for, or is empty, stays out."""
    return {
        theirs: formats[field].format(ours[field]) if field in formats else ours[field]
        for field, theirs in names.items()
        if ours.get(field) not in (None, "")
    }


def first_url(output: Any) -> str | None:
    """The address of the file in an output: a text, the first of a list, or under `url` or another name."""
    if isinstance(output, str):
        return output if output.startswith(("http://", "https://")) else None
    if isinstance(output, Mapping):
        named = [output["url"]] if "url" in output else []
        return next(filter(None, map(first_url, [*named, *output.values()])), None)
    if isinstance(output, list):
        return next(filter(None, map(first_url, output)), None)
    return None


def handle_in(body: bytes, *names: str) -> str | None:
    """The id that a report's body has under one of these names."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    values = (found.get(name) for name in names) if isinstance(found, dict) else iter(())
    return next((str(value) for value in values if isinstance(value, str | int) and value), None)


def is_refusal(said: str) -> bool:
    """Whether a failure is about what was asked for, so that asking again would come to the same."""
    words = (
        "nsfw",
        "sensitive",
        "policy",
        "violat",
        "safety",
        "risk control",
        "moderation",
        "flagged",
        "not allowed",
        "invalid",
    )
    return any(word in said.lower() for word in words)
