"""What is proved if it is one of genlock's own pipelines: a tiny order over pictures painted for it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from genlock.errors import BadInput
from genlock.testing.proof.order import Subject

WIDE, HIGH, TILE = 320, 180, 20  # pixels of a picture, and of one of the squares it is made of
TINY = {"resolution": "90p", "clip_duration": 0.4, "transitions": "cut"}  # 160 × 90, twelve frames a clip


def subject_of(
    pipeline: str,
    folder: Path,
    *,
    pairs: int,
    params: Path | None = None,
    tools: str | None = None,
    answers: Sequence[str] = (),
) -> Subject:
    """A pipeline of genlock's with an order of so many pairs, painted into `folder`; or anybody's, with the
    parameters of a JSON file. `answers` are GATE=VALUE. `BadInput` if one of them cannot be read.
    """
    said = dict(map(_answer, answers))
    if params is not None:
        return Subject(pipeline=pipeline, params=_read(params), tools=tools, answers=said)
    if ":" in pipeline:
        return Subject(pipeline=pipeline, params={}, tools=tools, answers=said)
    photos = [str(paint(folder / f"{number:03}.png", number)) for number in range(2 * pairs)]
    order = {"photos": photos, "num_pairs": pairs, **TINY}
    return Subject(pipeline=pipeline, params=order, tools=tools, answers=said)


def _answer(text: str) -> tuple[str, Any]:
    """A gate and what is said there: JSON, or plain text."""
    gate, sign, value = text.partition("=")
    if not gate or not sign:
        raise BadInput(f"{text!r} answers no gate: write it as GATE=VALUE, as in approve=true")
    try:
        return gate, json.loads(value)
    except ValueError:
        return gate, value


def paint(path: Path, seed: int) -> Path:
    """A picture that is like no other: soft squares in colours of its own, as PNG."""
    dice = Random(seed)
    ground = [dice.randrange(60, 200) for _ in range(3)]
    rows = bytearray()
    for _ in range(HIGH // TILE):
        tiles = [bytes(_shade(dice, part) for part in ground) * TILE for _ in range(WIDE // TILE)]
        rows += (b"\0" + b"".join(tiles)) * TILE
    head = struct.pack(">IIBBBBB", WIDE, HIGH, 8, 2, 0, 0, 0)
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(bytes(rows))) + _chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def _shade(dice: Random, ground: int) -> int:
    return max(0, min(255, ground + dice.randrange(-55, 56)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no object of parameters by name")
    return found
