"""Taking the word of those who drew a film for what lies between its key frames, once it is proved.

The proof: the film has the packets that came of the frames that were watched, every one of them, in
order. What their decoder makes of it is seen on the key frames, which must look as they were drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from genlock.media.check.sighting import Sighting, groups_of, read
from genlock.media.check.watch import Blocks, Watched, decoded, luma_of, note
from genlock.media.operation import Progress
from genlock.media.photo.tone import blocks

Show = Callable[[VideoFrame], None]

_ALIKE = 3.0  # levels by which blocks may differ on average from what was drawn; coding costs less than one


def seen_before(film: Path, witness: Path, progress: Progress, show: Show | None = None) -> Watched | None:
    """What was seen of the film when it was drawn; None if this is another film, or nobody watched.

    `show` is handed every key frame, as it is decoded from the film.
    """
    sighting = read(witness)
    if sighting is None:
        return None
    if groups_of(film) != [(group.frames, group.packets) for group in sighting.groups]:
        return None
    record = Watched(
        frames=sighting.frames, repeats=sighting.repeats, black=sighting.black, still=sighting.still
    )
    _look(film, sighting, record, progress, show)
    return record


def _look(film: Path, sighting: Sighting, record: Watched, progress: Progress, show: Show | None) -> None:
    """Decode the key frames and compare them with those that were drawn."""
    number, at = 0, 0
    try:
        for number, frame in enumerate(decoded(film, keys=True), start=1):
            note(frame, record)
            group = sighting.groups[number - 1]
            if not _alike(blocks(luma_of(frame)), sighting.blocks(group.opens)):
                record.error = f"frame {at} does not show what was drawn"
                return
            if show is not None:
                show(frame)
            at += group.frames
            progress(0.8 * at / sighting.frames, "watching the film")
    except av.FFmpegError as error:
        record.error = str(error)
        return
    record.how = f"all {number} key frames, each as it was drawn, with the packets of all {at} frames"
    if at != sighting.frames:
        record.error = f"only {number} of {len(sighting.groups)} key frames can be decoded"


def _alike(shown: Blocks, drawn: Blocks) -> bool:
    return shown.shape == drawn.shape and float(np.abs(shown - drawn).mean()) <= _ALIKE
