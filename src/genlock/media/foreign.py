"""Opening film and sound files that anybody may have made; in rendering children only."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

# Formats that hold all they play. Playlists and the like, which name other files, are not read.
_FORMATS = "mov,matroska,avi,mpegts,wav,mp3,flac,ogg,aac,h264"


def open_foreign(path: Path, **more: str) -> InputContainer:
    """The file, by its content; `av.FFmpegError` for what is unreadable or would open other files.

    `more` are options of libav's own.
    """
    options = {**more, "protocol_whitelist": "file", "format_whitelist": _FORMATS}
    return av.open(f"file:{path.resolve()}", options=options)
