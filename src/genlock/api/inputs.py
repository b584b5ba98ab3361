"""Where vendors fetch the pictures of a request: without signing in, by an address that nobody guesses."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Request, Response

from genlock.api.clients import Books
from genlock.api.download import answers, file_answer
from genlock.api.problem import RESPONSES
from genlock.providers.picture import ENDINGS, PLACE

log = structlog.get_logger(__name__)
FAULTS: dict[int | str, dict[str, Any]] = {status: RESPONSES[status] for status in (404, 422, 429, 500, 503)}
router = APIRouter(prefix=f"/{PLACE}", tags=["vendors"], responses=FAULTS)


@router.get("/{key}/{name}", response_class=Response, responses=answers(*ENDINGS))
async def lend_picture(
    key: Annotated[str, Path(max_length=100, description="the key of a call that is under way")],
    name: Annotated[str, Path(max_length=100, description="`SHA256.jpg`, `.png` or `.webp`")],
    request: Request,
    books: Books,
) -> Response:
    """A picture of a request that is under way, for its vendor. That it was fetched is written down."""
    picture, path = await books.lending.lend(key, name)
    if await books.lending.note(key, picture):
        log.info("a vendor fetched a picture", action="input_fetched", call=key, picture=picture.sha256[:12])
    return file_answer(
        request, path, media_type=picture.media_type, sha256=picture.sha256, cache="private, max-age=3600"
    )
