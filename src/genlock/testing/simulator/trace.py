"""Which logical call a request belongs to: by our key, wherever it travels, and by what was asked for.

The two are found independently of each other: a resend under a fresh key has another key and the same
input, so that it is counted as the second charge it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

KEY = re.compile(r"(?<![a-z0-9_])(?=[a-z0-9_]*[0-9_])[a-z0-9_]{29}(?![a-z0-9_])")
# Where vendors echo something of ours, and nothing else is said: no part of what was asked for.
KEY_FIELDS = frozenset(
    {
        "external_task_id",
        "webhook",
        "webhook_events_filter",
        "callback_url",
        "storageUri",
        "seed",
        "user",
        "tags",
    }
)
_KEY_HEADERS = ("idempotency-key", "x-fal-tags", "x-request-id", "x-client-request-id")
_LONG = 960  # characters; what is longer is a picture or as good as one
_SHORT = 64  # characters; no picture is smaller

Digest = Callable[[str], str | None]


def find_key(body: Any, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    """Our key: 29 characters of [a-z0-9_], in a header, the query, a field or an address in the body."""
    places = [*(headers.get(name, "") for name in _KEY_HEADERS), *query.values(), *strings(body)]
    for text in places:
        found = KEY.search(text) if len(text) < _LONG else None
        if found:
            return found[0]
    return None


def find_seed(body: Any) -> int | None:
    """The first whole number under the name `seed`."""
    if isinstance(body, Mapping):
        if isinstance(body.get("seed"), int):
            return int(body["seed"])
        inner: Iterator[Any] = iter(body.values())
    elif isinstance(body, list):
        inner = iter(body)
    else:
        return None
    return next((seed for part in inner if (seed := find_seed(part)) is not None), None)


def input_hash(vendor: str, path: str, body: Any, digest: Digest) -> str:
    """What was asked for, without what is only there to find it again: 64 hexadecimal digits.

    `digest` names the bytes behind an address that the simulator itself serves, so that a picture uploaded
    twice is one picture; of other addresses the query is left out, since presigned ones never repeat.
    """
    text = json.dumps([vendor, path, _plain(body, digest)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def shortened(body: Any) -> Any:
    """For the book: long strings as their hash and length."""
    if isinstance(body, Mapping):
        return {name: shortened(value) for name, value in body.items()}
    if isinstance(body, list):
        return [shortened(value) for value in body]
    if isinstance(body, str) and len(body) > _LONG:
        return f"sha256:{hashlib.sha256(body.encode()).hexdigest()} ({len(body)} characters)"
    return body


def inline(text: str) -> bytes | None:
    """The bytes that travel in the text: of a data URI, or of a picture in bare base64."""
    bare = not text.startswith("data:")
    if bare and (len(text) < _SHORT or "://" in text[:16]):
        return None
    try:
        data = base64.b64decode(text if bare else text.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if data and (not bare or is_picture(data)) else None


def is_picture(data: bytes) -> bool:
    """Whether it begins as a JPEG, PNG, WebP or GIF does."""
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8"))


def strings(body: Any) -> Iterator[str]:
    """All texts in it, at any depth."""
    if isinstance(body, Mapping):
        for value in body.values():
            yield from strings(value)
    elif isinstance(body, list):
        for value in body:
            yield from strings(value)
    elif isinstance(body, str):
        yield body


def _plain(body: Any, digest: Digest) -> Any:
    if isinstance(body, Mapping):
        return {name: _plain(value, digest) for name, value in body.items() if name not in KEY_FIELDS}
    if isinstance(body, list):
        return [_plain(value, digest) for value in body]
    if isinstance(body, str):
        return _plain_text(body, digest)
    return body


def _plain_text(text: str, digest: Digest) -> str:
    held = digest(text)
    if held is not None:
        return held
    data = inline(text)
    if data is not None:
        return hashlib.sha256(data).hexdigest()
    if text.startswith(("http://", "https://", "gs://")):
        parts = urlsplit(text)
        text = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return KEY.sub("KEY", text)
