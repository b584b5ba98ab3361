"""Cutting a segment into parts that are rendered side by side and joined by copying packets.

Parts begin where the encoder would begin a new group of pictures anyway, so nothing is lost by it; each is a
segment in itself, with a name of its own, and needs only the pictures that are seen in it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

from genlock.media.film.layer import AnyLayer
from genlock.media.film.segment import Segment
from genlock.media.operation import Value

V = TypeVar("V", bound=Value)


def parts(segment: Segment) -> list[Segment]:
    """The segment itself if it is short, else a part for each group of pictures.

    The last one is more than half as long as the others, and at most one and a half times.
    """
    group = round(segment.fps * segment.encoding.gop_seconds)
    count = max(1, (2 * segment.frames + group - 1) // (2 * group))
    if count == 1:
        return [segment]
    begins = [*range(0, count * group, group), segment.frames]
    return [_part(segment, begin, end) for begin, end in pairwise(begins)]


def _part(segment: Segment, begin: int, end: int) -> Segment:
    seen = [layer for layer in segment.layers if _is_seen(layer, segment, begin, end)]
    moved = [_earlier(layer, begin) for layer in seen]
    moved[0] = moved[0].model_copy(update={"entry": None})  # what it appeared over is out of sight
    said = [each for each in segment.captions if each.start < end and each.end > begin]
    captions = tuple(_earlier(each, begin) for each in said)
    return segment.model_copy(update={"frames": end - begin, "layers": moved, "captions": captions})


def _is_seen(layer: AnyLayer, segment: Segment, begin: int, end: int) -> bool:
    """Whether a layer has begun to appear before the end and nothing above it hides it from the beginning."""
    above = segment.layers[segment.layers.index(layer) + 1 :]
    has_come = layer.entry is None or layer.entry.share(end - 1) > 0
    return has_come and not any(one.entry is None or one.entry.share(begin) >= 1 for one in above)


def _earlier(value: V, frames: int) -> V:
    """The same with all it says of when something starts counted from so many frames later."""
    changed: dict[str, object] = {}
    for name in type(value).model_fields:
        found = getattr(value, name)
        if name == "start" or name.endswith("_start"):
            changed[name] = found - frames
        elif name in ("entry", "surge") and found is not None:
            changed[name] = _earlier(found, frames)
    return value.model_copy(update=changed)
