"""Files: what customers sent, and what is made for them, rendered when it is first asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.testing.simulator.job import Piece

MEDIA_TYPES = {
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "pcm": "audio/pcm",
}
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a customer sent: `name` is the hash of its bytes, `metadata` what was said of it."""

    id: str
    name: str
    file: str
    media_type: str
    size: int
    at: float
    metadata: Mapping[str, Any]


class Shelf:
    """Keeps pictures by the hash of their bytes, and what was rendered by what it was rendered from."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._made: OrderedDict[Piece, asyncio.Task[bytes]] = OrderedDict()
        self.uploads: dict[str, Upload] = {}
        self._folder: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """Keep pictures in this folder too, and find those that are there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Keep it; its hash."""
        name = hashlib.sha256(data).hexdigest()
        if name not in self._blobs:
            self._blobs[name] = data
            if self._folder is not None:
                (self._folder / name).write_bytes(data)
        return name

    def get(self, name: str) -> bytes | None:
        """What has this hash."""
        if name not in self._blobs and self._folder is not None and (self._folder / name).is_file():
            self._blobs[name] = (self._folder / name).read_bytes()
        return self._blobs.get(name)

    async def make(self, piece: Piece) -> bytes:
        """The file, rendered in a thread the first time: whoever asks meanwhile waits for the same."""
        task = self._made.get(piece)
        if task is None:
            task = self._made[piece] = asyncio.create_task(asyncio.to_thread(self._render, piece))
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(piece)
        return await asyncio.shield(task)

    def clear(self) -> None:
        """Forget what customers sent; what was rendered may stay, it would come out the same."""
        self._blobs.clear()
        self.uploads.clear()

    def _render(self, piece: Piece) -> bytes:
        renderers: dict[str, Callable[[Piece], bytes]] = {
            "film": self._film,
            "music": _music,
            "voice": _voice,
        }
        return renderers[piece.kind](piece)

    def _film(self, piece: Piece) -> bytes:
        from genlock.media.specimen.film import FilmSpecimen, render_film

        first, last = (None if name is None else self.get(name) for name in piece.pictures)
        frames = max(1, round(piece.seconds * piece.rate))
        return render_film(FilmSpecimen(piece.size, frames, piece.rate, piece.sound, piece.seed), first, last)


def _music(piece: Piece) -> bytes:
    from genlock.media.specimen.sound import chord, encode

    return encode(chord(piece.seconds, piece.rate, piece.seed), piece.rate, piece.format)


def _voice(piece: Piece) -> bytes:
    from genlock.media.specimen.sound import encode, spell, voice

    return encode(voice(spell(piece.text, piece.speed), piece.rate), piece.rate, piece.format)
