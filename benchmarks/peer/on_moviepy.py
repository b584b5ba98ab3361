"""The film of `film.py` made with MoviePy, the way its documentation makes such films.

python on_moviepy.py ORDER.json

Same photos, size, rate, camera moves, dissolves and music, and an encoder with the same preset and rate
factor, which may use all cores. Each photo is an `ImageClip` that is resized and placed anew for each moment,
and fades in over the one before. MoviePy composes no music and chooses no pairs: both are handed to it.
"""

from __future__ import annotations

import json
import math
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from moviepy import AudioFileClip, CompositeVideoClip, ImageClip, vfx

Order = dict[str, Any]
EASE = 0.25


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    began = time.perf_counter()
    film = CompositeVideoClip(layers(order), size=tuple(order["size"])).with_duration(order["seconds"])
    if order["music"]:
        film = film.with_audio(AudioFileClip(order["music"]).with_duration(order["seconds"]))
    film.write_videofile(
        order["to"],
        fps=order["fps"],
        codec="libx264",
        preset=order["preset"],
        audio_codec="aac",
        threads=order["threads"],
        ffmpeg_params=["-crf", str(order["crf"])],
        logger=None,
    )
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "version": version("moviepy")}))


def layers(order: Order) -> list[ImageClip]:
    """Two photos a clip, in the order in which they appear."""
    found = []
    for shot in order["shots"]:
        start, blend = shot["start"], shot["blend_start"]
        until = blend + shot["blend"] if shot["blend"] else shot["seconds"]
        found.append(layer(order, shot["first"], start, until, shot["lead"]))
        if shot["blend"]:
            found.append(layer(order, shot["last"], start + blend, shot["seconds"] - blend, shot["blend"]))
    return found


def layer(order: Order, photo: Order, start: float, seconds: float, fade: float) -> ImageClip:
    """A photo under a moving camera, which fades in."""
    wide, high = order["size"]
    fit = max(wide / photo["width"], high / photo["height"])
    begin, end = photo["start"], photo["end"]

    def at(moment: float) -> float:
        share = min(max(moment / seconds, 0.0), 1.0)
        return share - EASE * math.sin(2 * math.pi * share) / (2 * math.pi)

    def scale(moment: float) -> float:
        return float(fit * begin["zoom"] * (end["zoom"] / begin["zoom"]) ** at(moment))

    def place(moment: float) -> tuple[float, float]:
        x, y = (begin[axis] + (end[axis] - begin[axis]) * at(moment) for axis in ("x", "y"))
        grown = scale(moment)
        return wide / 2 - x * photo["width"] * grown, high / 2 - y * photo["height"] * grown

    clip = ImageClip(photo["path"], duration=seconds).with_effects([vfx.Resize(scale)])
    clip = clip.with_position(place).with_start(start)
    return clip.with_effects([vfx.CrossFadeIn(fade)]) if fade else clip


if __name__ == "__main__":
    main()
