"""The films of a home that another process owns, asked for over its socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from genlock.client.accounts import Ask
from genlock.engine.views import RedoView
from genlock.ledger.library.verdict import SoughtFilms
from genlock.pipelines.review import Opinion
from genlock.pipelines.video import VideoService, VideoView, Word

PAGE = 200  # films asked for at a time
_VERBS = {Opinion.APPROVED: "approve", Opinion.REJECTED: "reject"}

_VIDEO, _VIDEOS, _REDO = TypeAdapter(VideoView), TypeAdapter(list[VideoView]), TypeAdapter(RedoView)


class SocketVideos(VideoService):
    """`VideoService` over the socket. Errors are those the owner raised; it speaks as who owns the socket."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def list(
        self, sought: SoughtFilms = SoughtFilms(), *, after: str | None = None, limit: int = 50
    ) -> Sequence[VideoView]:
        found: Sequence[VideoView] = []
        named = {name: getattr(sought, name) for name in ("owner", "campaign", "pipeline", "standing")}
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            query = {name: value for name, value in {**named, "after": after}.items() if value is not None}
            page = await self._ask(_VIDEOS, "GET", "/videos", query={**query, "limit": size})
            found = [*found, *page]
            if len(page) < size:
                break
            after = page[-1].id
        return found

    async def show(self, video: str) -> VideoView:
        return await self._ask(_VIDEO, "GET", _at(video))

    async def say(self, video: str, word: Word) -> VideoView:
        body: dict[str, Any] = {"revision": word.revision, "sha256": word.sha256, "reason": word.reason}
        return await self._ask(_VIDEO, "POST", _at(video, _VERBS[word.verdict]), body=body, again=True)

    async def redo_clip(self, video: str, revision: int, clip: int, *, dry_run: bool = False) -> RedoView:
        body = {"revision": revision, "clip": clip, "dryRun": dry_run}
        return await self._ask(_REDO, "POST", _at(video, "redo-clip"), body=body)


def _at(video: str, *more: str) -> str:
    return "/".join(["/videos", quote(video, safe=""), *more])
