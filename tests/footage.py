"""Footage as it comes from anywhere: every frame carries its number, so that it is known again in a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from films import PHOTO

Image = NDArray[np.uint8]
BITS, TICKS = 8, 30_000  # of a number; a second


@dataclass(frozen=True)
class Roll:
    """A file in words. `times` are ticks at which frames are shown, if not evenly at `fps`."""

    size: tuple[int, int] = (160, 90)
    fps: Fraction = Fraction(30)
    frames: int = 30
    times: Sequence[int] | None = None
    codec: str = "libx264"
    pixels: str = "yuv420p"
    tags: dict[str, int] = field(default_factory=dict)
    aspect: Fraction | None = None
    turned: int = 0
    mirrored: bool = False
    sound: bool = False
    fragmented: bool = False
    begins: int = 0


def number_of(image: Image) -> int:
    """The number that a frame carries along its lower third, whatever size it is shown in."""
    height, width = image.shape[:2]
    row = image[round(height * 0.8), :, 1] if image.ndim == 3 else image[round(height * 0.8)]
    places = [round((0.5 * bit + 0.25 - BITS / 4) * width / BITS + width / 2) for bit in range(BITS)]
    return sum(1 << bit for bit, place in enumerate(places) if row[place] > 127)


def picture(number: int, size: tuple[int, int]) -> Image:
    """A frame: a photo under a camera that moves on, with the frame's number in light and dark below."""
    width, height = size
    photo = cv2.resize(np.asarray(cv2.imread(str(PHOTO)), np.uint8), (width * 2, height * 2))
    x, y = number * 2 % width, number % height
    image = np.ascontiguousarray(photo[y : y + height, x : x + width])
    top, bottom = round(height * 0.7), round(height * 0.9)
    for bit in range(BITS):
        left, right = ((0.5 * bit + offset - BITS / 4) * width / BITS + width / 2 for offset in (0, 0.5))
        image[top:bottom, round(left) : round(right)] = 220 if number >> bit & 1 else 30
    return image


def roll(path: Path, wanted: Roll = Roll()) -> Path:
    """Write the file."""
    options = {"movflags": "frag_keyframe+empty_moov"} if wanted.fragmented else {}
    with av.open(str(path), "w", options=options) as container:
        stream = _stream(container, wanted)
        sound = container.add_stream("aac", rate=44100, layout="stereo") if wanted.sound else None
        times = wanted.times or [round(n * TICKS / wanted.fps) for n in range(wanted.frames)]
        shown = wanted.size[::-1] if wanted.turned in (90, 270) else wanted.size
        for number, at in enumerate(times):
            frame = _frame(_stored(picture(number, shown), wanted), wanted)
            frame.pts, frame.time_base = at + wanted.begins, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _silence(container, sound, times[-1] / TICKS)
    return path


def _stored(image: Image, wanted: Roll) -> Image:
    """As the camera stores what it was held aslant for: turned back."""
    turns = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
    return np.asarray(cv2.rotate(image, turns[wanted.turned]), np.uint8) if wanted.turned else image


def _frame(image: Image, wanted: Roll) -> av.VideoFrame:
    matrix, full = wanted.tags.get("colorspace", 1), wanted.tags.get("color_range") == 2
    return av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
        format=wanted.pixels,
        dst_colorspace=matrix,
        dst_color_range=2 if full else 1,
    )


def _stream(container: av.container.OutputContainer, wanted: Roll) -> av.VideoStream:
    options = {"preset": "ultrafast", "crf": "12"} if wanted.codec == "libx264" else {"crf": "20", "b": "0"}
    if wanted.codec == "libvpx-vp9":
        options |= {"deadline": "realtime", "cpu-used": "8"}
    stream = container.add_stream(wanted.codec, rate=wanted.fps, options=options)
    if wanted.turned:
        stream.set_display_rotation(-wanted.turned)
    stream.width, stream.height = wanted.size
    stream.pix_fmt = wanted.pixels
    stream.codec_context.time_base = Fraction(1, TICKS)
    for name, value in wanted.tags.items():
        setattr(stream.codec_context, name, value)
    if wanted.aspect:
        stream.codec_context.sample_aspect_ratio = wanted.aspect
    return stream


def _silence(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = np.zeros((2, round(44100 * seconds)), np.float32)
    for first in range(0, samples.shape[1], 1024):
        part = np.ascontiguousarray(samples[:, first : first + 1024])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.rate, frame.pts, frame.time_base = 44100, first, Fraction(1, 44100)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
