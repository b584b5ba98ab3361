"""What was seen of a segment's frames while they were drawn, kept in the segment's own file.

A film is checked against it without decoding every frame once more: if its packets are those that came of
the frames that were looked at, it shows what was seen. The sighting lies behind the film, in a box of MP4
that players pass over.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import uuid
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from genlock.media.check.container import boxes
from genlock.media.check.watch import Blocks, Reference, Run, Watch
from genlock.media.film.encode import Plane
from genlock.media.foreign import open_foreign
from genlock.media.operation import Value

_BOX = uuid.UUID("ab300982-ec3f-4b34-b94e-50bab0316b12").bytes
_HEADER = struct.Struct(">I4s16s")
_MOVES = 0.03  # levels that blocks change by from frame to frame: slow moves by 0.1, cards by 0.01


class Group(Value):
    """A closed group of pictures: its frames, the SHA-256 of its packets, and its first frame as drawn.

    Frames are kept as they are judged, averaged down to blocks of whole levels.
    """

    frames: int
    packets: str
    opens: str


class Sighting(Value):
    """A run of frames as it was watched. Runs are (first, past the last); `repeats` equal the one before.

    `shape` is that of the blocks, rows first. `closes` is the last frame.
    """

    shape: tuple[int, int]
    groups: list[Group]
    black: list[Run]
    still: list[Run]
    repeats: list[int]
    closes: str

    @property
    def frames(self) -> int:
        return sum(group.frames for group in self.groups)

    def blocks(self, kept: str) -> Blocks:
        """A frame that was kept."""
        return np.frombuffer(base64.b64decode(kept), np.uint8).reshape(self.shape).astype(np.float32)

    def then(self, after: Sighting) -> Sighting:
        """This one and the next, as one. What stands still at both ends goes on if the ends look alike."""
        alike = Reference(0, self.blocks(self.closes)).like(after.blocks(after.opens))
        return Sighting(
            shape=self.shape,
            groups=[*self.groups, *after.groups],
            black=_joined(self.black, _moved(after.black, self.frames)),
            still=self._still_then(after) if alike else [*self.still, *_moved(after.still, self.frames)],
            repeats=[*self.repeats, *(index + self.frames for index in after.repeats)],
            closes=after.closes,
        )

    @property
    def opens(self) -> str:
        """The first frame."""
        return self.groups[0].opens

    def _still_then(self, after: Sighting) -> list[Run]:
        """The runs of both, with what lies on either side of the seam as one run."""
        last, first = self.frames - 1, self.frames
        before = self.still if _reaches(self.still, last) else [*self.still, (last, first)]
        behind = _moved(after.still, first)
        return _joined(before, behind if _reaches(behind[:1], first) else [(first, first + 1), *behind])


class Lookout:
    """Watches frames while they are drawn."""

    def __init__(self) -> None:
        self._watch = Watch()
        self._seen: list[Blocks] = []

    def see(self, luma: Plane) -> None:
        """The next frame."""
        self._seen.append(self._watch.see(luma))

    def sighting(self, path: Path) -> Sighting:
        """What was seen, of the file that came of it."""
        at, groups = 0, []
        for frames, packets in groups_of(path):
            groups.append(Group(frames=frames, packets=packets, opens=_kept(self._seen[at])))
            at += frames
        record = self._watch.record
        return Sighting(
            shape=self._seen[0].shape,
            groups=groups,
            black=record.black,
            still=record.still,
            repeats=list(_repeats(self._seen)),
            closes=_kept(self._seen[-1]),
        )


def groups_of(path: Path) -> list[tuple[int, str]]:
    """How many frames each group of pictures in a film has, and the SHA-256 of its packets in order."""
    found: list[tuple[int, hashlib._Hash]] = []
    with open_foreign(path, skip_frame="all") as film:
        for packet in film.demux(film.streams.video[0]):
            if packet.is_keyframe or not found:
                found.append((0, hashlib.sha256()))
            if packet.size:
                frames, digest = found[-1]
                digest.update(bytes(packet))
                found[-1] = frames + 1, digest
    return [(frames, digest.hexdigest()) for frames, digest in found]


def sign(path: Path, sighting: Sighting) -> None:
    """Put a sighting behind a film."""
    text = sighting.model_dump_json().encode()
    with path.open("ab") as file:
        file.write(_HEADER.pack(_HEADER.size + len(text), b"uuid", _BOX) + text)


def read(path: Path) -> Sighting | None:
    """The sighting in a film; None if there is none."""
    at = 0
    for name, size in boxes(path):
        if name == "uuid":
            with path.open("rb") as file:
                file.seek(at)
                if _HEADER.unpack(file.read(_HEADER.size))[2] == _BOX:
                    return _parsed(file.read(size - _HEADER.size))
        at += size
    return None


def read_all(paths: Sequence[Path]) -> Sighting | None:
    """The sightings of films that are shown one after the other, as one; None if one has none."""
    whole: Sighting | None = None
    for path in paths:
        found = read(path)
        if found is None or (whole is not None and whole.shape != found.shape):
            return None
        whole = whole.then(found) if whole else found
    return whole


def _parsed(text: bytes) -> Sighting | None:
    try:
        return Sighting.model_validate_json(text)
    except ValidationError:
        return None


def _kept(blocks: Blocks) -> str:
    return base64.b64encode(np.rint(blocks).clip(0, 255).astype(np.uint8).tobytes()).decode()


def _repeats(seen: Sequence[Blocks]) -> list[int]:
    """Frames exactly like the one before while those around move so far that one would see a jolt."""
    steps = [float(np.mean(np.abs(other - one))) for one, other in pairwise(seen)]
    return [
        index + 1
        for index, (before, step, behind) in enumerate(zip(steps, steps[1:], steps[2:], strict=False), 1)
        if step == 0 and min(before, behind) >= _MOVES
    ]


def _moved(runs: Sequence[Run], frames: int) -> list[Run]:
    return [(start + frames, end + frames) for start, end in runs]


def _reaches(runs: Sequence[Run], frame: int) -> bool:
    return bool(runs) and runs[-1][0] <= frame < runs[-1][1]


def _joined(before: Sequence[Run], behind: Sequence[Run]) -> list[Run]:
    """Runs in order; two that touch are one."""
    if before and behind and before[-1][1] == behind[0][0]:
        return [*before[:-1], (before[-1][0], behind[0][1]), *behind[1:]]
    return [*before, *behind]
