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
from genlock.media.film.mux import only_video, open_file, open_packets
from genlock.media.operation import Progress, operation
from genlock.media.request import MakeContactSheet, MakePoster, StillImage

_POSTER_SECONDS = 2.0
_BEYOND = 0.25  # of a part of the film: how far outside of it the frame that stands for it may lie
_CHOICE = 4  # key frames that a part chooses from
_QUALITY = 90
_GAP = 8
_PAPER = (18, 18, 20)
_INK = (235, 235, 235)


@operation("poster")
def poster(request: MakePoster, progress: Progress) -> StillImage:
    """The sharpest, best lit of the key frames that the film begins with, before anything dissolves."""
    with open_file(request.film) as film:
        stream = only_video(film, request.film)
        chosen = _Poster(request, stream)
        for frame in _frames(film, stream, _beginning(_keys(film, stream), stream)):
            chosen.see(frame)
            progress(0.5, "choosing a poster")
    return chosen.save()


@operation("contact_sheet")
def contact_sheet(request: MakeContactSheet, progress: Progress) -> StillImage:
    """A frame from each of equal parts of the film, left to right, then down."""
    with open_file(request.film) as film:
        stream = only_video(film, request.film)
        sheet = _Sheet(request, stream, _keys(film, stream))
        sheet.fill(film, stream, progress)
    return sheet.save()


class Gallery:
    """A film's poster and contact sheet, made while somebody else decodes its key frames, in order.

    What was not shown by the time they are asked for is decoded then.
    """

    def __init__(self, poster: MakePoster, sheet: MakeContactSheet) -> None:
        self._request, self._film = poster, poster.film
        with open_packets(self._film) as film:
            stream = only_video(film, self._film)
            keys = _keys(film, stream)
            self._poster, self._sheet = _Poster(poster, stream), _Sheet(sheet, stream, keys)
            self._beginning = {*_beginning(keys, stream)}

    def see(self, frame: av.VideoFrame) -> None:
        """The next key frame."""
        if frame.pts in self._beginning:
            self._beginning.remove(frame.pts)
            self._poster.see(frame)
        if frame.pts in self._sheet.missing:
            self._sheet.see(frame.pts, frame)

    def poster(self, progress: Progress) -> StillImage:
        """The poster's file."""
        return poster(self._request, progress) if self._beginning else self._poster.save()

    def sheet(self, progress: Progress) -> StillImage:
        """The contact sheet's file."""
        if self._sheet.missing:
            with open_file(self._film) as film:
                self._sheet.fill(film, only_video(film, self._film), progress)
        return self._sheet.save()


class _Poster:
    """The best of the frames it was shown."""

    def __init__(self, request: MakePoster, stream: VideoStream) -> None:
        self._to, self._width = request.to, min(request.width, stream.width) // 2 * 2
        self._best: av.VideoFrame | None = None
        self._appeal = -1.0

    def see(self, frame: av.VideoFrame) -> None:
        if (appeal := _appeal(frame)) > self._appeal:
            self._best, self._appeal = frame, appeal

    def save(self) -> StillImage:
        if self._best is None:
            raise RenderRefused(f"there is no frame to make {self._to.name} of")
        height = round(self._width * self._best.height / self._best.width)
        return _save(_image(self._best, self._width, height), self._to, [_moment(self._best)])


