"""Whose things a caller sees: what belongs to somebody else is answered as what does not exist."""

from __future__ import annotations

from genlock.api.caller import Caller
from genlock.errors import NotFound
from genlock.pipelines.video import Videos, VideoView


async def seen_video(videos: Videos, video: str, caller: Caller) -> VideoView:
    """The film of this job; `NotFound` in the same words for another's as for none."""
    none = NotFound(f"there is no video {video!r}: no such job, or it has made no film yet")
    try:
        found = await videos.show(video)
    except NotFound:
        raise none from None
    if not caller.sees(found.owner):
        raise none
    return found
