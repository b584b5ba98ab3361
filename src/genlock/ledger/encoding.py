"""Flat objects as JSON: events are small and many, and the general encoder takes its time to start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


quote = encode_basestring


def encode(data: Mapping[str, Any]) -> str:
    """The object as JSON text."""
    return "{" + ",".join([f'"{name}":{_encode_value(value)}' for name, value in data.items()]) + "}"


def _encode_value(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int or (kind is float and isfinite(value)):
        return repr(value)
    return "null" if value is None else _encode_any(value)
