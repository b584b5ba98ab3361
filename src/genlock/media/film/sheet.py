"""Stills of a film: a poster for players and lists, a contact sheet to see all of it at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image, ImageDraw, ImageFont

from genlock.errors import RenderRefused
from genlock.media.film.draft import draft
from genlock.media.film.mux import only_video, open_file
from genlock.media.operation import Progress, operation
from genlock.media.request import MakeContactSheet, MakePoster, StillImage

_POSTER_SECONDS = 2.0
_POSTER_STEP = 0.2
_QUALITY = 90
_GAP = 8
_PAPER = (18, 18, 20)
_INK = (235, 235, 235)


@operation("poster")
def poster(request: MakePoster, progress: Progress) -> StillImage:
    """The sharpest, best lit of the film's first frames, those before anything dissolves."""
    with open_file(request.film) as film:
        stream = only_video(film, request.film)
        last = min(_POSTER_SECONDS, _seconds(stream) * 0.8)
        moments = np.arange(0.0, max(last, _POSTER_STEP / 2), _POSTER_STEP)
        best = max(_frames(film, stream, moments), key=_appeal)
        progress(0.9, "poster chosen")
        width = min(request.width, stream.width) // 2 * 2
        image = _image(best, width, round(width * stream.height / stream.width))
        return _save(image, request.to, [_moment(best)])


@operation("contact_sheet")
def contact_sheet(request: MakeContactSheet, progress: Progress) -> StillImage:
    """A frame from each of equal parts of the film, left to right, then down."""
    count = request.columns * request.rows
    with open_file(request.film) as film:
        stream = only_video(film, request.film)
        width = (request.width - _GAP * (request.columns + 1)) // request.columns
        size = width, max(1, round(width * stream.height / stream.width))
        label = max(12, width // 16)
        cell = width + _GAP, size[1] + label + 2 * _GAP
        sheet = Image.new("RGB", (request.width, cell[1] * request.rows + _GAP), _PAPER)
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(label)
        keys = [float(key * (stream.time_base or 0)) for key in _keys(film, stream)]
        moments = _moments(count, _seconds(stream), keys)
        shown = []
        for number, frame in enumerate(_frames(film, stream, moments)):
            left = _GAP + number % request.columns * cell[0]
            top = _GAP + number // request.columns * cell[1]
            sheet.paste(_image(frame, *size), (left, top))
            shown.append(_moment(frame))
            pen.text((left, top + size[1] + _GAP // 2), time_code(shown[-1]), _INK, font=font)
            progress((number + 1) / count, "contact sheet")
    return _save(sheet, request.to, shown)


def time_code(seconds: float) -> str:
    """Minutes, seconds and tenths, with hours where there are any: `1:02.5`."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def _keys(film: InputContainer, stream: VideoStream) -> list[int]:
    """When the frames are shown that can be decoded by themselves, in the stream's ticks."""
    film.seek(0)
    packets = film.demux(stream)
    return sorted(packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None)


def _moments(parts: int, seconds: float, keys: list[float]) -> Iterator[float]:
    """A moment in each of equal parts of the film: its key frame nearest to the middle, if it has one.

    Else its beginning, which is nearest to the key frame that has to be decoded first.
    """
    for part in range(parts):
        begin, middle, end = (seconds * (part + share) / parts for share in (0.0, 0.5, 1.0))
        _, moment = min(
            ((abs(key - middle), key) for key in keys if begin <= key < end), default=(0.0, begin)
        )
        yield moment


def _frames(film: InputContainer, stream: VideoStream, moments: Iterable[float]) -> Iterator[av.VideoFrame]:
    """A frame shown at each of these ascending moments, in seconds, or a moment later.

    Nothing is decoded twice, and of what no other frame is made from, nothing at all.
    """
    stream.codec_context.skip_frame = "NONREF"
    base = stream.time_base or Fraction(1, 1000)
    step = 1 / (base * (stream.average_rate or 25))
    keys = _keys(film, stream)
    frames: Iterator[av.VideoFrame] = iter(())
    shown = None
    for moment in moments:
        wanted = round(float(moment) / base)
        key = max((key for key in keys if key <= wanted), default=keys[0] if keys else 0)
        if shown is None or (shown.pts or 0) < key:
            film.seek(key, stream=stream, backward=True)
            frames, shown = film.decode(stream), None
        while shown is None or (shown.pts or 0) + step <= wanted:
            following = next(frames, None)
            if following is None:
                break
            shown = following
        if shown is None:
            raise RenderRefused(f"{film.name} has no frame at {moment:.2f} s")
        yield shown


def _appeal(frame: av.VideoFrame) -> float:
    """Sharp detail counts, as long as the frame is neither dark nor washed out."""
    grey = cv2.cvtColor(np.asarray(_image(frame, 480, 270)), cv2.COLOR_RGB2GRAY)
    detail = float(cv2.Laplacian(grey, cv2.CV_32F).std())
    light = 1.0 - abs(float(grey.mean()) / 255 - 0.5)
    return detail * light


@cache
def _reformatter() -> VideoReformatter:
    """One for all frames: what it works out for a size costs ten times as much as a frame."""
    return VideoReformatter()


def _image(frame: av.VideoFrame, width: int, height: int) -> Image.Image:
    """The frame in full-range RGB, as a screen shows it."""
    scaled = _reformatter().reformat(
        frame,
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.LANCZOS,
    )
    return Image.fromarray(scaled.to_ndarray())


def _save(image: Image.Image, to: Path, moments: list[float]) -> StillImage:
    with draft(to) as path:
        image.save(path, "JPEG", quality=_QUALITY, optimize=True)
    return StillImage(path=to, width=image.width, height=image.height, bytes=to.stat().st_size, at=moments)


def _seconds(stream: VideoStream) -> float:
    return float((stream.duration or 0) * (stream.time_base or 0))


def _moment(frame: av.VideoFrame) -> float:
    return float(frame.time or 0.0)
