"""Footage that was bought or filmed, on paper: what a file is, and which moments of it a clip shows. Light.

Whatever its rate, length, size and shape, footage is conformed to the film by rules that can be told:

    length      played faster or slower by up to 12 %; what is still too long is cut off at its end (or at its
                beginning, if only there nothing is missed), what is still too short is refused: a clip never
                freezes
    rate        each frame of the film shows the frame of the footage that is nearest in time
    shape       the part around what stands out in the photos is shown, and nothing is stretched
    colour      BT.709, whatever range and matrix it came in; HDR is brought down to it
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genlock.errors import Permanent
from genlock.media.film.motion import Move, Picture, Size, View, cover, hold
from genlock.media.operation import Request, Value

MOST_SPEED_CHANGE = 0.12
_FRAME = 0.5  # of a frame of the film: by so much footage may be shorter than the rules allow


class FootageReport(Value):
    """A film file that can be shown, every frame of which was decoded. Times are seconds of its own clock.

    Width and height are as a player shows them: upright, with square pixels, both even. `fps` is None unless
    all frames last equally long. `notes` say in words what has to be made up for.
    """

    bytes: int
    format: str
    codec: str
    pixels: str
    width: int = Field(ge=2)
    height: int = Field(ge=2)
    frames: int = Field(ge=2)
    first: float
    last: float
    seconds: float
    fps: float | None
    has_audio: bool
    notes: tuple[str, ...] = ()

    @property
    def span(self) -> float:
        """Seconds from the first frame to the last."""
        return self.last - self.first


class LookAtFootage(Request[FootageReport]):
    """`look_at_footage`: decode a film file and say what it is. Raises `RenderRefused` with what is wrong.

    `name` is what people call the file, for messages. More `pixels` a frame and more `seconds` are refused.
    """

    path: Path
    name: str | None = None
    pixels: int = 36_000_000
    seconds: float = 300.0


class Footage(Value):
    """What a clip shows of a file: a part of its frame, which may move, from one moment on, at one speed.

    `picture` stands for a frame of it: the file's hash, the size as shown, and what stands out. `begin` is
    the moment of the clip's first frame, `speed` is seconds of footage in one second of film, `unused` how
    many seconds are not shown.
    """

    picture: Picture
    move: Move
    begin: float
    speed: float = Field(ge=1 - MOST_SPEED_CHANGE - 1e-3, le=1 + MOST_SPEED_CHANGE + 1e-3)
    unused: float = Field(default=0.0, ge=0)


def conform(
    report: FootageReport,
    sha256: str,
    *,
    frames: int,
    fps: int,
    size: Size,
    ends: tuple[Picture, Picture],
    keep_end: bool = False,
) -> Footage:
    """How a clip of so many frames is made of a file: from its first frame to its last, if that can be.

    `ends` are its first and last frame as pictures, for what stands out in them. Of what is too long even so
    the end is not shown, or with `keep_end` the beginning. `Permanent` with the numbers if the file is too
    short.
    """
    wanted = (frames - 1) / fps
    slowest = wanted * (1 - MOST_SPEED_CHANGE)
    if report.span < slowest - _FRAME / fps:
        raise Permanent(
            f"the footage is too short: it has {report.frames} frames in {report.seconds:.2f} s, and a clip "
            f"of {frames} frames at {fps} a second needs {slowest:.2f} s of it at least, played "
            f"{MOST_SPEED_CHANGE:.0%} slower; make the clips shorter (clip_duration), or take a model whose "
            "footage is longer"
        )
    speed = min(max(report.span / wanted, 1 - MOST_SPEED_CHANGE), 1 + MOST_SPEED_CHANGE)
    unused = max(0.0, report.span - wanted * speed)
    first, last = ends
    frame = first.model_copy(update={"sha256": sha256, "width": report.width, "height": report.height})
    return Footage(
        picture=frame,
        move=Move(start=_around(first, frame, size), end=_around(last, frame, size)),
        begin=report.first + (unused if keep_end else 0.0),
        speed=speed,
        unused=unused,
    )


def seconds_needed(frames: int, fps: int) -> tuple[float, float]:
    """The least and the most seconds of footage that fill a clip to its end without being cut.

    Counted as players and vendors do, from the first frame to the end of the last.
    """
    seconds = frames / fps
    return seconds * (1 - MOST_SPEED_CHANGE), seconds * (1 + MOST_SPEED_CHANGE)


def framed(picture: Picture, size: Size) -> Picture:
    """A picture as it is when everything beyond a frame of this shape is cut away, around what stands out.

    Its hash is still that of the whole picture.
    """
    left, top, right, bottom = crop(picture, size)
    wide, high = right - left, bottom - top

    def within(value: float, low: float, side: float) -> float:
        return min(max((value - low) / side, 0.0), 1.0)

    x, y = picture.focus
    x0, y0, x1, y1 = picture.region
    return picture.model_copy(
        update={
            "width": max(1, round(picture.width * wide)),
            "height": max(1, round(picture.height * high)),
            "focus": (within(x, left, wide), within(y, top, high)),
            "region": (
                within(x0, left, wide),
                within(y0, top, high),
                within(x1, left, wide),
                within(y1, top, high),
            ),
        }
    )


def crop(picture: Picture, size: Size) -> tuple[float, float, float, float]:
    """The part of a picture that a frame of this shape shows around what stands out: shares of its sides."""
    view = _around(picture, picture, size)
    wide, high = cover(picture, size)
    left, top = max(0.0, view.x - wide / 2), max(0.0, view.y - high / 2)
    return left, top, min(1.0, left + wide), min(1.0, top + high)


def _around(seen: Picture, frame: Picture, size: Size) -> View:
    """The largest view of a frame that keeps in it what stands out in what is seen there."""
    shown = seen.model_copy(update={"width": frame.width, "height": frame.height})
    return hold(shown, size, x=seen.focus[0], y=seen.focus[1], zoom=1.0)
