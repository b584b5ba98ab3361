"""What things of the library may be called: names, tags, details, and ids that sort by time."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from random import Random
from typing import Any

from genlock.engine.name import job_id
from genlock.errors import BadInput
from genlock.media.photo.source import WHOLE, called

MOST_TAGS, LONGEST_TAG = 50, 50  # tags of one asset; characters of one
LONGEST_NAME = 200  # characters of a client's or campaign's name
LARGEST_DETAILS = 1 << 16  # characters of JSON
_UNFIT = set('"\\,')  # a list of tags is written with commas, and kept as JSON


def new_id(kind: str, now: datetime, rng: Random) -> str:
    """An id such as `as_…` that sorts by the time of creation, and that nobody guesses."""
    return f"{kind}_{job_id(now, rng)}{rng.getrandbits(40):010x}"


def title(name: str, what: str) -> str:
    """A client's or campaign's name as it is kept. `BadInput` if nobody could read or ask for it."""
    kept = unicodedata.normalize("NFC", name.strip())
    if not kept or len(kept) > LONGEST_NAME:
        raise BadInput(f"a {what}'s name has from 1 to {LONGEST_NAME} characters, not {len(kept)}")
    if _has_controls(kept):
        raise BadInput(f"the {what}'s name {called(kept)} has control characters in it")
    return kept


def file_name(name: str) -> str:
    """A picture's name as people know it: of a file, not of a way to one."""
    if not name.strip() or set(name) <= {".", " "}:
        raise BadInput("a picture has a file name, such as kitchen.jpg")
    if len(name) > WHOLE:
        raise BadInput(
            f"a picture's name has {len(name)} characters ({called(name)}); at most {WHOLE} are kept"
        )
    if "/" in name or "\\" in name:
        raise BadInput(f"{called(name)} is a path: name the file alone, without the folders that it is in")
    if _has_controls(name):
        raise BadInput(f"{called(name)} has control characters in it; give the picture another name")
    return unicodedata.normalize("NFC", called(name, WHOLE))


def tag_list(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags in small letters, each once, in their order."""
    kept = dict.fromkeys(tag(each) for each in tags)
    if len(kept) > MOST_TAGS:
        raise BadInput(f"an asset has at most {MOST_TAGS} tags, not {len(kept)}")
    return tuple(kept)


def tag(text: str) -> str:
    """A tag as it is kept and asked for."""
    kept = unicodedata.normalize("NFC", text.strip().lower())
    if not kept or len(kept) > LONGEST_TAG:
        raise BadInput(f"a tag has from 1 to {LONGEST_TAG} characters: {called(kept)!r}")
    if _UNFIT & set(kept) or _has_controls(kept):
        raise BadInput(
            f"a tag has no commas, quotes, backslashes or control characters in it: {called(kept)!r}"
        )
    return kept


def details_text(details: Mapping[str, Any]) -> str:
    """Details as they are kept: JSON, which any database takes."""
    text = json.dumps(details, separators=(",", ":"))
    if len(text) > LARGEST_DETAILS:
        raise BadInput(f"details have {len(text)} characters as JSON; at most {LARGEST_DETAILS} are kept")
    return text


def _has_controls(text: str) -> bool:
    """Whether there are control characters or half pairs of surrogates in it, which no ledger keeps."""
    return any(unicodedata.category(each) in {"Cc", "Cs"} for each in text)
