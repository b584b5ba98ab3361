"""Small films made for a purpose: a good one, and others broken in one way each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "photos" / "forest-stream.jpg"
SIZE, FPS, FRAMES, RATE = (320, 180), 30, 150, 48_000
TAGS = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": 1}


@dataclass(frozen=True)
class Recipe:
    """A film in words: what differs from a good one is what a test is about."""

    frames: int = FRAMES
    black: range = range(0)
    frozen: range = range(0)
    stamps: dict[int, int] = field(default_factory=dict)
    late: int = 0
    tags: dict[str, int] = field(default_factory=lambda: dict(TAGS))
    aspect: Fraction | None = Fraction(1)
    profile: str = "high"
    pixels: str = "yuv420p"
    x264: str = "keyint=60:open-gop=0"
    faststart: bool = True
    sound: bool = True
    gain: float = 1.0
    hush: tuple[float, float] = (0.0, 0.0)
    seconds: float | None = None
    bitrate: int = 256_000
    rate: int = RATE
    layout: str = "stereo"
    size: tuple[int, int] = SIZE
    codec: str = "libx264"
    turned: int = 0
    sound_late: float = 0.0
    stretched: Fraction = Fraction(1)
    tracks: int = 1
    shade: float = 1.0
    speed: float = 1.0
    blur: float = 0.0


GOOD = Recipe()


def pictures(recipe: Recipe) -> Iterator[np.ndarray]:
    """A camera that glides over a photograph."""
    assert PHOTO.exists(), f"{PHOTO} is part of the repository"
    read = cv2.imread(str(PHOTO))
    assert read is not None
    photo = cv2.resize(read, (640, 480))
    if recipe.blur:
        photo = cv2.GaussianBlur(photo, (0, 0), recipe.blur)
    photo = cv2.convertScaleAbs(photo, alpha=recipe.shade)
    width, height = recipe.size
    at = 0
    for index in range(recipe.frames):
        at = at if index in recipe.frozen else index
        move = np.array([[1.0, 0, -0.9 * recipe.speed * at], [0, 1.0, -40 - 0.4 * recipe.speed * at]])
        picture = cv2.warpAffine(photo, move, (width, height), borderMode=cv2.BORDER_REFLECT)
        yield np.zeros_like(picture) if index in recipe.black else picture


def tone(recipe: Recipe) -> np.ndarray:
    """Pink-ish noise near -14 LUFS, different in both ears."""
    count = round((recipe.seconds or recipe.frames / FPS) * recipe.rate)
    random = np.random.default_rng(1)
    spectrum = np.fft.rfft(random.standard_normal((2, count)))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / recipe.rate), 40))
    noise = np.fft.irfft(spectrum, count)
    noise *= 0.137 / noise.std() * recipe.gain
    first, last = (round(edge * recipe.rate) for edge in recipe.hush)
    noise[:, first:last] = 0
    return noise[: 1 if recipe.layout == "mono" else 2].astype(np.float32)


def video_stream(container: av.container.OutputContainer, recipe: Recipe) -> av.VideoStream:
    options = {"preset": "ultrafast", "profile": recipe.profile, "x264-params": f"8x8dct=1:{recipe.x264}"}
    stream = container.add_stream(
        recipe.codec, rate=FPS, options=options if recipe.codec == "libx264" else {"qscale": "2"}
    )
    if recipe.turned:
        stream.set_display_rotation(recipe.turned)
    stream.width, stream.height = recipe.size
    stream.pix_fmt = recipe.pixels
    context = stream.codec_context
    context.time_base = Fraction(1, FPS * 10)
    for name, value in recipe.tags.items():
        setattr(context, name, value)
    if recipe.aspect:
        context.sample_aspect_ratio = recipe.aspect
    return stream


def make(path: Path, recipe: Recipe = GOOD) -> Path:
    options = {"movflags": "+faststart"} if recipe.faststart else {}
    with av.open(str(path), "w", options=options) as container:
        video = video_stream(container, recipe)
        sounds = [sound_stream(container, recipe) for _ in range(recipe.tracks if recipe.sound else 0)]
        for index, picture in enumerate(pictures(recipe)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=recipe.pixels)
            frame.pts = recipe.late + index * 10 + recipe.stamps.get(index, 0)
            frame.time_base = Fraction(1, FPS * 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for audio in sounds:
            write_sound(container, audio, recipe)
    return path


def sound_stream(container: av.container.OutputContainer, recipe: Recipe) -> av.AudioStream:
    stream = container.add_stream(
        "aac", rate=recipe.rate, layout=recipe.layout, options={"aac_coder": "fast"}
    )
    stream.bit_rate = recipe.bitrate
    return stream


def write_sound(container: av.container.OutputContainer, stream: av.AudioStream, recipe: Recipe) -> None:
    samples = tone(recipe)
    late = round(recipe.sound_late * recipe.rate)
    for first in range(0, samples.shape[1], 4800):
        part = np.ascontiguousarray(samples[:, first : first + 4800])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=recipe.layout)
        frame.rate, frame.pts, frame.time_base = recipe.rate, first + late, Fraction(1, recipe.rate)
        container.mux([stretched(packet, recipe) for packet in stream.encode(frame)])
    container.mux([stretched(packet, recipe) for packet in stream.encode(None)])


def stretched(packet: av.Packet, recipe: Recipe) -> av.Packet:
    """A packet as it is stamped by a clock that runs slow or fast."""
    packet.pts = packet.dts = round((packet.pts or 0) * recipe.stretched)
    return packet
