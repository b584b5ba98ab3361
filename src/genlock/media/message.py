"""How a render pool and its children talk: JSON objects over pipes, each behind its length."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")
HEADER = _LENGTH.size
LARGEST = 256 * 1024 * 1024

Message = dict[str, Any]


def pack(message: Message) -> bytes:
    """The bytes of one message, length first."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def length(header: bytes) -> int:
    """How many bytes follow this header; `ValueError` if the other side writes something else."""
    (size,) = _LENGTH.unpack(header)
    if size > LARGEST:
        raise ValueError(f"a message of {size} bytes: the other side does not speak this protocol")
    return int(size)


def unpack(body: bytes) -> Message:
    """The message in these bytes, without its length."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise TypeError(f"a message is an object, not a {type(message).__name__}")
    return message


def read(stream: BinaryIO) -> Message | None:
    """The next message, or None when the other side is gone; blocks."""
    header = stream.read(HEADER)
    if len(header) < HEADER:
        return None
    size = length(header)
    body = stream.read(size)
    return unpack(body) if len(body) == size else None
