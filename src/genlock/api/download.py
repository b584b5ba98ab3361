"""Files on the wire: whole or in parts, with a tag that says whether they are still what they were."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from genlock.api.wire import ErrorEnvelope

# Whatever a file says of itself: it is shown as what it was found to be, runs nothing and loads nothing.
INERT: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


def answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about a route that answers with a file of one of these types."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {"content": dict.fromkeys(media_types, binary)}
    return {
        200: {"description": "The file.", **content},
        206: {"description": "The part that `Range` asks for.", **content},
        304: {"description": "It is still what `If-None-Match` says."},
        416: {"model": ErrorEnvelope, "description": "The file has no such part."},
    }


def file_answer(
    request: Request,
    path: Path,
    *,
    media_type: str,
    sha256: str,
    name: str | None = None,
    cache: str = "private, no-cache",
) -> Response:
    """A file, or the part of it that is asked for. `name` is what it is saved as."""
    tag = f'"{sha256}"'
    headers = {**INERT, "ETag": tag, "Cache-Control": cache}
    if _is_known(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return _File(
        path, headers=headers, media_type=media_type, filename=name, content_disposition_type="inline"
    )


def _is_known(header: str, tag: str) -> bool:
    known = {each.strip().removeprefix("W/") for each in header.split(",")}
    return tag in known or "*" in known


class _File(FileResponse):
    """A range that cannot be had is a problem like every other; one that makes no sense is passed over."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("range", "")
        if asked and not self._is_simple(asked):
            scope = {**scope, "headers": [each for each in scope["headers"] if each[0] != b"range"]}
        await super().__call__(scope, receive, send)

    def _is_simple(self, asked: str) -> bool:
        """Whether it is one range of bytes. 416 if the file has none of them."""
        found = _RANGE.fullmatch(asked)
        if found is None or not (found[1] or found[2]):
            return False
        if found[1] and found[2] and int(found[2]) < int(found[1]):
            return False
        size = Path(self.path).stat().st_size
        if int(found[1] or 0) >= size or (not found[1] and int(found[2]) == 0):
            told = f"the file has {size} bytes, and none of those in {asked}"
            raise HTTPException(416, told, headers={"Content-Range": f"bytes */{size}"})
        return True
