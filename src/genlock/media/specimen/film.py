"""A small film that begins on one picture and ends on another; for the provider simulator alone."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from genlock.errors import BadPicture
from genlock.media.specimen.sound import chord, encode_into

_RATE = 44100
_X264 = {"preset": "ultrafast", "crf": "18", "x264-params": "threads=1"}


@dataclass(frozen=True, slots=True)
class FilmSpecimen:
    """What a film is rendered from. `size` is width and height in even pixels, `seed` chooses the colours
    that stand for a picture which is not there, `sound` adds a quiet chord in AAC.
    """

    size: tuple[int, int] = (160, 90)
    frames: int = 12
    fps: int = 24
    sound: bool = False
    seed: int = 0


def render_film(specimen: FilmSpecimen, first: bytes | None = None, last: bytes | None = None) -> bytes:
    """H.264 in MP4: the first frame is the first picture, the last the last, those between are mixed.

    `first` and `last` are files, cut to the film's shape. `BadPicture` for one that cannot be read.
    """
    rng = random.Random(specimen.seed)  # colours for both are drawn in any case, so one picture moves nothing
    wash_a, wash_b = _wash(specimen.size, rng), _wash(specimen.size, rng)
    start = wash_a if first is None else _picture(first, specimen.size)
    end = wash_b if last is None else _picture(last, specimen.size)
    out = io.BytesIO()
    with av.open(out, "w", format="mp4", options={"fflags": "+bitexact"}) as film:
        video = _video(film, specimen)
        sound = film.add_stream("aac", rate=_RATE, layout="stereo") if specimen.sound else None
        for number in range(specimen.frames):
            film.mux(video.encode(_frame(start, end, number, specimen)))
        film.mux(video.encode(None))
        if sound is not None:
            seconds = specimen.frames / specimen.fps
            encode_into(film, sound, chord(seconds, _RATE, specimen.seed))
    return out.getvalue()


def _video(film: av.container.OutputContainer, specimen: FilmSpecimen) -> av.VideoStream:
    stream = film.add_stream("libx264", rate=specimen.fps, options=_X264)
    stream.width, stream.height = specimen.size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, specimen.fps)
    context.thread_count = 1
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = Colorspace.ITU709
    return stream


def _frame(
    start: NDArray[np.float32], end: NDArray[np.float32], number: int, specimen: FilmSpecimen
) -> av.VideoFrame:
    weight = number / max(1, specimen.frames - 1)
    mixed = (start + (end - start) * np.float32(weight) + np.float32(0.5)).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(mixed, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709
    )
    frame.pts, frame.time_base = number, Fraction(1, specimen.fps)
    return frame


def _picture(data: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", (2 * size[0], 2 * size[1]))  # a JPEG is then read at an eighth of its size
            fitted = ImageOps.fit(picture.convert("RGB"), size)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise BadPicture(f"a picture of {len(data)} bytes cannot be read: {error}") from error
    return np.asarray(fitted, dtype=np.float32)


def _wash(size: tuple[int, int], rng: random.Random) -> NDArray[np.float32]:
    """Two colours, one flowing into the other from left to right."""
    left, right = (np.array([rng.randrange(30, 226) for _ in range(3)], np.float32) for _ in range(2))
    across = np.linspace(0, 1, size[0], dtype=np.float32)[:, None]
    line = left + (right - left) * across
    return np.broadcast_to(line, (size[1], size[0], 3)).astype(np.float32)