class _Sheet:
    """Frames side by side, each with its time code below."""

    def __init__(self, request: MakeContactSheet, stream: VideoStream, keys: list[int]) -> None:
        self._request = request
        self._moments = _moments(request.columns * request.rows, stream, keys)
        self._cells: dict[int, tuple[Image.Image, float]] = {}
        width = (request.width - _GAP * (request.columns + 1)) // request.columns
        self._size = width, max(1, round(width * stream.height / stream.width))

    @property
    def missing(self) -> list[int]:
        """Moments whose frames it has not seen, ascending."""
        return [moment for moment in self._moments if moment not in self._cells]

    def see(self, moment: int, frame: av.VideoFrame) -> None:
        """The frame that is shown at one of the moments."""
        self._cells[moment] = _image(frame, *self._size), _moment(frame)

    def fill(self, film: InputContainer, stream: VideoStream, progress: Progress) -> None:
        """Decode what is missing."""
        missing = self.missing
        for moment, frame in zip(missing, _frames(film, stream, missing), strict=True):
            self.see(moment, frame)
            progress(len(self._cells) / len(self._moments), "contact sheet")

    def save(self) -> StillImage:
        """The file: left to right, then down."""
        label = max(12, self._size[0] // 16)
        wide, high = self._size[0] + _GAP, self._size[1] + label + 2 * _GAP
        page = Image.new("RGB", (self._request.width, high * self._request.rows + _GAP), _PAPER)
        pen, font = ImageDraw.Draw(page), ImageFont.load_default(label)
        shown = [self._cells[moment] for moment in self._moments]
        for number, (image, seconds) in enumerate(shown):
            down, across = divmod(number, self._request.columns)
            left, top = _GAP + across * wide, _GAP + down * high
            page.paste(image, (left, top))
            pen.text((left, top + self._size[1] + _GAP // 2), time_code(seconds), _INK, font=font)
        return _save(page, self._request.to, [seconds for _, seconds in shown])


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


def _beginning(keys: list[int], stream: VideoStream) -> list[int]:
    """The key frames of a film's first moments; what it begins with, if there is none."""
    last = min(_POSTER_SECONDS, _seconds(stream) * 0.8) / (stream.time_base or 1)
    return [key for key in keys if key <= last] or [0]


def _moments(parts: int, stream: VideoStream, keys: list[int]) -> list[int]:
    """A moment in each of equal parts of the film, ascending, in the stream's ticks.

    It is a key frame near to the part's middle, in it or not far beyond its ends, if there is one that no
    other part shows. Else it is the beginning, which is nearest to the key frame that has to be
    decoded first, or the middle if the beginning is past.
    """
    length, before, found = (stream.duration or 0) / parts, -1, []
    for part, key in enumerate(nearest_keys([(part + 0.5) * length for part in range(parts)], keys, length)):
        begin, middle = round(part * length), round((part + 0.5) * length)
        before = key if key is not None else begin if begin > before else middle
        found.append(before)
    return found


def nearest_keys(middles: list[float], keys: list[int], length: float) -> list[int | None]:
    """For each part a key frame of its own, in order: for as many as can be, and near to their middles."""
    reach, none = (0.5 + _BEYOND) * length, 2.0 * len(middles) * length
    # By the key frame that was taken last: what the choice for the parts so far costs, and the choice.
    best: dict[int, tuple[float, list[int | None]]] = {-1: (0.0, [])}
    for middle in middles:
        near = sorted((key for key in keys if abs(key - middle) < reach), key=lambda key: abs(key - middle))
        options = {last: (cost + none, [*taken, None]) for last, (cost, taken) in best.items()}
        for key in near[:_CHOICE]:
            cost, taken = min((each for last, each in best.items() if last < key), key=lambda each: each[0])
            after = cost + abs(key - middle), [*taken, key]
            options[key] = min(options.get(key, after), after, key=lambda each: each[0])
        best = options
    return min(best.values(), key=lambda each: each[0])[1]


def _frames(film: InputContainer, stream: VideoStream, moments: Iterable[int]) -> Iterator[av.VideoFrame]:
    """A frame shown at each of these ascending moments, in ticks, or a moment later.

    Nothing is decoded twice, and of what no other frame is made from, nothing at all.
    """
    stream.codec_context.skip_frame = "NONREF"
    base = stream.time_base or Fraction(1, 1000)
    step = 1 / (base * (stream.average_rate or 25))
    keys = _keys(film, stream)
    frames: Iterator[av.VideoFrame] = iter(())
    shown = None
    for wanted in moments:
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
            raise RenderRefused(f"{film.name} has no frame at {float(wanted * base):.2f} s")
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
    """The frame in full-range RGB, as a screen shows it; what becomes very small is averaged."""
    scaled = _reformatter().reformat(
        frame,
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA if 3 * width < frame.width else Interpolation.LANCZOS,
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
