"""What the operations on pictures and films are asked and what they answer: light, for the parent."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genlock.media.film.motion import Picture
from genlock.media.film.segment import Segment
from genlock.media.operation import Request, Value


class PictureReport(Value):
    """A picture as it really is, whatever its name says. Width and height are upright.

    `turned` says that its EXIF orientation had to be applied; `sha256` is that of the file. `notes` say
    in words what was out of the ordinary, such as a misleading file extension.
    """

    path: Path
    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    mode: str
    turned: bool
    transparent: bool
    profile: str | None
    notes: tuple[str, ...] = ()


class LookAtPicture(Request[PictureReport]):
    """`look_at_picture`: decode a picture completely and say what it is. Raises `BadPicture`.

    `name` is what people call the file, for messages; `pixels` is the most that is decoded.
    """

    path: Path
    name: str | None = None
    pixels: int = 100_000_000


class ImportedPicture(Value):
    """A working copy: upright, sRGB, opaque, 8-bit JPEG. `picture` is what plans are made of."""

    report: PictureReport
    path: Path
    picture: Picture


class ImportPicture(Request[ImportedPicture]):
    """`import_picture`: write a working copy to `to`. Raises `BadPicture`.

    It is scaled down until its sides are within `short` and `long` pixels: enough for a 1080p frame of
    any shape with room to zoom, even from a panorama, and quick to decode.
    """

    path: Path
    to: Path
    name: str | None = None
    pixels: int = 100_000_000
    short: int = 2160
    long: int = 12_288


class Portrayal(Value):
    """A picture at a glance: a small upright JPEG, and its colours as `#rrggbb`, the commonest first."""

    report: PictureReport
    path: Path
    width: int
    height: int
    colours: tuple[str, ...]


class PortrayPicture(Request[Portrayal]):
    """`portray_picture`: decode a picture completely and write a small one to `to`. Raises `BadPicture`.

    The small one's sides are within `short` and `long` pixels.
    """

    path: Path
    to: Path
    name: str | None = None
    pixels: int = 100_000_000
    short: int = 320
    long: int = 640


class CutOut(Value):
    """A part of a picture, as JPEG."""

    path: Path
    width: int
    height: int
    bytes: int


class CutPicture(Request[CutOut]):
    """`cut_picture`: a part of a working copy as a picture of its own, in exactly this size.

    `box` is left, top, right and bottom as shares of the sides.
    """

    path: Path
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    to: Path


class RenderedSegment(Value):
    """A segment's file."""

    path: Path
    name: str
    frames: int
    bytes: int


class RenderSegment(Request[RenderedSegment]):
    """`render_segment`: draw and encode a segment. `sources` maps picture hashes to working copies."""

    segment: Segment
    sources: dict[str, Path]
    to: Path


class Part(Value):
    """A rendered segment in a film, and how many frames it must have."""

    path: Path
    frames: int = Field(ge=1)


class JoinedFilm(Value):
    """A film without sound. `encoded_again` says why packets could not be copied; None: they were."""

    path: Path
    frames: int
    fps: int
    bytes: int
    encoded_again: str | None = None


class JoinSegments(Request[JoinedFilm]):
    """`join`: one film from segments in order, by copying packets. Raises `CheckFailed` on lost frames."""

    parts: list[Part] = Field(min_length=1)
    fps: int
    to: Path


class MuxedFilm(Value):
    """A finished film. Seconds are what a player plays."""

    path: Path
    frames: int
    video_seconds: float
    audio_seconds: float | None
    bytes: int


class MuxFilm(Request[MuxedFilm]):
    """`mux`: a joined film with one finished audio track, ready to be played and streamed.

    Both are copied. Raises `RenderRefused` unless the audio is AAC-LC at 48 kHz in stereo, and
    `CheckFailed` with the numbers if their lengths differ by more than a frame.
    """

    video: Path
    audio: Path | None = None
    fps: int
    to: Path


class StillImage(Value):
    """A still picture made from a film."""

    path: Path
    width: int
    height: int
    bytes: int
    at: list[float] = Field(description="seconds into the film of each frame shown")


class MakePoster(Request[StillImage]):
    """`poster`: the best frame of a film's beginning as JPEG, no wider than `width`."""

    film: Path
    to: Path
    width: int = 1280


class MakeContactSheet(Request[StillImage]):
    """`contact_sheet`: frames spaced evenly over a film, with their time codes, as one JPEG."""

    film: Path
    to: Path
    columns: int = Field(default=4, ge=1, le=12)
    rows: int = Field(default=5, ge=1, le=12)
    width: int = 1600


class VideoReport(Value):
    """A video track, counted packet by packet. Colour numbers are those of ITU-T H.273; 2 is unspecified.

    `fps` is None unless every frame lasts equally long; `keys` are the frames a player can jump to.
    """

    codec: str
    profile: str
    pixels: str
    width: int
    height: int
    sample_aspect_ratio: str
    frames: int
    fps: float | None
    start: float
    seconds: float
    keys: list[int]
    primaries: int
    transfer: int
    matrix: int
    full_range: bool | None


class AudioReport(Value):
    """An audio track. Seconds are what a player plays, without the encoder's delay."""

    codec: str
    profile: str
    rate: int
    channels: int
    start: float
    seconds: float
    bitrate: int


class MediaReport(Value):
    """What a film or sound file contains. `faststart`: players can begin before all of it has arrived."""

    path: Path
    bytes: int
    format: str
    seconds: float
    faststart: bool
    tracks: int
    video: VideoReport | None
    audio: AudioReport | None


class ProbeMedia(Request[MediaReport]):
    """`probe`: read all packets of a local file; decodes nothing. Raises `RenderRefused` if it cannot."""

    path: Path
