"""Reading what a film says from a file: JSON, TOML, a table, or plain lines `photo: words`.

Besides photos, a file may name `title`, `subtitle`, `ending`, `call`, `contact` and `logo`.
"""

from __future__ import annotations

import codecs
import csv
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any

from genlock.errors import BadInput

FIELDS = ("title", "subtitle", "ending", "call", "contact", "logo")
LARGEST = 4_000_000  # bytes: more than captions for ten thousand photos take
_HEADS = ("photo", "file", "name", "picture")

Entry = tuple[str, str, str]  # where it stands, what it is of, and the words


def read_titles(path: Path) -> dict[str, Any]:
    """The fields of an order that a file of titles gives. `BadInput` says where the file is wrong."""
    text = _text(path)
    match path.suffix.lower():
        case ".json":
            return _order(path, _from_json(path, text))
        case ".toml":
            return _order(path, _from_toml(path, text))
        case ".csv" | ".tsv":
            return _order(path, _from_table(path, text))
        case ".txt" | "":
            return _order(path, _from_lines(path, text))
    raise BadInput(f"{path}: titles are read from .csv, .json, .toml and .txt files, not {path.suffix}")


def photos_of(captions: Mapping[str, str], photos: Sequence[str]) -> dict[str, str]:
    """Words by the photos' paths. A photo is called by its file name, with or without ending, or its path.

    `ValueError` names what no photo is called, or several are.
    """
    by_name: dict[str, list[str]] = {}
    for photo in photos:
        for name in _names(photo):
            by_name.setdefault(name, []).append(photo)
    found: dict[str, str] = {}
    for name, words in captions.items():
        matching = by_name.get(name) or by_name.get(name.casefold()) or []
        if len(matching) != 1:
            raise ValueError(_unclear(name, matching, [PurePath(photo).name for photo in photos]))
        if matching[0] in found:
            raise ValueError(f"{PurePath(matching[0]).name} is given words twice")
        found[matching[0]] = words
    return found


def _names(photo: str) -> Iterable[str]:
    path = PurePath(photo)
    whole = [photo, *("/".join(path.parts[-count:]) for count in (1, 2, 3)), path.stem]
    return dict.fromkeys([*whole, *(name.casefold() for name in whole)])


def _unclear(name: str, matching: Sequence[str], names: Sequence[str]) -> str:
    if matching:
        many = len(matching)
        return f"{name!r} is the name of {many} photos: write a folder before it, as in {_tail(matching)}"
    near = get_close_matches(name, names, 1, 0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there are words for {name!r}, but no photo of the order is called so{hint}"


def _tail(matching: Sequence[str]) -> str:
    return " or ".join(repr("/".join(PurePath(photo).parts[-2:])) for photo in matching[:2])


def _text(path: Path) -> str:
    try:
        found = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the titles cannot be read: {path}: {error.strerror}") from error
    if len(found) > LARGEST:
        raise BadInput(f"{path} has {len(found)} bytes: that is no file of titles")
    wide = found.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return found.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = found[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{path}, line {line}: byte 0x{found[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error


def _from_json(path: Path, text: str) -> Iterator[Entry]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise BadInput(f"{path}: {name!r} is there twice")
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {error.lineno}: not JSON: {error.msg}") from error
    return _from_object(path, found)


def _from_toml(path: Path, text: str) -> Iterator[Entry]:
    try:
        return _from_object(path, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML: {error}") from error


def _from_object(path: Path, found: Any) -> Iterator[Entry]:
    """Fields by their names, and photos by theirs, those in `captions` or beside the fields."""
    if not isinstance(found, dict):
        raise BadInput(f'{path}: write names and words, as in {{"title": "…", "photo.jpg": "…"}}')
    captions = found.pop("captions", {})
    if not isinstance(captions, dict):
        raise BadInput(f"{path}: captions are words by the names of photos")
    for name, words in [*found.items(), *captions.items()]:
        if not isinstance(words, str):
            raise BadInput(f"{path}: the words for {name!r} are no text: {words!r}")
        yield f"{path}", name, words


def _from_table(path: Path, text: str) -> Iterator[Entry]:
    first = text.partition("\n")[0]
    mark = max(("\t", ";", ","), key=first.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=mark, strict=True)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or (rows.line_num == 1 and cells[0].casefold() in _HEADS):
                continue
            if len(cells) < 2 or any(cells[2:]):
                raise BadInput(
                    f"{path}, line {rows.line_num}: {len(cells)} columns; a row is a photo and its words, "
                    f'and words with {mark!r} in them are put into "quotes"'
                )
            yield f"{path}, line {rows.line_num}", cells[0], cells[1]
    except csv.Error as error:
        raise BadInput(f"{path}, line {rows.line_num}: {error}") from error


def _from_lines(path: Path, text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, words = line.partition(":")
        if not colon or not name.strip():
            raise BadInput(f"{path}, line {number}: write a photo, a colon and its words: photo.jpg: words")
        yield f"{path}, line {number}", name.strip(), words.strip()


def _order(path: Path, entries: Iterable[Entry]) -> dict[str, Any]:
    """Fields and captions; each at most once, none empty."""
    fields: dict[str, Any] = {}
    captions: dict[str, str] = {}
    seen: dict[str, str] = {}
    for where, name, words in entries:
        if name in seen:
            raise BadInput(f"{where}: {name!r} was given words before ({seen[name].rpartition(', ')[2]})")
        seen[name] = where
        if not words.strip():
            raise BadInput(f"{where}: there are no words for {name!r}; leave it out if it has none")
        if name == "logo":
            fields[name] = str((path.absolute().parent / words).absolute())
        elif name in FIELDS:
            fields[name] = words
        else:
            captions[name] = words
    if captions:
        fields["captions"] = captions
    return fields
