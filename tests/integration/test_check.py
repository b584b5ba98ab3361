"""The film check against films that are right, and films each broken in one way."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from genlock.errors import RenderRefused
from genlock.media.check.container import boxes
from genlock.media.check.film import check
from genlock.media.check.report import CheckFilm, CheckReport, Span
from genlock.media.music import wav
from genlock.media.sound import stream as sound

PHOTO = Path(__file__).resolve().parents[2] / "examples" / "photos" / "forest-stream.jpg"
SIZE, FPS, FRAMES, RATE = (320, 180), 30, 150, 48_000
TAGS = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": 1}


def quiet(fraction: float, note: str | None = None) -> None:
    assert 0 <= fraction <= 1


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


GOOD = Recipe()


def pictures(recipe: Recipe) -> Iterator[np.ndarray]:
    """A camera that glides over a photograph."""
    assert PHOTO.exists(), f"{PHOTO} is part of the repository"
    read = cv2.imread(str(PHOTO))
    assert read is not None
    photo = cv2.resize(read, (640, 480))
    width, height = recipe.size
    at = 0
    for index in range(recipe.frames):
        at = at if index in recipe.frozen else index
        move = np.array([[1.0, 0, -0.9 * at], [0, 1.0, -40 - 0.4 * at]])
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
    stream = container.add_stream("libx264", rate=FPS, options=options)
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
        audio = None
        if recipe.sound:
            audio = container.add_stream(
                "aac", rate=recipe.rate, layout=recipe.layout, options={"aac_coder": "fast"}
            )
            audio.bit_rate = recipe.bitrate
        for index, picture in enumerate(pictures(recipe)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=recipe.pixels)
            frame.pts = recipe.late + index * 10 + recipe.stamps.get(index, 0)
            frame.time_base = Fraction(1, FPS * 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio:
            write_sound(container, audio, recipe)
    return path


def write_sound(container: av.container.OutputContainer, stream: av.AudioStream, recipe: Recipe) -> None:
    samples = tone(recipe)
    for first in range(0, samples.shape[1], 4800):
        part = np.ascontiguousarray(samples[:, first : first + 4800])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=recipe.layout)
        frame.rate, frame.pts, frame.time_base = recipe.rate, first, Fraction(1, recipe.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def examine(path: Path, **more: object) -> CheckReport:
    wanted = {"width": SIZE[0], "height": SIZE[1], "frames": FRAMES, "fps": FPS, **more}
    return check(CheckFilm(path=path, **wanted), quiet)


def faults(report: CheckReport) -> set[str]:
    return {finding.name for finding in report.failures}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "good.mp4")


def test_a_good_film_passes_with_every_number_told(good: Path) -> None:
    report = examine(good)
    assert report.passed, report.sentence()
    assert len(report.findings) == 21
    assert len({finding.name for finding in report.findings}) == 21
    assert all(finding.wanted and finding.got for finding in report.findings)


def test_a_silent_film_passes_when_it_was_ordered_without_sound(tmp_path: Path) -> None:
    film = make(tmp_path / "mute.mp4", replace(GOOD, sound=False))
    assert examine(film, has_audio=False).passed
    assert faults(examine(film)) == {"tracks"}


def test_sound_that_was_not_ordered_is_a_fault(good: Path) -> None:
    assert faults(examine(good, has_audio=False)) == {"tracks"}


BROKEN = {
    "black gap": (replace(GOOD, black=range(70, 75)), {"black"}),
    "frozen": (replace(GOOD, frozen=range(60, 100)), {"freeze"}),
    "frozen tail": (replace(GOOD, frozen=range(100, FRAMES)), {"freeze"}),
    "a frame too few": (replace(GOOD, frames=FRAMES - 1, seconds=FRAMES / FPS), {"frames"}),
    "half as long": (replace(GOOD, frames=75), {"frames", "sound length", "silence"}),
    "variable rate": (replace(GOOD, stamps={40: 3, 41: 2}), {"frame rate"}),
    "no faststart": (replace(GOOD, faststart=False), {"faststart"}),
    "full range": (replace(GOOD, tags={**TAGS, "color_range": 2}), {"colour", "pixels"}),
    "BT.601": (replace(GOOD, tags={**TAGS, "colorspace": 6}), {"colour"}),
    "untagged": (replace(GOOD, tags={}), {"colour"}),
    "anamorphic": (replace(GOOD, aspect=Fraction(4, 3)), {"pixel aspect"}),
    "main profile": (replace(GOOD, profile="main", x264="8x8dct=0:cabac=1:keyint=60"), {"codec"}),
    "4:4:4": (replace(GOOD, pixels="yuv444p", profile="high444"), {"codec", "pixels"}),
    "long groups": (replace(GOOD, x264="keyint=100:scenecut=0"), {"groups of pictures"}),
    "open groups": (
        replace(GOOD, x264="keyint=30:min-keyint=30:bframes=3:open-gop=1"),
        {"groups of pictures"},
    ),
    "other size": (replace(GOOD, size=(318, 180)), {"size"}),
    "quiet": (replace(GOOD, gain=0.5), {"loudness"}),
    "clipped": (replace(GOOD, gain=4.0), {"loudness", "true peak"}),
    "silent tail": (replace(GOOD, hush=(3.5, 5.0)), {"silence"}),
    "silent but for a moment": (replace(GOOD, hush=(1.5, 5.0)), {"silence"}),
    "music too short": (replace(GOOD, seconds=3.0), {"sound length", "silence"}),
    "music a little long": (replace(GOOD, seconds=5.1), {"sound length"}),
    "few bits": (replace(GOOD, bitrate=96_000), {"sound bit rate"}),
    "44.1 kHz": (replace(GOOD, rate=44_100), {"sound codec"}),
    "mono": (replace(GOOD, layout="mono"), {"sound codec", "loudness"}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_film_broken_in_one_way_fails_by_that_finding(fault: str, tmp_path: Path) -> None:
    recipe, expected = BROKEN[fault]
    assert faults(examine(make(tmp_path / "broken.mp4", recipe))) == expected


def test_planned_holds_blacks_and_silences_are_no_faults(tmp_path: Path) -> None:
    recipe = replace(GOOD, black=range(60, 72), frozen=range(80, 125), hush=(3.0, 4.5))
    film = make(tmp_path / "planned.mp4", recipe)
    assert faults(examine(film)) == {"black", "freeze", "silence"}
    planned = {
        "blacks": [Span(start=60, end=72)],
        "holds": [Span(start=79, end=126)],
        "silences": [Span(start=88, end=136)],
    }
    assert examine(film, **planned).passed


def test_a_hold_excuses_only_its_own_frames(tmp_path: Path) -> None:
    film = make(tmp_path / "longer.mp4", replace(GOOD, frozen=range(30, 120)))
    assert faults(examine(film, holds=[Span(start=29, end=80)])) == {"freeze"}


def test_three_black_frames_and_a_still_second_are_allowed(tmp_path: Path) -> None:
    film = make(tmp_path / "short.mp4", replace(GOOD, black=range(70, 73), frozen=range(10, 38)))
    assert examine(film).passed


def test_the_numbers_are_in_the_findings(tmp_path: Path) -> None:
    report = examine(make(tmp_path / "gap.mp4", replace(GOOD, black=range(60, 75))))
    (finding,) = report.failures
    assert finding.got == "0.50 s from 2.00 s"
    assert report.sentence() == "black: 0.50 s from 2.00 s (wanted 0.1 s at most, unless planned)"


def test_damage_in_the_middle_is_found(good: Path, tmp_path: Path) -> None:
    film = Path(shutil.copy(good, tmp_path / "damaged.mp4"))
    data = bytearray(film.read_bytes())
    sizes = dict(boxes(film))
    middle = len(data) - sizes["mdat"] // 2
    data[middle : middle + 6000] = bytes(np.random.default_rng(3).integers(0, 256, 6000, np.uint8))
    film.write_bytes(data)
    report = examine(film)
    assert not report.passed
    assert faults(report) & {"decoding", "frames", "sound decoding"}


@pytest.mark.parametrize("content", [b"", b"not a film at all", b"<html>payment required</html>"])
def test_what_is_no_film_is_reported_not_raised(content: bytes, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(content)
    assert faults(examine(film)) == {"file"}
    assert faults(examine(tmp_path / "absent.mp4")) == {"file"}


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    wav.write(path, [tone(GOOD)], FRAMES * RATE // FPS)
    assert {"faststart", "tracks"} <= faults(examine(path))


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile '{film}'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:5,\n{film}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    "<AdaptationSet><Representation><BaseURL>{film}</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_no_other_file(good: Path, tmp_path: Path, kind: str) -> None:
    shutil.copy(good, tmp_path / "other.mp4")
    playlist = tmp_path / "film.mp4"
    playlist.write_text(PLAYLISTS[kind].format(film="other.mp4"))
    assert faults(examine(playlist)) == {"file"}
    with pytest.raises(RenderRefused, match=r"film\.mp4 cannot be decoded as sound"):
        list(sound.read(playlist))


def test_boxes_stop_at_the_end_of_a_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(struct.pack(">I4sI", 12, b"ftyp", 0) + struct.pack(">I4s", 3, b"oops"))
    assert list(boxes(path)) == [("ftyp", 12)]
