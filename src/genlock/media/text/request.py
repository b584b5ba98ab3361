"""What the operations on words and logos are asked and what they answer: light, for the parent."""

from __future__ import annotations

from pathlib import Path

from genlock.media.film.caption import Caption
from genlock.media.film.motion import Picture, Size
from genlock.media.operation import Request, Value


class CaptionsSet(Value):
    """All of so many captions can be written, and fit."""

    captions: int


class SetCaptions(Request[CaptionsSet]):
    """`set_captions`: try whether all of these fit into frames of this size.

    Raises `BadInput` naming letters that no typeface has, and texts that are too long.
    """

    captions: list[Caption]
    size: Size


class ImportedLogo(Value):
    """A logo as it is laid over frames: upright, sRGB, with what is transparent in it."""

    picture: Picture
    path: Path


class ImportLogo(Request[ImportedLogo]):
    """`import_logo`: write a working copy as PNG, its empty edges cut off. Raises `BadPicture`."""

    path: Path
    to: Path
    name: str
    pixels: int = 100_000_000
    side: int = 1200
