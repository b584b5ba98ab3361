"""The typefaces that films are titled in, and which characters they have; in rendering children only."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from types import MappingProxyType

from PIL import ImageFont

from genlock.errors import BadInput
from genlock.media.film.caption import Design

FILES: Mapping[Design, str] = MappingProxyType(
    {
        "calm": "Lato-Regular.ttf",
        "bold": "LeagueSpartan-Bold.otf",
        "cinematic": "EBGaramond12-Regular.otf",
    }
)
WIDEST = FILES["calm"]  # has Latin, Greek and Cyrillic: stands in for a face that lacks a character
_NO_CHARACTER = "\uffff"
_ON_THEIR_OWN = ("C", "Z")  # categories that have no glyph: controls, formats and separators
_NAMED = 6


def plain(text: str) -> str:
    """Composed characters and single spaces: what faces have glyphs for."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def face_for(design: Design, texts: Iterable[str]) -> str:
    """The design's face, or the widest if only that has all characters. `BadInput` names what none has."""
    wanted = [*texts]
    for name in (FILES[design], WIDEST):
        if not any(missing(name, text) for text in wanted):
            return name
    text = next(text for text in wanted if missing(WIDEST, text))
    raise BadInput(
        f"the title {text!r} cannot be written: there is no letter for {_listed(missing(WIDEST, text))} in "
        "the typefaces at hand, which have the Latin, Greek and Cyrillic alphabets; write it in one of these"
    )


def missing(name: str, text: str) -> list[str]:
    """The characters, each once, that the face of this file has no glyph for."""
    return [
        each
        for each in dict.fromkeys(plain(text))
        if each != " " and (unicodedata.category(each)[0] in _ON_THEIR_OWN or not _has(name, each))
    ]


@lru_cache(maxsize=64)
def font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    """The face of this file at this size."""
    return ImageFont.truetype(BytesIO(_bytes(name)), pixels, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=len(FILES))
def _bytes(name: str) -> bytes:
    return files("genlock.media.text").joinpath("fonts", name).read_bytes()


@lru_cache(maxsize=2048)
def _has(name: str, character: str) -> bool:
    face = font(name, 32)
    return _drawn(face, character) != _drawn(face, _NO_CHARACTER)


def _drawn(face: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = face.getmask(character)
    return mask.size, bytes(mask)


def _listed(characters: list[str]) -> str:
    named = [f"{each!r} ({unicodedata.name(each, f'U+{ord(each):04X}')})" for each in characters[:_NAMED]]
    more = len(characters) - _NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
