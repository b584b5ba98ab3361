"""Films as a player finds them: opened with PyAV, without anything of genlock's."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Image = NDArray[np.uint8]
THUMB = (32, 18)


@dataclass(frozen=True)
class Playback:
    """All that a player would find in a film."""

    path: Path
    frames: int
    steps: set[Fraction]
    start: Fraction
    size: tuple[int, int]
    codec: tuple[str, str, str]
    aspect: Fraction | None
    colour: tuple[int, int, int, int]
    tracks: tuple[str, ...]
    sound: tuple[str, str, int, str] | None
    samples: NDArray[np.float32]
    loudness: float
    thumbs: list[Image]

    @property
    def boxes(self) -> list[str]:
        """The names of the file's outermost boxes, in order."""
        return list(_boxes(self.path))

    def frame(self, number: int) -> Image:
        """One frame as BGR, decoded from the start: seeking is not what is tested."""
        with av.open(str(self.path)) as film:
            for index, frame in enumerate(film.decode(video=0)):
                if index == number:
                    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        raise IndexError(number)

    def level(self, first: float, last: float) -> float:
        """RMS in dBFS between two moments in seconds; negative ones count from the end."""
        part = self.samples[:, round(first * 48_000) or None : round(last * 48_000) or None]
        return float(20 * np.log10(max(np.sqrt(np.mean(np.square(part))), 1e-9)))


def play(path: Path) -> Playback:
    """Decode a film to its end."""
    times, thumbs = [], []
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        for frame in film.decode(video):
            times.append(frame.pts * frame.time_base)
            thumbs.append(thumb(frame.to_ndarray(format="bgr24")))
        context = video.codec_context
        facts = {
            "size": (context.width, context.height),
            "codec": (context.name, str(context.profile), str(context.pix_fmt)),
            "aspect": context.sample_aspect_ratio,
            "colour": tuple(
                int(value)
                for value in (
                    context.color_primaries,
                    context.color_trc,
                    context.colorspace,
                    context.color_range,
                )
            ),
            "tracks": tuple(stream.type for stream in film.streams),
        }
    steps = {later - earlier for earlier, later in pairwise(times)}
    sound, samples, loudness = _listen(path)
    return Playback(
        path=path,
        frames=len(times),
        steps=steps,
        start=times[0],
        thumbs=thumbs,
        sound=sound,
        samples=samples,
        loudness=loudness,
        **facts,
    )


def _listen(path: Path) -> tuple[Any, NDArray[np.float32], float]:
    parts, measured = [np.zeros((2, 0), np.float32)], {}
    with av.open(str(path)) as film:
        if not film.streams.audio:
            return None, parts[0], float("nan")
        audio = film.streams.audio[0]
        graph = av.filter.Graph()
        chain = [
            graph.add_abuffer(template=audio),
            graph.add("ebur128", "metadata=1:framelog=quiet"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*chain).configure()
        for frame in film.decode(audio):
            parts.append(frame.to_ndarray())
            graph.push(frame)
            measured |= {key: value for heard in _pulled(graph) for key, value in heard.metadata.items()}
        context = audio.codec_context
        facts = (context.name, str(context.profile), context.sample_rate, audio.layout.name)
    return facts, np.concatenate(parts, axis=1), float(measured["lavfi.r128.I"])


def _pulled(graph: av.filter.Graph) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _boxes(path: Path) -> Iterator[str]:
    data, at = path.read_bytes(), 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        yield name.decode()
        at += struct.unpack_from(">Q", data, at + 8)[0] if size == 1 else size or len(data)


def thumb(image: Image) -> Image:
    """A few grey pixels of what a picture is of: the middle of it, in the shape of a film's frame."""
    height, width = image.shape[:2]
    wide, high = min(width, height * 16 // 9), min(height, width * 9 // 16)
    left, top = (width - wide) // 2, (height - high) // 2
    middle = image[top : top + high, left : left + wide]
    return np.asarray(cv2.resize(middle, THUMB, interpolation=cv2.INTER_AREA), np.uint8)


def likeness(one: Image, other: Image) -> float:
    """How alike two thumbnails are, -1..1."""
    a, b = (np.float64(each).reshape(-1, 3) for each in (one, other))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))


def most_like(frame: Image, photos: dict[str, Image]) -> str:
    """The name of the photo that a frame shows."""
    return max(photos, key=lambda name: likeness(frame, photos[name]))


def shown(playback: Playback, storyboard: dict[str, Any], photos: list[Path]) -> list[tuple[str, str]]:
    """The photos that each planned clip shows: in the middle of its first half and of its second."""
    pictures = {path.name: thumb(np.asarray(cv2.imread(str(path)), np.uint8)) for path in photos}
    found, at = [], 0
    for shot in storyboard["plan"]["shots"]:
        first = at + (shot["lead"] + shot["blend_start"]) // 2
        end = shot["blend_start"] + shot["blend_frames"]
        last = at + (end + shot["frames"] - shot["tail"]) // 2
        found.append(
            (most_like(playback.thumbs[first], pictures), most_like(playback.thumbs[last], pictures))
        )
        at += shot["frames"] - shot["tail"]
    return found


@pytest.fixture(scope="session")
def player() -> Callable[[Path], Playback]:
    return play


@pytest.fixture(scope="session")
def scenes() -> Callable[[Playback, dict[str, Any], list[Path]], list[tuple[str, str]]]:
    return shown
